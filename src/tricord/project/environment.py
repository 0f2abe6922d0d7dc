"""What is installed: the lock of a project that has none of its own."""

from importlib.metadata import distributions


def installed() -> list[str]:
    """Every installed distribution as NAME==VERSION, sorted.

    >>> any(line.startswith("tricord==") for line in installed())
    True
    """
    return sorted({f"{found.name.lower()}=={found.version}" for found in distributions()})
