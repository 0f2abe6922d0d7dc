"""Claim: a request to our server costs less CPU than one to the server that teams write by hand.

python -m benchmarks.serving

The same model (gradient-boosted trees) behind three doors, in the same run: the bare runtime in a loop (the
floor: nothing is parsed, routed or logged), Tricord's server with its prediction log, and a Starlette
application around scikit-learn's predict_proba on a pandas table, without a log. Both servers run on uvicorn
with uvloop and httptools. CPU is that of all the server's threads while it answers (Linux counts it in
nanoseconds in /proc); requests per second is the clients' view, who share the machine with the server.
"""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.measuring import ROOT, environment, report
from tricord.core.release import Release
from tricord.models.export import export
from tricord.models.package import Model
from tricord.project.project import Project
from tricord.serving.plan import Arm, RoutingPlan

COLUMNS, TREES, CLIENTS, REQUESTS, WARM_UP = 20, 100, 16, 6000, 200
FEW = 1200
"""Requests to the server made by hand, warm-up among them: it is slow enough to be measured on fewer."""
NAMES = [f"c{i}" for i in range(COLUMNS)]


def fitted() -> tuple[HistGradientBoostingClassifier, pl.DataFrame]:
    """The model and the rows that are asked for."""
    random = np.random.default_rng(0)
    rows = pl.DataFrame(random.normal(size=(20_000, COLUMNS)), schema=NAMES)
    label = rows.to_numpy().sum(axis=1) + random.normal(size=20_000) > 0
    model = HistGradientBoostingClassifier(max_iter=TREES, random_state=0)
    return model.fit(rows.to_pandas(), label), rows


def by_hand(port: int) -> None:
    """The server that teams write: this is all of it."""
    import pandas as pd
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    model, _ = fitted()

    async def predict(request: Request) -> JSONResponse:
        rows = pd.DataFrame((await request.json())["rows"])
        return JSONResponse({"scores": model.predict_proba(rows)[:, 1].tolist()})

    app = Starlette(routes=[Route("/predict", predict, methods=["POST"])])
    uvicorn.run(
        app, port=port, access_log=False, log_level="warning", loop="uvloop", http="httptools"
    )


def ours(folder: str, port: int) -> None:
    from tricord.serving.server import serve

    serve(Project.open(folder), "m", "127.0.0.1", port)


def prepare(folder: Path, model: Model) -> None:
    project = Project.init(folder)
    release = project.put(
        Release("m", project.put(model).digest, code="c" * 64, environment="e" * 64)
    )
    plan = project.put(RoutingPlan("m", (Arm(release.digest, 1.0, "live"),), "salt"))
    project.move("endpoints/m@live", plan.digest, why="benchmark", signed=True)
    project.close()


async def ask(port: int, path: str, bodies: list[bytes]) -> None:
    """CLIENTS kept connections share the bodies; every answer must be a 200."""
    waiting = iter(bodies)

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
        )
        for body in waiting:
            writer.write(f"{head}{len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(answer + await reader.read(2000))
            length = next(
                int(line.split(b":")[1])
                for line in answer.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            )
            await reader.readexactly(length)
        writer.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


def cpu_spent(pid: int) -> float:
    """CPU seconds of all threads of a process so far (proc(5), schedstat)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def served(
    words: list[str], path: str, bodies: list[bytes], **settings: str
) -> tuple[float, float]:
    """CPU and wall seconds per request of a server for the bodies after the warm-up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.serving", *words, str(port)],
        cwd=ROOT,
        env=environment() | settings,
        stdout=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None:
            try:
                asyncio.run(ask(port, path, bodies[:WARM_UP]))
                break
            except (OSError, asyncio.IncompleteReadError):
                time.sleep(0.1)
        before, started = cpu_spent(process.pid), time.perf_counter()
        asyncio.run(ask(port, path, bodies[WARM_UP:]))
        wall = time.perf_counter() - started
        time.sleep(1.0)  # the log is written behind the answers, and counts
        asked = len(bodies) - WARM_UP
        return (cpu_spent(process.pid) - before) / asked, wall / asked
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def main() -> None:
    estimator, table = fitted()
    model = export(estimator, table.head(2000), columns=NAMES)
    rows = table.head(REQUESTS + WARM_UP)
    tensors = [model.tensors(rows.slice(i, 1)) for i in range(rows.height)]
    for one in tensors[:WARM_UP]:
        model.run(one)
    spent, started = time.process_time(), time.perf_counter()
    for one in tensors[WARM_UP:]:
        model.run(one)
    floor = (
        (time.process_time() - spent) / REQUESTS,
        (time.perf_counter() - started) / REQUESTS,
    )
    v2 = [
        json.dumps(
            {
                "id": str(i),
                "inputs": [
                    {"name": name, "datatype": "FP64", "shape": [1], "data": [value]}
                    for name, value in row.items()
                ],
            }
        ).encode()
        for i, row in enumerate(rows.iter_rows(named=True))
    ]
    plain = [json.dumps({"rows": [row]}).encode() for row in rows.iter_rows(named=True)]
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), model)
        found = {
            "onnxruntime alone, in process": floor,
            "tricord serve, with its log": served(["ours", name], "/v2/models/m/infer", v2),
            "Starlette + scikit-learn": served(["by-hand"], "/predict", plain[:FEW]),
            "the same, OMP_NUM_THREADS=1": served(
                ["by-hand"], "/predict", plain[:FEW], OMP_NUM_THREADS="1"
            ),
        }
    lines = [(name, cpu * 1e6, cpu / floor[0], 1 / wall) for name, (cpu, wall) in found.items()]
    report(
        "serving",
        f"1 row x {COLUMNS} columns x {TREES} trees, {REQUESTS:,} requests, {CLIENTS} clients",
        ("", "CPU µs per request", "÷ onnxruntime", "requests per second"),
        lines,
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ours", folder, port]:
            ours(folder, int(port))
        case ["by-hand", port]:
            by_hand(int(port))
        case _:
            main()
