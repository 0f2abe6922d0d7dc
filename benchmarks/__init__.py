"""Benchmarks: one file per claim of speed, each with its floor or its alternative in the same run."""
