# `make book` builds the site, `make test` runs everything CI runs. `make help` lists the rest.
SHELL  := bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PORT   ?= 8000

.DEFAULT_GOAL := help
.PHONY: help setup system book serve lab unit test bench assignments grade-demo tidy clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make the Python environment in .venv

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit(f"This course needs Python 3.11 to 3.13; {sys.executable} is {v[0]}.{v[1]}. Try: make PYTHON=python3.11 ...")'
	@echo "Setting up the environment in $(VENV) (a few minutes, once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt -e . 2>&1 | tee $(VENV)/install.log \
	  | awk '/^Collecting/ { printf "."; fflush() } /^Installing collected/ { printf " unpacking"; fflush() } END { print "" }' \
	  || { tail -n 20 $(VENV)/install.log; echo "Set-up failed. The whole log: $(VENV)/install.log"; exit 1; }
	@touch $@

system: ## install the system packages that the tests need (apt only)
	@sh tests/system-packages.sh

book: setup ## run the chapters and build the site
	@$(BIN)/python book/build.py

serve: setup ## show the built site at http://localhost:$(PORT)
	@$(BIN)/python book/build.py --serve $(PORT)

lab: setup ## open the chapters in JupyterLab
	@$(BIN)/jupyter lab --notebook-dir=book

unit: setup ## run the fast tests alone
	@$(BIN)/python -m pytest -m "not slow and not site and not sandbox and not sm90"

test: setup system ## run everything that CI runs
	@$(BIN)/python tests/run.py

bench: setup ## measure the kernels against their peers and floors
	@for name in rnn gru lstm cross_entropy linear_cross_entropy sgns cbow hierarchical glove cooccurrence; do $(BIN)/seqlab bench $$name || exit 1; done

assignments: setup ## build every assignment for students and for the grader
	@$(BIN)/seqlab build assignments

grade-demo: setup ## grade a made-up class of thirty and show the report
	@$(BIN)/seqlab demo

tidy: setup ## format code and notebooks
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet . ; $(BIN)/python -m seqlab.notebooks tidy

clean: ## remove everything that was built (the environment stays)
	rm -rf _build
