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
PARTS := others learning units postgres chains
# Where each part leaves what came of it, for the summary.
REPORTS := build/tests
pytest = $(BIN)/python -m pytest -q --junitxml=$(REPORTS)/$(1).xml $(PYTEST)
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
# a third of its time. All run to their end whatever becomes of the others, and the summary is last, after Ctrl-C as well.
test: $(VENV)/.extras-browse,engines,report,tests,postgres
	rm -rf $(REPORTS)
	trap : INT TERM; $(MAKE) --no-print-directory --jobs=3 --keep-going $(addprefix test-,$(PARTS)); \
	  $(BIN)/python tests/summary.py $(REPORTS) $(PARTS)

test-learning:
	$(call pytest,learning) $(LEARNING)

test-units:
	$(call pytest,units) $(UNITS)

test-postgres:
	$(call pytest,postgres) --storage postgres

test-chains:
	$(call pytest,chains) tests/workchains $(addprefix --ignore=,$(LEARNING))

test-others:
	$(call pytest,others) $(addprefix --ignore=,$(UNITS) tests/workchains)

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
