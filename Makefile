# Every target makes what it needs: a virtual environment in .venv and the packages in it.
# A machine needs Python 3.11 or newer and make, nothing else.
#
#   make test ARGS="-k cycles"     options for pytest
#   make test JOBS=1               how many processes
#   make campaign HOURS=2 REPORT=campaign.md
#   make demo PYTHON=python3.12    which Python makes .venv

.DEFAULT_GOAL := help
.PHONY: help demo test test-all quick check campaign lab bench lint audit docs notebooks clean
.SUFFIXES:

VENV := .venv
PY := $(VENV)/bin/python
# One process more than there are cores, since a third of the tests' time is waiting for browsers
# and servers; above eight, starting them takes longer than they save.
JOBS ?= $(shell cores=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ "$$cores" -gt 7 ] && echo 8 || echo $$((cores + 1)))
ARGS ?=
PYTHON ?=

# What the quick half of the tests leaves out: few tests, and most of the time.
SLOW := scale or postgres or mariadb or process or sweep or browser

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed-lab ## show the tour
	$(PY) -m ecsviz demo $(ARGS)

test: $(VENV)/.installed-dev ## run the tests and the doctests
	$(PY) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

test-all: ## run them on every Python that is here, each in an environment of its own
	@set -u; ran=; failed=; \
	list=$$(sh .ci/pythons); \
	[ -n "$$list" ] || { echo "error: no Python 3.11 or newer that can make environments" >&2; exit 1; }; \
	set -- $$list; \
	while [ $$# -ge 2 ]; do \
		echo "== make test on Python $$1 ($$2)"; \
		ran="$$ran $$1"; \
		$(MAKE) test VENV=.venv-$$1 PYTHON="$$2" || failed="$$failed $$1"; \
		shift 2; \
	done; \
	echo "== ran on:$$ran; failed on:$${failed:- none}"; \
	[ -z "$$failed" ]

# CI tests on further Pythons, where it does not lint: EXTRA=test.
EXTRA ?= dev
quick: $(VENV)/.installed-$(EXTRA) ## run the quick half of the tests
	$(PY) -m pytest -n $(JOBS) --dist worksteal -m "not ($(SLOW))" $(ARGS)

check: export ECSVIZ_CHECK = 1
check: export ECSVIZ_EXAMPLES ?= check
check: lint quick ## check style and types, and run the quickest of the tests

campaign: $(VENV)/.installed-dev ## try what may happen to a store, by chance, for minutes; HOURS=2 for hours
	$(PY) -m tests.campaign $(if $(REPORT),--report "$(REPORT)") $(ARGS)

lab: $(VENV)/.installed-lab ## open JupyterLab on the notebooks
	$(PY) -m jupyterlab notebooks $(ARGS)

bench: $(VENV)/.installed-bench ## run the benchmarks
	$(PY) -m benchmarks $(ARGS)

lint: $(VENV)/.installed-dev ## check style and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy --strict ecsviz
	$(PY) ecsviz/widgets/js/hatch_build.py check

audit: $(VENV)/.installed-dev ## ask the registries for known faults of what is needed and bundled
	.ci/audit $(PY)

docs: $(VENV)/.installed-docs ## build the documentation into docs/_build/html; a warning is an error
	$(PY) -m sphinx -b html -W --keep-going -q docs docs/_build/html

notebooks: $(VENV)/.installed-lab ## run the notebooks, and store what they show
	$(PY) -m tests.notebooks $(ARGS)

clean: ## remove the environments, caches and build output
	rm -rf $(VENV) .venv-3.* build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache htmlcov .coverage
	rm -rf ecsviz/widgets/static tests/browser/screenshots docs/_build docs/generated docs/lessons
	find . -name .git -prune -o -type d \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# The stamps are younger than pyproject.toml when the packages fit it, and than the sources of the
# widgets' bundles, which an installation makes.
SCRIPTS := $(shell find ecsviz/widgets/js -name node_modules -prune -o -type f -print)

$(VENV)/.installed-lab: pyproject.toml $(SCRIPTS) | $(PY)
	$(PY) -m pip install --quiet --editable ".[lab]"
	@touch $@

$(VENV)/.installed-bench: pyproject.toml $(SCRIPTS) | $(PY)
	$(PY) -m pip install --quiet --editable ".[bench]"
	@touch $@

$(VENV)/.installed-docs: pyproject.toml $(SCRIPTS) | $(PY)
	$(PY) -m pip install --quiet --editable ".[docs]"
	@touch $@

$(VENV)/.installed-test: pyproject.toml $(SCRIPTS) | $(PY)
	$(PY) -m pip install --quiet --editable ".[test]"
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(SCRIPTS) | $(PY)
	$(PY) -m pip install --quiet --editable ".[dev]"
	@touch $@

# Takes the first Python that is new enough and can make environments. Each candidate is run, not
# only looked up: a version manager's stand-in may exist and still refuse to start. What a broken
# attempt left behind is cleared.
$(PY):
	@set -u; \
	old=; bare=; \
	for candidate in $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11 python3.14 python); do \
		"$$candidate" -c '' >/dev/null 2>&1 || continue; \
		if ! "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
			old="$$old $$("$$candidate" -c 'import sys; print("%s (%d.%d)" % ((sys.executable,) + sys.version_info[:2]))')"; \
		elif ! "$$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
			bare="$$bare $$("$$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"; \
		else \
			echo "making $(VENV) with $$("$$candidate" -c 'import sys; print(sys.executable, "%d.%d.%d" % sys.version_info[:3])')"; \
			"$$candidate" -m venv --clear $(VENV) && exit 0; \
			rm -rf $(VENV); exit 1; \
		fi; \
	done; \
	if [ -n "$$bare" ]; then \
		echo "error: Python$$bare is here, but without venv and ensurepip, which make $(VENV)."; \
		echo "On Debian and Ubuntu: sudo apt-get install python3-venv"; \
		echo "Or name another Python: make PYTHON=/path/to/python"; \
	else \
		echo "error: ecsviz needs Python 3.11 or newer, and none was found."; \
		[ -z "$$old" ] || echo "Too old:$$old"; \
		echo "Install one, or name it: make PYTHON=/path/to/python"; \
	fi >&2; \
	exit 1
