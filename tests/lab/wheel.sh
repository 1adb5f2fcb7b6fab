#!/usr/bin/env bash
# wheel.sh - build the wheel, install it into a clean environment, and run it from there.
set -euo pipefail
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT
.venv/bin/python -m build --wheel --outdir "$scratch" . >"$scratch/build.log" 2>&1 || { cat "$scratch/build.log" >&2; exit 1; }
.venv/bin/python -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q --disable-pip-version-check "$scratch"/ikepy-*.whl
install -m 600 conf/site.conf "$scratch/"
install -m 600 <(echo "a secret of this one test") "$scratch/site.secret"
cd "$scratch"
venv/bin/ikepy --version
venv/bin/ikepy --conf "$scratch/site.conf" --check
venv/bin/python -c 'import importlib.resources as r; assert (r.files("ikepy.demo") / "left.conf").is_file(); assert (r.files("ikepy") / "py.typed").is_file()'
