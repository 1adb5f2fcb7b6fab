#!/usr/bin/env bash
# kernel.sh - see to it that .lab/linux-6.12 is there: a guest kernel that has interfaces of type xfrm, which Debian's has not.
# Unpacked where it lies beside the checkout (guest.py does that); else built from Debian's linux-source, once: about ten
# minutes and 2.5 GB meanwhile; kept in ${IKEPY_KERNEL_CACHE:-~/.cache/ikepy} for other checkouts. Needs root to install a compiler.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=6.12 out=$PWD/.lab/linux-6.12 config=$PWD/tests/lab/kernel.config
cache=${IKEPY_KERNEL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ikepy}
kept=$cache/linux-$version-$(sha256sum "$config" | cut -c1-12)
[ -x "$out" ] && exit 0
[ -e ../shared/lab/kernel/linux-ikepy-6.12.xz ] && exit 0
mkdir -p .lab "$cache"
if [ ! -x "$kept" ]; then
  [ "$(id -u)" = 0 ] || { echo "the lab's kernel cannot be built: run as root, or its tests are skipped" >&2; exit 0; }
  log=$(mktemp) work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$log" "$work"' EXIT
  echo "building the lab's kernel, about ten minutes"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -qq; apt-get install -y -q --no-install-recommends "linux-source-$version" gcc make flex bison bc xz-utils libc6-dev; } \
    >"$log" 2>&1 || { tail -5 "$log" >&2; echo "no linux-source-$version here: tests of xfrm interfaces are skipped" >&2; exit 0; }
  tar xf "/usr/src/linux-source-$version.tar.xz" -C "$work"
  source=$work/linux-source-$version build=$work/build
  mkdir "$build"
  make -s ARCH=um -C "$source" O="$build" allnoconfig >"$log" 2>&1
  (cd "$build" && "$source/scripts/kconfig/merge_config.sh" -m -O . .config "$config") >"$log" 2>&1
  make -s ARCH=um -C "$source" O="$build" olddefconfig >"$log" 2>&1
  make -s ARCH=um -C "$source" O="$build" -j"$(nproc)" linux >"$log" 2>&1 || { tail -20 "$log" >&2; exit 1; }
  strip -o "$work/linux" "$build/linux"
  mv "$work/linux" "$kept"
fi
cp "$kept" "$out.new" && mv "$out.new" "$out"
