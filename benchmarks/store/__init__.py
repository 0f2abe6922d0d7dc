"""What the store's speed is claimed to be, with peers measured in the same run. See README.md."""
