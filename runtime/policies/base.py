"""What every policy has in common: its identity, how it is sampled, and what one proposal holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from ..conversation import Conversation

if TYPE_CHECKING:
    from .name_table import Names

Profile = Literal["compact", "full"]
Counting = Literal["exact", "endpoint", "bound"]
"""How prompt tokens are counted: by the policy's own tokenizer, by its endpoint, or by an upper bound."""


@dataclass(frozen=True, slots=True)
class PolicyIdentity:
    """Which weights answered; an episode stores it, and training refuses to mix identities."""

    model: str
    base_hash: str = ""
    """SHA-256 of the model file; empty for an endpoint."""
    adapter: str | None = None
    adapter_hash: str | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample one reply. Nothing is truncated (no top-p, top-k or min-p), so that log-probabilities are exact."""

    temperature: float = 0.0
    seed: int = 0
    max_tokens: int = 512
    constrain_names: bool = True


@dataclass(frozen=True, slots=True)
class Proposal:
    """One reply of a policy, with everything that training needs to know about how it came about."""

    text: str
    """The reply without its end-of-turn token; special tokens inside it are written out."""
    token_ids: list[int] | None = None
    """The sampled ids including the end-of-turn token, or None where an endpoint does not return them."""
    logprobs: list[float] | None = None
    """Log-probability of each sampled token under the raw model, at temperature 1 and without any mask."""
    logprobs_at_temperature: list[float] | None = None
    """The same under the distribution that was sampled from: masked and at the temperature (at 1 when greedy)."""
    prompt_tokens: int = 0
    generated_tokens: int = 0
    finish: Literal["stop", "length"] = "stop"
    seconds: float = 0.0
    sampler: dict[str, object] = field(default_factory=dict)
    """Settings as logged: temperature, seed, `greedy`, `kept_mass` (aligned with `constrained`), cache reuse, ..."""
    constrained: list[int] = field(default_factory=list)
    """Positions at which the name constraint removed probability mass."""

    @property
    def trainable(self) -> bool:
        """True where token ids and log-probabilities of every sampled token are known."""
        ids, values = self.token_ids, self.logprobs_at_temperature
        return ids is not None and values is not None and len(ids) == len(values)


class Policy(Protocol):
    """A language model that proposes replies."""

    @property
    def context_length(self) -> int:
        """Tokens of prompt and reply together."""
        ...

    @property
    def counting(self) -> Counting:
        """How exact the sizes of its conversations are."""
        ...

    @property
    def profile(self) -> Profile:
        """Which system text it was made for."""
        ...

    @property
    def identity(self) -> PolicyIdentity:
        """Which weights answer at present."""
        ...

    def conversation(self, system: str) -> Conversation:
        """A new, empty conversation under this system text."""
        ...

    async def propose(
        self,
        conversation: Conversation,
        sampling: Sampling,
        *,
        names: Names | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Proposal:
        """One reply to the conversation as it stands; the conversation itself is not changed."""
        ...

    async def aclose(self) -> None:
        """Release the model or the connection."""
        ...
