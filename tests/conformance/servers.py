"""Servers that the tests start: one for files with ranges, one that stands before another and fails."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar


class Server(ThreadingHTTPServer):
    """Many may knock at once before the first is let in, where the machine is busy."""

    request_queue_size = 128


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server on a port that the system chose."""
    server = Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def files(root: Path, *, ranges: bool) -> type[BaseHTTPRequestHandler]:
    """Answers with the files of a folder."""

    class Files(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = root / self.path.lstrip("/")
            if not path.is_file():
                self.send_error(404)
                return
            data = path.read_bytes()
            asked = self.headers.get("Range") if ranges else None
            status, start, end = 200, 0, len(data)
            if asked:
                first, _, last = asked.removeprefix("bytes=").partition("-")
                start, end = int(first), min(len(data), int(last or len(data)) + 1)
                status = 206 if start < len(data) else 416
            self.send_response(status)
            if status == 206:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
            body = data[start:end] if status != 416 else b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    return Files


def faulty(behind: str, fails: Callable[[int], str]) -> type[BaseHTTPRequestHandler]:
    """Stands before the server at `behind`. `fails(n)` says what becomes of request n: "" answered,
    "503" refused before it is passed on, "lost" passed on and not answered, "cut" answered by half."""
    host = behind.removeprefix("http://")
    count = iter(range(1 << 60))
    lock = threading.Lock()

    class Faulty(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        seen: ClassVar[list[str]] = []

        def answer(self) -> None:
            with lock:
                what = fails(next(count))
                self.seen.append(what)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if what == "503":
                self.respond(503, {}, b"<Error><Code>SlowDown</Code></Error>")
                return
            connection = http.client.HTTPConnection(host, timeout=60)
            try:
                connection.putrequest(
                    self.command, self.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                found = connection.getresponse()
                data = found.read()
                headers = dict(found.getheaders())
            finally:
                connection.close()
            if what == "lost":
                self.close_connection = True
            else:
                self.respond(found.status, headers, data, cut=what == "cut")

        def respond(
            self, status: int, headers: dict[str, str], data: bytes, *, cut: bool = False
        ) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):  # fmt: skip
                    self.send_header(name, value)
            length = headers.get("Content-Length") if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[: len(data) // 2] if cut else data)
            self.close_connection = self.close_connection or cut

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

        def log_message(self, *_: Any) -> None:
            pass

    return Faulty
