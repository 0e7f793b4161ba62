# SPDX-License-Identifier: Apache-2.0
"""What fg_stamp() of core/fs.h says of a file."""
import os


def stamp(path):
    st = os.stat(path)
    times = (f"{ns // 10**9}.{ns % 10**9:09}" for ns in (st.st_mtime_ns, st.st_ctime_ns))
    return " ".join(map(str, (st.st_dev, st.st_ino, st.st_size, *times)))
