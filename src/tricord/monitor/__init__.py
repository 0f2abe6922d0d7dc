"""Watching: windows of the prediction log, late labels, verdicts and alerts."""
