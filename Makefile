# Three commands that always work on a fresh clone; see CONTRIBUTING.md.
.PHONY: demo test check bench bench-store format lock clean
PYTHON ?= python3
BIN := .venv/bin
export PYTHONDONTWRITEBYTECODE :=

demo: .venv/demo
	$(BIN)/tricord demo

test: .venv/dev
	$(BIN)/python -m pytest -n 2

check: .venv/dev
	scripts/check

bench: .venv/dev
	@for name in start pipeline features serving models; do $(BIN)/python -m benchmarks.$$name || exit 1; done

bench-store: .venv/dev
	@for name in start small large parquet s3 scale; do $(BIN)/python -m benchmarks.store.$$name || exit 1; done

format: .venv/dev
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

lock: .venv/dev
	scripts/lock

.venv/bin/uv: requirements/setup.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Tricord needs Python 3.11 or newer; try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "python3 has no venv module; on Debian: apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/setup.txt
	@touch $@

.venv/demo: .venv/bin/uv requirements/demo.txt pyproject.toml
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/demo.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: .venv/bin/uv requirements/dev.txt pyproject.toml
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@ .venv/demo

clean:
	rm -rf .venv build
