#!/usr/bin/env bash
# libreswan.sh - put Debian's libreswan into .lab/libreswan. Its package conflicts with strongSwan's, so it is
# unpacked, not installed: its programs run from where they lie.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD/.lab/libreswan
[ -x "$root/usr/libexec/ipsec/pluto" ] && exit 0
scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT
chmod 755 "$scratch"
(cd "$scratch" && { apt-get download -q libreswan || { apt-get update -q && apt-get download -q libreswan; }; }) >/dev/null 2>&1 ||
  { echo "libreswan cannot be fetched: apt-get download libreswan" >&2; exit 1; }
mkdir -p "$root"
dpkg -x "$scratch"/libreswan_*.deb "$root"
