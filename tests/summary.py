# SPDX-License-Identifier: Apache-2.0
"""Sum up meson's test logs: names what failed, then "N passed, N failed, N skipped".

usage: summary.py FAILED-STEPS TESTLOG...
"""

import json
import os
import re
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}
# What pytest and cmocka skip inside of a program that passes.
SKIPPED_INSIDE = re.compile(r"(\d+) skipped(?:,| in )|\[  SKIPPED \] (\d+) test")


def main():
    counts = {"passed": 1 if sys.argv[1] == "0" else 0, "failed": int(sys.argv[1]), "skipped": 0}
    for path in sys.argv[2:]:
        if not os.path.exists(path):
            print(f"no results: {path}")
            counts["failed"] += 1
            continue
        with open(path, encoding="utf-8") as log:
            for line in log:
                test = json.loads(line)
                result = test["result"]
                kind = "passed" if result in PASSED else "skipped" if result in SKIPPED else "failed"
                counts[kind] += 1
                counts["skipped"] += sum(int(n or m) for n, m in SKIPPED_INSIDE.findall(test.get("stdout", "")))
                if kind != "passed":
                    print(f"{result}: {test['name']} ({path.split('/')[0]})")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or counts["skipped"] else 0


if __name__ == "__main__":
    sys.exit(main())
