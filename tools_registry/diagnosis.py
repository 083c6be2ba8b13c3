"""What went wrong with a server, in words: every failure of the SDK becomes one of this room's errors."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from .config import ServerConfig
from .errors import RegistryError, ServerDied, ServerError, ServerProtocolError, ServerStartError, ServerTimeout, ToolFailed
from .sdk_internals import unreadable_head

_NEEDS_OLD_SDK = re.compile(
    r"No module named 'mcp\.server\.fastmcp|This is mcp 2\.x|'Server' object has no attribute '\w+'"
    r"|cannot import name '\w+' from 'mcp[.'\w]*'|No module named 'mcp\.server\.(?:websocket|session_group)'"
)


@dataclass(frozen=True)
class Evidence:
    """What is known about a server when it fails."""

    name: str
    config: ServerConfig | None = None
    """None for a server of this process."""
    stderr: Sequence[str] = ()
    stderr_text: str = ""
    rubbish: Sequence[str] = ()
    """Lines of its standard output that are no JSON-RPC."""
    trouble: str = ""
    """The last HTTP exchange that failed."""
    excess: str = ""
    """What it sent too much of, if that is why it was given up."""

    @property
    def where(self) -> str:
        source = f" ({self.config.source})" if self.config and self.config.source else ""
        return f"server {self.name}{source}"

    @property
    def story(self) -> str:
        """What the server said before it failed."""
        parts = []
        if self.stderr:
            parts.append("its last words on stderr:\n  " + "\n  ".join(self.stderr))
        if self.rubbish:
            parts.append("it printed to stdout, where only JSON-RPC belongs:\n  " + "\n  ".join(self.rubbish[-3:]))
        return "".join(f"; {part}" for part in parts)


def start_failure(error: BaseException, evidence: Evidence, seconds: float) -> ServerError:
    """Why a server could not be connected to."""
    cause = root_cause(error)
    if isinstance(cause, ServerError):
        return cause
    if evidence.config is not None and _NEEDS_OLD_SDK.search(evidence.stderr_text):
        return _needs_old_sdk(evidence, evidence.config)
    if isinstance(cause, TimeoutError):
        return ServerTimeout(
            f"server {evidence.name!r} did not answer within {seconds:g} s of its start{evidence.story}",
            server=evidence.name, where=evidence.where,
            mend=f'check that it is an MCP server; if it is only slow, set "connectTimeout" to more than {seconds:g} s',
        )
    if evidence.config is not None and evidence.config.transport == "stdio":
        return _process_failure(cause, evidence, evidence.config)
    return _remote_failure(cause, evidence)


def call_failure(error: BaseException, evidence: Evidence, tool: str, seconds: float | None) -> RegistryError:
    """Why a call brought no result."""
    from mcp import MCPError

    cause = root_cause(error)
    if isinstance(cause, MCPError):
        head = unreadable_head(cause)
        if head is not None:
            return _unreadable(evidence, tool, head)
        return _protocol_error(cause.code, cause.message, evidence, tool, seconds)
    if isinstance(cause, TimeoutError):
        return _timeout(evidence, tool, seconds)
    if type(cause).__name__ in ("ClosedResourceError", "BrokenResourceError", "EndOfStream"):
        if evidence.excess:
            return _excess(evidence, tool)
        return _died(evidence, tool)
    return ServerProtocolError(
        f"server {evidence.name!r} answered {tool} with something unusable: {_short(cause)}{evidence.story}",
        server=evidence.name, where=evidence.where, mend="report it to the makers of the server",
    )


def root_cause(error: BaseException) -> BaseException:
    """The first plain exception inside a group."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


def is_final(error: ServerError) -> bool:
    """Whether another way of connecting is hopeless."""
    return bool(getattr(error, "final", False))


def _final(error: ServerError) -> ServerError:
    error.final = True  # type: ignore[attr-defined]
    return error


def _needs_old_sdk(evidence: Evidence, config: ServerConfig) -> ServerError:
    given = " ".join(shlex.quote(part) for part in (config.command, *config.args))
    mend = "install 'mcp<2' into the server's own environment (pip install 'mcp<2')"
    if config.command.rpartition("/")[2] in ("uvx", "uv"):
        mend = "start it with an older SDK: " + given.replace(config.command, f"{config.command} --with 'mcp<2'", 1)
    return _final(ServerStartError(
        f"server {evidence.name!r} was written for version 1 of the MCP SDK, but runs with version 2{evidence.story}",
        server=evidence.name, where=evidence.where, mend=mend,
    ))


