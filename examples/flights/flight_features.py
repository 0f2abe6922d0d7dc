"""What is known of a flight at its scheduled departure, and what of that a model is given.

Nothing that is only known later may come in: not the flight's own departure, arrival or air time,
not the weather of an hour still to come, not the delays of flights that are still in the air.
"""

import polars as pl

from tricord.features.definition import FeatureSet, View

HOUR = 3600.0
LATE = 15
"""A flight is late when it arrives more than this many minutes after its schedule."""

# °F, °F, %, degrees, mph, mph, inches, mbar, miles
WEATHER = (
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
)

FLIGHTS = FeatureSet(
    name="flights",
    time="scheduled_at",
    request={
        "carrier": "carrier",
        "origin": "origin",
        "dest": "dest",
        "distance": "distance",
        "departure_minute": "DIV(sched_dep_time, 100) * 60 + MOD(sched_dep_time, 100)",
        "arrival_minute": "DIV(sched_arr_time, 100) * 60 + MOD(sched_arr_time, 100)",
        # the local day: New York is 5 or 4 hours behind, and nothing leaves between 0:00 and 1:00
        "weekday": "EXTRACT(ISODOW FROM scheduled_at - INTERVAL '5 hours')",
    },
    views=(
        View("weather", ("origin",), "observed_at", WEATHER, ttl=3 * HOUR),
        View(
            "origin_delays", ("origin",), "known_at", ("origin_delay", "origin_late"), ttl=3 * HOUR
        ),
        View(
            "carrier_delays",
            ("carrier",),
            "known_at",
            ("carrier_delay", "carrier_late"),
            ttl=3 * HOUR,
        ),
        View("dest_delays", ("dest",), "known_at", ("dest_delay", "dest_late"), ttl=3 * HOUR),
        View("plane_delays", ("tailnum",), "known_at", ("plane_delay",), ttl=24 * HOUR),
        # a register knows an aircraft from the day it was built on: always, as far as 2013 goes
        View("planes", ("tailnum",), "known_at", ("plane_built", "seats"), ttl=100 * 8766 * HOUR),
    ),
)

CATEGORIES = ("carrier", "origin", "dest")
"""The model's columns that are text; all others are numbers."""

NEVER_KNOWN = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")
"""Columns of a delivery that exist only after the flight. They reach no request and no model."""

# Hours from UTC in winter → airports; those in _SAME_ALL_YEAR keep them in summer too. A flight to
# an airport that is not listed has no known landing, so it tells nothing too early.
_ZONES = {
    -4: "BQN PSE SJU STT",
    -5: "ACK ALB ATL AVL BDL BGR BOS BTV BUF BWI CAE CAK CHO CHS CLE CLT CMH CRW CVG DAY DCA DTW "
    "EYW FLL GRR GSO GSP IAD ILM IND JAX LEX LGA MCO MHT MIA MVY MYR ORF PBI PHL PIT PVD PWM RDU "
    "RIC ROC RSW SAV SBN SDF SRQ SYR TPA TVC TYS",
    -6: "AUS BHM BNA DFW DSM HOU IAH MCI MDW MEM MKE MSN MSP MSY OKC OMA ORD SAT STL TUL XNA",
    -7: "ABQ BZN DEN EGE HDN JAC MTJ PHX SLC",
    -8: "BUR LAS LAX LGB OAK PDX PSP SAN SEA SFO SJC SMF SNA",
    -9: "ANC",
    -10: "HNL",
}
_SAME_ALL_YEAR = ("BQN", "HNL", "PHX", "PSE", "SJU", "STT")


def requests(flights: pl.DataFrame) -> pl.DataFrame:
    """What is known of each flight at its scheduled departure: one row each, in the same order.

    `flight_id` is unique; `scheduled_at` is the decision instant, datetime[μs, UTC]; times of day
    stay local HHMM.
    """
    return flights.select(
        _flight_id(),
        "carrier",
        "flight",
        "tailnum",
        "origin",
        "dest",
        "sched_dep_time",
        "sched_arr_time",
        "distance",
        _scheduled_at(flights),
    )


def outcomes(flights: pl.DataFrame) -> pl.DataFrame:
    """What became of each flight: `flight_id`, `late` and `known_at`, the landing in UTC.

    A flight that was cancelled, or landed elsewhere, has no delay: `late` and `known_at` are null.
    It is left out of training and evaluation; what the model says is therefore the chance of being
    late *given that the flight is flown*. It still gets a prediction, as nobody knows beforehand.
    """
    return flights.select(
        _flight_id(),
        (pl.col("arr_delay") > LATE).alias("late"),
        _landed_at(flights).alias("known_at"),
    )


