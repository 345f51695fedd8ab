# One configuration for everything (docs/decisions/0001): tests run against the binaries that are shipped.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Set-up, build and tests come one after the other, whatever -j says.
.NOTPARALLEL:
.PHONY: help setup build run demo test test-long check lint walls bench clean \
	build-tests setup-helper setup-packages swift-test blackbox blackbox-long dependencies

SWIFT ?= swift
BUILD := $(SWIFT) build -c release
# The set-up makes a virtual environment where the system's Python lacks what the tests need.
PYTHON := $(if $(wildcard .venv/bin/python),.venv/bin/python,python3)
# The others there are what they share.
BENCHMARKS := $(sort $(shell find benchmarks -maxdepth 1 -type f -perm -u+x))

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## install what Debian or Ubuntu lacks, make the system users (idempotent)
	@scripts/setup

build: ## release binaries in .build/release/
	$(BUILD)

run: setup-packages build ## a gateway, one machine (this host) and a way in, until Ctrl-C
	@scripts/run

demo: setup-packages build ## the same in a throwaway folder: reach, revoke, be refused, tidy up
	@scripts/demo

test: setup build-tests setup-helper ## set up, build, and run every test but the long ones
	@$(MAKE) --no-print-directory swift-test blackbox

test-long: setup build-tests setup-helper ## every test, the long ones too
	@$(MAKE) --no-print-directory swift-test blackbox-long

check: lint walls ## format, walls, version, scripts, API description, dependency lists, then every test
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory dependencies

lint:
	$(SWIFT) format lint --strict -r Sources Tests Package.swift
	@scripts/version --check
	@scripts/check-scripts
	@scripts/check-openapi

walls:
	@scripts/check-walls

dependencies:
	@scripts/dependencies --check

bench: build ## run every script in benchmarks/
	@for script in $(BENCHMARKS); do echo "== $$script"; "./$$script"; done

clean: ## remove what was built
	$(SWIFT) package clean

build-tests:
	$(BUILD) --build-tests

# As root everything, because a root's gateway needs the users; otherwise only what the build itself needs.
setup-packages:
	@if [ "$$(id -u)" = 0 ]; then scripts/setup --host; else scripts/setup --packages; fi

setup-helper:
	@scripts/setup --helper

swift-test:
	$(SWIFT) test -c release --skip-build

blackbox:
	$(PYTHON) -m pytest -q blackbox

# blackbox/pytest.ini leaves the long ones out; this expression takes them all.
blackbox-long:
	$(PYTHON) -m pytest -q -m "long or not long" blackbox
