# 两条命令：make demo（安装、建库、样例机构、启动）与 make test（安装、全部测试）。
PY   ?= python3
VENV := .venv
BIN  := $(VENV)/bin

.PHONY: demo test check lint setup lock vendor
demo: $(VENV)/.prod
	$(BIN)/sancha demo
test: setup
	$(BIN)/python -m sancha.config.check

# Two stamps: a demo needs only what runs; tests and checks need the rest on top of it, in the same place.
setup: $(VENV)/.dev
INSTALL := $(BIN)/python -m pip install -q --disable-pip-version-check

$(BIN)/python:
	$(PY) -c 'import sys; assert sys.version_info >= (3, 11), "Sancha needs Python 3.11 or newer / 需要 Python 3.11 以上"'
	$(PY) -m venv $(VENV)
$(VENV)/.prod: requirements/prod.lock requirements/build.lock pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes -r requirements/prod.lock -r requirements/build.lock
	$(INSTALL) --no-deps --no-build-isolation -e .
	touch $@
$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(BIN)/python
	$(INSTALL) --require-hashes -r requirements/dev.lock
	$(INSTALL) --no-deps --no-build-isolation -e .
	touch $(VENV)/.prod $@

lint: setup
	$(BIN)/ruff check src tests && $(BIN)/ruff format --check src tests && $(BIN)/lint-imports && $(BIN)/mypy

lock:
	uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 -q requirements/prod.in -o requirements/prod.lock
	uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 -q requirements/build.in -o requirements/build.lock
	uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 -q requirements/dev.in -c requirements/prod.lock -o requirements/dev.lock
	! grep -nE 'https?://|file://|^--(index|extra|find)' requirements/*.lock

# Only for maintainers who change a front-end version; needs node. Everything it makes is committed.
vendor: setup
	cd tools/vendor && npm ci
	$(BIN)/python tools/vendor/build.py