def weather_timeline(weather: pl.DataFrame) -> pl.DataFrame:
    """Hourly observations per origin, known from `observed_at`, datetime[μs, UTC]."""
    numbers = [pl.col(name).cast(pl.Float64) for name in WEATHER]
    return weather.select("origin", _utc(weather, "time_hour").alias("observed_at"), *numbers).sort(
        "observed_at", "origin"
    )


def plane_timeline(planes: pl.DataFrame) -> pl.DataFrame:
    """The register of aircraft: year built and number of seats, known since the epoch."""
    return planes.select(
        "tailnum",
        pl.lit(0).cast(pl.Datetime("us", "UTC")).alias("known_at"),
        pl.col("year").alias("plane_built"),
        "seats",
    )


def delay_timelines(flights: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """View name → delays of landed flights, known from the landing: `known_at`, datetime[μs, UTC].

    At each landing: mean arrival delay in minutes and share of late flights over the landings of
    the three hours up to and with it, by origin, by carrier and by destination; and by aircraft its
    own delay then. A flight never counts for itself, as it lands after it departs.
    """
    landed = (
        flights.select(
            "origin",
            "carrier",
            "dest",
            "tailnum",
            pl.col("arr_delay").alias("delay"),
            (pl.col("arr_delay") > LATE).cast(pl.Int64).alias("late"),
            pl.lit(1, pl.Int64).alias("landings"),
            _landed_at(flights).alias("known_at"),
            _flight_id(),
        )
        .drop_nulls("known_at")
        .sort("known_at", "flight_id")
        .drop("flight_id")
    )
    return {
        "origin_delays": _last_three_hours(landed, "origin", "origin"),
        "carrier_delays": _last_three_hours(landed, "carrier", "carrier"),
        "dest_delays": _last_three_hours(landed, "dest", "dest"),
        "plane_delays": landed.select("tailnum", "known_at", plane_delay="delay").drop_nulls(),
    }


def timelines(
    flights: pl.DataFrame, weather: pl.DataFrame, planes: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """View name → timeline, for every view of FLIGHTS."""
    return {
        "weather": weather_timeline(weather),
        **delay_timelines(flights),
        "planes": plane_timeline(planes),
    }


def _last_three_hours(landed: pl.DataFrame, entity: str, name: str) -> pl.DataFrame:
    # sums of integers, divided once: the same digits whatever came before the window
    delay, late, landings = (
        pl.col(column).rolling_sum_by("known_at", window_size="3h", closed="right").over(entity)
        for column in ("delay", "late", "landings")
    )
    return landed.select(
        entity,
        "known_at",
        (delay / landings).alias(f"{name}_delay"),
        (late / landings).alias(f"{name}_late"),
    ).unique([entity, "known_at"], keep="last", maintain_order=True)


def _flight_id() -> pl.Expr:
    day = pl.date("year", "month", "day").dt.to_string("%Y-%m-%d")
    return pl.concat_str(
        day, pl.lit("-"), "carrier", pl.col("flight").cast(pl.String), pl.lit("-"), "origin"
    ).alias("flight_id")


def _utc(table: pl.DataFrame, column: str) -> pl.Expr:
    if table.schema[column] == pl.String:
        return pl.col(column).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC")
    return pl.col(column).dt.cast_time_unit("us")


def _scheduled_at(flights: pl.DataFrame) -> pl.Expr:
    # `time_hour` is the hour of the scheduled departure in UTC
    minute = pl.duration(minutes=pl.col("sched_dep_time") % 100)
    return (_utc(flights, "time_hour") + minute).alias("scheduled_at")


def _landed_at(flights: pl.DataFrame) -> pl.Expr:
    """Scheduled departure + scheduled duration + arrival delay; null for a flight without one.

    The duration is the difference of two local times of day, less that of their zones, modulo a day.
    """
    behind = _minutes_from_new_york(flights)
    duration = (_minute_of_day("sched_arr_time") - _minute_of_day("sched_dep_time") - behind) % 1440
    return _scheduled_at(flights) + pl.duration(minutes=duration + pl.col("arr_delay"))


def _minute_of_day(column: str) -> pl.Expr:
    return pl.col(column) // 100 * 60 + pl.col(column) % 100


def _minutes_from_new_york(flights: pl.DataFrame) -> pl.Expr:
    winter = {code: 60 * (hours + 5) for hours, codes in _ZONES.items() for code in codes.split()}
    gap = pl.col("dest").replace_strict(winter, default=None, return_dtype=pl.Int64)
    # in summer New York is an hour nearer to UTC, and those that keep their clocks are not
    local = pl.col("sched_dep_time") // 100
    summer = (local - _utc(flights, "time_hour").dt.hour().cast(pl.Int64)) % 24 == 20
    return gap - pl.when(summer & pl.col("dest").is_in(_SAME_ALL_YEAR)).then(60).otherwise(0)
