"""Which tools exist, how to find them, how to call them.

The public names are imported on first use: `import atlas.tools_registry` loads neither the MCP SDK nor SQLite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .catalogue import Catalogue
    from .config import ServerConfig, load_config
    from .errors import (
        ArgumentError,
        CatalogueError,
        ConfigError,
        EncoderError,
        RegistryError,
        ServerDied,
        ServerError,
        ServerProtocolError,
        ServerStartError,
        ServerTimeout,
        ToolChanged,
        ToolFailed,
        UnknownTool,
    )
    from .registry import Registry, ServerInfo
    from .search import Hit, ToolIndex
    from .stubs import stub, summary_line
    from .tool import Tool

__all__ = [
    "ArgumentError",
    "Catalogue",
    "CatalogueError",
    "ConfigError",
    "EncoderError",
    "Hit",
    "Registry",
    "RegistryError",
    "ServerConfig",
    "ServerDied",
    "ServerError",
    "ServerInfo",
    "ServerProtocolError",
    "ServerStartError",
    "ServerTimeout",
    "Tool",
    "ToolChanged",
    "ToolFailed",
    "ToolIndex",
    "UnknownTool",
    "load_config",
    "stub",
    "summary_line",
]

_HOMES = {
    "Catalogue": ".catalogue",
    "Hit": ".search",
    "Registry": ".registry",
    "ServerConfig": ".config",
    "ServerInfo": ".registry",
    "Tool": ".tool",
    "ToolIndex": ".search",
    "load_config": ".config",
    "stub": ".stubs",
    "summary_line": ".stubs",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use."""
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, ".errors"), __name__), name)


def __dir__() -> list[str]:
    return __all__
