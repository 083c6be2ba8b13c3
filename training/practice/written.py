"""A policy whose replies are written already, in the tokens of another: for rows to imitate."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...runtime.policies.base import Proposal, Sampling

if TYPE_CHECKING:
    from ...runtime.conversation import Conversation
    from ...runtime.policies.llama import LlamaPolicy
    from ...runtime.policies.name_table import Names

_CLOSING = re.compile(r"(?<=<)(?=/)")
"""`</` is a token of its own in many vocabularies, and one that nano never saw: without a trained row for it in the head, no
adapter makes it likely. `<` and `/` it knows."""

class Written:
    """A policy whose replies are given, in its own tokens and without sampling: for rows to imitate."""

    def __init__(self, policy: LlamaPolicy, reply: Callable[[Conversation], str]) -> None:
        self._policy, self._reply = policy, reply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)

    def pinned(self, *adapter: Any, name: str | None = None) -> Written:
        """Itself: what it writes does not depend on weights."""
        return self

    async def propose(
        self, conversation: Conversation, sampling: Sampling, *,
        names: Names | None = None, on_text: Callable[[str], None] | None = None,
    ) -> Proposal:  # fmt: skip
        """The reply that is given for the conversation as it stands."""
        text = self._reply(conversation)
        template = self._policy.template
        end = min(template.ends, default=template.tokenizer.eos)
        ids = [token for part in _CLOSING.split(text) for token in template.tokenizer.encode(part)] + [end]
        prompt = conversation.size()
        return Proposal(text, ids, None, None, prompt, len(ids), sampler={"demonstration": True, "greedy": True})


def reciting(policy: LlamaPolicy, programs: Sequence[str]) -> Written:
    """Writes the programs of a reference solution, one a turn."""
    left = iter(programs)
    return Written(policy, lambda _: next(left, 'answer("Cannot: the reference has no more programs")'))
