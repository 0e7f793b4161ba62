#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A file that has grown too long wants splitting. usage: file-size.py ROOT"""
import sys

from sources import c_files, read, report

LIMITS = {'.c': 600, '.h': 200}


def check(root):
    for path in c_files(root):
        lines = read(root, path).count('\n')
        if lines > LIMITS[path[-2:]]:
            yield f'{path}: {lines} lines, at most {LIMITS[path[-2:]]}'


if __name__ == '__main__':
    sys.exit(report(list(check(sys.argv[1]))))
