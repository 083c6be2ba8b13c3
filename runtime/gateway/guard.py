"""Who may speak to the gateway over HTTP: programs of this user on this machine, and nobody else.

A bearer token, kept in a file that only its owner can read, keeps other users out; the checks of Host and Origin keep
out web pages, which reach loopback through the user's browser (DNS rebinding).
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import UsageError

TOKEN_FILE = "gateway-token"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TOKEN_BYTES = 32
_LEAST_CHARS = 20

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def token_of(home: Path) -> tuple[str, Path]:
    """The token and its file, made (mode 0600) where there is none. Raises `UsageError` for a file that others can read."""
    path = home / TOKEN_FILE
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        return _read(path), path
    except OSError as problem:
        what, mend = f"cannot be written: {problem.strerror}", "mend the folder's permissions"
        raise UsageError(what, where=str(path), mend=mend) from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(token := secrets.token_urlsafe(_TOKEN_BYTES))
    return token, path


def _read(path: Path) -> str:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), encoding="ascii") as file:
            mode, token = os.fstat(file.fileno()).st_mode, file.read(1_000).strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"cannot be read: {problem}", where=str(path), mend="remove it; a new one is made") from None
    if stat.S_IMODE(mode) & 0o077:
        what = f"others can read the token (mode {stat.S_IMODE(mode):04o})"
        raise UsageError(what, where=str(path), mend="remove it; a new one is made")
    if len(token) < _LEAST_CHARS:
        raise UsageError("holds no token", where=str(path), mend="remove it; a new one is made")
    return token


class Guard:
    """Lets through what carries the token, and comes neither under a foreign name nor from a foreign page."""

    def __init__(self, app: App, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        refusal = self._refusal(scope.get("headers") or ()) if scope["type"] != "lifespan" else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _refuse(send, *refusal)

    def _refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        found: dict[bytes, list[bytes]] = {}
        for name, value in headers:
            found.setdefault(name.lower(), []).append(value)
        hosts, origins, tokens = (found.get(name, []) for name in (b"host", b"origin", b"authorization"))
        if len(hosts) != 1 or _host(b"//" + hosts[0]) not in LOOPBACK:
            return 421, "this host name is not served here: use 127.0.0.1 or localhost"
        if any(_host(origin) not in LOOPBACK for origin in origins):
            return 403, "web pages may not speak to this gateway"
        if len(tokens) != 1 or not secrets.compare_digest(tokens[0], self._expected):
            return 401, "the header Authorization: Bearer TOKEN is missing or wrong"
        return None


def _host(address: bytes) -> str | None:
    try:
        return urlsplit(address.decode("ascii")).hostname
    except ValueError:
        return None


async def _refuse(send: Send, status: int, why: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": why}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
