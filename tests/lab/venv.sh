#!/usr/bin/env bash
# venv.sh - make .venv with ikepy and what its tests need; done again when pyproject.toml has changed.
set -euo pipefail
cd "$(dirname "$0")/../.."
tests/lab/debian.sh python
if [ ! -x .venv/bin/python ]; then
  for python in python3 python3.14 python3.13 python3.12 python3.11; do
    "$python" -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break || python=
  done
  [ -n "$python" ] || { echo "no Python of 3.11 or later; install one, with its venv module" >&2; exit 1; }
  "$python" -m venv .venv
fi
.venv/bin/python -m pip install -q --disable-pip-version-check -U "pip>=25.1"
.venv/bin/python -m pip install -q --disable-pip-version-check -e . --group dev
touch .venv/ready
