"""A real server process on loopback: the protocol, reloads under load, and its log."""

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from tricord.core.release import Release
from tricord.features.definition import FeatureSet, View
from tricord.serving.log import find, read_segments

Requests = Callable[..., dict[str, Any]]


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)


def test_protocol(site: Any, serving: Any, request_of: Requests) -> None:
    plan = site.go(1.0)
    with serving(site.project) as server:
        assert server.get("/v2/health/live") == (200, {"live": True})
        status, health = server.get("/v2/health/ready")
        assert (status, health["ready"], health["plan"]) == (200, True, plan)
        assert server.get("/v2")[1]["name"] == "tricord"
        assert server.get("/v2/models/delay/ready") == (200, {"name": "delay", "ready": True})
        status, about = server.get("/v2/models/delay")
        assert status == 200
        assert [(i["name"], i["datatype"], i["shape"]) for i in about["inputs"]] == [
            ("origin", "BYTES", [-1]),
            ("hour", "INT64", [-1]),
            ("wind", "FP64", [-1]),
        ]
        assert about["outputs"] == [{"name": "probability", "datatype": "FP64", "shape": [-1]}]
        assert about["versions"] == [site.releases[0]]
        assert about["parameters"]["plan"] == plan
        asked = request_of(
            origin=("BYTES", ["EWR", "??"]), hour=("INT64", [7, 20]), wind=("FP64", [None, 2])
        )
        status, answer = server.infer(asked | {"id": "r1", "parameters": {"key": "UA 1"}})
        assert status == 200
        assert (answer["id"], answer["model_name"]) == ("r1", "delay")
        assert answer["model_version"] == site.releases[0]
        (output,) = answer["outputs"]
        rows = pl.DataFrame({"origin": ["EWR", "??"], "hour": [7, 20], "wind": [None, 2.0]})
        assert output == {
            "name": "probability",
            "shape": [2],
            "datatype": "FP64",
            "data": site.models[0].predict(rows).tolist(),
        }
        assert answer["parameters"]["arm"] == "live"
        version = f"/v2/models/delay/versions/{site.releases[0]}"
        assert server.infer(asked, f"{version}/infer")[0] == 200
        assert server.get(f"{version}/ready")[0] == 200
        code, _ = server.stop()
        assert code == 0
    (first, second) = find(site.log, answer["parameters"]["prediction_id"])
    assert (first["key"], first["request_id"], first["plan"]) == ("UA 1", "r1", plan)
    assert (second["row"], second["inputs"]["hour"]) == (1, 20)
    assert [first["score"], second["score"]] == output["data"]
    assert find(site.log.parent, first["prediction_id"]) == [first, second]


def test_bad_requests_are_the_clients(site: Any, serving: Any, request_of: Requests) -> None:
    site.go(1.0)
    good = request_of()
    wrong: list[tuple[Any, str]] = [
        (b"{", "not an inference request"),
        (b'{"inputs": 3}', "inputs"),
        (b"\xff\xfe", "not an inference request"),
        ({"inputs": []}, "inputs are missing: origin, hour, wind"),
        (request_of(wind=None), "inputs are missing: wind"),
        (
            request_of(winds=("FP64", [1.0])),
            "unknown input 'winds': did you mean 'wind'? Expected: origin, hour, wind",
        ),
        (
            request_of(zzz=("FP64", [1.0])),
            "unknown input 'zzz'. Expected: origin, hour, wind",
        ),
        ({"inputs": good["inputs"] * 2}, "sent twice"),
        (request_of(hour=("FP64", [7.0])), "'hour' is FP64, expected INT64"),
        (request_of(hour=("INT64", [7.5])), "whole numbers, not 7.5"),
        (request_of(hour=("INT64", [True])), "whole numbers, not True"),
        (request_of(hour=("INT8", [300])), "cannot hold 300"),
        (request_of(hour=("INT64", [None])), "'hour' holds null"),
        (request_of(origin=("BYTES", [5])), "texts, not 5"),
        (request_of(origin=("BYTES", ["\ud800"])), ""),
        (request_of(wind=("FP64", ["x"])), "numbers, not 'x'"),
        (request_of(wind=("FP64", [10**400])), "too large"),
        (request_of(wind=("COMPLEX", [1])), "expected FP64"),
        (request_of(wind=("FP64", [1.0, 2.0])), "as many rows"),
        (request_of(wind=("FP64", [[1.0]])), "not [1.0]"),
        (request_of(**{n: ("FP64", []) for n in ("origin", "hour", "wind")}), "expected BYTES"),
        (good | {"outputs": [{"name": "label"}]}, "unknown output 'label'"),
        (good | {"parameters": {"key": 1.5}}, "the parameter 'key'"),
    ]
    for shape in ([], [2], [0], [-1], [1, 2], [1, 1, 1]):
        broken = request_of()
        broken["inputs"][1]["shape"] = shape
        wrong.append((broken, f"'hour' has the shape {shape}"))
    with serving(site.project) as server:
        for body, message in wrong:
            status, answer = server.infer(body)
            assert (status, list(answer)) == (400, ["error"]), (body, answer)
            assert message in answer["error"], (message, answer)
        assert server.infer(good, "/v2/models/other/infer")[0] == 404
        assert server.infer(good, "/v2/models/delay/versions/9/infer")[0] == 404
        assert server.get("/v3")[0] == 404
        assert server.get("/v2/models/delay/infer")[0] == 405
        assert server.infer(b" " * (17 << 20))[0] == 413
        server.connection.close()
        assert server.infer(good)[0] == 200
        nested = request_of()
        for tensor in nested["inputs"]:
            tensor["shape"], tensor["data"] = [1, 1], [tensor["data"]]
        assert server.infer(nested)[0] == 200
        many = {"origin": ("BYTES", ["JFK"] * 500), "hour": ("INT32", [6] * 500)}
        status, answer = server.infer(request_of(**many, wind=("INT64", [3] * 500)))
        assert (status, answer["outputs"][0]["shape"]) == (200, [500])


