"""The pipelines of a project: the module that `project.pipelines` names, imported from its root."""

import difflib
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType

from tricord.core.errors import PlanError, TricordError
from tricord.core.step import Pipeline
from tricord.pipelines.fingerprint import is_own
from tricord.project.project import Project

_entered: set[str] = set()
"""Roots that were put on the path: only the last one stays there."""


def load_module(project: Project, name: str) -> ModuleType:
    """Import one of the project's own modules. PlanError names the line that does not load."""
    _enter(project.root)
    missing = PlanError(
        f"no module {name!r}",
        where=str(project.root),
        hint=f"write {name.replace('.', '/')}.py, or set project.pipelines in tricord.toml",
    )
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise PlanError(f"{name} imports {error.name}, which is not installed") from error
        raise missing from error
    except SyntaxError as error:
        raise PlanError(f"{error.msg}", where=f"{error.filename}:{error.lineno}") from error
    except TricordError:
        raise
    except (Exception, SystemExit) as error:  # the module is a user's code: it may raise anything
        frame = traceback.extract_tb(error.__traceback__)[-1]
        raise PlanError(
            f"{name} does not load: {type(error).__name__}: {error}",
            where=f"{frame.filename}:{frame.lineno}",
        ) from error
    if not _belongs(module, project.root):
        raise missing
    return module


def _enter(root: Path) -> None:
    """Let imports find this project's modules, and not those of another that go by the same names."""
    if sys.path[0] != str(root):
        sys.path[:] = [str(root), *(entry for entry in sys.path if entry not in _entered)]
    _entered.add(str(root))
    own = {path.stem for path in root.glob("*.py")} | {
        path.parent.name for path in root.glob("*/__init__.py")
    }
    own.discard("tricord")
    for name, module in list(sys.modules.items()):
        source = getattr(module, "__file__", None)
        elsewhere = source is not None and not Path(source).is_relative_to(root)
        # a library or a module of the stdlib stays, whatever a project calls its own
        if elsewhere and name.partition(".")[0] in own and is_own(name, str(root)):
            del sys.modules[name]


def _belongs(module: ModuleType, root: Path) -> bool:
    """False for another project's module, found because that project is on the path too."""
    source = module.__file__
    return (
        source is None
        or Path(source).is_relative_to(root)
        or not is_own(module.__name__, str(root))
    )


def load_pipelines(project: Project) -> dict[str, Pipeline[...]]:
    """Name → pipeline, as the module defines them."""
    module = load_module(project, project.config.text("project.pipelines"))
    return {found.name: found for found in vars(module).values() if isinstance(found, Pipeline)}


def find_pipeline(project: Project, name: str | None) -> Pipeline[...]:
    """The pipeline of that name; the only one where no name is given."""
    pipelines = load_pipelines(project)
    if name is None and len(pipelines) == 1:
        return next(iter(pipelines.values()))
    if name in pipelines:
        return pipelines[name]
    known = ", ".join(sorted(pipelines)) or "none"
    if name is None:
        raise PlanError(f"which pipeline? There are: {known}", hint="tricord run NAME")
    near = difflib.get_close_matches(name, pipelines, n=1)
    raise PlanError(
        f"no pipeline {name!r}; there are: {known}",
        hint=f"tricord run {near[0]}" if near else "tricord run NAME",
    )
