"""Data from web servers, buckets, other projects and Git repositories: whole, with its origin, or not at all."""

import hashlib
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import from_url

from tricord.cli.main import main
from tricord.core.errors import (
    DataError,
    NotRecorded,
    ObjectMissing,
    ProjectError,
    Refused,
    RemoteError,
    RemoteRefused,
    RemoteUnreachable,
)
from tricord.data import download, elsewhere, origins, pointers, worktree
from tricord.data.origins import Origin, bring, bring_in, origin_of, update
from tricord.data.versions import add
from tricord.project import datasets
from tricord.project.project import Project
from tricord.store import users

DATA = os.urandom(300_000)


class Web:
    """A web server over a dictionary, whose faults the tests choose."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.cut: list[int] = []
        """For each of the next answers: after how many bytes it ends."""
        self.lie = 0
        """Bytes that are promised and not sent."""
        self.refuse: list[int] = []
        self.heads = self.marks = True
        self.url = ""

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        path = to.path.partition("?")[0]
        asked = to.headers.get("Range", "")
        self.asked.append((to.command, path, asked))
        if path in self.moved:
            to.send_response(302)
            to.send_header("Location", self.moved[path])
            to.send_header("Content-Length", "0")
            to.end_headers()
            return
        if self.refuse or path not in self.files or (to.command == "HEAD" and not self.heads):
            to.send_error(self.refuse.pop(0) if self.refuse else 404 if self.heads else 405)
            return
        data = self.files[path]
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        start = 0
        if asked and to.headers.get("If-Range") == etag:
            start = int(asked.removeprefix("bytes=").partition("-")[0])
        to.send_response(206 if start else 200)
        if start:
            to.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if self.marks:
            to.send_header("ETag", etag)
        to.send_header("Content-Length", str(len(data) - start + self.lie))
        to.end_headers()
        if to.command == "GET":
            end = self.cut.pop(0) if self.cut else len(data)
            to.wfile.write(data[start : start + end])
        to.close_connection = True


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Answering) as made.url:
        yield made


class Server(ThreadingHTTPServer):
    """Many may knock at once before the first is let in, where the machine is busy."""

    request_queue_size = 128


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(download, "_FIRST_PAUSE", 0.001)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- web servers -----------------------------------------------------------------------------


def test_a_file_comes_whole_and_leaves_nothing_beside_it(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"] = DATA
    told: list[int] = []
    answered = download.download(f"{web.url}/a.bin", tmp_path / "a.bin", lambda more, _, __: told.append(more))  # fmt: skip
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert left_in(tmp_path) == ["a.bin"]
    assert answered.size == len(DATA)
    assert sum(told) == len(DATA)


def test_a_connection_that_breaks_is_gone_on_from(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"] = DATA
    web.cut = [100_000, 50_000]
    download.download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert [asked for _, _, asked in web.asked] == ["", "bytes=100000-", "bytes=150000-"]


def test_a_later_call_goes_on_and_nothing_half_stands_under_the_name(
    web: Web, tmp_path: Path
) -> None:
    web.files["/a.bin"] = DATA
    web.cut = [50_000, 0, 0, 0, 0]
    with pytest.raises(RemoteUnreachable, match="ended after 50000 of 300000"):
        download.download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()
    download.download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert web.asked[-1][2] == "bytes=50000-"


def test_what_changed_meanwhile_is_begun_anew(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"] = DATA
    web.cut = [50_000, 0, 0, 0, 0]
    with pytest.raises(RemoteUnreachable):
        download.download(f"{web.url}/a.bin", tmp_path / "a.bin")
    web.files["/a.bin"] = DATA[::-1]
    download.download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA[::-1]


def test_without_a_mark_nothing_is_gone_on_from(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"], web.marks = DATA, False
    web.cut = [100_000]
    download.download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert [asked for _, _, asked in web.asked] == ["", ""]


def test_a_server_that_promises_more_than_it_sends(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"], web.lie = DATA, 10
    with pytest.raises(RemoteUnreachable, match="the connection"):
        download.download(f"{web.url}/a.bin", tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


def test_a_server_in_trouble_is_asked_again_and_one_that_says_no_is_not(
    web: Web, tmp_path: Path
) -> None:
    web.files["/a.bin"], web.refuse = DATA, [503, 500]
    download.download(f"{web.url}/a.bin", tmp_path / "a.bin")
    web.asked.clear()
    with pytest.raises(RemoteRefused, match="404"):
        download.download(f"{web.url}/b.bin", tmp_path / "b.bin")
    assert len(web.asked) == 1


def test_redirects_are_followed_but_not_to_files(web: Web, tmp_path: Path) -> None:
    web.files["/a.bin"] = DATA
    web.moved = {"/old": "/a.bin", "/evil": "file:///etc/hostname"}
    download.download(f"{web.url}/old", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == DATA
    with pytest.raises(RemoteError):
        download.download(f"{web.url}/evil", tmp_path / "b.bin")


def test_nobody_there(tmp_path: Path) -> None:
    with socket.socket() as held:  # nobody else gets its number, and nobody listens
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(RemoteUnreachable, match="no answer"):
            download.download(f"{url}/a.bin", tmp_path / "a.bin")


# -- what is imported --------------------------------------------------------------------------


def test_a_url_becomes_a_dataset_with_its_origin(web: Web, project: Project) -> None:
    web.files["/data/flights.csv"] = b"a,b\n1,2\n"
    origin = origin_of(f"{web.url}/data/flights.csv?token=secret")
    version = bring_in(project, origin, project.root, None)
    pointer = pointers.get(project.root, "flights")
    assert pointer.digest == version.digest
    assert pointer.origin["url"] == f"{web.url}/data/flights.csv"
    assert pointer.origin["kind"] == "url"
    assert pointer.origin["mark"]
    assert "secret" not in (project.root / "flights.csv.tricord").read_text()


def test_an_origin_that_changed_brings_a_new_version(web: Web, project: Project) -> None:
    web.files["/flights.csv"] = b"a\n1\n"
    first = bring_in(project, origin_of(f"{web.url}/flights.csv"), project.root, None)
    same = update(project, "flights")
    assert same.version.digest == same.before == first.digest
    assert web.asked[-1][0] == "HEAD"
    web.files["/flights.csv"] = b"a\n1\n2\n"
    web.heads = False
    done = update(project, "flights")
    assert done.before == first.digest
    assert done.version.number == 2
    assert (project.root / "flights.csv").read_bytes() == b"a\n1\n2\n"
    pointer = pointers.get(project.root, "flights")
    assert pointer.digest == done.version.digest
    assert pointer.origin["mark"] == done.origin.mark


def test_in_a_clone_an_origin_without_anything_new_is_no_error(
    web: Web, project: Project, tmp_path: Path
) -> None:
    web.files["/flights.csv"] = b"a\n1\n"
    first = bring_in(project, origin_of(f"{web.url}/flights.csv"), project.root, None)
    clone = Project.init(tmp_path / "clone")
    (clone.root / "flights.csv.tricord").write_bytes((project.root / "flights.csv.tricord").read_bytes())  # fmt: skip
    done = update(clone, "flights")
    assert (done.before, done.version.digest) == (first.digest, first.digest)
    assert datasets.resolve(clone, "flights@v1").digest == first.digest
    clone.close()


def test_what_is_ignored_is_not_in_a_new_version_of_an_origin(
    other: Project, project: Project
) -> None:
    (project.root / ".tricordignore").write_text("*.tmp\n")
    bring_in(project, origin_of(str(other.root), "images"), project.root, None)
    (other.root / "data/images/x.tmp").write_bytes(b"1")
    (other.root / "data/images/4.png").write_bytes(b"4")
    add(other, other.root / "data/images")
    done = update(project, "images")
    assert done.version.number == 2
    assert sorted(project.store.tree(done.version.digest)) == ["0.png", "1.png", "2.png", "4.png"]
    assert not worktree.compare(project, pointers.get(project.root, "images"))


def test_changes_made_here_are_not_overwritten_by_an_update(web: Web, project: Project) -> None:
    web.files["/flights.csv"] = b"a\n1\n"
    bring_in(project, origin_of(f"{web.url}/flights.csv"), project.root, None)
    (project.root / "flights.csv").write_text("mine\n")
    web.files["/flights.csv"] = b"a\n2\n"
    with pytest.raises(Refused, match="changed here"):
        update(project, "flights")
    assert (project.root / "flights.csv").read_text() == "mine\n"
    assert datasets.resolve(project, "flights").number == 1


def test_a_name_that_is_taken_is_told_before_anything_comes(web: Web, project: Project) -> None:
    web.files["/flights.csv"] = b"a\n1\n"
    (project.root / "old").mkdir()
    (project.root / "old/flights.csv").write_text("a\n0\n")
    add(project, project.root / "old/flights.csv")
    url = f"{web.url}/flights.csv"
    for name in (None, "flights"):
        with pytest.raises(DataError, match="there is a dataset flights already") as caught:
            bring_in(project, origin_of(url), project.root, None, name=name)
        assert caught.value.hint == f"tricord import {url} --name NAME"
    with pytest.raises(DataError, match="Git's own"):
        bring_in(project, origin_of(url), project.root, project.root / ".git" / "flights.csv")
    assert not web.asked
    assert not (project.root / "flights.csv").exists()
    assert bring_in(project, origin_of(url), project.root, None, name="new").name == "new"


def test_what_is_there_is_not_overwritten(web: Web, project: Project) -> None:
    web.files["/flights.csv"] = b"a\n1\n"
    (project.root / "flights.csv").write_text("mine\n")
    with pytest.raises(DataError, match="not overwritten") as refused:
        bring_in(project, origin_of(f"{web.url}/flights.csv"), project.root, None)
    assert refused.value.hint == f"tricord import {web.url}/flights.csv --out FILE"
    with pytest.raises(DataError, match="outside of the project"):
        bring_in(project, origin_of(f"{web.url}/flights.csv"), project.root.parent, None)
    assert (project.root / "flights.csv").read_text() == "mine\n"


@pytest.mark.parametrize("path", ["/", "/..", "/%2e%2e", "/a/..%2f..", "/.hidden"])
def test_a_url_without_a_name_for_the_file(path: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no name for the file"):
        bring(Origin("url", f"http://127.0.0.1:9{path}"), tmp_path, None, tmp_path)


def test_sources_that_are_none(tmp_path: Path, project: Project) -> None:
    for source in ("ftp://host/a", "no-such-thing", "s4://bucket/a"):
        with pytest.raises(DataError, match="neither a URL"):
            origin_of(source)
    (tmp_path / "a.csv").write_text("a\n")
    with pytest.raises(DataError, match="needs no download"):
        origin_of(f"file://{tmp_path}/a.csv")
    with pytest.raises(DataError, match="which dataset"):
        origin_of("https://example.org/data.git")
    (project.root / "b.csv").write_text("b\n1\n")
    add(project, project.root / "b.csv")
    with pytest.raises(DataError, match="not brought from elsewhere"):
        update(project, "b")


# -- buckets -----------------------------------------------------------------------------------


@pytest.fixture
def bucket(s3_bucket: str) -> Callable[[str, bytes], object]:
    store = from_url(f"s3://{s3_bucket}", client_options={"allow_http": True})
    return lambda key, data: obstore.put(store, key, data)


def test_a_folder_of_a_bucket(
    project: Project, s3_bucket: str, bucket: Callable[[str, bytes], object]
) -> None:
    names = ("2013/a b.csv", "2013/ü.csv", "readme.txt")
    for name in names:
        bucket(f"raw/flights/{name}", name.encode())
    bucket("raw/flights-old/no.csv", b"no")
    source = f"s3://{s3_bucket}/raw/flights"
    version = bring_in(project, origin_of(source), project.root, None)
    assert sorted(project.store.tree(version.digest)) == sorted(names)
    assert (project.root / "flights/2013/ü.csv").read_bytes() == "2013/ü.csv".encode()
    assert not [name for name in left_in(project.root) if "part" in name]
    assert update(project, "flights").version.digest == version.digest
    bucket("raw/flights/2013/new.csv", b"new")
    assert update(project, "flights").version.number == 2
    assert (project.root / "flights/2013/new.csv").is_file()


def test_one_object_of_a_bucket(
    tmp_path: Path, s3_bucket: str, bucket: Callable[[str, bytes], object]
) -> None:
    bucket("raw/a.bin", DATA)
    target, origin = bring(origin_of(f"s3://{s3_bucket}/raw/a.bin"), tmp_path, None, tmp_path)
    assert target.read_bytes() == DATA
    assert origin.mark
    assert left_in(tmp_path) == ["a.bin"]
    with pytest.raises(NotRecorded, match="nothing is there"):
        bring(origin_of(f"s3://{s3_bucket}/raw/b"), tmp_path, None, tmp_path)


def test_an_object_that_is_the_folder_of_others(
    tmp_path: Path, s3_bucket: str, bucket: Callable[[str, bytes], object]
) -> None:
    bucket("x/a", b"1")
    bucket("x/a/b", b"2")
    with pytest.raises(DataError, match="the folder of others"):
        bring(origin_of(f"s3://{s3_bucket}/x/"), tmp_path, None, tmp_path)
    assert left_in(tmp_path) == []


# -- other projects ----------------------------------------------------------------------------


def git(folder: Path, *words: str) -> str:
    who = [
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=ada@example.org",
        "-c",
        "init.defaultBranch=main",
    ]
    done = subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True)  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Project]:
    """Another project: a Git repository with two versions of `flights` and a folder, and a remote."""
    root = tmp_path / "other"
    made = Project.init(root)
    git(root, "init", "-q", ".")
    (root / "data").mkdir()
    for text in ("a\n1\n", "a\n1\n2\n"):
        (root / "data/flights.csv").write_text(text)
        add(made, root / "data/flights.csv")
    (root / "data/images").mkdir()
    for number in range(3):
        (root / f"data/images/{number}.png").write_bytes(bytes([number]) * 10)
    add(made, root / "data/images")
    made.close()
    assert main(["remote", "add", "team", str(tmp_path / "remote"), "--project", str(root)]) == 0
    assert main(["push", "--project", str(root)]) == 0
    git(root, "add", "-A")
    git(root, "commit", "-qm", "flights")
    again = Project.open(root)
    yield again
    again.close()


def test_a_dataset_of_another_project(other: Project, project: Project) -> None:
    version = bring_in(project, origin_of(str(other.root), "flights"), project.root, None)
    assert (project.root / "flights.csv").read_text() == "a\n1\n2\n"
    pointer = pointers.get(project.root, "flights")
    assert pointer.origin["url"] == f"../{other.root.name}"
    assert pointer.origin["path"] == "data/flights.csv"
    assert pointer.origin["rev"] == git(other.root, "rev-parse", "HEAD")
    assert version.digest == pointers.get(other.root, "flights").digest


def test_a_project_that_lies_beside_is_found_from_a_clone_of_both(
    other: Project, project: Project, tmp_path: Path
) -> None:
    bring_in(project, origin_of(str(other.root), "flights"), project.root, None)
    home = tmp_path / "elsewhere"
    home.mkdir()
    project.root.rename(home / project.root.name)
    other.root.rename(home / other.root.name)
    with closing(Project.open(home / other.root.name)) as theirs:
        (theirs.root / "data" / "flights.csv").write_text("a\n3\n")
        add(theirs, theirs.root / "data" / "flights.csv")
    with closing(Project.open(home / project.root.name)) as ours:
        done = update(ours, "flights")
        assert done.before != done.version.digest
        assert (ours.root / "flights.csv").read_text() == "a\n3\n"
        assert done.origin.url == f"../{other.root.name}"


def test_a_project_far_away_is_named_by_its_whole_path(other: Project, tmp_path: Path) -> None:
    with closing(Project.init(tmp_path / "far" / "away" / "project")) as project:
        bring_in(project, origin_of(str(other.root), "flights"), project.root, None)
        assert pointers.get(project.root, "flights").origin["url"] == str(other.root)
        assert update(project, "flights").origin.url == str(other.root)


def test_a_certain_version_and_a_folder_without_tracking(other: Project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    bring(origin_of(str(other.root), "flights@v1"), out, None, tmp_path / "scratch")
    bring(origin_of(str(other.root), "data/images"), out, None, tmp_path / "scratch")
    assert (out / "flights.csv").read_text() == "a\n1\n"
    assert left_in(out / "images") == ["0.png", "1.png", "2.png"]
    assert left_in(out) == ["flights.csv", "images"]
    with pytest.raises(NotRecorded, match="no dataset 'fligths'") as caught:
        bring(origin_of(str(other.root), "fligths"), out, None, tmp_path / "scratch")
    assert "flights, images" in str(caught.value.where)


def test_a_git_repository_and_its_remote(other: Project, project: Project, tmp_path: Path) -> None:
    bare = tmp_path / "other.git"
    git(tmp_path, "clone", "-q", "--bare", str(other.root), str(bare))
    url = f"file://{bare}"
    version = bring_in(project, Origin("tricord", url, what="images"), project.root, None)
    assert left_in(project.root / "images") == ["0.png", "1.png", "2.png"]
    assert version.artifact.format == "tree"
    assert pointers.get(project.root, "images").origin["url"] == url
    assert update(project, "images").version.digest == version.digest
    (other.root / "data/images/3.png").write_bytes(b"3")
    add(other, other.root / "data/images")
    assert main(["push", "--project", str(other.root)]) == 0
    git(other.root, "add", "-A")
    git(other.root, "commit", "-qm", "more")
    git(other.root, "push", "-q", str(bare), "HEAD:main")
    done = update(project, "images")
    assert done.version.number == 2
    assert (project.root / "images/3.png").read_bytes() == b"3"


def test_a_repository_whose_data_was_never_pushed(tmp_path: Path, project: Project) -> None:
    root = tmp_path / "unpushed"
    made = Project.init(root)
    git(root, "init", "-q", ".")
    (root / "a.csv").write_text("a\n1\n")
    add(made, root / "a.csv")
    made.close()
    git(root, "add", "-A")
    git(root, "commit", "-qm", "a")
    with pytest.raises(ObjectMissing) as caught:
        bring_in(project, Origin("tricord", f"file://{root}", what="a"), project.root, None)
    assert "tricord push" in str(caught.value.hint)
    with pytest.raises(RemoteUnreachable, match="Git cannot bring it"):
        bring(origin_of(str(root), "a", "no-such-branch"), tmp_path, None, tmp_path / "scratch")


@pytest.fixture
def served(other: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address, with a password, of a Git server that has the other project."""
    url = "https://ada:secret@git.example.org/other.git"
    git(tmp_path, "clone", "-q", "--bare", str(other.root), str(tmp_path / "other.git"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.file://{tmp_path}/other.git.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", url)
    return url


def test_a_password_is_written_down_nowhere(
    served: str, other: Project, project: Project, tmp_path: Path
) -> None:
    project.store.put_tree(other.root / "data/images")
    bring_in(project, origin_of(served, "images"), project.root, None)
    assert (project.root / "images/1.png").read_bytes() == b"\1" * 10
    origin = pointers.get(project.root, "images").origin
    assert origin["url"] == "https://git.example.org/other.git"
    assert "secret" not in (project.root / "images.tricord").read_text()
    assert "secret" not in repr(datasets.versions(project, "images"))
    for source, rev in ((served, "no-such-branch"), (served + "x", ""), (served, "")):
        scratch = tmp_path / f"scratch-{len(source)}-{rev}"
        with pytest.raises((RemoteError, DataError, NotRecorded)) as caught:
            bring(origin_of(source, "fligths", rev), tmp_path, None, scratch)
        assert "secret" not in f"{caught.value} {caught.value.where} {caught.value.hint}"
    with pytest.raises(DataError, match="which dataset") as asked:
        origin_of(served)
    assert "secret" not in f"{asked.value.where} {asked.value.hint}"


def test_the_settings_of_a_stranger_choose_nothing_on_this_machine(
    served: str, other: Project, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    (other.root / "tricord.toml").write_text(
        f"""[store]
path = "{shared}"
remote = "team"
[remote.team]
url = "{tmp_path / "remote"}"
[remote.cloud]
url = "s3://bucket/folder"
endpoint = "https://thief.example.org"
profile = "work"
"""
    )
    git(other.root, "commit", "-qam", "settings")
    git(other.root, "push", "-q", str(tmp_path / "other.git"), "HEAD:main")
    with pytest.raises(ObjectMissing, match="not in that project's store"):
        bring(origin_of(served, "images"), tmp_path, tmp_path / "out", tmp_path / "scratch")
    assert not shared.exists()
    with elsewhere.opened(served, "", tmp_path / "one") as clone:
        assert set(clone.config.remotes) == {"cloud"}
        assert clone.config.remotes["cloud"]["anonymous"] == "true"
        assert not clone.config.remotes["cloud"]["profile"]
    monkeypatch.setenv("TRICORD_REMOTE__CLOUD__ANONYMOUS", "false")
    with elsewhere.opened(served, "", tmp_path / "two") as clone:
        assert clone.config.remotes["cloud"]["anonymous"] == "false"


def test_a_remote_that_wants_to_know_who_asks(
    served: str, other: Project, tmp_path: Path, web: Web
) -> None:
    (other.root / "tricord.toml").write_text(f'[remote.team]\nurl = "s3://bucket"\nendpoint = "{web.url}"\ntries = 1\n')  # fmt: skip
    git(other.root, "commit", "-qam", "settings")
    git(other.root, "push", "-q", str(tmp_path / "other.git"), "HEAD:main")
    web.refuse = [403] * 50
    with pytest.raises((RemoteError, ObjectMissing)) as caught:
        bring(origin_of(served, "images"), tmp_path, tmp_path / "out", tmp_path / "scratch")
    assert "TRICORD_REMOTE__TEAM__ANONYMOUS=false" in str(caught.value.hint)


def test_a_revision_of_a_project_here_is_read_from_its_store_and_uses_it_for_no_longer(
    other: Project, tmp_path: Path
) -> None:
    (other.root / "tricord.toml").write_text(f'[store]\npath = "{tmp_path}/shared"\n')
    again = Project.open(other.root)
    (other.root / "new.csv").write_text("a\n7\n")
    add(again, other.root / "new.csv")
    again.close()
    git(other.root, "add", "-A")
    git(other.root, "commit", "-qm", "shared")
    bring(origin_of(str(other.root), "new", "HEAD"), tmp_path, None, tmp_path / "scratch")
    assert (tmp_path / "new.csv").read_text() == "a\n7\n"
    assert users.others(tmp_path / "shared") == [other.root]


def test_a_revision_of_a_folder_that_is_named_by_a_relative_path(
    other: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (other.root / "new.csv").write_text("a\n7\n")
    add(other, other.root / "new.csv")
    git(other.root, "add", "-A")
    git(other.root, "commit", "-qm", "never pushed")
    monkeypatch.chdir(tmp_path)
    bring(origin_of("other", "new", "HEAD"), tmp_path, None, tmp_path / "scratch")
    assert (tmp_path / "new.csv").read_text() == "a\n7\n"


def test_what_fails_in_a_clone_is_told_of_the_repository(other: Project, tmp_path: Path) -> None:
    (other.root / "new.csv").write_text("a\n7\n")
    add(other, other.root / "new.csv")
    git(other.root, "add", "-A")
    git(other.root, "commit", "-qm", "never pushed")
    url = f"file://{other.root}"
    scratch = tmp_path / "scratch"
    with pytest.raises((RemoteError, ObjectMissing)) as caught:
        bring(Origin("tricord", url, what="new"), tmp_path, None, scratch)
    assert caught.value.where == url
    with pytest.raises(NotRecorded) as unknown:
        bring(Origin("tricord", url, what="nothing"), tmp_path, None, tmp_path / "again")
    assert str(unknown.value.where).startswith(f"{url} has flights, images")


def test_neither_a_folder_nor_a_repository(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no folder and no repository 'nosuch'"):
        bring(origin_of("nosuch", "flights"), tmp_path, None, tmp_path / "scratch")


def test_the_command_line(web: Web, project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    monkeypatch.chdir(project.root)
    web.files["/flights.csv"] = b"a\n1\n"
    assert main(["get", f"{web.url}/flights.csv", "--out", "got.csv"]) == 0
    assert (project.root / "got.csv").read_bytes() == b"a\n1\n"
    assert main(["import", f"{web.url}/flights.csv", "--name", "flights"]) == 0
    assert main(["import", "--update", "flights"]) == 0
    assert "unchanged" in capsys.readouterr().out
    web.files["/flights.csv"] = b"a\n2\n"
    assert main(["import", "--update", "flights"]) == 0
    assert "→" in capsys.readouterr().out
    web.files["/weather.csv"] = b"a\n1\n"
    assert main(["add", f"{web.url}/weather.csv"]) == 0
    assert pointers.get(project.root, "weather").origin["url"] == f"{web.url}/weather.csv"
    assert main(["get", f"{web.url}/nothing.csv"]) == 1


def test_an_origin_survives_its_pointer() -> None:
    made = Origin("url", "https://example.org/a", mark='"1"', when="2026-01-01T00:00:00+00:00")
    assert Origin.from_json(made.to_json()) == made
    assert Origin.from_json({"kind": "dvc", "md5": "1"}) is None
    assert origins.is_elsewhere("https://example.org/a")
