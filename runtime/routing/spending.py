"""A spending limit that holds: before a reply is asked for, the most that it could cost is put aside.

What an endpoint reports is what is charged; a reply that never came back is charged in full, because it may be billed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..conversation import Conversation
from ..policies.base import Counting, Policy, PolicyIdentity, Profile, Proposal, Sampling
from ..policies.errors import EndpointDown, EndpointRefused, EndpointTimeout
from ..policies.names import Names
from ..preparing import Preparing
from .errors import SpendingError
from .loading import within

if TYPE_CHECKING:
    from .pool import PoolModel

LONGEST_SECONDS = 600.0
"""A reply that is paid by the second may take this long where its model has no timeout."""
_LEAST_SECONDS = 1.0


class Purse:
    """What may be spent, in USD, by all models together and by each."""

    def __init__(self, limit: float | None = None) -> None:
        self.limit = limit
        self.spent = 0.0
        self._held = 0.0
        self._by_model: dict[str, float] = {}

    def left(self, name: str, own_limit: float | None) -> float:
        """What this model may still cost; what is put aside for replies under way is not counted as left."""
        whole = float("inf") if self.limit is None else self.limit - self.spent - self._held
        own = float("inf") if own_limit is None else own_limit - self._by_model.get(name, 0.0)
        return min(whole, own)

    def hold(self, name: str, usd: float) -> None:
        """Put money aside."""
        self._held += usd
        self._by_model[name] = self._by_model.get(name, 0.0) + usd

    def settle(self, name: str, held: float, usd: float) -> None:
        """Give back what was put aside and spend what it cost."""
        self._held -= held
        self._by_model[name] += usd - held
        self.spent += usd


class Metered:
    """A policy whose replies are paid from a purse, and end with their time."""

    def __init__(self, policy: Policy, name: str, model: PoolModel, purse: Purse) -> None:
        self._policy, self._name, self._model, self._purse = policy, name, model, purse
        self.spent = 0.0
        """USD, by this policy."""
        self.unpaid = False
        """True once a reply was not asked for, or cut short, for want of money."""

    @property
    def context_length(self) -> int:
        """Of the policy."""
        return self._policy.context_length

    @property
    def counting(self) -> Counting:
        """Of the policy."""
        return self._policy.counting

    @property
    def profile(self) -> Profile:
        """Of the policy."""
        return self._policy.profile

    @property
    def identity(self) -> PolicyIdentity:
        """Of the policy."""
        return self._policy.identity

    def conversation(self, system: str) -> Conversation:
        """Of the policy."""
        return self._policy.conversation(system)

    async def prepare(self, tokens: int | None = None) -> None:
        """Of the policy, within the model's timeout."""
        if isinstance(self._policy, Preparing):
            await within(self._model.timeout_seconds, self._name, self._policy.prepare(tokens))

    async def propose(
        self, conversation: Conversation, sampling: Sampling, *,
        names: Names | None = None, on_text: Callable[[str], None] | None = None,
    ) -> Proposal:  # fmt: skip
        """One reply. Raises `SpendingError` before asking where it could cost more than is left, and `EndpointTimeout`."""
        most_for_tokens = self._model.cost_usd(conversation.size(), sampling.max_tokens, 0.0)
        seconds, short = self._seconds(most_for_tokens)
        held = most_for_tokens + (self._model.cost_usd(0, 0, seconds) if seconds is not None else 0.0)
        self._purse.hold(self._name, held)
        cost = held
        try:
            proposal: Proposal = await within(
                seconds, self._name, self._policy.propose(conversation, sampling, names=names, on_text=on_text)
            )
            cost = self._model.cost_usd(proposal.prompt_tokens, proposal.generated_tokens, proposal.seconds)
            return proposal
        except (EndpointDown, EndpointRefused):
            cost = 0.0
            raise
        except EndpointTimeout as problem:
            if short:
                raise self._refused(held) from problem
            raise
        finally:
            self._purse.settle(self._name, held, cost)
            self.spent += cost

    async def aclose(self) -> None:
        """The policy is closed by who loaded it."""

    def _seconds(self, most_for_tokens: float) -> tuple[float | None, bool]:
        """How long the reply may take, and whether money and not the timeout says so. Raises `SpendingError`."""
        left = self._purse.left(self._name, self._model.spend_limit)
        if most_for_tokens > left:
            raise self._refused(most_for_tokens)
        timeout, for_second = self._model.timeout_seconds, self._model.rates[2]
        if not for_second:
            return timeout, False
        wanted = timeout or LONGEST_SECONDS
        affordable = (left - most_for_tokens) / for_second
        if affordable < min(wanted, _LEAST_SECONDS):
            raise self._refused(most_for_tokens + for_second * min(wanted, _LEAST_SECONDS))
        return min(wanted, affordable), affordable < wanted

    def _refused(self, usd: float) -> SpendingError:
        self.unpaid = True
        left = max(0.0, self._purse.left(self._name, self._model.spend_limit))
        return SpendingError(
            f"the next reply of {self._name} could cost {usd:.6f} USD, and {left:.6f} USD are left",
            where="--spend-limit", mend="raise the limit, or add a cheaper model to the pool",
        )  # fmt: skip
