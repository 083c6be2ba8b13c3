"""The socket between the host and the parent of workers: small JSON messages, with descriptors where they need some."""

from __future__ import annotations

import array
import json
import os
import select
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any

_HEADER = struct.Struct("<I")
_READ_BYTES = 1 << 16
_MOST_DESCRIPTORS = 16
_CLOSE_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


class Control:
    """One end. Both ends trust each other."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._data = bytearray()
        self._descriptors: deque[int] = deque()

    def send(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        """Send one message; raises `OSError` where the peer has gone."""
        body = json.dumps(message).encode()
        data = _HEADER.pack(len(body)) + body
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        sent = self._socket.sendmsg([data], rights)
        if sent < len(data):
            self._socket.sendall(data[sent:])

    def receive(self) -> dict[str, Any]:
        """The next message, waited for; `take` takes its descriptors. Raises `EOFError` where the peer has gone."""
        while (message := self._next()) is None:
            room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * 4)
            data, ancillary, _, _ = self._socket.recvmsg(_READ_BYTES, room, _CLOSE_ON_EXEC)
            if not data:
                raise EOFError("it ended")
            self._data += data
            for level, kind, content in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    found = array.array("i")
                    found.frombytes(content[: len(content) - len(content) % found.itemsize])
                    self._descriptors.extend(found)
        return message

    def take(self, count: int) -> list[int]:
        """The descriptors of the message received last."""
        return [self._descriptors.popleft() for _ in range(count)]

    def readable(self, seconds: float) -> bool:
        """Whether a message, or the end, comes within that time."""
        if len(self._data) >= _HEADER.size:
            return True
        return bool(select.select([self._socket], [], [], seconds)[0])

    @property
    def is_open(self) -> bool:
        """False once this end was closed."""
        return self._socket.fileno() >= 0

    def close(self) -> None:
        """Close this end, and what nobody took."""
        while self._descriptors:
            os.close(self._descriptors.popleft())
        self._socket.close()

    def detach(self) -> None:
        """Forget the socket without closing it."""
        self._socket.detach()

    def _next(self) -> dict[str, Any] | None:
        if len(self._data) < _HEADER.size:
            return None
        size = _HEADER.size + _HEADER.unpack_from(self._data)[0]
        if len(self._data) < size:
            return None
        message: dict[str, Any] = json.loads(self._data[_HEADER.size : size])
        del self._data[:size]
        return message
