#!/usr/bin/env bash
# queue.sh COMMAND... - run it where nf_tables can queue packets: on this kernel if it can do that and ESP, else under
# Debian's own, emulated.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if unshare -n bash -c "nft 'add table inet t; add chain inet t c; add rule inet t c queue flags bypass to 7' &&
  ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x100 mode tunnel \
  aead 'rfc4106(gcm(aes))' 0x000102030405060708090a0b0c0d0e0f10111213 128" 2>/dev/null; then
  exec "$@"
fi
"$here/debian.sh" stock
exec python3 "$here/stock.py" --timeout "${LAB_TIMEOUT:-1800}" -- "$@"
