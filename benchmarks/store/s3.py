"""Claim: 2,000 files of 4 kB go up to S3 and down again ≥ 5× as fast as by DVC, in few requests.

python -m benchmarks.store.s3 [--files 2000] [--size 4096] [--repeats 3] [--folder DIR] [--peers dvc]
"""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.request import Request, urlopen

from benchmarks.measuring import ROOT, report
from benchmarks.store.running import many_files, medians, options, table
from benchmarks.store.tools import Tool, chosen

STEPS = ("push", "pull", "CPU of push", "CPU of pull")


@contextmanager
def server() -> Generator[str]:
    """moto's S3 server, as in the tests."""
    words = [sys.executable, str(ROOT / "tests" / "s3_server.py")]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise SystemExit("the server has no pipes")
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


def one(kind: type[Tool], files: int, size: int, address: str, place: Path) -> dict[str, float]:
    bucket = f"bench-{os.urandom(6).hex()}"
    with urlopen(Request(f"{address}/{bucket}", method="PUT"), timeout=60):
        pass
    root = place / "work"
    root.mkdir()
    many_files(root / "data", files, size)
    login = {
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
        "NO_PROXY": "127.0.0.1",
    }
    tool = kind(root, login)
    tool.init()
    tool.track()
    tool.remote(f"s3://{bucket}/bench")
    found = {"push": tool.push(), "CPU of push": tool.last.cpu}
    found["pull"] = tool.pull()
    found["CPU of pull"] = tool.last.cpu
    return found


def main() -> None:
    given = options(__doc__ or "", files=2000, size=4096)
    with server() as address:
        found = {
            kind.name: medians(
                given.repeats, partial(one, kind, given.files, given.size, address), given.folder
            )
            for kind in chosen(given.peers)
            if kind.has_remote
        }
    report(
        "store-s3",
        f"{given.files:,} × {given.size:,} random bytes, a local S3 server (moto), seconds, medians of {given.repeats}",
        ("", *STEPS),
        table(found, STEPS),
        found=found,
    )


if __name__ == "__main__":
    main()
