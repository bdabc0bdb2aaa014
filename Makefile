# Two commands for a newcomer: `make demo` and `make test`. Both install what they need into .venv first.
PYTHON ?= python3
VENV ?= .venv

.PHONY: install demo test lint

install: $(VENV)/installed

$(VENV)/installed: setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet --editable '.[cpu,dev]'
	touch $@

demo: install
	$(VENV)/bin/paddleisa demo

test: install
	$(VENV)/bin/python -m pytest --quiet

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
