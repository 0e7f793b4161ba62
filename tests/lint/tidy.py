#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
clang-tidy finds nothing (.clang-tidy lists the checks). A file that passed is checked again only
when it, a header that it includes or the checks have changed.
usage: tidy.py CLANG-TIDY NINJA ROOT BUILD
"""
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys

from sources import read

program, ninja, root, build = sys.argv[1:]
cache = os.path.join(build, 'tidy-cache')


def sha256(*texts):
    return hashlib.sha256('\0'.join(texts).encode()).hexdigest()


def in_tree(path):
    """The path from the root, or None for a file of the system or of the build."""
    path = os.path.relpath(os.path.join(build, path), root)
    generated = os.path.relpath(build, root)
    return None if path.startswith(('..', generated + os.sep)) else path


def headers():
    """Object file -> what of the tree it was compiled from, as ninja has recorded it."""
    found = {}
    text = subprocess.run([ninja, '-C', build, '-t', 'deps'], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    for block in text.split('\n\n'):
        lines = block.strip().split('\n')
        paths = {in_tree(line.strip()) for line in lines[1:]} - {None}
        found[lines[0].split(':')[0]] = sorted(paths)
    return found


def commands():
    """(path from the root, object file, compiler command) of every C file that is built."""
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as f:
        for entry in json.load(f):
            path = in_tree(entry['file'])
            if path and path.endswith('.c') and os.path.exists(os.path.join(root, path)):
                yield path, entry['output'], entry['command']


def check(path, key):
    """What clang-tidy has to say, '' if nothing."""
    stamp = os.path.join(cache, key)
    if os.path.exists(stamp):
        return ''
    r = subprocess.run([program, '-p', build, '--quiet', os.path.join(root, path)],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if r.returncode == 0:
        open(stamp, 'w', encoding='utf-8').close()
        return ''
    return r.stdout or r.stderr


def main():
    checks = {False: read(root, '.clang-tidy')}
    checks[True] = checks[False] + read(root, 'tests/.clang-tidy')
    used = headers()
    files = {}
    for path, output, command in commands():
        texts = [read(root, p) for p in used.get(output, []) if os.path.exists(os.path.join(root, p))]
        files[path] = sha256(checks[path.startswith('tests/')], command, path, *texts, read(root, path))
    os.makedirs(cache, exist_ok=True)
    for name in set(os.listdir(cache)) - set(files.values()):
        os.unlink(os.path.join(cache, name))
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        said = [s for s in pool.map(lambda f: check(*f), files.items()) if s]
    print('\n'.join(said))
    print(f'{len(files)} files, {len(said)} with problems')
    return 1 if said or not files else 0


sys.exit(main())
