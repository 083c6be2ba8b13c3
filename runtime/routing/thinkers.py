"""From settings to the policy of the learned router: any model, with the adapter that was trained to route with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ..adapters import AUTO, NONE, latest_adapter
from ..policies.errors import ModelError
from ..policies.file_hash import FileHash
from ..policies.spec import resolve
from .loading import load_member
from .pool import Pool, PoolModel
from .steps import Thinker

if TYPE_CHECKING:
    from ..policies.base import Policy

_ELSEWHERE = ("http://", "https://", "scripted:")


def named_thinker(
    spec: str, adapter: str, pool: Pool, home: Path, stack: AsyncExitStack, *, must: bool
) -> Thinker | None:
    """The router's policy: a member of the pool (and paid as such), or any model by its spec.

    Without `must`, None where nothing was trained to route with it: an untrained policy does not know the format.
    """
    member = pool[spec] if spec in pool else PoolModel(model=spec)
    chosen = router_adapter(member.model, home) if adapter == AUTO else adapter
    if chosen is None and not must:
        return None
    model = member.model_copy(update={"adapter": chosen or NONE})
    return Thinker(_once(model, home, stack), spec if spec in pool else "router", model)


def router_adapter(spec: str, home: Path) -> str | None:
    """The file of the adapter that was promoted last to route with this model; None where there is none."""
    if spec.startswith(_ELSEWHERE):
        return None
    try:
        path, _ = resolve(spec, quiet=True)
    except ModelError:  # told when it is loaded
        return None
    found = latest_adapter(home, FileHash(path).value, "router")
    return str(found.gguf) if found else None


def _once(model: PoolModel, home: Path, stack: AsyncExitStack) -> Callable[[], Awaitable[Policy]]:
    """Load the policy at the first use, and close it with `stack`."""
    loaded: list[Policy] = []

    async def load() -> Policy:
        if not loaded:
            loaded.append(await load_member("router", model, home))
            stack.push_async_callback(loaded[0].aclose)
        return loaded[0]

    return load
