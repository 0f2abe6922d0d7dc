"""What somebody may have meant who named something that is not there."""

from collections.abc import Collection


def nearest(name: str, names: Collection[str]) -> str:
    """A suggestion to put behind "no such …": empty where nothing is near.

    >>> nearest("orgin", ["origin", "dest"])
    ": did you mean 'origin'?"
    """
    import difflib  # slow to load, and only a mistake needs it

    found = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f": did you mean {found[0]!r}?" if found else ""
