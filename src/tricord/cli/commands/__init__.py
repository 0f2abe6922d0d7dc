"""One module a command: `arguments` declares what it takes, `run` answers."""
