"""A dataset has a schema: attached by people, else proposed from its rows."""

from pathlib import Path

import pytest

from tricord.core.artifact import Kind
from tricord.core.errors import DataError, NotRecorded, SchemaError
from tricord.data.attached import attach, schema_of
from tricord.data.versions import add
from tricord.project.project import Project


@pytest.fixture
def flights(project: Project) -> Project:
    (project.root / "flights.csv").write_text("carrier,delay\nAA,1.5\nB6,2.5\n")
    add(project, project.root / "flights.csv")
    return project


def test_without_one_it_is_inferred_from_the_rows(flights: Project) -> None:
    schema, attached = schema_of(flights, "flights@v1")
    assert (schema.names, schema["delay"].type, attached) == (("carrier", "delay"), "float", False)


def test_a_file_is_attached_as_an_artifact_and_a_move(flights: Project, tmp_path: Path) -> None:
    file = tmp_path / "schema.yaml"
    file.write_text("schema: tricord/1\ncolumns:\n  carrier: {type: string, nullable: false}\n")
    artifact = attach(flights, "flights", file)
    assert artifact.kind == Kind.SCHEMA
    schema, attached = schema_of(flights, "flights")
    assert (schema.names, attached) == (("carrier",), True)
    assert flights.ledger.moves("schemas/flights@latest")[-1].why == f"from {file}"
    attach(flights, "flights")
    assert schema_of(flights, "flights")[0].names == ("carrier", "delay")
    assert flights.ledger.moves("schemas/flights@latest")[-1].why == "inferred from flights@v1"


def test_mistakes_are_told(flights: Project, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        attach(flights, "flights", tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("colums: {}\n")
    with pytest.raises(SchemaError):
        attach(flights, "flights", tmp_path / "bad.yaml")
    with pytest.raises(NotRecorded, match="no dataset 'weather'"):
        attach(flights, "weather")
    assert flights.ledger.ref("schemas/flights@latest") is None