def test_reload_under_load_drops_no_request(site: Any, serving: Any, request_of: Requests) -> None:
    site.go(1.0)
    with serving(site.project) as server:
        seen: Counter[tuple[int, str]] = Counter()
        stop = threading.Event()

        def ask() -> None:
            connection = server.connect()
            while not stop.is_set():
                connection.request("POST", "/v2/models/delay/infer", json.dumps(request_of()))
                answer = connection.getresponse()
                body = json.loads(answer.read())
                seen[answer.status, body.get("model_version", "")] += 1
            connection.close()

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        for salt in range(6):
            plan = site.go(*((1.0,) if salt % 2 else (0.0, 1.0)), salt=str(salt))
            until(lambda plan=plan: server.get("/v2/health/ready")[1]["plan"] == plan)
        stop.set()
        for client in clients:
            client.join()
        assert {status for status, _ in seen} == {200}
        assert {release for _, release in seen} == set(site.releases)
        assert server.stop()[0] == 0
    rows = read_segments(site.log)
    assert len(rows) == sum(seen.values())
    assert rows["prediction_id"].n_unique() == len(rows)
    assert rows.group_by("release").len().sort("len").rows() == sorted(
        Counter(release for _, release in seen.elements()).items(), key=lambda item: item[1]
    )


def test_traffic_is_split_and_keys_stay(site: Any, serving: Any, request_of: Requests) -> None:
    site.go(0.8, 0.2)
    with serving(site.project) as server:

        def arms() -> list[str]:
            return [
                server.infer(request_of() | {"parameters": {"key": f"k{i}"}})[1]["parameters"][
                    "arm"
                ]
                for i in range(500)
            ]

        first = arms()
        assert 60 < first.count("canary") < 140  # five standard deviations around 100
        assert arms() == first
        plan = site.go(0.5, 0.5)
        until(lambda: server.get("/v2/health/ready")[1]["plan"] == plan)
        later = arms()
        assert 195 < later.count("canary") < 305
        assert all(b == "canary" for a, b in zip(first, later, strict=True) if a == "canary")


def test_log_outlives_a_kill(site: Any, serving: Any, request_of: Requests) -> None:
    site.go(1.0)
    with serving(site.project) as server:
        for _ in range(20):
            assert server.infer(request_of())[0] == 200
        until(lambda: len(read_segments(site.log)) == 20)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    (segment,) = site.log.iterdir()
    with segment.open("ab") as file:
        file.write(b'{"prediction_id":"half')
    assert len(read_segments(site.log)) == 20
    with serving(site.project) as server:
        assert server.infer(request_of())[0] == 200
        server.stop()
    assert len(read_segments(site.log)) == 21


