#!/usr/bin/env bash
# newer.sh - put a root of Debian's next release, with strongSwan 6.1 and OpenIKED 7.4, into .lab/newer: about half a minute
# and 350 MB, once. Needs root.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD/.lab/newer suite=forky
[ -e "$root/.complete" ] && exit 0
[ "$(id -u)" = 0 ] || { echo "newer strongSwan cannot be unpacked: run as root" >&2; exit 1; }
command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -q --no-install-recommends debootstrap; } >/dev/null
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -v '^#' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -1) || true
script=/usr/share/debootstrap/scripts/$suite
[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
packages=charon-systemd,strongswan-swanctl,libstrongswan-standard-plugins,libstrongswan-extra-plugins
packages+=,libcharon-extra-plugins,libcharon-extauth-plugins,openiked,iproute2,kmod,openssl
rm -rf "$root" && mkdir -p "$root"
log=$(mktemp); trap 'rm -f "$log"' EXIT
debootstrap --variant=minbase --no-check-gpg --include="$packages" "$suite" "$root" ${mirror:-} "$script" >"$log" 2>&1 ||
  { tail -20 "$log" >&2; exit 1; }
touch "$root/.complete"
