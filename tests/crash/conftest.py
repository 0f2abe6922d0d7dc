"""Programs that tests start and kill are not modules of tests; where those programs work."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

collect_ignore_glob = ["*_victim.py", "store_storm.py"]
ROOM = 1 << 30
"""Bytes that have to be free in memory: two tests at once take a quarter of it, and a container often has 64 MB."""


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder that need not wait for a disk: the loss of power is the victim's business."""
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and shutil.disk_usage(shared).free > ROOM
    with tempfile.TemporaryDirectory(dir=shared if roomy else None) as folder:
        yield Path(folder)
