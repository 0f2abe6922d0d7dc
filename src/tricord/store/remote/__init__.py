"""Remotes: folders, buckets and web servers that hold what a store holds. See docs/reference/remote-format.md."""
