# make book    .venv, every lesson in the `laptop` profile, the website: _build/html/index.html
# make test    the same environment with the test extras; all tests
# make smoke   every lesson with tiny parameters
# make lint    ruff, pyright, and that each notebook equals its text
# make clean   remove what was built; `make distclean` removes .venv too
#
# PYTHON=python3.12 chooses the interpreter (3.11 or newer), PROFILE=standard another profile for the book.

PYTHON  ?= python3
PROFILE ?= laptop
VENV    := .venv
BIN     := $(VENV)/bin

.DELETE_ON_ERROR:
.PHONY: help book test smoke lint constraints clean distclean

help:
	@sed -n '/^$$/q;s/^# \{0,1\}//p' Makefile

book: $(VENV)/book.stamp
	$(BIN)/simplebits book --profile $(PROFILE)

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/benchmarks
	$(BIN)/python -m pytest tests/benchmarks

smoke: $(VENV)/book.stamp
	$(BIN)/simplebits run --profile smoke

lint: $(VENV)/test.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --warnings --pythonpath $(BIN)/python
	$(BIN)/python tests/notebooks/pairing.py

# An empty file named after the extra says that it is installed; it is made again when a version changes.
$(VENV)/%.stamp: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$*]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, this is $$($(PYTHON) --version 2>&1). Say which: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing: PyTorch and the rest are about 5 GB and take a few minutes, this once."

# The newest versions that fit together, as the next constraints.txt. Build the book with them before you commit them.
constraints:
	rm -rf _build/constraints && $(PYTHON) -m venv _build/constraints
	_build/constraints/bin/python -m pip install --quiet '.[test]'
	{ sed '/^$$/q' constraints.txt; \
	  _build/constraints/bin/python -m pip freeze --exclude simplebits | grep -Eiv '^(nvidia|cuda|triton|pip|setuptools|wheel)'; \
	} > _build/constraints.txt && mv _build/constraints.txt constraints.txt

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis .benchmarks

distclean: clean
	rm -rf $(VENV)
