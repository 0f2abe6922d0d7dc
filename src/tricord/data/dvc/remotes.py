"""DVC's remotes: a folder is one more cache; buckets and web servers are asked object by object."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tricord.core.errors import ObjectMissing, RemoteError
from tricord.data.dvc.settings import Settings
from tricord.store.remote.backend import Backend
from tricord.store.remote.opening import SCHEMES, open_backend

_OPTIONS = {"endpointurl": "endpoint", "region": "region", "profile": "profile"}
_SCHEMES = {"azure": "az", "gcs": "gs"}


class Asked:
    """A remote that is no folder."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.where = backend.where

    def bring(self, names: Sequence[str], target: Path) -> bool:
        """Write the first of `names` that there is to `target`; False where there is none."""
        for name in names:
            with contextlib.suppress(ObjectMissing):
                self._backend.get_to(name, target)
                return True
            target.unlink(missing_ok=True)
        return False


def open_sources(
    settings: Settings, named: Iterable[str]
) -> tuple[tuple[Path, ...], tuple[Asked, ...]]:
    """The remotes of a DVC project, its default first: folders, and the others. RemoteError for a kind
    that only DVC itself can reach."""
    folders: list[Path] = []
    sources: list[Asked] = []
    default = settings.remote or (
        next(iter(settings.remotes)) if len(settings.remotes) == 1 else ""
    )
    wanted = [name for name in (default, *sorted(named)) if name]
    if not wanted:
        raise RemoteError("this DVC project has no default remote", where=str(settings.root), hint="dvc remote default NAME")  # fmt: skip
    for name in dict.fromkeys(wanted):
        options = settings.remotes.get(name)
        if options is None:
            raise RemoteError(f"DVC's settings have no remote {name!r}", where=str(settings.root), hint="dvc remote list")  # fmt: skip
        url = options["url"]
        if "://" not in url:
            folders.append(Path(url))
            continue
        scheme, _, rest = url.partition("://")
        scheme = _SCHEMES.get(scheme, scheme)
        if scheme not in SCHEMES:
            raise RemoteError(f"only DVC itself reaches a remote at {scheme}://", where=f"{name}: {url}", hint="dvc fetch --all-commits, and then again without --remote")  # fmt: skip
        sources.append(Asked(open_backend(f"{scheme}://{rest}", _options(options))))
    return tuple(folders), tuple(sources)


def _options(options: Mapping[str, str]) -> dict[str, str]:
    made = {ours: options[theirs] for theirs, ours in _OPTIONS.items() if options.get(theirs)}
    if options.get("allow_anonymous_login") == "true":
        made["anonymous"] = "true"
    return made
