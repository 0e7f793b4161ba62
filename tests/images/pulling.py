# SPDX-License-Identifier: Apache-2.0
"""images-tool, run and asked what it did."""
import json
import os
import subprocess

from registry import CLEAN_ENV

TOOL = os.environ["IMAGES_TOOL"]
TIMEOUT = 60


def start(*args):
    return subprocess.Popen([TOOL, *map(str, args)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=CLEAN_ENV)


def finish(process):
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode in (0, 1), err
    return json.loads(out), err


def tool(*args):
    return finish(start(*args))[0]


def pulled(*args):
    """Pull successfully and prove the content of the store (options, store, references)."""
    result = tool(*args)
    assert all("error" not in r for r in result), result
    store = args[list(args).index("pull") - 1]
    assert all("error" not in r for r in tool(store, "check"))
    return result[0]


def refused(*args):
    result = tool(*args)[0]
    assert "error" in result, result
    return result


def parts(store):
    return os.listdir(os.path.join(store, "tmp"))
