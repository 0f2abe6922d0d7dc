"""The pipelines of a project: the module that `project.pipelines` names, imported from its root."""

import difflib
import importlib
import sys
import traceback
from types import ModuleType

from tricord.core.errors import PlanError, TricordError
from tricord.core.step import Pipeline
from tricord.pipelines.fingerprint import is_own
from tricord.project.project import Project

_entered: set[str] = set()
"""The root of the project whose modules can be imported: of one at a time."""


def load_module(project: Project, name: str) -> ModuleType:
    """Import one of the project's own modules. PlanError names the line that does not load."""
    root = str(project.root)
    _enter(root)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise PlanError(f"{name} imports {error.name}, which is not installed") from error
        raise PlanError(
            f"no module {name!r}", where=root, hint="set project.pipelines in tricord.toml"
        ) from error
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


def _enter(root: str) -> None:
    """Let imports find this project's modules, and no longer those of another that was open before."""
    for other in _entered - {root}:
        sys.path[:] = [entry for entry in sys.path if entry != other]
        for name, module in list(sys.modules.items()):
            source = getattr(module, "__file__", None) or ""
            if (
                source.startswith(f"{other}/")
                and is_own(name, other)
                and not name.startswith("tricord")
            ):
                del sys.modules[name]
    _entered.clear()
    _entered.add(root)
    if root not in sys.path:
        sys.path.insert(0, root)


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
