"""The servers as one client has them: connections, log level, and the changes it is told of."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from mcp_types import LOG_LEVEL_META_KEY, SubscriptionFilter

from ...tools_registry import sdk_internals
from ...tools_registry.config import ServerConfig
from ...tools_registry.raw_client import RawClient
from ...tools_registry.server import Callbacks
from .caller import Caller, Json
from .upstream import Upstream

_ACKNOWLEDGE_SECONDS = 10.0
"""How long a subscription is waited for; what a server acknowledges later is still heard."""
_CLIENT_INFO = {"name": "atlas gateway", "version": "1"}


class Peer:
    """A client of the older era with connections of its own (`session` given), or all clients of 2026-07-28 together."""

    def __init__(
        self, configs: Sequence[ServerConfig], first: Caller | None, *, many_clients: bool, session: Any = None,
        capabilities: Json | None = None, info: Json | None = None, options: Callbacks | None = None,
    ) -> None:  # fmt: skip
        self.session = session
        """The latest server session of the client, over which it is told what belongs to no request of its own."""
        self.level: str | None = None
        self._news: dict[object, asyncio.Task[None]] = {}
        alone = session is not None
        self.upstreams = [
            Upstream(
                config, way="legacy" if alone else "auto", many_clients=many_clients,
                capabilities=capabilities if capabilities is not None else first.capabilities if first else {},
                info=info or (first.info if first else {}) or _CLIENT_INFO,
                tell_alone=self._tell if alone else None, ask_alone=self._ask if alone else None,
                options=options(config) if options is not None else None,
            )
            for config in configs
        ]  # fmt: skip

    async def request(self, upstream: Upstream, caller: Caller, method: str, params: Json) -> Json:
        """Pass on a request of a client of the older era."""
        client = await upstream.client()
        if not client.modern:
            return await upstream.request(caller, method, params, {})
        if method in ("resources/subscribe", "resources/unsubscribe"):
            await self._subscribe(upstream, client, method, str(params.get("uri")))
            return {}
        return await upstream.request(caller, method, params, self._envelope())

    async def follow(self, upstream: Upstream, client: RawClient) -> None:
        """Tell the client of changes that a 2026-07-28 server announces only to those who listen."""
        if self.session is None or not client.modern or upstream in self._news:
            return
        said = client.server_capabilities
        wanted = SubscriptionFilter(
            tools_list_changed=bool(said.tools and said.tools.list_changed),
            prompts_list_changed=bool(said.prompts and said.prompts.list_changed),
            resources_list_changed=bool(said.resources and said.resources.list_changed),
        )
        if wanted.tools_list_changed or wanted.prompts_list_changed or wanted.resources_list_changed:
            await self._listen(upstream, upstream, client, wanted)

    async def tell_servers(self, method: str, params: Json) -> None:
        """Pass on a notification of the client to the servers of its own era."""
        for upstream in self.upstreams:
            client = await upstream.client()
            if not client.modern:
                await client.notify(method, params)

    async def close(self) -> None:
        """End every connection."""
        for task in self._news.values():
            task.cancel()
        await asyncio.gather(*self._news.values(), return_exceptions=True)
        await asyncio.gather(*(upstream.close() for upstream in self.upstreams))

    def _envelope(self) -> Json:
        return {LOG_LEVEL_META_KEY: self.level} if self.level else {}

    async def _subscribe(self, upstream: Upstream, client: RawClient, method: str, uri: str) -> None:
        task = self._news.pop((upstream, uri), None)
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        if method == "resources/subscribe":
            await self._listen((upstream, uri), upstream, client, SubscriptionFilter(resource_subscriptions=[uri]))

    async def _listen(self, key: object, upstream: Upstream, client: RawClient, wanted: SubscriptionFilter) -> None:
        heard = asyncio.Event()
        task = asyncio.ensure_future(self._tell_news(client, wanted, heard))
        self._news[key] = task
        acknowledged = asyncio.ensure_future(heard.wait())
        await asyncio.wait({task, acknowledged}, timeout=_ACKNOWLEDGE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        acknowledged.cancel()

    async def _tell_news(self, client: RawClient, wanted: SubscriptionFilter, heard: asyncio.Event) -> None:
        from mcp.shared.subscriptions import event_to_notification

        with suppress(Exception):  # a lost subscription costs the news
            async with client.listen(**wanted.model_dump(exclude_none=True)) as subscription:
                heard.set()
                async for event in subscription:
                    said = event_to_notification(event, {}).model_dump(by_alias=True, mode="json", exclude_none=True)
                    await self._tell(said["method"], _plain(said.get("params") or {}))

    async def _tell(self, method: str, params: Mapping[str, Any]) -> None:
        await sdk_internals.tell_client(self.session, method, params, alone=True)

    async def _ask(self, method: str, params: Mapping[str, Any]) -> Json:
        return await sdk_internals.ask_client(self.session, method, params, alone=True)


def _plain(params: Json) -> Json:
    return {key: value for key, value in params.items() if key != "_meta"}
