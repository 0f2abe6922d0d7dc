"""Real DVC projects, of releases 2 and 3, are taken over: tests/fixtures/dvc/make.py made them."""

import hashlib
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import from_url

from tricord.core.errors import DataError, RemoteError
from tricord.data import pointers, worktree
from tricord.data.checkout import checkout
from tricord.data.dvc import files, objects
from tricord.data.dvc.takeover import Report, take_over
from tricord.data.versions import add
from tricord.project import datasets
from tricord.project.datasets import Version
from tricord.project.project import Project
from tricord.triggers.rules import NewData, due

FIXTURES = Path(__file__).parents[2] / "fixtures" / "dvc"
NAMES = ["crlf", "delay", "flights", "images", "weather"]


@pytest.fixture(params=["dvc-2", "dvc-3"])
def dvc(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    with tarfile.open(FIXTURES / f"{request.param}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    project = Project.init(tmp_path / "project")
    yield project
    project.close()


def cached(project: Project) -> list[Path]:
    return sorted(path for path in (project.root / ".dvc/cache").rglob("*") if path.is_file())


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def numbers(report: Report) -> dict[str, int]:
    return {came.name: came.versions for came in report.came}


def test_what_the_work_tree_names_becomes_datasets_with_pointers(dvc: Project) -> None:
    before = cached(dvc)
    report = take_over(dvc, dvc.root)
    assert numbers(report) == dict.fromkeys(NAMES, 1)
    assert not report.missing
    assert report.stages == ("train",)
    assert {left.path for left in report.left} == {"reports/metrics.json", "reports/plain.txt"}
    known = pointers.find_all(dvc.root)
    assert sorted(known) == NAMES
    for name, pointer in known.items():
        assert not worktree.compare(dvc, pointer), name
        assert pointer.origin["kind"] == "dvc"
        assert dvc.store.has(pointer.digest)
    assert known["images"].about == {"description": "pictures of aeroplanes", "owner": "ada"}
    assert known["images"].files == 5
    assert known["delay"].about == {"description": "late or not"}
    assert known["delay"].origin["stage"] == "train"
    assert known["weather"].origin["url"] == "../../source/weather.csv"
    assert cached(dvc) == before
    assert (dvc.root / "data/flights.csv.dvc").is_file()


def test_what_it_took_over_can_be_checked_out_again(dvc: Project) -> None:
    images = dvc.root / "data/images"
    before = contents(images)
    take_over(dvc, dvc.root)
    for path in images.rglob("*.png"):
        path.unlink()
    checkout(dvc, "images")
    assert contents(images) == before


def test_history_becomes_versions_and_the_work_trees_stays_the_latest(dvc: Project) -> None:
    report = take_over(dvc, dvc.root, commits=True)
    assert numbers(report) == {"crlf": 1, "delay": 1, "flights": 2, "images": 2, "weather": 1}
    assert [m.path for m in report.missing] == ["data/flights.csv"] * 2
    assert {m.why for m in report.missing} == {"in no cache"}
    assert all(len(m.commit) == 40 for m in report.missing)
    latest = datasets.resolve(dvc, "flights")
    assert latest.digest == pointers.get(dvc.root, "flights").digest
    whys = [version.why for version in datasets.versions(dvc, "flights")]
    assert any("wider flights (Ada" in why for why in whys)
    again = take_over(dvc, dvc.root, commits=True)
    assert set(numbers(again).values()) == {0}
    assert datasets.resolve(dvc, "flights").digest == latest.digest


def test_who_waits_for_new_data_sees_only_the_latest_version(
    dvc: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = NewData("images came", pipeline="prepare", dataset="images")
    recorded = datasets.record
    seen: list[str] = []
    with closing(Project.open(dvc.root)) as other:

        def record(*arguments: Any, **settings: Any) -> Version:
            made = recorded(*arguments, **settings)
            seen.append(made.name)
            assert made.name != "images" or due(other, rule) is None
            return made

        monkeypatch.setattr("tricord.data.dvc.takeover.datasets.record", record)
        take_over(dvc, dvc.root, commits=True)
        assert seen.count("images") >= 2
        event = due(other, rule)
        assert event is not None
        assert event.body["new"] == pointers.get(dvc.root, "images").digest


def test_the_remote_gives_what_the_cache_lacks(dvc: Project) -> None:
    take_over(dvc, dvc.root, commits=True)
    report = take_over(dvc, dvc.root, commits=True, remote=True)
    assert numbers(report)["flights"] == 1
    assert len(report.missing) == 1
    known = [dvc.store.read(version.digest) for version in datasets.versions(dvc, "flights")]
    assert any(data.startswith(b"origin,hour,late\nEWR,5,1\n") for data in known)


def test_only_the_tips_of_branches(dvc: Project) -> None:
    report = take_over(dvc, dvc.root, branches=True)
    assert numbers(report)["flights"] == 2
    assert not report.missing


def test_a_commit_may_say_anything_in_its_first_line(dvc: Project) -> None:
    who = ("-c", "user.name=A\u2028da", "-c", "user.email=ada@example.org")
    words = ("commit", "-q", "--allow-empty", "-m", "one\u2028two\x85three\x0cfour")
    subprocess.run(["git", "-C", str(dvc.root), *who, *words], check=True)
    assert numbers(take_over(dvc, dvc.root, branches=True))["flights"] == 2


def test_an_object_that_is_not_what_its_name_says_is_not_taken(dvc: Project) -> None:
    md5 = hashlib.md5((dvc.root / "data/flights.csv").read_bytes()).hexdigest()
    (place,) = (path for path in cached(dvc) if path.parent.name + path.name == md5)
    place.chmod(0o644)
    place.write_bytes(b"something else")
    report = take_over(dvc, dvc.root)
    (missing,) = report.missing
    assert missing.md5 == md5
    assert "MD5" in missing.why
    assert "flights" not in pointers.find_all(dvc.root)
    assert (
        take_over(dvc, dvc.root, remote=True).missing == report.missing
    )  # the cache is asked first
    place.unlink()
    assert not take_over(dvc, dvc.root, remote=True).missing


def test_moving_empties_the_cache_of_what_is_safe_in_the_store(dvc: Project) -> None:
    large = os.urandom((1 << 20) + 5)
    md5 = hashlib.md5(large).hexdigest()
    folder = dvc.root / ".dvc/cache/files/md5" / md5[:2]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / md5[2:]).write_bytes(large)
    (folder / md5[2:]).chmod(0o444)
    (dvc.root / "large.bin.dvc").write_text(
        f"outs:\n- md5: {md5}\n  hash: md5\n  path: large.bin\n"
    )
    take_over(dvc, dvc.root, commits=True, move=True)
    assert all(path.name.endswith(".dir") for path in cached(dvc))
    assert dvc.store.read(pointers.get(dvc.root, "large").digest) == large
    assert not take_over(dvc, dvc.root, move=True).missing


def test_a_cache_that_work_files_are_links_into_is_not_moved(dvc: Project) -> None:
    with (dvc.root / ".dvc/config.local").open("w") as file:
        file.write("[cache]\n    type = symlink,copy\n")
    with pytest.raises(DataError, match="links into DVC's cache"):
        take_over(dvc, dvc.root, move=True)


def test_who_went_on_with_tricord_is_not_put_back(dvc: Project) -> None:
    take_over(dvc, dvc.root)
    (dvc.root / "data/flights.csv").write_text("origin,hour,late\nEWR,6,1\n")
    newer = add(dvc, dvc.root / "data/flights.csv", origin={"kind": "mine"})
    report = take_over(dvc, dvc.root, commits=True)
    assert numbers(report)["flights"] == 1
    assert datasets.resolve(dvc, "flights").digest == newer.digest
    assert pointers.get(dvc.root, "flights").digest == newer.digest


def test_a_remote_that_only_dvc_reaches_is_named(dvc: Project) -> None:
    (dvc.root / ".dvc/config.local").write_text("['remote \"team\"']\n    url = ssh://host/store\n")
    with pytest.raises(RemoteError, match="only DVC itself") as caught:
        take_over(dvc, dvc.root, remote=True)
    assert "dvc fetch" in str(caught.value.hint)


def test_a_bucket_as_dvcs_remote(dvc: Project, s3: str, s3_bucket: str) -> None:
    remote = dvc.root.parent / "remote"
    bucket = from_url(f"s3://{s3_bucket}", client_options={"allow_http": True})
    for name, data in contents(remote).items():
        obstore.put(bucket, f"team/{name}", data)
    url = f"s3://{s3_bucket}/team"
    (dvc.root / ".dvc/config.local").write_text(
        f"['remote \"team\"']\n    url = {url}\n    endpointurl = {s3}\n"
    )
    report = take_over(dvc, dvc.root, commits=True, remote=True)
    assert numbers(report)["flights"] == 3
    assert len(report.missing) == 1


def test_a_dvc_project_elsewhere_is_refused(dvc: Project, tmp_path: Path) -> None:
    other = Project.init(tmp_path / "other")
    with pytest.raises(DataError, match="outside"):
        take_over(other, dvc.root)
    with pytest.raises(DataError, match="no DVC project"):
        take_over(other, other.root)
    other.close()


def test_names_that_collide_take_the_whole_path(dvc: Project) -> None:
    (dvc.root / "more").mkdir()
    pointer = (dvc.root / "data/flights.csv.dvc").read_text()
    (dvc.root / "more/flights.csv.dvc").write_text(pointer)
    report = take_over(dvc, dvc.root)
    assert {came.path: came.name for came in report.came}["more/flights.csv"] == "more-flights.csv"


def test_the_command_line(dvc: Project) -> None:
    from tricord.cli.main import main

    assert main(["import", "dvc", "--project", str(dvc.root), str(dvc.root), "--all-commits"]) == 0


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", ".git/config", "a/../../b"])
def test_an_output_that_leads_outside_is_left(path: str) -> None:
    text = f"outs:\n- md5: {'a' * 32}\n  path: {path}\n".encode()
    contents = files.parse("x.dvc", text)
    assert not contents.outs
    assert contents.left[0].why == "it lies outside the project"


@pytest.mark.parametrize("text", [b"[1, 2]", b"{", b"a: b: c"])
def test_a_file_that_is_none_of_dvcs(text: bytes) -> None:
    with pytest.raises(DataError, match="not a file of DVC's"):
        files.parse("x.dvc", text)


def test_stages_with_a_folder_of_their_own_and_templates() -> None:
    stages = b"""
stages:
  cut:
    foreach: [a, b]
    do:
      wdir: sub
      cmd: cut ${item}
      outs:
      - ${item}.bin
      - ${item}.txt:
          cache: false
"""
    outs = "".join(f"    - path: {name}\n      md5: {'a' * 32}\n" for name in ("a.bin", "a.txt"))
    found = files.parse(
        "dvc.lock", f"schema: '2.0'\nstages:\n  cut@a:\n    outs:\n{outs}".encode(), stages
    )
    assert [out.path for out in found.outs] == ["sub/a.bin"]
    assert [left.path for left in found.left] == ["sub/a.txt"]


def test_digests_of_releases_before_3_are_of_lf_texts(tmp_path: Path) -> None:
    text = b"a,b\r\n1,2\r\n"
    md5 = hashlib.md5(text.replace(b"\r\n", b"\n")).hexdigest()
    objects.check(tmp_path, text, md5, legacy=True)
    with pytest.raises(Exception, match="does not have the MD5"):
        objects.check(tmp_path, text, md5, legacy=False)
    with pytest.raises(Exception, match="does not have the MD5"):
        objects.check(tmp_path, b"\0" + text, hashlib.md5(b"\0a,b\n1,2\n").hexdigest(), legacy=True)


def test_a_takeover_that_is_killed_goes_on(dvc: Project) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom tricord.project.project import Project\n"
        "from tricord.data.dvc import storing, takeover\nstoring._AT_ONCE = 3\nseen = []\n"
        "def watch(more, items, label):\n    seen.append(label)\n    if len(seen) == 7: os._exit(9)\n"
        "takeover.take_over(Project.open(sys.argv[1]), Path(sys.argv[1]), watch=watch)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(dvc.root)], timeout=120, check=False)
    assert done.returncode == 9
    seen: list[str] = []
    report = take_over(dvc, dvc.root, watch=lambda _, __, label: seen.append(label))
    assert 0 < len(seen) < report.objects
    assert not report.missing
