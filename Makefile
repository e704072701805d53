# Afterglow from a bare machine: make, and python3 (3.11 or newer) with pip and venv.
#
#   make run      a server with a demo clinic on an embedded PostgreSQL; Ctrl-C stops it all
#   make test     the whole suite
#   make check    what a change must pass: format, lint, types, imports, and the suite
#   make bench    requests per second and CPU per request, against a hand-written floor
#   make soak     the suite at its large sizes; hours, by hand
#   make format   write the code the way `check` wants it
#   make lock     choose the newest versions pyproject.toml allows, and pin them by hash
#
# PYTHON=python3.12 make …   another interpreter for .venv (remove .venv first)

PYTHON ?= python3
export PYTHON

BIN := .venv/bin
# One environment serves everything: where the development one was made, `run` uses that.
DEVELOPMENT := .venv/.development
RUNTIME := $(if $(wildcard $(DEVELOPMENT)),$(DEVELOPMENT),.venv/.runtime)
# Two workers: each has a database of its own, and more would only share the same cores. Each begins
# with a half of its own, so that what a module shares is made once; who is done helps the other.
PYTEST := $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=2 --dist=worksteal

.PHONY: run test check format-check lint types imports bench soak format lock

run: $(RUNTIME)
	@exec $(BIN)/afterglow up

test: $(DEVELOPMENT)
	$(PYTEST)

# Migrations and the committed specification are held against the code by contract tests.
check: format-check lint types imports test

format-check: $(DEVELOPMENT)
	$(BIN)/ruff format --check .

lint: $(DEVELOPMENT)
	$(BIN)/ruff check .

types: $(DEVELOPMENT)
	$(BIN)/python -m mypy

imports: $(DEVELOPMENT)
	$(BIN)/lint-imports

bench: $(DEVELOPMENT)
	$(BIN)/python -m tests.load $(ARGS)

soak: $(DEVELOPMENT)
	AFTERGLOW_SOAK=1 $(PYTEST)

format: $(DEVELOPMENT)
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade \
	--generate-hashes --no-emit-index-url --no-header

lock: $(DEVELOPMENT)
	$(LOCK) --group bootstrap --output-file requirements-uv.txt
	$(LOCK) pyproject.toml --output-file requirements.txt
	$(LOCK) pyproject.toml --group dev --output-file requirements-dev.txt

.venv/.runtime: requirements.txt requirements-uv.txt .ci/sync
	.ci/sync requirements.txt
	@touch $@

$(DEVELOPMENT): requirements-dev.txt requirements-uv.txt .ci/sync
	.ci/sync requirements-dev.txt
	@touch $@
