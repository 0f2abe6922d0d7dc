"""The words of the house: nouns, errors, configuration, plug-in loading. Nothing but the stdlib."""
