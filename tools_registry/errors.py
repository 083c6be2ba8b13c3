"""The errors of the tools registry.

    RegistryError                     anything this room can explain; has `.message`, `.where`, `.mend` and `.kind`
    ├── ConfigError                   a server configuration file is missing, malformed, or names an unset variable
    ├── CatalogueError                the cache of tool lists can neither be opened nor rebuilt
    ├── ServerError                   a server could not be reached or broke down; has `.server`
    │   ├── ServerStartError          it did not start, or refused the connection
    │   ├── ServerDied                the connection ended while in use
    │   ├── ServerTimeout             it did not answer in time (the call was cancelled on the server)
    │   └── ServerProtocolError       it answered, but not with what the protocol demands
    ├── UnknownTool                   no server lists a tool of that name
    ├── ToolChanged                   the tool is no longer what was approved, or relied on; nothing was sent
    ├── ArgumentError                 the arguments do not fit the tool's schema; nothing was sent
    ├── EncoderError                  an encoder's vectors cannot be used for searching
    └── ToolFailed                    the tool ran and reported an error

`.fate` says what became of the call: `not_sent`, `failed` (the tool ran and says so), or `unknown` (it was sent, and may
have taken effect).

Catch `RegistryError` around a call to turn any of them into an error of the program that made it; `.kind` is the word
that a program sees as `ToolError.kind`. Texts that come from a server are untrusted, whatever class carries them.
"""

from __future__ import annotations

from typing import Literal

Fate = Literal["not_sent", "failed", "unknown"]


class RegistryError(Exception):
    """Something went wrong at `where` (file, server, field, tool); `mend` says what to do next."""

    kind = "failed"
    fate: Fate = "not_sent"

    def __init__(self, message: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.mend = mend
        if where or mend:
            self.add_note(" - ".join(filter(None, (where, mend))))  # for who reads a traceback


class ConfigError(RegistryError):
    """A server configuration is missing, malformed, or names an unset variable."""


class CatalogueError(RegistryError):
    """The cache of tool lists can neither be opened nor rebuilt."""


class ServerError(RegistryError):
    """A server could not be reached or broke down."""

    kind = "server"

    def __init__(self, message: str, *, server: str, where: str = "", mend: str = "") -> None:
        super().__init__(message, where=where or f"server {server}", mend=mend)
        self.server = server


class ServerStartError(ServerError):
    """The server did not start, or refused the connection."""


class ServerDied(ServerError):
    """The connection ended while in use; whether the call took effect is unknown."""

    fate: Fate = "unknown"


class ServerTimeout(ServerError):
    """The server did not answer in time."""

    kind = "timeout"
    fate: Fate = "unknown"


class ServerProtocolError(ServerError):
    """The server answered, but not with what the protocol demands."""

    fate: Fate = "unknown"


class UnknownTool(RegistryError):
    """No server lists a tool of that name."""

    kind = "not_found"


class ToolChanged(RegistryError):
    """The tool is no longer what was approved, or no longer known to be harmless; nothing was sent."""

    kind = "changed"


class ArgumentError(RegistryError):
    """The arguments do not fit the tool's schema; nothing was sent."""

    kind = "invalid"


class EncoderError(RegistryError):
    """An encoder's vectors cannot be used for searching; the search goes on by words."""


class ToolFailed(RegistryError):
    """The tool ran and reported an error of a `kind` such as `failed`, `not_found`, `invalid`, `denied` or `too_large`."""

    fate: Fate = "failed"

    def __init__(self, message: str, *, kind: str = "failed", where: str = "", mend: str = "") -> None:
        super().__init__(message, where=where, mend=mend)
        self.kind = kind
