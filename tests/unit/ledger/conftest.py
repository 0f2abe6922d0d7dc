from collections.abc import Iterator
from pathlib import Path

import pytest

from tricord.core.clock import FixedClock
from tricord.ledger.sqlite import SqliteLedger


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(1000.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path, clock: FixedClock) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(path, clock)
    yield ledger
    ledger.close()
