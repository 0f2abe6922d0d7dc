"""The example is a project, not a package: its folder is put on the path, as Tricord does."""

import sys
from pathlib import Path

import pytest

FLIGHTS = Path(__file__).parents[3] / "examples" / "flights"
sys.path.insert(0, str(FLIGHTS))


@pytest.fixture(scope="session")
def example():
    """The folder of the example project."""
    return FLIGHTS


@pytest.fixture(scope="session")
def delivered(example, tmp_path_factory):
    """The year as delivered, an eighth of the flights: a folder."""
    from deliveries import deliver, deliver_planes

    folder = tmp_path_factory.mktemp("delivered")
    for month in range(1, 13):
        deliver(month, folder, fraction=1 / 8)
    deliver_planes(folder)
    return folder


@pytest.fixture(scope="session")
def tables(example, delivered):
    """Flights, weather and planes of that year, typed by their schemas."""
    from tricord.checks.validate import typed
    from tricord.data.schema import Schema
    from tricord.data.tables import read_table

    def table(name):
        schema = Schema.read(example / "schemas" / f"{name.removesuffix('.csv')}.yaml")
        return typed(read_table(delivered / name, missing=schema.missing), schema)

    return table("flights"), table("weather"), table("planes.csv")
