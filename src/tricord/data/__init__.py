"""Datasets: reading tables, their statistics, the schema that people review."""
