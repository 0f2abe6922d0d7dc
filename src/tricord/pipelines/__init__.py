"""Making: steps, their fingerprints, the plan, the cache, execution."""
