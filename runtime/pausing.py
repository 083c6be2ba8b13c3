"""The clocks of all programs of a runtime, stopped while a server asks the person something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..sandbox import Sandbox


class Clocks:
    """The sandboxes that run programs at present."""

    def __init__(self) -> None:
        self._sandboxes: set[Sandbox] = set()

    @contextmanager
    def counting(self, sandbox: Sandbox) -> Iterator[None]:
        """Stop this sandbox's clock, too, when all are stopped."""
        self._sandboxes.add(sandbox)
        try:
            yield
        finally:
            self._sandboxes.discard(sandbox)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """No time counts against a program within the block."""
        with ExitStack() as stack:
            for sandbox in self._sandboxes:
                stack.enter_context(sandbox.paused())
            yield
