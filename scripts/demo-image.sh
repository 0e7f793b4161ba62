#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A small real image, made of Debian's static busybox: an OCI layout that needs no registry.
# usage: scripts/demo-image.sh OUT        (then run it as  oci:OUT:latest)
set -eu

out=${1:?usage: $0 OUT}
busybox=${BUSYBOX:-/bin/busybox}
here=$(dirname "$0")

[ -x "$busybox" ] || { echo "demo-image: $busybox: not found; it is in busybox-static" >&2; exit 1; }

set -- --file "$busybox:/bin/busybox:755"
for applet in $("$busybox" --list); do
        [ "$applet" = busybox ] || set -- "$@" --symlink "/bin/$applet:busybox"
done

users='root:x:0:0:root:/root:/bin/sh
app:x:1000:1000:app:/home/app:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
'
groups='root:x:0:
app:x:1000:
nogroup:x:65534:
'

rm -rf "$out"
/usr/bin/python3 "$here/mkimage.py" "$out" "$@" \
        --text "/etc/passwd:644:$users" --text "/etc/group:644:$groups" \
        --dir /root:700 --dir /tmp:1777 --dir /home/app --dir /proc --dir /sys --dir /dev \
        --env PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        --cmd=sh --cmd=-c --cmd='echo "Hello from $(hostname)"; uname -r'
