"""What one run does otherwise than its runtime usually does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .episodes.rows import Record
    from .options import RunOptions


class HostFunction(Protocol):
    """A function that programs call beside tools, answered in this process."""

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of its arguments."""
        ...

    async def call(self, arguments: dict[str, Any], episode: str) -> Any:
        """Its value. Raises `ToolError` for the program; `episode` is the one whose program calls."""
        ...


@dataclass(frozen=True, slots=True)
class Setup:
    """Changes for one run; what is None is as usual."""

    options: RunOptions | None = None
    system: str | None = None
    functions: Mapping[str, HostFunction] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    """Files of pictures that belong to the task, for an endpoint that sees."""
    only: frozenset[str] | None = None
    """Servers and tools (`server.tool`) that its programs may call."""

    def schemas(self) -> dict[str, dict[str, Any]]:
        """Of its functions, by name."""
        return {name: function.schema for name, function in self.functions.items()}


def as_recorded(setup: Setup, record: Record | None) -> Setup:
    """The setup of an episode that is gone on with: its own system text, and the tools that it had."""
    if record is None:
        return setup
    settings = record.episode.settings
    only = settings.get("only")
    return replace(
        setup, system=settings.get("system"), only=None if only is None else frozenset(only),
        images=tuple(settings.get("images", ())),
    )  # fmt: skip
