"""Bytes by digest: put, get, verify. The format is specified in docs/reference/store-format.md."""
