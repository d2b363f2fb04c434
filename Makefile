.DEFAULT_GOAL := check
.PHONY: help setup run test chart integration protos protos-check dashboards rules observability lock format lint types layers \
	check chaos bench soak simulate images images-test cluster cluster-smoke cluster-test cluster-down
BIN := .venv/bin
N ?= 1000
SEED ?= 7
STORE ?= sqlite
BESIDE_STORE := $(if $(filter postgres,$(STORE)),scripts/postgres.sh)

help:  ## Show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/ready: pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh && touch $@

.venv/ready-dev: pyproject.toml constraints.txt scripts/setup.sh
	@scripts/setup.sh dev && touch $@ .venv/ready

setup: .venv/ready-dev  ## Make .venv with everything for working on Valor

run: .venv/ready  ## Start Valor and chat with it; without settings on a sandbox Telegram
	@$(BIN)/valor up --chat

test: .venv/ready-dev  ## Run all tests that need no container, with the coverage gate
	$(BIN)/pytest --numprocesses auto --dist loadfile --cov --cov-report= && scripts/coverage.sh

chart: .venv/ready-dev  ## Lint the chart in all its scenarios; hold what it makes against rules and Kubernetes' schemas
	$(BIN)/pytest tests/charts

integration: .venv/ready-dev  ## Run the tests of all stores against a PostgreSQL in a container
	@VALOR_TEST_POSTGRES_FSYNC=off scripts/postgres.sh $(if $(ARGS),$(BIN)/pytest $(ARGS),scripts/integration_tests.sh)

protos: .venv/ready-dev  ## Generate the Python of the contracts
	$(BIN)/python scripts/protos.py

protos-check: .venv/ready-dev  ## Fail where the generated Python is not what the contracts say
	$(BIN)/python scripts/protos.py --check

dashboards: .venv/ready-dev  ## Write the Grafana dashboards of the chart
	$(BIN)/python scripts/dashboards

rules:  ## Check the alerts of the chart, and try each of them
	@scripts/prometheus.sh promtool check rules charts/valor/files/rules/*.yaml
	@scripts/prometheus.sh promtool test rules tests/rules/*.yaml

observability: .venv/ready-dev  ## Watch the house with a real Prometheus: while all is well, and while much is broken
	@scripts/prometheus.sh $(BIN)/pytest tests/observability $(ARGS)

lock: .venv/ready-dev  ## Resolve all dependencies into constraints.txt
	uv pip compile --quiet --universal --all-extras --group build --group dev --no-header --no-annotate pyproject.toml -o constraints.txt

format: .venv/ready-dev  ## Format the code
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: .venv/ready-dev  ## Check style and security
	$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: .venv/ready-dev  ## Check types
	$(BIN)/mypy

layers: .venv/ready-dev  ## Check who imports whom
	@mkdir -p build && $(BIN)/lint-imports --no-cache >build/layers.txt || { cat build/layers.txt; exit 1; }

check: lint types layers protos-check rules test  ## Everything that has to pass

chaos: .venv/ready-dev  ## Make everything fail while people write; N messages, SEED, STORE=postgres with two replicas each
	@$(BESIDE_STORE) $(BIN)/python -m tests.chaos --messages $(N) --seed $(SEED) --store $(STORE) $(ARGS)

simulate: .venv/ready-dev  ## Show how the autoscaler decides under bursts, outages and slow models
	@$(BIN)/python -m tests.support.simulation

bench: .venv/ready-dev  ## Measure speed and memory against the bars; STORE=postgres
	@$(BESIDE_STORE) $(BIN)/python -m tests.bench $(ARGS)

soak: .venv/ready-dev  ## Measure memory over half an hour of steady load; STORE=postgres
	@$(BESIDE_STORE) $(BIN)/python -m tests.bench.soak $(ARGS)

images:  ## Build the images of all services; SERVICES="people agent", TAG, REGISTRY
	@scripts/docker.sh scripts/images/build.sh $(SERVICES)

images-test: .venv/ready-dev  ## Build the images and try each in a container
	@scripts/docker.sh scripts/images/test.sh $(ARGS)

cluster:  ## Bring up a Kubernetes of one node on this machine, with KEDA; needs root
	@scripts/cluster/up.sh

cluster-smoke: .venv/ready-dev  ## Try on the cluster what has to work before Valor can
	@scripts/cluster/smoke.sh $(ARGS)

cluster-test: .venv/ready-dev  ## Install, talk, kill, upgrade, roll back, scale, uninstall, on this machine's cluster or KUBECONFIG's
	@scripts/cluster/test.sh $(ARGS)

cluster-down:  ## End the cluster and remove all that it was
	@scripts/cluster/down.sh
