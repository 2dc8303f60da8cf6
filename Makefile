# 两条命令：make demo（安装、建库、样例机构、启动）与 make test（安装、全部测试）。
PY   ?= python3
VENV := .venv
BIN  := $(VENV)/bin

.PHONY: demo test check lint setup lock vendor
demo: setup
	$(BIN)/sancha demo
test: setup
	$(BIN)/python -m sancha.config.check

setup: $(VENV)/.ok
$(VENV)/.ok: requirements/dev.lock pyproject.toml
	$(PY) -c 'import sys; assert sys.version_info >= (3, 11), "Sancha needs Python 3.11 or newer / 需要 Python 3.11 以上"'
	test -x $(BIN)/python || $(PY) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

lint: setup
	$(BIN)/ruff check src tests && $(BIN)/ruff format --check src tests && $(BIN)/lint-imports && $(BIN)/mypy

lock:
	uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 -q requirements/prod.in -o requirements/prod.lock
	uv pip compile --universal --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --python-version 3.11 -q requirements/dev.in -c requirements/prod.lock -o requirements/dev.lock
	! grep -nE 'https?://|file://|^--(index|extra|find)' requirements/*.lock

# Only for maintainers who change a front-end version; needs node. Everything it makes is committed.
vendor: setup
	cd tools/vendor && npm ci
	$(BIN)/python tools/vendor/build.py
