"""What a configured server costs: tools, the tokens that they would take in a prompt, and the time until it answers."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..tools_registry.config import ServerConfig
from ..tools_registry.listing import Listing

if TYPE_CHECKING:
    from ..tools_registry.catalogue import Catalogue

_AT_ONCE = 4
_CHARS_A_TOKEN = 4.14
"""Of compact JSON schemas, by Qwen's tokenizer."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What was found of one server."""

    name: str
    text: str = ""
    problem: str = ""
    remarks: int = 0
    mend: str = ""


async def measured_costs(configs: Sequence[ServerConfig], home: Path) -> list[Cost]:
    """Start every server once, a few at a time, and end it again."""
    import mcp  # noqa: F401 - takes its time, which is not the servers'

    starting = asyncio.Semaphore(_AT_ONCE)
    return list(await asyncio.gather(*(_measured(config, home, starting) for config in configs)))


async def _measured(config: ServerConfig, home: Path, starting: asyncio.Semaphore) -> Cost:
    from ..runtime.signing_in import with_sign_in
    from ..tools_registry.connection import Connection
    from ..tools_registry.errors import RegistryError

    options = with_sign_in(None, home, may_ask=False)(config)
    connection = Connection(config.name, config, callbacks=options)
    async with starting:
        began = time.perf_counter()
        try:
            await connection.open()
            seconds = time.perf_counter() - began
            listing = await connection.listing()
            _remember(home, config, listing, connection.way)
        except RegistryError as problem:
            return Cost(config.name, problem=problem.message, mend=problem.mend)
        finally:
            await connection.close()
    remarks = len(listing.problems)
    mend = "; ".join(listing.problems[:3]) if remarks else ""
    return Cost(config.name, f"{_size(config, listing)}, {seconds:.1f} s to start", remarks=remarks, mend=mend)


def known_costs(configs: Sequence[ServerConfig], home: Path) -> list[Cost]:
    """What the catalogue knows, without starting anything."""
    catalogue = _catalogue(home)
    costs = []
    for config in configs:
        listing = catalogue.listing(config.fingerprint)
        costs.append(
            Cost(config.name, f"{_size(config, listing)}, not started" if listing else "not known yet, not started")
        )
    return costs


def _remember(home: Path, config: ServerConfig, listing: Listing, way: str) -> None:
    catalogue = _catalogue(home)
    if catalogue.listing(config.fingerprint) != listing:
        catalogue.put(config.fingerprint, config.name, listing, way)


def _catalogue(home: Path) -> Catalogue:
    from ..runtime.toolspace import CATALOGUE_FILE
    from ..tools_registry.catalogue import Catalogue

    return Catalogue(home / CATALOGUE_FILE)


def _size(config: ServerConfig, listing: Listing) -> str:
    tools = [tool for tool in listing.tools if config.offers(tool.name)]
    said = [{"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema} for tool in tools]
    tokens = sum(len(json.dumps(one, ensure_ascii=False, separators=(",", ":"))) for one in said) / _CHARS_A_TOKEN
    count = f"{len(tools)} tool{'' if len(tools) == 1 else 's'}"
    return f"{count}, about {tokens:,.0f} tokens if all were shown, protocol {listing.protocol or 'unknown'}"
