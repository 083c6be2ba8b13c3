"""A tool of the toolbox before it is served."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One tool: the name it is listed under, the function behind it, and what calling it does to the workspace."""

    name: str
    function: Callable[..., object]
    reads: bool = False
    """Calling it changes nothing."""
    idempotent: bool = False
    """Calling it twice with the same arguments equals calling it once, in effect and in result."""
    destroys: bool = False
    """It may overwrite or remove what was there."""
