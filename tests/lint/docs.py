#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the documents say about the tree is true. usage: docs.py ROOT

Links, paths of documents in sources, the README's make targets, the tables of errors, metrics,
lanes and operations, messages and limits. With FG_REGEN set, the tables of docs/errors.md are rewritten; their
meanings are kept.
"""
import os
import re
import sys

from sources import c_files, read, report

LINK = re.compile(r'\]\(([^)\s]+)\)')
FENCE = re.compile(r'^```.*?^```', re.MULTILINE | re.DOTALL)


def documents(root):
    found = [n for n in os.listdir(root) if n.endswith('.md')]
    return sorted(found + [f'docs/{n}' for n in os.listdir(f'{root}/docs') if n.endswith('.md')])


def anchors(text):
    """GitHub's names of the headings."""
    headings = re.findall(r'^#+ (.+)$', FENCE.sub('', text), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', h.lower()).replace(' ', '-') for h in headings}


def links(root):
    for path in documents(root):
        for target in LINK.findall(FENCE.sub('', read(root, path))):
            file, _, anchor = target.partition('#')
            if re.match(r'[a-z]+:', target):
                continue
            to = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
            if not os.path.exists(os.path.join(root, to)):
                yield f'{path}: {target} does not exist'
            elif anchor and anchor not in anchors(read(root, to)):
                yield f'{path}: {target}: no such heading'


def mentions(root):
    """Documents that sources send their readers to, and sources that documents name."""
    for path in c_files(root):
        for name in re.findall(r'docs/[\w./-]*\w', read(root, path)):
            if not os.path.exists(os.path.join(root, name)):
                yield f'{path}: {name} does not exist'
    folders = 'api|billing|cli|core|guest-init|images|net|secrets|vmm|tests|bench|scripts|packaging|examples|docs'
    for path in documents(root):
        for name in re.findall(rf'`((?:{folders})/[\w./-]*\w)`', read(root, path)):
            if not os.path.exists(os.path.join(root, name)):
                yield f'{path}: {name} does not exist'
        for name, tests in re.findall(r'`(tests/[\w./-]+)` \(((?:`test_\w+`(?:, )?)+)\)', read(root, path)):
            for test in re.findall(r'\w+', tests):
                if test not in read(root, name):
                    yield f'{path}: {name} has no {test}'


def make_targets(root):
    known = set(re.findall(r'^([a-z]+):', read(root, 'Makefile'), re.MULTILINE))
    for path in documents(root):
        for target in re.findall(r'(?:^    |`)make ([a-z]+)', read(root, path), re.MULTILINE):
            if target not in known:
                yield f'{path}: make {target}: no such target'


def compare(path, what, documented, real):
    for name in sorted(real - documented):
        yield f'{path}: {what} {name} is missing'
    for name in sorted(documented - real):
        yield f'{path}: {what} {name} does not exist'


def metrics(root):
    path = 'docs/operations.md'
    real = set(re.findall(r'"(fgrun_\w+)", "(\w+)"', read(root, 'api/handle_metrics.c')))
    documented = set(re.findall(r'^\| `(fgrun_\w+)` \| (\w+) \|', read(root, path), re.MULTILINE))
    return compare(path, 'metric', documented, real)


def lanes(root):
    path = 'docs/architecture.md'
    real = {(name, file) for file in c_files(root)
            if not file.startswith('tests/') and file != 'vmm/fake.c'
            for name in re.findall(r'fg_lane_new\([^"()]*"([\w-]+)"', read(root, file))}
    documented = set(re.findall(r'^\| `([\w-]+)` \| [^|]+\|[^|]+\| `([\w./-]+)` \|$',
                                read(root, path), re.MULTILINE))
    return compare(path, 'lane', documented, real)


def messages(root):
    """The messages that operations.md explains are the ones in the code."""
    path = 'docs/operations.md'
    code = '\n'.join(read(root, file) for file in c_files(root))
    literals = re.sub(r'"\s*"', '', code.replace('FG_QEMU_USER', '"libvirt-qemu"'))
    table = read(root, path).partition('## Trouble')[2]
    for cell in re.findall(r'^\| (`.*?) \|', table, re.MULTILINE):
        for message in re.findall(r'`([^`]+)`', cell):
            for part in message.split('…'):
                if len(part.strip()) > 5 and part.strip(' :.,') not in literals:
                    yield f'{path}: no message says "{part.strip()}"'


SERVICES = {'CloudWatch Logs': 'api/cwlogs/service.c', 'ECS': 'api/ecs/ecs.c', 'STS': 'api/aws/sts.c',
            'Secrets Manager': 'api/secretsmanager/secretsmanager.c', 'Systems Manager': 'api/ssm/ssm.c'}


def operations(root):
    """The operations of AWS that are documented are those of the services' tables."""
    path = 'docs/ecs.md'
    rows = re.findall(r'^\| ([A-Z][\w ]+) \| ([A-Z][\w, ]+) \|', read(root, path), re.MULTILINE)
    documented = {(service, name) for service, names in rows for name in names.split(', ')}
    real = {(service, name) for service, file in SERVICES.items()
            for name in re.findall(r'(?:\{ \.name = |(?:OPERATION|READS|WRITES)\()"(\w+)"', read(root, file))}
    return compare(path, 'operation', documented, real)


UNITS = {'KiB': 1 << 10, 'MiB': 1 << 20, 'GiB': 1 << 30, 's': 1}


def limits(root):
    """A row's value is what the #define of its name comes to."""
    path = 'docs/security.md'
    for value, unit, name, file in re.findall(r'\| (\d+)(?: (\w+))? \| `(\w+)`, `(\S+)` \|$',
                                              read(root, path), re.MULTILINE):
        text = read(root, file)
        defines = dict(re.findall(r'^#define (\w+) +(.+?)(?: *(?:/\*|\\$).*)?$', text, re.MULTILINE))
        real = defines.get(name, '0').strip('"')
        while re.search(r'\b[A-Z_]{4,}\b', real.replace('UINT64_C', '')):
            real = re.sub(r'\b[A-Z_]{4,}\b', lambda m: defines.get(m.group(), '0'), real)
        real = eval(re.sub(r'(?<=\d)[uU]\b|UINT64_C', '', real))  # pylint: disable=eval-used
        if real != int(value) * UNITS.get(unit, 1):
            yield f'{path}: {name} of {file} is {real}'


def error_rows(root):
    """What the headers say: the name, and the cells of its row up to the meaning."""
    for name, exception, http, status in re.findall(r'X\((\w+), "(\w+)", (\d+), (\d+)\)',
                                                    read(root, 'core/error.h')):
        yield name, f'| `{name}` | `{exception}` | {http} | {status} |'
    for name, status in re.findall(r'FG_EXIT_(\w+) = (\d+),', read(root, 'cli/exitstatus.h')):
        yield name, f'| `{name}` | {status} |'


def errors(root):
    path = 'docs/errors.md'
    text = read(root, path)
    rows = dict(error_rows(root))
    documented = set(re.findall(r'^\| `([A-Z_]+)` \|', text, re.MULTILINE))
    yield from compare(path, 'row', documented, set(rows))
    for name in documented & set(rows):
        old = re.search(rf'^\| `{name}` \|.*$', text, re.MULTILINE).group()
        if old.startswith(rows[name]):
            continue
        meaning = '|'.join(old.split('|')[rows[name].count('|'):])
        if 'FG_REGEN' in os.environ:
            text = text.replace(old, rows[name] + meaning)
        else:
            yield f'{path}: {old}: should begin with {rows[name]}'
    if 'FG_REGEN' in os.environ:
        with open(os.path.join(root, path), 'w', encoding='utf-8') as f:
            f.write(text)


if __name__ == '__main__':
    checks = (links, mentions, make_targets, metrics, lanes, operations, messages, limits, errors)
    sys.exit(report([p for check in checks for p in check(sys.argv[1])]))
