# make run    the main job on synthetic data
# make test   the default tests (under 3 minutes); make test-all runs all of them (under 15)
# make door   release/ has every branch tested by tests/release/ alone; make mutants breaks it on purpose
PYTHON ?= python3.11
VENV := .venv
READY := $(VENV)/.ready
EXTRAS := dev
# A module's tests in one process: a module has dear fixtures (whole runs, servers, a coordinator with its sites), and
# a process that gets single tests of it makes them again. In the order of collection: the dearest come early. Four
# processes, since those of a real federation mostly wait.
MODULES := -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: run test test-all check door mutants wheel clean

run: $(READY)
	$(VENV)/bin/kommunbench run

test: $(READY)
	$(VENV)/bin/pytest -n 2 --dist worksteal -m "not slow"

test-all: $(READY)
	$(VENV)/bin/pytest $(MODULES)

check: $(READY)
	$(VENV)/bin/ruff check src tests benchmarks
	$(VENV)/bin/ruff format --check src tests benchmarks
	$(VENV)/bin/mypy src
	$(VENV)/bin/lint-imports

door: $(READY)
	$(VENV)/bin/pytest tests/release --cov=kommunbench.release --cov-branch --cov-report=term-missing:skip-covered \
	  --cov-fail-under=100

mutants: $(READY)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[mutants]"
	$(VENV)/bin/mutmut run --max-children 2 "kommunbench.release.peers.*"
	$(VENV)/bin/python benchmarks/mutants.py --survivors mutants/survivors.jsonl

wheel: $(READY)
	$(VENV)/bin/python -m build --wheel

# Versions are pinned: a free range for torch would pull gigabytes of GPU libraries.
$(READY): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "kommunbench needs Python 3.11; name yours with: make PYTHON=python3"; exit 1; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[$(EXTRAS)]"
	touch $(READY)

clean:
	rm -rf $(VENV) dist build
