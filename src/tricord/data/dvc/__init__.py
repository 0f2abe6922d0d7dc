"""DVC's projects: their files, caches and history, read so that they can be taken over."""
