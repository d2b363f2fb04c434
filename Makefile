.DEFAULT_GOAL := check
.PHONY: protos
BIN := .venv/bin

protos:  ## Generate the Python of the contracts
	$(BIN)/python scripts/protos.py
