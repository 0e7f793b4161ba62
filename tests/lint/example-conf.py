#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The example configuration and the man page name every setting of fgd, with its true default.

usage: example-conf.py FGD FGD.CONF FGD.CONF.5
"""
import os
import re
import subprocess
import sys
import tempfile

# Only for programs that start fgd: not in the example, nor in the man page.
INTERNAL = {"ready_fd"}


def settings_of(fgd):
    env = {k: v for k, v in os.environ.items() if not k.startswith("FGRUN_")}
    text = subprocess.run([fgd, "--help"], env=env, check=True, capture_output=True, text=True).stdout
    table = text.split("their defaults:\n")[1]
    found = re.findall(r"^  --([a-z-]+) .*\[(.*)\]$", table, re.M)
    return {k.replace("-", "_"): "" if v == "built-in" else v for k, v in found}


def settings_in(path):
    with open(path, encoding="utf-8") as f:
        return dict(re.findall(r"^#([a-z_]+) = ?(.*)$", f.read(), re.M))


def parse_error(fgd, conf):
    """fgd reads the example with every line switched on; --no-such-flag ends it afterwards."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        for key, value in settings_in(conf).items():
            f.write(f"{key} = {value}\n")
        f.write("last_line = 1\n")
        f.flush()
        run = subprocess.run([fgd, "--config", f.name], capture_output=True, text=True)
        return None if "unknown key last_line" in run.stderr else run.stderr


def main():
    fgd, conf, man = sys.argv[1:]
    want = {k: v for k, v in settings_of(fgd).items() if k not in INTERNAL}
    have = settings_in(conf)
    problems = []
    for key in sorted(want.keys() | have.keys()):
        # Directories of another user than root differ from those of the example.
        directories = os.geteuid() != 0 and "/fgrun" in want.get(key, "")
        if key not in have or key not in want or (have[key] != want[key] and not directories):
            problems.append(f"{key}: fgd has {want.get(key)!r}, {conf} has {have.get(key)!r}")
    with open(man, encoding="utf-8") as f:
        documented = set(re.findall(r'^\.BR ([a-z_]+) " \[', f.read(), re.M))
    for key in sorted(want.keys() ^ documented):
        problems.append(f"{key}: either only in fgd or only in {man}")
    if error := parse_error(fgd, conf):
        problems.append(error)
    print("\n".join(problems) or f"{len(want)} settings")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
