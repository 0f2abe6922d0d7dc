"""One open project: the only writer of store and ledger. It records runs and moves refs."""
