#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""clang-format changes nothing. usage: format.py CLANG-FORMAT ROOT"""
import subprocess
import sys

from sources import c_files

program, root = sys.argv[1:]
sys.exit(subprocess.run([program, '--dry-run', '-Werror', *c_files(root)], cwd=root).returncode)
