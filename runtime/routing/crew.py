"""A pool that serves many runtimes, one after the other or at once: models loaded once, one purse, one memory."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from .loading import load_member
from .spending import Purse
from .team import Load, RouterName, Team, Tell

if TYPE_CHECKING:
    from ..episodes.episode import Episode
    from ..policies.base import Policy
    from ..runtime import Runtime
    from .chooser import Chooser
    from .pool import PoolModel
    from .steps import Thinker


@dataclass(slots=True)
class Crew:
    """Everything a `Team` needs besides its runtime. Use it as `async with Crew(...) as crew:`."""

    chooser: Chooser
    router: RouterName = "cluster"
    thinker: Thinker | None = None
    purse: Purse = field(default_factory=Purse)
    tell: Tell | None = None
    load: Load = load_member
    _policies: dict[str, Policy] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __aenter__(self) -> Self:
        self.chooser.load(self.tell)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def team(self, runtime: Runtime, router: RouterName | None = None, thinker: Thinker | None = None) -> Team:
        """The pool over one open runtime; use it as a block."""
        return Team(
            runtime, self.chooser, router=router or self.router, tell=self.tell, load=self._lend,
            thinker=thinker or self.thinker, purse=self.purse,
        )  # fmt: skip

    async def run(self, runtime: Runtime, task: str, **more: Any) -> Episode:
        """Run one task in a runtime, as `Team.run` does."""
        async with self.team(runtime) as team:
            return await team.run(task, **more)

    async def _lend(self, name: str, model: PoolModel) -> Policy:
        async with self._loading:
            if name not in self._policies:
                self._policies[name] = await self.load(name, model)
                self._stack.push_async_callback(self._policies[name].aclose)
        return cast("Policy", _Lent(self._policies[name]))


class _Lent:
    """A policy that its borrower does not close."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)

    async def aclose(self) -> None:
        """It is closed by its owner."""
