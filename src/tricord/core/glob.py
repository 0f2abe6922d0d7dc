"""Patterns over the paths of a dataset's files: as a shell's, with groups that say what belongs together.

`*` stands for anything within one name, `**` for any folders, `?` for one letter, `[ab]` for one of
several. What is in `(…)` is captured: files whose captures are equal make one part.
"""

import re
from functools import cache

from tricord.core.errors import PlanError

_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[!?\]?[^\]/]*\]|\(|\)|.", re.DOTALL)
_MEANING = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]", "(": "(", ")": ")"}


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression that a whole path must match. PlanError for a pattern that is none.

    >>> bool(compiled("**/*.csv").fullmatch("2013/01.csv")), bool(compiled("*.csv").fullmatch("2013/01.csv"))
    (True, False)
    >>> compiled("(*)/*.csv").fullmatch("2013/01.csv").groups()
    ('2013',)
    """
    try:
        return re.compile("".join(_translated(token) for token in _TOKEN.findall(pattern)))
    except re.error as error:
        raise PlanError(
            f"{pattern!r} is no pattern: {error.msg}",
            hint="write it like '2013-*.csv', '**/*.csv' or '(*)/*.csv'",
        ) from error


def _translated(token: str) -> str:
    if token in _MEANING:
        return _MEANING[token]
    if token.startswith("[") and len(token) > 1:
        negated = token.startswith("[!")
        inner = re.sub(r"([\\^\[&~|])", r"\\\1", token[2 if negated else 1 : -1])
        return f"[^/{inner}]" if negated else f"[{inner}]"
    return re.escape(token)
