# Everything a user or CI does, on a machine that has Python and pip.
#   make demo                    install, set up a profile, learn copper from a teacher, compute its melting temperature
#   make demo STORAGE=postgres   the same on a PostgreSQL of its own
#   make test                    the whole test suite, on SQLite and on PostgreSQL side by side
.DELETE_ON_ERROR:
.PHONY: install demo test test-units test-learning test-postgres test-chains test-others lint docs clean

PYTHON ?= python3
STORAGE ?= sqlite
VENV ?= .venv
PYTEST ?=
BIN := $(VENV)/bin
UNITS := $(addprefix tests/,calculations data parsers physics)
LEARNING := tests/workchains/labelling $(addprefix tests/workchains/test_,$(addsuffix .py,\
  adaptive_learning deepmd_training exploration melting training vasp_md))
comma := ,

ifeq ($(filter $(STORAGE),sqlite postgres),)
$(error STORAGE is '$(STORAGE)', it can be sqlite or postgres)
endif
WITH_POSTGRES := $(if $(filter postgres,$(STORAGE)),$(comma)postgres)
SETUP_OPTIONS := $(if $(filter postgres,$(STORAGE)),--postgres)
# One profile for each storage, so that both demos can live side by side.
PROFILE ?= dnpmelt$(if $(filter postgres,$(STORAGE)),-postgres)

install: $(VENV)/.extras-browse,engines,report,tests$(WITH_POSTGRES)

demo: install
	$(BIN)/aiida-dnpmelt setup --profile $(PROFILE) $(SETUP_OPTIONS)
	$(BIN)/aiida-dnpmelt services up --profile $(PROFILE)
	$(BIN)/aiida-dnpmelt launch melt --profile $(PROFILE) --element Cu --protocol fast --demo --watch --report melt.html \
	  --reference-file Cu_mishin1.eam.alloy

# Three of five parts side by side, the longest first, so that the cores have work to the end: each waits for its jobs
# a third of its time.
test: $(VENV)/.extras-browse,engines,report,tests,postgres
	$(MAKE) --jobs=3 test-others test-learning test-units test-postgres test-chains

test-learning:
	$(BIN)/python -m pytest -q $(LEARNING) $(PYTEST)

test-units:
	$(BIN)/python -m pytest -q $(UNITS) $(PYTEST)

test-postgres:
	$(BIN)/python -m pytest -q --storage postgres $(PYTEST)

test-chains:
	$(BIN)/python -m pytest -q tests/workchains $(addprefix --ignore=,$(LEARNING)) $(PYTEST)

test-others:
	$(BIN)/python -m pytest -q $(addprefix --ignore=,$(UNITS) tests/workchains) $(PYTEST)

lint: $(VENV)/.extras-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p aiida_dnpmelt

docs: $(VENV)/.extras-browse,engines,report,docs
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html

# One stamp for each set of extras: nothing is installed twice until the metadata change.
$(VENV)/.extras-%: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

clean:
	rm -rf $(VENV) build dist *.egg-info docs/_build
