#!/usr/bin/env bash
# run.sh COMMAND... - run it where ESP can be done: on this kernel if it can, else under the lab's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if unshare -n ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x100 mode tunnel \
  aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128 2>/dev/null; then
  exec "$@"
fi
command -v linux.uml >/dev/null || "$here/debian.sh" lab
exec python3 "$here/guest.py" --timeout "${LAB_TIMEOUT:-2700}" -- "$@"
