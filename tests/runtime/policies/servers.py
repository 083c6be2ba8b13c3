"""Loopback servers for tests: each runs in a thread and does what its handler says."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Request(BaseHTTPRequestHandler):
    """One request, with helpers to answer it."""

    protocol_version = "HTTP/1.1"
    handler: Callable[[Request], None]

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        self.body: Any = json.loads(self.rfile.read(length) or b"{}")
        type(self).handler(self)

    def do_GET(self) -> None:
        self.body = None
        type(self).handler(self)

    do_HEAD = do_GET

    def answer(self, body: object, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def stream(self, parts: list[object], *, done: bool = True) -> None:
        """Server-sent events; without `done` the connection just ends."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"data: " + json.dumps(part).encode() + b"\n\n")
            self.wfile.flush()
        if done:
            self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def serving(handler: Callable[[Request], None]) -> Iterator[str]:
    """The address of a server that answers with `handler` while the block runs."""
    kind = type("Handler", (Request,), {"handler": staticmethod(handler)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def text_chunk(text: str, finish: str | None = None, **extra: object) -> dict[str, object]:
    """A part of a streamed chat answer."""
    return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish, **extra}]}
