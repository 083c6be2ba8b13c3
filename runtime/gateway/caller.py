"""Whoever sent the request that is being served, in one shape for both protocol eras.

Up to 2025-11-25 a server puts its questions (elicitation, sampling, roots) to the client directly. Since 2026-07-28 it
returns them as the result, and the client calls again with the answers; `parking` keeps the call until then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp.server.connection import allowed_log_levels
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import CLIENT_CAPABILITIES_META_KEY, CLIENT_INFO_META_KEY, INVALID_REQUEST, LOG_LEVEL_META_KEY
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from ...tools_registry import sdk_internals

Json = dict[str, Any]
Context = ServerRequestContext[Any, Any]
Question = Callable[[str, Mapping[str, Any]], Awaitable[Json]]

_NEEDED = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}


class Caller:
    """The client behind one request."""

    def __init__(self, context: Context) -> None:
        self.context = context
        """Of the request that is being answered; a parked call goes on under that of the next one."""
        self.version = context.protocol_version
        self.modern = self.version in MODERN_PROTOCOL_VERSIONS
        self.question: Question | None = None
        """How a question reaches a 2026-07-28 client, set by whoever parks its call."""
        known = context.session.client_capabilities
        self.capabilities: Json = known.model_dump(by_alias=True, mode="json", exclude_none=True) if known else {}

    @property
    def envelope(self) -> Json:
        """What the request itself says about its client (2026-07-28)."""
        meta = (self.context.params or {}).get("_meta")
        kept = (CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY, LOG_LEVEL_META_KEY)
        return {key: meta[key] for key in kept if key in meta} if isinstance(meta, Mapping) else {}

    @property
    def info(self) -> Json:
        """Name and version of the client, where it gave them."""
        params = self.context.session.client_params
        info = params.client_info if params else None
        return info.model_dump(by_alias=True, mode="json", exclude_none=True) if info else {"name": "unknown", "version": ""}

    def can(self, method: str) -> bool:
        """Whether the client declared that it answers questions of this kind."""
        return _NEEDED.get(method, method) in self.capabilities

    async def ask(self, method: str, params: Mapping[str, Any]) -> Json:
        """Put a question to the client and return its answer. Raises `MCPError` where it takes no such question."""
        if not self.can(method):
            raise MCPError(code=INVALID_REQUEST, message=f"the client does not take {method}")
        if not self.modern:
            return await sdk_internals.ask_client(self.context.session, method, params)
        if self.question is None:
            raise MCPError(code=INVALID_REQUEST, message=f"{method} cannot be asked here")
        return await self.question(method, params)

    async def tell(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification that goes along with the request; log lines only where the client wants them."""
        if method == "notifications/message":
            meta = (self.context.params or {}).get("_meta")
            wanted = allowed_log_levels(self.version, meta if isinstance(meta, Mapping) else None)
            if params.get("level") not in wanted:
                return
        await sdk_internals.tell_client(self.context.session, method, params)

    async def progress(self, progress: float, total: float | None, message: str | None) -> None:
        """Report progress, if the client asked for it."""
        await self.context.session.report_progress(progress, total, message)

    @property
    def wants_progress(self) -> bool:
        """Whether the request carries a progress token."""
        meta = (self.context.params or {}).get("_meta")
        return isinstance(meta, Mapping) and meta.get("progressToken") is not None
