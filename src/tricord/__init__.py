"""Tricord: continuous delivery of machine learning. Code, data and model, released as one.

Every public name is imported at its first use, so that ``import tricord`` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tricord.checks.evaluate import evaluate as evaluate
    from tricord.checks.validate import validate as validate
    from tricord.core.errors import TricordError as TricordError
    from tricord.core.step import artifact as artifact
    from tricord.core.step import dataset as dataset
    from tricord.core.step import pipeline as pipeline
    from tricord.core.step import step as step
    from tricord.data.views import open_file as open_file
    from tricord.features.join import join as join
    from tricord.models.release import release as release
    from tricord.project.project import Project as Project

__version__ = "0.1.0"

_HOME = {
    "Project": "tricord.project.project",
    "TricordError": "tricord.core.errors",
    "artifact": "tricord.core.step",
    "dataset": "tricord.core.step",
    "evaluate": "tricord.checks.evaluate",
    "join": "tricord.features.join",
    "open_file": "tricord.data.views",
    "pipeline": "tricord.core.step",
    "release": "tricord.models.release",
    "step": "tricord.core.step",
    "validate": "tricord.checks.validate",
}

__all__ = [
    "Project",
    "TricordError",
    "__version__",
    "artifact",
    "dataset",
    "evaluate",
    "join",
    "open_file",
    "pipeline",
    "release",
    "step",
    "validate",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value  # the next look-up does not come here
        return value
    raise AttributeError(f"module 'tricord' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
