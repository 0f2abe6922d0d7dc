"""From DVC's objects to the store's: checked against their MD5, each read once."""

import contextlib
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from tricord.core.errors import DataError, ObjectCorrupt
from tricord.data.dvc import objects
from tricord.data.dvc.objects import Objects
from tricord.data.dvc.taken import Record, Taken
from tricord.store.ingest import Ingest
from tricord.store.local import LocalStore
from tricord.store.progress import Watch, quiet

_AT_ONCE = 5_000
"""Objects that become durable together: bounds what a stopped takeover has to redo."""
_LARGE = 1 << 20


def store(
    wanted: Iterable[tuple[str, bool]],
    found_in: Objects,
    into: LocalStore,
    record: Record,
    *,
    movable: Path | None = None,
    watch: Watch = quiet,
) -> tuple[dict[str, Taken], dict[str, str]]:
    """Put the objects (MD5, whether it is of DVC 1 or 2) into the store: what each became, and for those
    that could not be put, why. Objects in the folder `movable` are taken away from there."""
    known = record.all()
    absent = into.missing({taken.digest for taken in known.values()})
    done = {md5: taken for md5, taken in known.items() if taken.digest not in absent}
    failed: dict[str, str] = {}
    waiting = iter(sorted((md5, old) for md5, old in dict(wanted).items() if md5 not in done))
    while batch := list(islice(waiting, _AT_ONCE)):
        fresh: dict[str, Taken] = {}
        used: list[Path] = []
        with into.ingest() as ingest:
            for md5, legacy in batch:
                try:
                    place = found_in.find(md5)
                    if place is None:
                        failed[md5] = "in no cache"
                        continue
                    mine = movable is not None and place.is_relative_to(movable)
                    fresh[md5] = _put(ingest, place, md5, legacy=legacy, linked=mine)
                except (DataError, ObjectCorrupt) as error:
                    failed[md5] = f"{error.what} ({error.where})"
                    continue
                if mine:
                    used.append(place)
                watch(fresh[md5].size, 1, md5)
        record.note(fresh.items())
        done |= fresh
        for place in used:  # durable in the store by now
            place.unlink(missing_ok=True)
    return done, failed


def _put(ingest: Ingest, place: Path, md5: str, *, legacy: bool, linked: bool) -> Taken:
    try:
        status = place.stat()
        if status.st_size <= _LARGE:
            data = place.read_bytes()
            objects.check(place, data, md5, legacy=legacy)
            return Taken(ingest.add_bytes(data), len(data))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(place)) from error
    objects.check_file(place, md5, legacy=legacy)
    if linked and status.st_nlink == 1:
        # a second name for the store to take over: the cache's own goes when all is durable
        second = ingest.area / os.urandom(8).hex()
        with contextlib.suppress(OSError):
            os.link(place, second)
            second.chmod(0o644)
            return Taken(ingest.add_file(second, consume=True).digest, status.st_size)
    source = ingest.add_file(place)
    if source.mark[:4] != (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns):
        raise DataError("changed while it was read", where=str(place))
    return Taken(source.digest, source.size)
