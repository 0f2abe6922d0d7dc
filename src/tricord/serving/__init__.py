"""Serving: one data plane, thin doors. A release in memory, a routing plan, a prediction log."""
