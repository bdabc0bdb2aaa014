# Two commands for a newcomer: `make demo` and `make test`. Both install what they need into .venv first.
PYTHON ?= python3
VENV ?= .venv

.PHONY: install demo test test-gpu lint docs

install: $(VENV)/installed

$(VENV)/installed: setup.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet --editable '.[cpu,dev]'
	touch $@

demo: install
	$(VENV)/bin/paddleisa demo

test: install
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --quiet -n auto  # a process for each core, a thread for each process

# On your card: everything that nobody could run so far. Uses the environment you are in, with your build of Paddle.
test-gpu:
	$(PYTHON) -m pytest -m gpu tests/gpu

lint: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy

# The documentation as a site in site/; a warning is an error.
docs: install
	NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(VENV)/bin/mkdocs build --quiet --strict
