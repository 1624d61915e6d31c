# The only set-up is one of these:
#   make demo   the whole path on the built-in hub, board and toolkit stand-in
#   make test   the test suite
# Further: make run (the window on your own home), make shots, make pictures, make bench, make kills, make lint,
# make root-test, make model-tools.
# Both make the environment in .venv and install what they need, system packages included.

VENV   := .venv
PY     := $(VENV)/bin/python
STAMP  := $(VENV)/.installed

.PHONY: demo test lint run shots pictures bench kills root-test model-tools clean
.DEFAULT_GOAL := demo

demo: $(STAMP)-run
	$(VENV)/bin/rkdeck demo --headless $(if $(SHOTS),--shots $(SHOTS),)

run: $(STAMP)-run
	$(VENV)/bin/rkdeck

test: $(STAMP)-dev
	@sh .ci/system-packages test
	$(PY) -m pytest -m "not needs_root" -n auto --dist loadscope --no-loadscope-reorder $(TESTS)

# Every page, filled, in every language and theme, on one sheet: shots/sheet.png
shots: $(STAMP)-run
	$(VENV)/bin/rkdeck demo --headless --shots $(or $(SHOTS),shots)

# The pictures of the documents anew, from the demo's
pictures: $(STAMP)-run
	@shots=$$(mktemp -d) && trap 'rm -rf "$$shots"' EXIT && \
	$(VENV)/bin/rkdeck demo --headless --shots "$$shots" && \
	$(PY) -m gui.walk.pictures "$$shots" docs/pictures

# Figures beside a named peer of the same run; nothing is asserted here.
bench: $(STAMP)-dev
	@sh .ci/system-packages test
	$(PY) -m tests.bench $(BENCH)

# Random kills over download, conversion, deployment and perplexity, each followed by a start; prints what held.
kills: $(STAMP)-dev
	$(PY) -m tests.support.kills $(or $(N),200) $(SEED)

# Real accounts, mounts and a server with privileges; leaves the machine as it was.
root-test: $(STAMP)-dev
	@kept=$$(mktemp -d) && trap 'rm -rf "$$kept"' EXIT && \
	HYPOTHESIS_STORAGE_DIRECTORY="$$kept" $(PY) -m pytest -m needs_root -p no:cacheprovider $(TESTS)

# torch and transformers, with which the tests compare the forward pass, the mapping and perplexity where they are there.
model-tools: $(STAMP)-dev
	@$(PY) -m pip install --quiet --group model

lint: $(STAMP)-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy

$(PY):
	@sh .ci/system-packages run
	@$$(sh .ci/find-python) -m venv $(VENV)

$(STAMP)-run: pyproject.toml | $(PY)
	@echo "installing RKDeck into $(VENV) ..."
	@$(PY) -m pip install --quiet --editable .
	@touch $@

$(STAMP)-dev: pyproject.toml | $(PY)
	@echo "installing RKDeck and its development tools into $(VENV) ..."
	@$(PY) -m pip install --quiet --upgrade "pip>=25.1"
	@$(PY) -m pip install --quiet --editable . --group dev
	@touch $@ $(STAMP)-run

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
