#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
No string is ever given to a shell: core/ban.h refuses system() and popen(); this also finds a
header that is undone and what goes around it. usage: no-shell.py ROOT
"""
import re
import sys

from sources import c_files, read, report

COMMENT = re.compile(r'/\*.*?\*/', re.DOTALL)
CALL = re.compile(r'\b(system|popen|wordexp)\s*\(')
SHELL_C = re.compile(r'"(?:/bin/)?(?:ba|da)?sh"\s*,\s*"-c"')
BANNED = re.compile(r'^#define (\w+)\(', re.MULTILINE)
UNBAN = re.compile(r'^\s*#\s*undef\s+(\w+)', re.MULTILINE)


def check(root):
    banned = BANNED.findall(read(root, 'core/ban.h'))
    for path in c_files(root):
        if path == 'core/ban.h':
            continue
        text = COMMENT.sub('', read(root, path))
        for m in CALL.finditer(text):
            yield f'{path}: {m.group(1)}()'
        for m in UNBAN.finditer(text):
            if m.group(1) in banned:
                yield f'{path}: lifts the ban of {m.group(1)}()'
        if not path.startswith('tests/') and SHELL_C.search(text):
            yield f'{path}: runs a shell'


if __name__ == '__main__':
    sys.exit(report(list(check(sys.argv[1]))))
