"""Names: how they are shown, how they are typed, and which one was meant that is not there."""

from collections.abc import Collection


def nearest(name: str, names: Collection[str]) -> str:
    """A suggestion to put behind "no such …": empty where nothing is near.

    >>> nearest("orgin", ["origin", "dest"])
    ": did you mean 'origin'?"
    """
    import difflib  # slow to load, and only a mistake needs it

    found = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f": did you mean {found[0]!r}?" if found else ""


def printable(text: str) -> str:
    r"""A name on one line, whatever is in it: line ends, a terminal's commands and what is no UTF-8 are
    escaped, the same wherever one is shown.

    >>> printable("new\nline"), printable("naïve 😀")
    ('new\\nline', 'naïve 😀')
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def quoted(path: object) -> str:
    r"""A path as it is typed in a shell, and taken for no option.

    >>> print(quoted("data/flights"), quoted("my data.csv"), quoted("-dash"), quoted("new\nline"))
    data/flights 'my data.csv' ./-dash $'new\nline'
    """
    import shlex  # only a hint needs it

    text = str(path)
    text = f"./{text}" if text.startswith("-") else text
    if text.isprintable():
        return shlex.quote(text)
    letters = (
        f"\\{letter}" if letter in "\\'" else letter if letter.isprintable() else _escaped(letter)
        for letter in text
    )
    return f"$'{''.join(letters)}'"


def _escaped(letter: str) -> str:
    if letter in "\n\r\t":
        return repr(letter)[1:-1]
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))
