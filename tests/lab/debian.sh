#!/usr/bin/env bash
# debian.sh GROUP... - see to it that Debian's packages for these groups are there; as root install them, else say which
# are missing and how to get them. Groups: python, demo, lab, stock, peers, captures.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
declare -A groups=(
  [python]="python3-venv"
  [demo]="iproute2 iputils-ping"
  [lab]="user-mode-linux kmod iproute2 iputils-ping procps nftables tcpdump"
  [stock]="qemu-system-x86 linux-image-cloud-amd64 busybox-static kmod nftables"
  [peers]="charon-systemd strongswan-swanctl libstrongswan-standard-plugins libstrongswan-extra-plugins libcharon-extra-plugins libcharon-extauth-plugins openssl \
libnss3-tools dns-root-data eapoltest openiked charon-cmd strongswan-nm dbus-daemon"
  [captures]="tshark"
)
is_root() { [ "$(id -u)" = 0 ]; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# libreswan is unpacked, not installed (libreswan.sh), so its libraries are ours to see to; their names differ by release.
libraries_of_libreswan() {
  apt-cache show libreswan >/dev/null 2>&1 || { is_root && apt-get update -qq >/dev/null; } || true
  apt-cache depends --no-recommends --no-suggests libreswan 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^lib/ {print $2}'
}

wanted=()
for group; do
  [ "$group" = python ] && python3 -c 'import ensurepip' 2>/dev/null && continue
  packages=${groups[$group]}
  [ "$group" = peers ] && packages+=" $(libraries_of_libreswan)"
  for package in $packages; do
    installed "$package" || wanted+=("$package")
  done
done
[ ${#wanted[@]} -eq 0 ] && exit 0
line="apt-get install -y --no-install-recommends ${wanted[*]}"
if ! is_root; then
  echo "missing packages; as root: $line" >&2
  exit 1
fi
echo "$line"
log=$(mktemp); trap 'rm -f "$log"' EXIT
apt-get update -qq >"$log" 2>&1 || true
$line >>"$log" 2>&1 || { tail -20 "$log" >&2; echo "failed: $line" >&2; exit 1; }
