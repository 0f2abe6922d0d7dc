"""Release: one artifact that names code commit + data versions + model + environment + verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tricord.core.artifact import Digest, Kind
from tricord.core.canonical import JSON
from tricord.core.errors import TricordError


@dataclass(frozen=True, slots=True)
class Release:
    """What is released as one. It holds no time and no run id: the same content has the same digest.

    `code` and `commit` are of the run that made the model; `data` maps dataset names to the
    versions it was trained on. `feature_set` is the definition that turns a request into the
    model's columns, and `features` maps each of its views to the ref that serving follows
    ("features/weather@online") or to a digest that it is pinned to. `reference` is the profile of
    the training rows, which monitoring compares with. `verdicts` are the judgements it passed; a
    person who signs instead is on record with the ref's move. `previous` is the release that it
    replaces, which is what a rollback goes back to.
    """

    kind: ClassVar[Kind] = Kind.RELEASE

    name: str
    model: Digest
    code: str
    environment: str
    commit: str | None = None
    lock: str | None = None
    data: Mapping[str, Digest] = field(default_factory=dict[str, Digest])
    feature_set: Digest | None = None
    features: Mapping[str, str] = field(default_factory=dict[str, str])
    reference: Digest | None = None
    verdicts: tuple[Digest, ...] = ()
    previous: Digest | None = None

    def to_json(self) -> dict[str, JSON]:
        return {
            "tricord": "release/1",
            "name": self.name,
            "model": self.model,
            "code": self.code,
            "commit": self.commit,
            "environment": self.environment,
            "lock": self.lock,
            "data": dict(self.data),
            "feature_set": self.feature_set,
            "features": dict(self.features),
            "reference": self.reference,
            "verdicts": list(self.verdicts),
            "previous": self.previous,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> "Release":
        fields = dict(data)
        if fields.pop("tricord", None) != "release/1":
            raise TricordError(f"not a release of version 1: {data.get('tricord')!r}")
        fields["verdicts"] = tuple(fields["verdicts"])  # pyright: ignore[reportArgumentType]
        return cls(**fields)  # pyright: ignore[reportArgumentType]
