"""Making features known to serving: one ref move per view."""

from tricord.core.artifact import Artifact
from tricord.core.step import GIVEN, step
from tricord.project.project import Project


def online_ref(view: str) -> str:
    """The ref that serving follows for a view unless its release says otherwise.

    >>> online_ref("weather")
    'features/weather@online'
    """
    return f"features/{view}@online"


@step
def materialize(timelines: dict[str, Artifact], *, project: Project = GIVEN) -> None:
    """Let serving look views up in these timelines from now on: view name → timeline."""
    for view, timeline in timelines.items():
        project.move(online_ref(view), timeline.digest, why=f"materialized {view}")
