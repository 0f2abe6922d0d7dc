"""From a URL and its settings to a remote, and what is said when that fails."""

import socket
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tricord.core.errors import (
    ConfigError,
    ObjectMissing,
    RemoteError,
    RemoteRefused,
    RemoteUnreachable,
)
from tricord.store.remote.folder import Folder
from tricord.store.remote.opening import open_backend
from tricord.store.remote.places import bucket
from tricord.store.remote.probing import require_conditional


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in held:
            connection.close()


def test_a_folder_by_path_and_by_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_backend("a folder").put("x", b"1")
    open_backend(f"file://{tmp_path}/a%20folder").put("y", b"2")
    assert (tmp_path / "a folder" / "x").read_bytes() == b"1"
    assert (tmp_path / "a folder" / "y").read_bytes() == b"2"
    assert not (tmp_path / "a folder" / "x").stat().st_mode & 0o222


@pytest.mark.parametrize(
    ("url", "options", "told"),
    [
        ("ftp://host/a", {}, "begins with ftp://"),
        ("s3:///a", {}, "no bucket"),
        ("memory", {"tries": "0"}, "tries must be"),
        ("memory", {"limit": "fast"}, "bandwidth"),
        ("memory", {"limit": "1"}, "bandwidth"),
        ("memory", {"key": "00ff"}, "not written into the settings"),
        ("s3://bucket", {"timeout": "soon"}, "timeout must be"),
        ("s3://bucket", {"profile": "nobody"}, "no AWS profile"),
    ],
)
def test_what_cannot_be_opened(
    url: str, options: Mapping[str, str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigError, match=told):
        open_backend(url, options)


def test_a_folder_that_is_not_mounted(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="there is no folder"):
        open_backend(str(tmp_path / "disk" / "remote"))
    with pytest.raises(RemoteError, match="there is no folder"):
        Folder(tmp_path / "disk" / "remote").put("a", b"")
    assert not (tmp_path / "disk").exists()


def test_a_folder_forgets_what_died_writers_left(tmp_path: Path) -> None:
    import os

    Folder(tmp_path).put("a", b"1")
    for name, age in (("old", 2 * 24 * 3600), ("young", 3600)):
        left = tmp_path / ".tricord" / name
        left.write_bytes(b"half")
        present = left.stat().st_mtime
        os.utime(left, (present - age, present - age))
    Folder(tmp_path).put("b", b"2")
    assert not (tmp_path / ".tricord" / "old").exists()
    assert (tmp_path / ".tricord" / "young").exists()
    assert {info.name for info in Folder(tmp_path).list()} == {"a", "b"}


def test_a_folder_whose_source_fails_keeps_what_was_there(tmp_path: Path) -> None:
    backend = Folder(tmp_path)
    backend.put("a", b"before")

    def parts() -> Iterator[bytes]:
        yield b"half"
        raise ValueError("the source broke")

    with pytest.raises(ValueError, match="broke"):
        backend.put_stream("a", parts)
    assert backend.get("a") == b"before"
    assert [path.name for path in (tmp_path / ".tricord").iterdir()] == []


def test_a_folder_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    require_conditional(Folder(tmp_path))


def test_a_bucket_that_is_not_there(s3: str, s3_bucket: str, tmp_path: Path) -> None:
    backend = bucket(f"s3://{s3_bucket}-no", {"endpoint": s3})
    for act in (
        lambda: backend.put("a", b""),
        lambda: backend.put_new("a", b""),
        lambda: backend.get("a"),
        lambda: list(backend.list()),
    ):
        with pytest.raises(RemoteRefused, match="no such bucket"):
            act()
    assert bucket(f"s3://{s3_bucket}", {"endpoint": s3}).size("a") is None


def test_a_broken_source_leaves_no_object(s3: str, s3_bucket: str) -> None:
    backend = bucket(f"s3://{s3_bucket}", {"endpoint": s3})

    def parts() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(1 << 20)
        raise ValueError("the source broke")

    with pytest.raises((ValueError, RemoteError)):
        backend.put_stream("a", parts)
    with pytest.raises(ObjectMissing):
        backend.get("a")


def test_credentials_come_from_a_profile(
    s3: str, s3_bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"):  # fmt: skip
        monkeypatch.delenv(variable)
    credentials, config = tmp_path / "credentials", tmp_path / "config"
    credentials.write_text("[team]\naws_access_key_id = a\naws_secret_access_key = b\n")
    config.write_text(f"[profile team]\nregion = us-east-1\nendpoint_url = {s3}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    backend = open_backend(f"s3://{s3_bucket}/a", {"profile": "team", "tries": "1"})
    backend.put("a", b"x")
    assert backend.get("a") == b"x"


def test_a_server_that_never_answers(silent: str) -> None:
    with pytest.raises(RemoteUnreachable, match="no answer"):
        open_backend(silent, {"timeout": "0.2", "tries": "2"})


class Slow(BaseHTTPRequestHandler):
    """Has one object, and lets a moment pass between its pieces: all of it takes longer than any patience here."""

    content = bytes(range(256)) * 64

    def do_GET(self) -> None:
        if not self.path.endswith("/slow"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        for start in range(
            0, len(self.content) if self.command == "GET" else 0, len(self.content) // 8
        ):
            threading.Event().wait(0.3)
            self.wfile.write(self.content[start : start + len(self.content) // 8])

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_that_answers_slowly_is_waited_for_as_long_as_something_comes(
    tmp_path: Path,
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            backend = open_backend(address, {"timeout": "2", "tries": "6"})
            backend.get_to("slow", tmp_path / "came")
            assert (tmp_path / "came").read_bytes() == Slow.content
        finally:
            server.shutdown()
            thread.join()


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as held:  # nobody else gets its number, and nobody listens
        held.bind(("127.0.0.1", 0))
        with pytest.raises(RemoteUnreachable, match="no answer"):
            open_backend(f"http://127.0.0.1:{held.getsockname()[1]}", {"tries": "2"})
