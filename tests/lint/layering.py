#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include what (docs/architecture.md). usage: layering.py ROOT"""
import os
import re
import sys

from sources import c_files, read, report

# What each folder may use beside itself. core_base is what the static guest can be linked with.
CORE_BASE = {f'core/{n}.h' for n in
             ('ban', 'buf', 'cleanup', 'clock', 'digest', 'error', 'fs', 'id', 'json', 'str')}
PUBLIC = {'vmm/vmm.h', 'images/images.h', 'billing/billing.h', 'guest-init/protocol.h'}
MAY_USE = {
    'core': set(),
    'guest-init': CORE_BASE,
    'vmm': {'core/*', 'guest-init/protocol.h'},
    'images': {'core/*'},
    'billing': {'core/*'},
    'cli': {'core/*'},
    'api': {'core/*'} | PUBLIC,
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def allowed(path, header):
    folder = path.split('/')[0]
    target = header.split('/')[0]
    if folder != 'tests':
        rules = MAY_USE[folder]
        return target == folder or header in rules or f'{target}/*' in rules
    # A test sees what its subject sees, and the subject's private headers.
    subject = path.split('/')[1]
    if target in ('tests', 'core', subject) or header in PUBLIC:
        return True
    return subject == 'fuzz'


def check(root):
    for path in c_files(root):
        for header in INCLUDE.findall(read(root, path)):
            if not os.path.exists(os.path.join(root, header)):
                yield f'{path}: "{header}" is not a path from the top of the tree'
            elif not allowed(path, header):
                yield f'{path}: may not include "{header}"'


if __name__ == '__main__':
    sys.exit(report(list(check(sys.argv[1]))))
