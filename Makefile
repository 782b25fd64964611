# `make help` lists the targets. They install and write only into .venv and .cache.
PYTHON    ?= python3
API_PORT  ?= 8788
HTTP_PORT ?= 8787

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:

NAME   := tenantry.cloudflare_workers
FOLDER := ansible_collections/tenantry/cloudflare_workers
BIN    := .venv/bin
LIVE   := .cache/live/$(FOLDER)

export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.cache/collections
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
export ANSIBLE_REMOTE_TMP := $(ANSIBLE_HOME)/tmp
export ANSIBLE_DISPLAY_SKIPPED_HOSTS := false
export ANSIBLE_INVENTORY_UNPARSED_WARNING := false
export ANSIBLE_LOCALHOST_WARNING := false
export LC_ALL := C.UTF-8

sources = git ls-files -z --cached --others --exclude-standard
copy    = rm -rf $(1); mkdir -p $(1); $(sources) | tar --create --null --files-from=- --ignore-failed-read 2>/dev/null | tar --extract --directory=$(1)
tools   = PATH="$(CURDIR)/$(BIN):$$PATH"
pip     = $(BIN)/pip install -qq --disable-pip-version-check --require-hashes

# Names of stamp files contain a digest of their inputs, so another branch, clone or Python is installed again.
digest = $(shell { $(1); } 2>/dev/null | sha256sum | head -c 12 || true)
RUN    := .venv/run-$(call digest,pwd; $(PYTHON) -c 'import sys; print(sys.executable, sys.version)'; cat requirements/run.txt)
TEST   := .venv/test-$(call digest,cat requirements/test.txt)
MUTATE := .venv/mutation-$(call digest,cat requirements/mutation.txt)
CLIENT := .cache/contract/installed-$(call digest,cat tests/contract/package-lock.json)
FRAMES := .cache/frameworks/installed-$(call digest,cat tests/contract/frameworks/package-lock.json)
BUILT  := .cache/built-$(call digest,$(sources) -- . ':!tests' | xargs -0 sha256sum)

##@ Use

.PHONY: help install edge probe demo logs down clean
help: ## list the targets
	@awk -F ':.*## ' '/^##@/ { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(RUN) $(BUILT) ## install ansible-playbook into .venv/bin, and the built collection into .cache/collections

edge: install ## start the local edge; .cache/edge/env sets its address and token
	@$(BIN)/ansible-playbook $(NAME).local_edge -e '$(edge)' $(behaviors)

probe: $(RUN) ## detect undocumented behavior with a real account, for the next make edge; CONFIRM=yes skips the confirmation
	@PYTHONPATH=roles/local_edge/files PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -m local_edge probe --write $(PROBED) \
		$(if $(filter yes,$(CONFIRM)),--yes) $(if $(ZONE),--zone $(ZONE)) $(OPTIONS)

demo: edge ## run the quickstart on the local edge, and request its pages
	@source .cache/edge/env
	PATH="$(CURDIR)/.cache/edge/bin:$$PATH" $(BIN)/ansible-playbook examples/quickstart/site.yml
	$(PYTHON) tests/tools/visit.py $(HTTP_PORT) {customer-a,customer-b,nobody}.platform.localhost

logs: ## follow the logs of Workers; TENANT=NAME shows one alone
	@source .cache/edge/env
	PYTHONPATH=roles/local_edge/files PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m local_edge logs --api 127.0.0.1:$(API_PORT) --follow $(if $(TENANT),--worker $(TENANT))

down: ## stop the edge, and keep its data
	@PYTHONPATH=roles/local_edge/files PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m local_edge stop --api 127.0.0.1:$(API_PORT)

clean: down ## stop the edge, and delete its data and everything installed here
	@rm -rf .venv .cache

##@ Check

CHECKS := unit lint-types lint-style lint-playbooks lint-changelog lint-docs slow sanity package integration contract sample
.PHONY: test lint matrix bench soak faults mutation $(CHECKS)
test: ## run all checks and count them
	@$(PYTHON) tests/tools/tally.py $(CHECKS)

unit: $(TEST) $(LIVE) ## fast tests, in less than half a minute
	@ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/.cache/live" $(BIN)/pytest --numprocesses auto -m 'not slow' tests/unit

slow: $(TEST) $(LIVE) ## slow unit tests: exhaustive combinations
	@ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/.cache/live" $(BIN)/pytest --numprocesses auto -m slow tests/unit

lint: $(filter lint-%,$(CHECKS)) ## all lint- targets

lint-types: $(TEST) $(LIVE) ## mypy
	@cd .cache/live
	$(tools) MYPYPATH=.:$(FOLDER)/roles/local_edge/files mypy --config-file ../../pyproject.toml --cache-dir ../mypy \
		-p ansible_collections.tenantry.cloudflare_workers.plugins -p local_edge

lint-style: $(TEST) ## ruff
	@$(BIN)/ruff check --cache-dir .cache/ruff .
	$(BIN)/ruff format --check --cache-dir .cache/ruff .

