"""Features: defined once; joined point in time for training, read online for serving."""
