# make demo | test | quick | soak | bench | captures - each makes .venv and installs what it needs.
PY := .venv/bin/python
LAB := tests/lab/run.sh
SYSTEM := tests/system tests/kernel tests/daemon tests/auth tests/gateway
PATHS := $(patsubst %,tests/system/test_%.py,crossings dead_peers fragments mobike mtu nat traps)
.PHONY: demo test quick soak bench captures lint types contracts unit scenarios system wheel debian-lab clean

demo: .venv/ready ## two gateways, a tunnel, pings across it
	@tests/lab/debian.sh demo
	@$(LAB) $(PY) -m ikepy demo

test: debian-lab lint types contracts unit scenarios system wheel ## all that CI runs

quick: .venv/ready lint types contracts ## no lab, under a minute
	$(PY) -m pytest -q -m "not system and not slow"

soak: .venv/ready debian-lab ## each scenario 20,000 times over, an hour and a half on two cores; lines away for ten minutes
	IKEPY_SEEDS=20000 $(PY) -m pytest -q tests/scenarios/test_seeds.py
	$(LAB) $(PY) -m pytest -q -m soak tests/system

bench: .venv/ready debian-lab ## CPU of a responder beside charon's, micro-benchmarks
	@$(LAB) $(PY) tests/bench/run.py

captures: .venv/ready debian-lab ## record the captures anew
	@$(LAB) $(PY) tests/captures/record.py

lint: .venv/ready
	.venv/bin/ruff format --check ikepy tests
	.venv/bin/ruff check ikepy tests

types: .venv/ready
	.venv/bin/mypy

contracts: .venv/ready
	.venv/bin/lint-imports --no-cache

unit: .venv/ready
	$(PY) -m pytest -q -m "not system" --ignore=tests/scenarios --cov --cov-report= --durations=10
	for each in wire crypto ike; do \
	  .venv/bin/coverage report --include="ikepy/$$each/*" --skip-covered --fail-under=95 || exit 1; done

scenarios: .venv/ready # without coverage: it would take most of the time
	$(PY) -m pytest -q tests/scenarios

system: .venv/ready debian-lab
	tests/lab/side_by_side.sh \
	  $(LAB) $(PY) -m pytest -q -p no:cacheprovider -m system --durations=10 $(SYSTEM) $(PATHS:%=--ignore=%) -- \
	  $(LAB) $(PY) -m pytest -q -p no:cacheprovider -m system --durations=10 $(PATHS)
	tests/lab/queue.sh $(PY) -m pytest -q -m queue tests/kernel tests/system

wheel: .venv/ready
	tests/lab/wheel.sh

debian-lab:
	@tests/lab/debian.sh lab peers captures
	@tests/lab/libreswan.sh
	@tests/lab/newer.sh
	@tests/lab/kernel.sh

.venv/ready: pyproject.toml
	@tests/lab/venv.sh

clean:
	rm -rf .venv .lab build dist .*_cache .coverage
