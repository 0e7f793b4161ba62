# SPDX-License-Identifier: Apache-2.0
"""An idle container that takes a known memory: hold.py NAME prints its name when it has it, and leaves a process behind."""
import os
import pathlib
import signal
import sys

HELD = b"x" * (48 << 20)

child = os.fork()
if child:
    pathlib.Path(os.environ["HOME"], sys.argv[1]).write_text(str(child), encoding="ascii")
    print(sys.argv[1])
else:
    os.close(1)
    signal.alarm(120)  # whatever becomes of the test
    signal.pause()
