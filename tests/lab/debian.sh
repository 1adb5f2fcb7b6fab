#!/usr/bin/env bash
# debian.sh GROUP... - see to it that Debian's packages for these groups are there; as root install them, else say which
# are missing and how to get them. Groups: python, demo, lab, peers, captures.
set -euo pipefail
declare -A groups=(
  [python]="python3-venv"
  [demo]="iproute2 iputils-ping"
  [lab]="user-mode-linux kmod iproute2 iputils-ping procps nftables tcpdump"
  [peers]="charon-systemd strongswan-swanctl libstrongswan-standard-plugins libstrongswan-extra-plugins openssl \
libnss3-tools libaudit1 libcap-ng0 libcurl3-nss libevent-core-2.1-7 libevent-pthreads-2.1-7 libldap-2.5-0 libldns3 \
libunbound8 libselinux1 libpam0g libsystemd0 dns-root-data"
  [captures]="tshark"
)
wanted=()
for group; do
  [ "$group" = python ] && python3 -c 'import ensurepip' 2>/dev/null && continue
  for package in ${groups[$group]}; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in installed) ;; *) wanted+=("$package") ;; esac
  done
done
[ ${#wanted[@]} -eq 0 ] && exit 0
line="apt-get install -y --no-install-recommends ${wanted[*]}"
if [ "$(id -u)" != 0 ]; then
  echo "missing packages; as root: $line" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null || true
$line >/tmp/ikepy-apt.log 2>&1 || { tail -20 /tmp/ikepy-apt.log >&2; echo "failed: $line" >&2; exit 1; }
