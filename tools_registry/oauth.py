"""Signing in to servers that ask for it (OAuth 2.1), with tokens kept in a file that only its owner can read.

Nothing happens before a server answers 401: the person is then shown the address of the authorization server, and the
browser comes back to a port on loopback. Where nobody is there to sign in, the call fails and says how to do it. A server
for which the configuration names an `Authorization` header is left to that.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .config import ServerConfig
from .sdk_internals import renewing_provider

FOLDER = "oauth"
SIGN_IN_SECONDS = 300.0
"""How long the person has."""
_REQUEST_BYTES = 16_384
_REQUEST_SECONDS = 10.0
_PAGE = b"<!doctype html><title>Atlas</title><p>Atlas goes on; this page can be closed."
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nconnection: close\r\n\r\n"

Show = Callable[[ServerConfig, str], Awaitable[None]]
"""Shows the address at which to sign in; raises where nobody is there to see it."""


class NobodyToSignIn(Exception):
    """A server wants its user to sign in, and there is no terminal to say so at."""


def auth_for(config: ServerConfig, home: Path | None, show: Show) -> Any:
    """What signs the requests to a server, for the HTTP client; None where the configuration does it, or it is no use.

    `home` None keeps the tokens in memory. The configuration may hold `oauth`: `{clientId, clientSecret, callbackPort}`.
    """
    if config.transport == "stdio" or any(name.lower() == "authorization" for name in config.headers):
        return None
    from mcp.shared.auth import OAuthClientMetadata

    said = config.extra.get("oauth")
    tokens = Tokens(_file(config, home), said if isinstance(said, dict) else {})
    door = Door(tokens.port)
    tokens.redirect = door.address

    async def redirect(address: str) -> None:
        await door.open()
        try:
            await show(config, address)
        except BaseException:
            await door.close()
            raise
        if provider.on_sign_in is not None:
            provider.on_sign_in()

    metadata = OAuthClientMetadata(
        client_name="Atlas", redirect_uris=[door.address],  # type: ignore[list-item]
        grant_types=["authorization_code", "refresh_token"], response_types=["code"],
    )  # fmt: skip
    provider = renewing_provider(
        tokens, server_url=config.url, client_metadata=metadata, redirect_handler=redirect, callback_handler=door.answer,
        client_metadata_url=tokens.given_text("clientMetadataUrl"),
    )  # fmt: skip
    tokens.context = provider.context
    return provider


async def sign_in_first(client: Any, url: str) -> None:
    """Ask the server something before the connection is negotiated, so that signing in is not cut short.

    The SDK waits ten seconds for the answer to its first question, and takes silence for a server of the older era.
    """
    import mcp_types as types
    from mcp_types.version import LATEST_MODERN_VERSION

    meta = {
        types.PROTOCOL_VERSION_META_KEY: LATEST_MODERN_VERSION, types.CLIENT_CAPABILITIES_META_KEY: {},
        types.CLIENT_INFO_META_KEY: {"name": "atlas", "version": ""},
    }  # fmt: skip
    question = {"jsonrpc": "2.0", "id": "first", "method": "server/discover", "params": {"_meta": meta}}
    headers = {
        "accept": "application/json, text/event-stream", "mcp-protocol-version": LATEST_MODERN_VERSION,
        "mcp-method": "server/discover",
    }  # fmt: skip
    async with client.stream("POST", url, json=question, headers=headers):
        pass  # whatever it says: what follows finds out


class Tokens:
    """Tokens and registration of one server: the storage that the SDK asks for, as a file of mode 0600."""

    def __init__(self, path: Path | None, given: dict[str, Any]) -> None:
        self.redirect = ""
        self.context: Any = None
        """What the SDK found out of the authorization server; kept with the tokens, to renew them in a later process."""
        self._path, self._given = path, given
        self._kept = self._read()

    @property
    def port(self) -> int:
        """The loopback port that the browser comes back to: as configured, else as registered; 0 where any will do."""
        given = self._given.get("callbackPort")
        if isinstance(given, int) and not isinstance(given, bool) and 0 < given < 65_536:
            return given
        client = self._kept.get("client")
        addresses = client.get("redirect_uris") if isinstance(client, dict) else None
        address = addresses[0] if isinstance(addresses, list) and addresses else ""
        return (urlsplit(address).port or 0) if isinstance(address, str) and address.startswith("http://127.0.0.1:") else 0

    def given_text(self, name: str) -> str | None:
        """An option of the configuration, where it is a text."""
        value = self._given.get(name)
        return value if isinstance(value, str) else None

    @property
    def expires_at(self) -> float | None:
        """When the token ends (seconds since 1970); None where that is not known."""
        found = self._kept.get("expires_at")
        return float(found) if isinstance(found, int | float) else None

    def authorization_server(self) -> Any:
        """What the authorization server said of itself; None where that is not known."""
        from mcp.shared.auth import OAuthMetadata

        return self._read_as(OAuthMetadata, "authorization_server")

    def resource(self) -> Any:
        """What the server said of the tokens that it takes; None where that is not known."""
        from mcp.shared.auth import ProtectedResourceMetadata

        return self._read_as(ProtectedResourceMetadata, "resource")

    async def get_tokens(self) -> Any:
        """The tokens; None where there are none."""
        from mcp.shared.auth import OAuthToken

        return self._read_as(OAuthToken, "tokens")

    async def set_tokens(self, tokens: Any) -> None:
        """Keep the tokens, and what it takes to renew them."""
        self._kept["expires_at"] = self.context.token_expiry_time if self.context is not None else None
        if self.context is not None:
            for name, said in (
                ("authorization_server", self.context.oauth_metadata),
                ("resource", self.context.protected_resource_metadata),
            ):
                self._kept[name] = said.model_dump(mode="json", exclude_none=True) if said is not None else None
        self._keep("tokens", tokens)

    async def get_client_info(self) -> Any:
        """How Atlas is registered there: as configured, else as registered earlier."""
        from mcp.shared.auth import OAuthClientInformationFull

        registered = self._read_as(OAuthClientInformationFull, "client")
        if registered is not None:
            return registered
        known, secret = self.given_text("clientId"), self.given_text("clientSecret")
        if known is None:
            return None
        return OAuthClientInformationFull(
            client_id=known, client_secret=secret, redirect_uris=[self.redirect],  # type: ignore[list-item]
            token_endpoint_auth_method="client_secret_basic" if secret else "none",
        )  # fmt: skip

    async def set_client_info(self, client_info: Any) -> None:
        """Keep the registration."""
        self._keep("client", client_info)

    def _read_as(self, kind: Any, name: str) -> Any:
        """What is kept under a name; None where there is nothing, or nothing that can be read."""
        try:
            return kind.model_validate(self._kept[name]) if self._kept.get(name) is not None else None
        except ValueError:
            return None

    def _keep(self, name: str, value: Any) -> None:
        self._kept[name] = value.model_dump(mode="json", exclude_none=True)
        if self._path is None:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self._kept, file)
        draft.replace(self._path)

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8")) if self._path is not None else {}
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


class Door:
    """Where the browser comes back to: a port on loopback, open only while somebody signs in.

    The port is chosen once, because it is part of what Atlas registers with the authorization server.
    """

    def __init__(self, port: int) -> None:
        self.port = port or _free_port()
        self._server: asyncio.Server | None = None
        self._brought: asyncio.Future[dict[str, str]]

    @property
    def address(self) -> str:
        """The redirect address."""
        return f"http://127.0.0.1:{self.port}/callback"

    async def open(self) -> None:
        """Begin to listen. Raises `OSError` where the port is taken."""
        await self.close()
        self._brought = asyncio.get_running_loop().create_future()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def answer(self) -> Any:
        """Wait for the browser and return what it brings. Raises `TimeoutError`, and `NobodyToSignIn` for a refusal."""
        from mcp.client.auth import AuthorizationCodeResult

        try:
            async with asyncio.timeout(SIGN_IN_SECONDS):
                said = await self._brought
        finally:
            await self.close()
        if "code" not in said:
            raise NobodyToSignIn(f"signing in was refused: {said.get('error_description') or said['error']}"[:300])
        return AuthorizationCodeResult(code=said["code"], state=said.get("state"), iss=said.get("iss"))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                line = (await reader.read(_REQUEST_BYTES)).split(b"\r\n", 1)[0].decode("latin-1")
            target = urlsplit(line.split(" ")[1] if line.count(" ") >= 2 else "")
            said = {name: values[0] for name, values in parse_qs(target.query).items()}
            if target.path == "/callback" and ("code" in said or "error" in said) and not self._brought.done():
                self._brought.set_result(said)
            writer.write(_HEAD + _PAGE)
            await writer.drain()
        except (OSError, TimeoutError, ValueError):
            pass
        finally:
            writer.close()


def _file(config: ServerConfig, home: Path | None) -> Path | None:
    if home is None:
        return None
    key = hashlib.sha256(f"{config.name}\n{config.url}".encode()).hexdigest()[:32]
    return home / FOLDER / f"{key}.json"


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