def test_not_ready_until_something_is_live(site: Any, serving: Any, request_of: Requests) -> None:
    with serving(site.project) as server:
        assert server.get("/v2/health/live")[0] == 200
        assert server.get("/v2/health/ready")[0] == 503
        assert server.get("/v2/models/delay/ready")[0] == 503
        status, answer = server.infer(request_of())
        assert (status, "nothing is live" in answer["error"]) == (503, True)
        site.go(1.0)
        until(lambda: server.get("/v2/health/ready")[0] == 200)
        assert server.infer(request_of())[0] == 200


def test_a_plan_that_cannot_be_served_keeps_the_one_before(
    site: Any, serving: Any, request_of: Requests
) -> None:
    good = site.go(1.0)
    with serving(site.project) as server:
        site.releases = (site.project.put({"no": "release"}).digest, site.releases[1])
        site.go(1.0, salt="broken")
        until(lambda: server.get("/v2/health/ready")[1]["trouble"] is not None)
        health = server.get("/v2/health/ready")[1]
        assert (health["ready"], health["plan"]) == (True, good)
        assert server.infer(request_of())[0] == 200
        site.project.move("endpoints/delay@live", good, why="back", signed=True)
        until(lambda: server.get("/v2/health/ready")[1]["trouble"] is None)
        _, errors = server.stop()
    assert "the one before stays" in errors


def test_features_are_joined_and_followed(site: Any, serving: Any, request_of: Requests) -> None:
    view = View("weather", ("origin",), "seen", ("wind",), ttl=3600.0)
    definition = FeatureSet(
        "delay",
        "at",
        {"origin": "origin", "hour": "DIV(hhmm, 100) + 0 * EXTRACT(HOUR FROM at)"},
        (view,),
    )

    def weather(wind: float) -> None:
        seen = pl.Series(["2013-01-01T06:30:00Z"]).str.to_datetime(time_zone="UTC")
        table = pl.DataFrame({"origin": ["EWR"], "seen": seen, "wind": [wind]})
        site.project.move("features/weather@online", site.project.put(table).digest, why="test")

    weather(1.0)
    release = Release(
        "delay",
        site.project.put(site.models[0]).digest,
        code="c" * 64,
        environment="e" * 64,
        feature_set=site.project.put(definition).digest,
        features={"weather": "features/weather@online"},
    )
    site.releases = (site.project.put(release).digest, site.releases[1])
    site.go(1.0)

    def asked(at: str) -> dict[str, Any]:
        hhmm = int(at[11:13]) * 100 + 15 if "T" in at else 0
        given = {"at": ("BYTES", [at]), "hhmm": ("INT64", [hhmm])}
        return request_of(hour=None, wind=None, **given)

    def expected(wind: float | None, hour: int = 7) -> list[float]:
        rows = pl.DataFrame({"origin": ["EWR"], "hour": [hour], "wind": [wind]})
        rows = rows.with_columns(pl.col("wind").cast(pl.Float64))
        return site.models[0].predict(rows).tolist()

    with serving(site.project) as server:
        inputs = server.get("/v2/models/delay")[1]["inputs"]
        assert {i["name"]: i["datatype"] for i in inputs} == {
            "at": "BYTES",
            "origin": "BYTES",
            "hhmm": "INT64",
        }
        for at, wind in (("2013-01-01T07:00:00Z", 1.0), ("2013-01-01T07:45:00+01:00", 1.0)):
            assert server.infer(asked(at))[1]["outputs"][0]["data"] == expected(wind)
        late = server.infer(asked("2013-01-01T09:00:00Z"))[1]
        assert late["outputs"][0]["data"] == expected(None, 9)
        for at, message in (("7 o'clock", "an instant"), ("2013-01-01T07:00:00", "no time zone")):
            status, answer = server.infer(asked(at))
            assert (status, message in answer["error"]) == (400, True), answer
        before = server.get("/v2/models/delay")[1]["parameters"]["sources"]
        weather(-4.0)
        until(lambda: server.get("/v2/models/delay")[1]["parameters"]["sources"] != before)
        newer = server.infer(asked("2013-01-01T07:00:00Z"))[1]
        assert newer["outputs"][0]["data"] == expected(-4.0)
        server.stop()
    rows = read_segments(site.log)
    assert rows["feature.wind"].to_list() == [1.0, 1.0, None, -4.0]
    assert rows["input.at"][0] == "2013-01-01T07:00:00Z"
    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        rows["input.wind"]
