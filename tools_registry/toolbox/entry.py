"""A tool of the toolbox before it is served."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace


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

    def in_turn(self, turn: AbstractContextManager[object]) -> Entry:
        """The same tool; where it changes anything, it waits for its turn: it looks first, and acts on what it saw."""
        if self.reads:
            return self
        function = self.function

        @functools.wraps(function)
        def call(*args: object, **named: object) -> object:
            with turn:
                return function(*args, **named)

        return replace(self, function=call)
