# Two cores are enough for everything here; the environment is made when it is first needed, and again when
# what it is made from changes.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# The picture that the demo searches with; any other will do: make demo QUERY=me.jpg
QUERY ?= demo/query.jpg
ANSWER := demo/out/answer.png

WORKERS ?= 2
# The tests run side by side; more threads within each would only make them wait for one another.
test test-cluster: export OMP_NUM_THREADS = 1

.PHONY: demo test test-cluster lint docs check report clean

demo: $(READY)  ## Index the pictures that come with the project and search them
	rm -rf demo/out
	$(BIN)/anotheryou index demo/album --collection demo/out/collection
	$(BIN)/anotheryou search $(QUERY) --pose -30 -k 10 --collection demo/out/collection --sheet $(ANSWER)
	@echo "The query, the drawn face and the hits side by side: $(ANSWER)"
	@echo "The same in the browser: $(BIN)/anotheryou serve --open --collection demo/out/collection"

test: $(READY)  ## Run all tests
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

test-cluster: $(READY)  ## Install what collections beyond one machine need, and run their tests
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[cpu,cluster-tests]'
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal tests/cluster

lint: $(READY)  ## Check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

check: $(READY)  ## Measure some of the reported numbers again and compare
	$(BIN)/anotheryou benchmark --check --only quick

report: $(READY)  ## Make the whole report on the set that comes along: runs/mini/report.html
	$(BIN)/anotheryou benchmark rendered-mini --out runs/mini

docs: $(READY)  ## Write the generated pages
	$(BIN)/python -m cli.reference

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.11"; exit 1; }
	@echo "Making the environment in .venv; the downloads take some minutes the first time."
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[cpu,dev]'
	touch $@

clean:  ## Remove the environment and what tools leave behind
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
