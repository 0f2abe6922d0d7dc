"""The example projects: in a wheel beside the package, in a checkout at its root."""

import shutil
from pathlib import Path

import tricord
from tricord.core.errors import ProjectError
from tricord.project.project import Project
from tricord.project.root import FOLDER


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


def copy_example(name: str, folder: Path) -> Project:
    """Make `folder` a project of the user's own with the example's files. Nothing is overwritten."""
    source = example_folder(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ProjectError(
            "it is not an empty folder, and nothing is ever overwritten",
            where=str(folder),
            hint=f"tricord new {name} ANOTHER-FOLDER",
        )
    ignored = shutil.ignore_patterns("__pycache__", FOLDER, "data", "*.pyc")
    shutil.copytree(source, folder, ignore=ignored, dirs_exist_ok=True)
    return Project.init(folder)


def example_in_place(name: str) -> Project:
    """The example's own folder in a checkout; where Tricord was installed, a copy in this folder."""
    source = example_folder(name)
    if "_examples" not in source.parts:
        return Project.init(source)
    copy = Path(f"{name}-demo")
    return Project.init(copy) if (copy / FOLDER).is_dir() else copy_example(name, copy)
