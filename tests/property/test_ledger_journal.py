"""Whatever is recorded reads the same, verifies, and is chained."""

import math
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.clock import FixedClock
from tricord.core.event import EventType
from tricord.core.run import Origin, Status
from tricord.ledger.sqlite import SqliteLedger

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
JSON = st.recursive(PLAIN, lambda x: st.lists(x, max_size=3) | st.dictionaries(TEXT, x, max_size=3))
BODY = st.dictionaries(TEXT, JSON, max_size=4)
ARTIFACT = st.builds(
    lambda data, kind, layout, meta: Artifact(
        Digest(data.hex()), kind, layout, data[0] << 52, meta
    ),
    st.binary(min_size=32, max_size=32),
    st.sampled_from(Kind),
    TEXT,
    BODY,
)
ARTIFACTS = st.dictionaries(TEXT, ARTIFACT, max_size=4)


@given(
    BODY,
    ARTIFACTS,
    ARTIFACTS,
    st.dictionaries(TEXT, st.floats(), max_size=4),
    st.none() | TEXT,
    st.sampled_from([status for status in Status if status != Status.RUNNING]),
    st.floats(0, 1e11),
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_runs(params, inputs, outputs, metrics, error, status, now):
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        ledger = SqliteLedger(Path(folder) / "l", FixedClock(now))
        origin = Origin("c", "e")
        ledger.begin_run(
            run="r",
            name="n",
            fingerprint="f",
            origin=origin,
            parent=None,
            params=params,
            inputs=inputs,
        )
        ledger.end_run("r", status, outputs=outputs, metrics=metrics, error=error)
        run = ledger.run("r")
        assert (run.status, run.error, run.started, run.ended) == (status, error, now, now)
        assert run.params == params
        assert list(run.inputs.items()) == list(inputs.items())
        assert list(run.outputs.items()) == list(outputs.items())
        assert list(run.metrics) == list(metrics)
        for name, value in metrics.items():
            assert run.metrics[name] == value or (
                math.isnan(value) and math.isnan(run.metrics[name])
            )
        assert ledger.verify() == ledger.last_event()
        ledger.close()


@given(st.lists(st.tuples(TEXT, BODY), max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_events(entries):
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        ledger = SqliteLedger(Path(folder) / "l", FixedClock(0.5))
        written = [ledger.append_event(EventType.ALERT_RAISED, *entry) for entry in entries]
        ledger.close()
        ledger = SqliteLedger(Path(folder) / "l", FixedClock())
        assert ledger.events() == written
        assert len({event.chain for event in written}) == len(written) == ledger.verify()
        ledger.close()
