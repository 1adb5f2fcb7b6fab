#!/usr/bin/env bash
# side_by_side.sh COMMAND... -- COMMAND... - run both at once where there are two processors, else one after the other; what
# the second says is shown when the first has ended. Fails where one of them does.
set -uo pipefail
first=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do first+=("$1"); shift; done
shift
if [ "$(nproc)" -lt 2 ]; then
  "${first[@]}"; one=$?
  "$@"; two=$?
else
  said=$(mktemp); trap 'rm -f "$said"' EXIT
  "$@" >"$said" 2>&1 &
  "${first[@]}"; one=$?
  wait $!; two=$?
  cat "$said"
fi
[ "$one" = 0 ] && [ "$two" = 0 ]