def _process_failure(cause: BaseException, evidence: Evidence, config: ServerConfig) -> ServerError:
    if isinstance(cause, FileNotFoundError | NotADirectoryError) and config.cwd and cause.filename == config.cwd:
        what, mend = f"its folder {config.cwd!r} is not there", 'correct "cwd"'
    elif isinstance(cause, FileNotFoundError):
        what, mend = f"command not found: {config.command!r}", f'install {config.command!r}, or correct "command"'
    elif isinstance(cause, OSError) and cause.errno is not None and cause.filename:
        what, mend = f"command {config.command!r} cannot be run: {cause.strerror}", 'correct "command"'
    elif _answered(cause):
        return ServerProtocolError(
            f"server {evidence.name!r} answered the handshake with something unusable: {_short(cause)}{evidence.story}",
            server=evidence.name, where=evidence.where, mend="check that it is an MCP server, and its version",
        )
    else:
        return ServerStartError(
            f"server {evidence.name!r} ended before it answered ({_short(cause)}){evidence.story}",
            server=evidence.name, where=evidence.where,
            mend=f"run it by hand to see why: {config.command} with the arguments of the configuration",
        )
    return _final(ServerStartError(f"server {evidence.name!r} did not start: {what}", server=evidence.name,
                                   where=evidence.where, mend=mend))


def _answered(cause: BaseException) -> bool:
    from mcp import MCPError
    from mcp_types import CONNECTION_CLOSED
    from pydantic import ValidationError

    return isinstance(cause, ValidationError) or (isinstance(cause, MCPError) and cause.code != CONNECTION_CLOSED)


def _remote_failure(cause: BaseException, evidence: Evidence) -> ServerError:
    address = shown_url(evidence.config.url) if evidence.config else "this process"
    what = ", ".join(dict.fromkeys(part for part in (evidence.trouble, _short(cause)) if part))
    mend = "check the address, and that the server is running"
    if any(status in what for status in ("401", "403")):
        mend = 'it asks for credentials: set "headers", for example {"Authorization": "Bearer ${TOKEN}"}'
    if type(cause).__name__ == "NobodyToSignIn":
        what, mend = _short(cause), f"atlas mcp login {shlex.quote(evidence.name)}"
    return ServerStartError(
        f"server {evidence.name!r} cannot be reached at {address}: {what}{evidence.story}",
        server=evidence.name, where=evidence.where, mend=mend,
    )


def _protocol_error(code: int, message: str, evidence: Evidence, tool: str, seconds: float | None) -> RegistryError:
    from mcp_types import CONNECTION_CLOSED, INVALID_PARAMS, METHOD_NOT_FOUND, REQUEST_TIMEOUT

    if code == REQUEST_TIMEOUT:
        return _timeout(evidence, tool, seconds)
    if "exceeded the" in message and "byte limit" in message:
        return ToolFailed(f"the result is too large: {message}", kind="too_large", where=tool, mend="ask for less")
    if evidence.excess:
        return _excess(evidence, tool)
    if code == CONNECTION_CLOSED or message == "Session terminated":
        return _died(evidence, tool)
    kind = {INVALID_PARAMS: "invalid", METHOD_NOT_FOUND: "not_found"}.get(code, "failed")
    return ToolFailed(message[:2_000] or f"protocol error {code}", kind=kind, where=tool)


def _excess(evidence: Evidence, tool: str) -> ToolFailed:
    error = ToolFailed(
        f"server {evidence.name!r} sent {evidence.excess} during {tool} and was given up; the call may have taken effect",
        kind="too_large", where=tool, mend="ask for less: a filter, a page or a range",
    )
    error.fate = "unknown"
    return error


def _unreadable(evidence: Evidence, tool: str, head: str) -> ToolFailed:
    error = ToolFailed(
        f"server {evidence.name!r} answered {tool} with something unreadable: {head}; the call was sent and may have taken "
        "effect", kind="invalid_result", where=tool, mend="report it to the makers of the server",
    )  # fmt: skip
    error.fate = "unknown"
    return error


def _timeout(evidence: Evidence, tool: str, seconds: float | None) -> ServerTimeout:
    within = f" within {seconds:g} s" if seconds else " in time"
    return ServerTimeout(
        f"{tool} did not answer{within}", server=evidence.name, where=evidence.where,
        mend='ask for less, or raise "timeout" in the configuration of the server',
    )


def _died(evidence: Evidence, tool: str) -> ServerDied:
    return ServerDied(
        f"server {evidence.name!r} died during {tool}; whether the call took effect is unknown{evidence.story}",
        server=evidence.name, where=evidence.where, mend="it is started again by the next call",
    )


def shown_url(url: str) -> str:
    """An address without what may be secret in it: user, password and query."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."
