"""The example projects: in a wheel beside the package, in a checkout at its root."""

from pathlib import Path

import tricord
from tricord.core.errors import ProjectError


def _home() -> Path:
    package = Path(tricord.__file__).parent
    shipped = package / "_examples"
    return shipped if shipped.is_dir() else package.parents[1] / "examples"


def example_names() -> list[str]:
    """Every folder with a project in it."""
    return sorted(path.parent.name for path in _home().glob("*/tricord.toml"))


def example_folder(name: str) -> Path:
    if name not in example_names():
        raise ProjectError(
            f"no example {name!r}", hint=f"tricord new {' | '.join(example_names()) or '(none)'}"
        )
    return _home() / name
