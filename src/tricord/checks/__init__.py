"""Judging: a table against its schema, a window against its reference, a model against the champion."""
