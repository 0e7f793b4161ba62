#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
clang-tidy finds nothing (.clang-tidy lists the checks). A file that passed is checked again only
when it, a header or the checks have changed. usage: tidy.py CLANG-TIDY ROOT BUILD
"""
import concurrent.futures
import hashlib
import json
import os
import subprocess
import sys

from sources import c_files, read

program, root, build = sys.argv[1:]
cache = os.path.join(build, 'tidy-cache')


def sha256(*texts):
    return hashlib.sha256('\0'.join(texts).encode()).hexdigest()


def commands():
    """Path from the root -> its compiler command, of every C file that is built."""
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as f:
        for entry in json.load(f):
            path = os.path.relpath(os.path.join(entry['directory'], entry['file']), root)
            if not path.startswith('..') and path.endswith('.c'):
                yield path, entry['command']


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
    headers = sha256(read(root, '.clang-tidy'),
                     *(read(root, p) for p in c_files(root) if p.endswith('.h')))
    files = {p: sha256(headers, c, p, read(root, p)) for p, c in commands()
             if os.path.exists(os.path.join(root, p))}
    os.makedirs(cache, exist_ok=True)
    for name in set(os.listdir(cache)) - set(files.values()):
        os.unlink(os.path.join(cache, name))
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        said = [s for s in pool.map(lambda f: check(*f), files.items()) if s]
    print('\n'.join(said))
    print(f'{len(files)} files, {len(said)} with problems')
    return 1 if said or not files else 0


sys.exit(main())