lint-playbooks: $(TEST) $(BUILT) ## ansible-lint
	@$(tools) ansible-lint --offline --profile production

lint-changelog: $(TEST) ## antsibull-changelog
	@$(tools) antsibull-changelog lint

lint-docs: $(TEST) ## antsibull-docs
	@$(call copy,.cache/docs/$(FOLDER))
	cd .cache/docs/$(FOLDER)
	# antsibull-docs writes a log into the home directory.
	HOME="$(CURDIR)/.cache" $(tools) antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .

sanity: $(TEST) ## ansible-test sanity
	@$(call copy,.cache/sanity/$(FOLDER))
	cache=~/.ansible/test/cache
	mkdir -p $$cache
	for version in $$(sed -n "s/.*pip='\(.*\)',/\1/p" .venv/lib/*/site-packages/ansible_test/_internal/python_requirements.py); do
		cp --no-clobber tests/tools/get_pip.py $$cache/get_pip_$${version//./_}.py
	done
	cd .cache/sanity/$(FOLDER)
	git init --quiet # or ansible-test takes the tree around it, which ignores .cache
	$(tools) ansible-test sanity --color no --python $$($(tools) python -c 'import sys; print("%d.%d" % sys.version_info[:2])')

package: install ## verify the installed collection against its artifact
	@find .cache/collections -name __pycache__ -prune -exec rm -r {} + # left by plays
	$(BIN)/ansible-galaxy collection verify --offline $(NAME)

integration: $(TEST) install ## tests with a local edge on workerd
	@$(BIN)/ansible-playbook $(NAME).local_edge -e '$(edge)' -e local_edge_state=installed
	PATH="$(CURDIR)/.cache/edge/bin:$(CURDIR)/$(BIN):$$PATH" LOCAL_EDGE_WORKERD="$(CURDIR)/.cache/edge/bin/workerd" pytest tests/integration

contract: $(TEST) install $(CLIENT) $(FRAMES) ## wrangler, alchemy, SDKs and frameworks, unchanged, with the local edge
	@$(BIN)/ansible-playbook $(NAME).local_edge -e '$(edge)' -e local_edge_state=installed
	PATH="$(CURDIR)/$(BIN):$$PATH" LOCAL_EDGE_WORKERD="$(CURDIR)/.cache/edge/bin/workerd" pytest tests/contract

# Tests of faults run the plugins of this checkout, in process and in plays.
FAULTS = ANSIBLE_COLLECTIONS_PATH="$(CURDIR)/.cache/live" PATH="$(CURDIR)/.cache/edge/bin:$(CURDIR)/$(BIN):$$PATH" \
	LOCAL_EDGE_WORKERD="$(CURDIR)/.cache/edge/bin/workerd" pytest --numprocesses auto

sample: $(TEST) $(LIVE) install ## a part of the faults, kills, races, inputs and leaks of make faults, by a fixed seed
	@$(BIN)/ansible-playbook $(NAME).local_edge -e '$(edge)' -e local_edge_state=installed >/dev/null
	$(FAULTS) -m 'not slow' tests/faults

faults: $(TEST) $(LIVE) install ## all faults, kills, races, inputs and leaks, with their tables in docs/reliability.md; takes hours; TESTS=PATH SHARE=10 tries a tenth of the faults
	@$(BIN)/ansible-playbook $(NAME).local_edge -e '$(edge)' -e local_edge_state=installed >/dev/null
	$(FAULTS) --write-tables $(if $(SHARE),--share $(SHARE)) $(or $(TESTS),tests/faults)

mutation: $(MUTATE) ## mutation testing of the engine and the API client; ONLY='_engine/plan.py' SAMPLE=500 SEED=1; all of it takes hours
	@$(BIN)/python tests/mutation $(ONLY) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),,--write-table)

matrix: install ## integration tests with ansible-core 2.16, 2.19 and 2.21 on each installed Python; ONLY='2.21 2.16-3.10' TESTS=PATH
	@$(BIN)/ansible-playbook $(NAME).local_edge -e '$(edge)' -e local_edge_state=installed >/dev/null
	PATH="$(CURDIR)/.cache/edge/bin:$$PATH" LOCAL_EDGE_WORKERD="$(CURDIR)/.cache/edge/bin/workerd" \
		$(BIN)/python tests/tools/matrix.py $(ONLY) -- $(TESTS)

bench: $(TEST) install $(CLIENT) ## measure loops, uploads, requests, tenants and fleets; ONLY=fleets OPTIONS='--most 100'
	@$(if $(ONLY),,$(call need,wrk))
	$(BIN)/ansible-playbook $(NAME).local_edge -e '$(edge)' -e local_edge_state=installed >/dev/null
	for each in $(or $(ONLY),loop uploads traffic tenants fleets); do
		PATH="$(CURDIR)/.cache/edge/bin:$(CURDIR)/$(BIN):$$PATH" LOCAL_EDGE_WORKERD="$(CURDIR)/.cache/edge/bin/workerd" \
			$(BIN)/python tests/bench/$$each.py $(OPTIONS)
	done

soak: $(TEST) install ## an hour of a platform under a rate limit: tenants come, change, drift and go; MINUTES=5 and RATE=100 visits a second
	@$(BIN)/ansible-playbook $(NAME).local_edge -e '$(edge)' -e local_edge_state=installed >/dev/null
	PATH="$(CURDIR)/.cache/edge/bin:$(CURDIR)/$(BIN):$$PATH" LOCAL_EDGE_WORKERD="$(CURDIR)/.cache/edge/bin/workerd" \
		$(BIN)/python tests/bench/soak.py $(if $(MINUTES),--minutes $(MINUTES)) $(if $(RATE),--rate $(RATE))

##@ Maintain

.PHONY: lock changelog diagrams
lock: ## update the locked versions of all .in files and of npm
	@$(PYTHON) -m venv .cache/uv
	.cache/uv/bin/pip install -qq uv
	lock() { .cache/uv/bin/uv pip compile -q --universal --python-version $${python:-3.10} --generate-hashes --no-header --no-annotate "$$@"; }
	edge=roles/local_edge/files
	lock $$edge/npm.in -o $$edge/npm.txt
	lock $$edge/requirements.in -o $$edge/requirements.txt
	lock requirements/run.in -o requirements/run.txt
	lock requirements/test.in -c requirements/run.txt -c $$edge/requirements.txt -o requirements/test.txt
	lock requirements/mutation.in -c requirements/test.txt -o requirements/mutation.txt
	python=3.10 lock requirements/matrix/2.16.in -c $$edge/requirements.txt -o requirements/matrix/2.16.txt
	python=3.11 lock requirements/matrix/2.19.in -c $$edge/requirements.txt -o requirements/matrix/2.19.txt
	python=3.12 lock requirements/matrix/2.21.in -c $$edge/requirements.txt -o requirements/matrix/2.21.txt
	for each in tests/contract tests/contract/frameworks; do
		$(tools) npm install --prefix $$each --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund
	done

changelog: $(TEST) install ## write the changelog of the version in galaxy.yml from changelogs/fragments
	@$(tools) antsibull-changelog release --reload-plugins --refresh --update-existing

diagrams: ## draw the diagrams of the documentation
	@$(PYTHON) docs/diagrams/draw.py

# Prerequisites of the targets

comma := ,
edge = { "local_edge_api_port": $(API_PORT), "local_edge_http_port": $(HTTP_PORT), \
	$(if $(HTTPS_PORT),"local_edge_https_port": $(HTTPS_PORT)$(comma)) "local_edge_install_dir": "$(CURDIR)/.cache/edge", \
	"local_edge_data_dir": "$(CURDIR)/.cache/edge/data", "local_edge_env_file": "$(CURDIR)/.cache/edge/env" }

# The results of `make probe`.
PROBED   := .cache/probe/behaviors.json
behaviors = $(if $(wildcard $(PROBED)),-e '{ "local_edge_behaviors": "{{ \
	(lookup(\"ansible.builtin.file\", \"$(CURDIR)/$(PROBED)\") | from_json).behaviors }}" }')

need = command -v $(1) >/dev/null || { echo "$(1) is missing: apt install $(1)" >&2; exit 1; }

$(RUN):
	@$(call need,git)
	$(call need,$(PYTHON))
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("Python 3.10 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment: apt install python3-venv" >&2; exit 1; }
	echo "Installing ansible-core into .venv ..."
	$(PYTHON) -m venv --clear .venv
	$(pip) -r requirements/run.txt
	touch $@

$(TEST): $(RUN)
	@echo "Installing the tools of the checks into .venv ..."
	$(pip) -r requirements/test.txt
	touch $@

$(MUTATE): $(TEST)
	@echo "Installing the tools of mutation testing into .venv ..."
	$(pip) -r requirements/mutation.txt
	touch $@

$(CLIENT): PACKAGES := tests/contract
$(FRAMES): PACKAGES := tests/contract/frameworks
$(CLIENT) $(FRAMES): $(TEST)
	@echo "Installing the packages of $(PACKAGES) into $(@D) ..."
	rm -rf $(@D)
	mkdir -p $(@D)
	cp $(PACKAGES)/package*.json $(@D)
	$(tools) npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund
	touch $@

$(BUILT): $(RUN)
	@$(call copy,.cache/source)
	rm -rf .cache/artifact .cache/built-*
	$(BIN)/ansible-galaxy collection build --output-path .cache/artifact .cache/source
	$(BIN)/ansible-galaxy collection install --offline --force -p .cache/collections .cache/artifact/*.tar.gz
	touch $@

# This checkout, under the name by which Python imports it.
$(LIVE):
	@mkdir -p $(@D)
	ln -sfn ../../../.. $@
