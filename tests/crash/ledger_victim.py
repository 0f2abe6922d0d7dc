"""A program that records something and dies at the n-th SQL statement, for every n.

    ledger_victim.py FOLDER ACTION

For n = 1, 2, … until the action gets through, a forked process works on the ledger in FOLDER/n and
ends itself by SIGKILL as SQLite starts its n-th statement; triggers and COMMIT count. What returned
is written to FOLDER/n.acknowledged. The last folder is the one that got through.
"""

import itertools
import os
import signal
import sqlite3
import sys
from pathlib import Path

from tricord.core.artifact import Artifact, Digest, Kind
from tricord.core.clock import FixedClock
from tricord.core.run import Origin, Status
from tricord.ledger.process import this_host
from tricord.ledger.sqlite import SqliteLedger

ROWS = Artifact(Digest("a" * 64), Kind.DATASET, "csv", 1)
MODEL = Artifact(Digest("b" * 64), Kind.MODEL, "onnx", 1)
REF = "models/m@champion"


def begin(ledger: SqliteLedger, run: str) -> None:
    origin = Origin("c", "e", host=this_host(), pid=os.getpid())
    ledger.begin_run(
        run=run,
        name="train",
        fingerprint="f",
        origin=origin,
        parent=None,
        params={"x": 1},
        inputs={"rows": ROWS},
    )


def end_run(ledger: SqliteLedger) -> None:
    ledger.end_run("r0", Status.FINISHED, outputs={"0": MODEL}, metrics={"auc": 0.5, "n": 1})


def move_ref(ledger: SqliteLedger) -> None:
    ledger.move_ref(REF, old=None, new=ROWS.digest, actor="ann", why="", verdict=None)


ACTIONS = {
    "create": lambda _: None,
    "begin_run": lambda ledger: begin(ledger, "r1"),
    "end_run": end_run,
    "move_ref": move_ref,
}


def die_at(deadline: int) -> None:
    count = itertools.count(1)
    connect = sqlite3.connect

    def statement(_: str) -> None:
        if next(count) == deadline:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(*args, **kwargs) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(statement)
        return connection

    sqlite3.connect = watched


def main() -> None:
    folder, action = Path(sys.argv[1]), sys.argv[2]
    for deadline in itertools.count(1):
        place = folder / f"{deadline:03}"
        place.mkdir()
        if (child := os.fork()) == 0:
            if action != "create":
                ledger = SqliteLedger(place / "ledger.sqlite", FixedClock(1.0))
                begin(ledger, "r0")
                ledger.close()
            die_at(deadline)
            ledger = SqliteLedger(place / "ledger.sqlite", FixedClock(2.0))
            ACTIONS[action](ledger)
            (folder / f"{deadline:03}.acknowledged").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        if (folder / f"{deadline:03}.acknowledged").exists():
            return


if __name__ == "__main__":
    main()
