"""When: rules over the ledger's events that start a run."""
