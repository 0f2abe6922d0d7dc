"""Pages that a person reads: self-contained reports, and the web front."""
