#!/usr/bin/env bash
# wheel.sh - build the wheel, install it into a clean environment, and run it from there.
set -euo pipefail
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT
.venv/bin/python -m build -q --wheel --outdir "$scratch" . >/dev/null
.venv/bin/python -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q --disable-pip-version-check "$scratch"/ikepy-*.whl
cp conf/site.conf "$scratch/" && chmod 600 "$scratch/site.conf"
cd "$scratch"
venv/bin/ikepy --version
venv/bin/ikepy --conf "$scratch/site.conf" --check
venv/bin/python -c 'import importlib.resources as r; assert (r.files("ikepy.demo") / "left.conf").is_file(); assert (r.files("ikepy") / "py.typed").is_file()'
