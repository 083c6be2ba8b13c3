"""From a model of the pool to the policy behind it, and whether it answers."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AtlasRuntimeError
from ..policies.base import Sampling
from ..policies.errors import EndpointTimeout
from ..policies.spec import load_policy

if TYPE_CHECKING:
    from ..policies.base import Policy, Proposal
    from ..policies.http_wire import Patience
    from .pool import PoolModel

_TRIAL_SYSTEM = "You are asked whether you work."
_TRIAL = "Say yes."
_TRIAL_TOKENS = 16
_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of asking a model for one short reply."""

    name: str
    spec: str
    ok: bool
    seconds: float
    context_tokens: int = 0
    cost_usd: float = 0.0
    error: AtlasRuntimeError | None = None

    def to_json(self) -> dict[str, Any]:
        """One line of `atlas models test --json`."""
        problem = self.error
        return {
            "model": self.name, "spec": self.spec, "ok": self.ok, "seconds": round(self.seconds, 3),
            "context_tokens": self.context_tokens, "cost_usd": self.cost_usd,
            "error": problem and {
                "type": type(problem).__name__, "message": problem.message, "where": problem.where, "mend": problem.mend,
            },
        }  # fmt: skip


async def load_member(name: str, model: PoolModel, home: Path | None = None, *, quiet: bool = False) -> Policy:
    """The policy of a pool's model. Raises what `load_policy` raises, and `PoolError` for a key that is not set.

    An endpoint is tried again once only: another model of the pool can take over.
    """
    return await asyncio.to_thread(
        load_policy, model.model, adapter=None if model.adapter == "none" else model.adapter, home=home,
        context_tokens=model.context_tokens, api_key=model.api_key(f"[models.{name}] api_key_variable"), quiet=quiet,
        patience=_patience(model),
    )  # fmt: skip


def _patience(model: PoolModel) -> Patience | None:
    if not model.is_endpoint:
        return None
    from ..policies.http_wire import Patience

    return Patience(attempts=_ATTEMPTS)


async def try_member(name: str, model: PoolModel, home: Path | None = None) -> Trial:
    """Load a model and ask it for one short reply; what is wrong is told, not raised."""
    started = time.perf_counter()
    try:
        policy = await load_member(name, model, home)
        try:
            proposal = await within(model.timeout_seconds, name, _ask(policy))
        finally:
            await policy.aclose()
    except AtlasRuntimeError as problem:
        return Trial(name, model.model, False, time.perf_counter() - started, error=problem)
    cost = model.cost_usd(proposal.prompt_tokens, proposal.generated_tokens, proposal.seconds)
    return Trial(name, model.model, True, time.perf_counter() - started, policy.context_length, cost)


async def _ask(policy: Policy) -> Proposal:
    conversation = policy.conversation(_TRIAL_SYSTEM)
    conversation.add_user(_TRIAL)
    return await policy.propose(conversation, Sampling(max_tokens=_TRIAL_TOKENS, constrain_names=False))


async def within(seconds: float | None, name: str, work: Any) -> Any:
    """Await `work` for at most so many seconds. Raises `EndpointTimeout` that names the model."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise EndpointTimeout(
            f"{name} gave no reply within {seconds:g} seconds", where=f"[models.{name}]",
            mend="raise its timeout_seconds, or look at the server",
        ) from None  # fmt: skip
