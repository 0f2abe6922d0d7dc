"""A short storm; `TRICORD_STORM=300` makes it a long one."""

import os
import subprocess
import sys
from pathlib import Path

STORM = Path(__file__).parent / "store_storm.py"


def test_random_kills_over_add_checkout_gc_repair_and_push_lose_nothing() -> None:
    rounds = os.environ.get("TRICORD_STORM", "6")
    environment = {key: value for key, value in os.environ.items() if key != "TRICORD_STORM"}
    done = subprocess.run(
        [sys.executable, str(STORM), rounds, "1"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "everything held" in done.stdout
