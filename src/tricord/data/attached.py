"""The schema that belongs to a dataset: attached by people, else proposed from its rows."""

from pathlib import Path

from tricord.core.artifact import Artifact, Kind
from tricord.core.errors import DataError, NotRecorded
from tricord.data import naming
from tricord.data.schema import Schema, infer
from tricord.data.tables import read_table
from tricord.data.views import path as view
from tricord.project import datasets
from tricord.project.project import Project


def ref_of(name: str) -> str:
    """The ref of a dataset's schema.

    >>> ref_of("flights")
    'schemas/flights@latest'
    """
    return f"schemas/{name}@latest"


def schema_of(project: Project, what: str) -> tuple[Schema, bool]:
    """The schema of `NAME[@VERSION]`, and whether somebody attached it; else it is inferred from
    the version's rows. NotRecorded; DataError where they are no table."""
    name, _ = datasets.split(what)
    here = naming.pointer_of(project, name)
    try:
        return project.load(ref_of(here.name if here else name), Schema), True
    except NotRecorded:
        return infer(read_table(view(project, what))), False


def attach(project: Project, name: str, file: Path | None = None, *, why: str = "") -> Artifact:
    """Make a schema file (YAML) the dataset's schema: `schemas/NAME@latest` moves to it.

    Without a file it is the one that is inferred from the latest version. SchemaError for a file that is
    none; NotRecorded where there is no such dataset.
    """
    version = naming.version_of(project, name)
    if file is None:
        schema = infer(read_table(view(project, str(version))))
    elif not file.is_file():
        raise DataError("no such file", where=str(file), hint=f"tricord data schema {name}")
    else:
        schema = Schema.read(file)
    artifact = project.put(schema, kind=Kind.SCHEMA)
    source = f"from {file}" if file else f"inferred from {version}"
    project.move(ref_of(version.name), artifact.digest, why=why or source)
    return artifact
