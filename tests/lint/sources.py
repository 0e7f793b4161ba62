# SPDX-License-Identifier: Apache-2.0
"""The C files of the tree, for the lint tests."""
import os

FOLDERS = ('api', 'bench', 'billing', 'cli', 'core', 'guest-init', 'images', 'net', 'secrets', 'vmm', 'tests')


def c_files(root):
    """Paths of all .c and .h files, relative to root, sorted."""
    found = []
    for folder in FOLDERS:
        for directory, _, names in os.walk(os.path.join(root, folder)):
            found += [os.path.relpath(os.path.join(directory, n), root)
                      for n in names if n.endswith(('.c', '.h'))]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as f:
        return f.read()


def report(problems):
    """Prints the problems; the exit status of the test."""
    for p in problems:
        print(p)
    return 1 if problems else 0
