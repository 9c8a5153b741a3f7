.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
MEMBERS := libs/events libs/runtime services/incident services/sla services/notify services/reporting services/cmdb opsledger
SOURCES := libs/events/src libs/runtime/src services/incident/src services/sla/src services/notify/src services/reporting/src services/cmdb/src opsledger/src bench
# Parallel workers start servers of their own; one server named from outside cannot be shared.
WORKERS ?= $(if $(OPSLEDGER_TEST_POSTGRES_URL)$(OPSLEDGER_TEST_NATS_URL),0,2)
SECONDS ?= 60
SEED ?= 1

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: run
run: .venv/.installed ## Start everything, play the demonstration, stay up until Ctrl-C (OPSLEDGER_PORT, OPSLEDGER_DATA_DIR, DEMO=0)
	@$(BIN)/opsledger up

.PHONY: test
test: .venv/.installed ## Run every test on real Postgres and NATS (TESTS=tests/unit chooses)
	@$(BIN)/pytest -n $(WORKERS) $(TESTS)

.PHONY: check
check: .venv/.installed ## Format, lint, types, import contracts, generated files, house rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(SOURCES)
	@$(BIN)/lint-imports
	@$(BIN)/python -m opsledger_events.catalogue --check
	@$(BIN)/python -m tests.differential --check
	@$(BIN)/pytest -n 0 tests/contract/test_house_rules.py

.PHONY: format
format: .venv/.installed ## Format the sources and sort their imports
	@$(BIN)/ruff check --fix --select I .
	@$(BIN)/ruff format .

.PHONY: catalogue
catalogue: .venv/.installed ## Write schemas, examples, AsyncAPI, the readable page of events, and the comparison of clocks
	@$(BIN)/python -m opsledger_events.catalogue
	@$(BIN)/python -m tests.differential

BI ?= $(or $(TMPDIR),/tmp)/opsledger-superset

.PHONY: test-bi
test-bi: .venv/.installed ## Import the Superset bundle into a real Superset and compare its charts with the API (BI=folder, 700 MB)
	@OPSLEDGER_TEST_SUPERSET=$(BI) $(BIN)/pytest -n 0 tests/bi

.PHONY: mart-documents
mart-documents: .venv/.installed ## Write deploy/dbt/sources.yml and the tables of docs/reporting.md from the mart itself
	@OPSLEDGER_WRITE_DOCUMENTS=1 $(BIN)/pytest -q -n 0 tests/integration/reporting/test_reporting_documents.py

.PHONY: chaos
chaos: .venv/.installed ## Kill everything under load and check that nothing was lost (SECONDS=60 SEED=1)
	@$(BIN)/python -m tests.chaos --seconds $(SECONDS) --seed $(SEED)

.PHONY: bench
bench: .venv/.installed ## Measure every case beside its limit (CASE="relay queries" SIZE="relay_backlog=50000" QUICK=1)
	@$(BIN)/python -m bench $(CASE) $(addprefix --size ,$(SIZE)) $(if $(QUICK),--quick)

.venv/.installed: requirements.lock pyproject.toml $(addsuffix /pyproject.toml,$(MEMBERS))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Opsledger needs Python 3.11 or newer; this is $$($(PYTHON) --version). Set PYTHON=/path/to/python3.11 and run make again."; exit 1; }
	@echo "Installing into .venv (about a minute the first time) …"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "This Python cannot make a virtual environment. On Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ,$(MEMBERS))
	@touch $@

.PHONY: setup
setup: .venv/.installed ## Install everything into .venv

.PHONY: lock
lock: ## Write requirements.lock anew from the members' pyproject.toml
	@uv=$$(command -v $(BIN)/uv || command -v uv) && $$uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet \
	  --python-version 3.11 --group dev $(addprefix --no-emit-package ,opsledger opsledger-events opsledger-runtime opsledger-incident opsledger-sla opsledger-notify opsledger-reporting opsledger-cmdb) \
	  pyproject.toml -o requirements.lock

.PHONY: clean
clean: ## Remove .venv and caches; data stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
