"""Signing in to remote servers: stored tokens always, a person's browser only where there is a terminal to say so."""

from __future__ import annotations

import asyncio
import contextlib
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .approval import has_terminal, show_text, visible

if TYPE_CHECKING:
    from ..tools_registry.config import ServerConfig
    from ..tools_registry.server import Callbacks


def with_sign_in(callbacks: Callbacks | None, home: Path | None, *, may_ask: bool) -> Callbacks:
    """`callbacks` with what signs the requests to remote servers; tokens lie under `home`."""
    from ..tools_registry.oauth import auth_for

    async def show(config: ServerConfig, address: str) -> None:
        await ask_to_sign_in(config, address, may_ask=may_ask)

    def both(config: ServerConfig) -> Mapping[str, Any]:
        others = dict(callbacks(config)) if callbacks is not None else {}
        auth = auth_for(config, home, show)
        return others if auth is None else others | {"auth": auth}

    return both


async def ask_to_sign_in(config: ServerConfig, address: str, *, may_ask: bool) -> None:
    """Show the address and open it in the browser. Raises `NobodyToSignIn` where that may not be, or nobody is there."""
    from ..tools_registry.oauth import NobodyToSignIn

    if not may_ask or not has_terminal():
        raise NobodyToSignIn("it asks its user to sign in")
    show_text(f"server {visible(config.name)!r} asks you to sign in:\n  {visible(address)}\n")
    with contextlib.suppress(Exception):  # the address stands there anyway
        await asyncio.to_thread(webbrowser.open, address)
