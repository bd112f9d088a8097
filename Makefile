.PHONY: check test lint types format bench docs

check:            ## what CI runs
	bash .ci/run

test:             ## the tests
	pytest

lint:             ## the linters
	ruff check .
	ruff format --check .

types:            ## both type checkers
	mypy
	mypy tests/typing_cases
	pyright

format:           ## write it the house's way
	ruff check --fix .
	ruff format .

bench:            ## the table of docs/why/performance.md, measured here
	python -m tests.benchmarks

docs:             ## pages that are generated
	for script in docs/generate_*.py; do python "$$script"; done
