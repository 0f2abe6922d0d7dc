"""Facts: append and query artifacts, runs, refs, events. Specified in docs/reference/ledger-format.md."""
