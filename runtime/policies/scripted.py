"""The scripted policy: replies from a list or a function. It ships for tests, demonstrations and recorded runs.

Its token ids are bytes, so that budgets, logging and training rows work without a model.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from ..conversation import Conversation, Role
from ..tokens import ByteTokenizer
from .base import Counting, PolicyIdentity, Proposal, Sampling
from .errors import BadModelFile, ModelError, ModelNotFound
from .name_table import Names

Script = Sequence[str] | Callable[[Conversation], str]


class ByteConversation(Conversation):
    """An append-only conversation in bytes, each turn opened by a marker id."""

    def __init__(self, system: str) -> None:
        super().__init__(system)
        self._ids = [ByteTokenizer.markers["system"], *ByteTokenizer().encode(system)]

    @property
    def ids(self) -> list[int]:
        """The ids so far."""
        return list(self._ids)

    def prompt_ids(self) -> list[int]:
        """The ids so far and the marker that asks for a reply."""
        return [*self._ids, ByteTokenizer.markers["assistant"]]

    def size(self) -> int:
        """Ids of the prompt if the policy were asked now."""
        return len(self._ids) + 1

    def size_with(self, role: Role, text: str) -> int:
        """Ids of the prompt if this message were added first."""
        return self.size() + 1 + len(ByteTokenizer().encode(text))

    def _add(self, role: Role, text: str) -> None:
        self._ids += [ByteTokenizer.markers[role], *ByteTokenizer().encode(text)]

    def _add_reply(self, proposal: Proposal) -> None:
        ids = proposal.token_ids
        written = ByteTokenizer().encode(proposal.text) if ids is None else ids
        self._ids += [ByteTokenizer.markers["assistant"], *written]


class ScriptedPolicy:
    """Gives the replies of a list in order, or what a function of the conversation returns."""

    counting: Counting = "exact"

    def __init__(
        self, replies: Script, *, context_length: int = 32_768, profile: Literal["compact", "full"] = "compact"
    ) -> None:
        self._replies = replies
        self._given = 0
        self.context_length = context_length
        self.profile = profile

    @classmethod
    def from_file(cls, path: str | Path) -> ScriptedPolicy:
        """The policy whose replies are the JSON list of texts in a file."""
        mend = 'the file must hold a JSON list of replies: ["answer(1)"]'
        try:
            replies = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ModelNotFound("there is no such script", where=str(path), mend=mend) from None
        except (OSError, ValueError) as problem:
            raise BadModelFile(f"not a script: {problem}", where=str(path), mend=mend) from None
        if not isinstance(replies, list) or not all(isinstance(reply, str) for reply in replies):
            raise BadModelFile("not a script: no list of texts", where=str(path), mend=mend)
        return cls(replies)

    @property
    def identity(self) -> PolicyIdentity:
        """A hash of the list, so that different scripts are different policies."""
        script = "function" if callable(self._replies) else "\0".join(self._replies)
        digest = hashlib.sha256(script.encode("utf-8", "replace")).hexdigest()
        return PolicyIdentity("scripted", digest, version="1")

    def conversation(self, system: str) -> ByteConversation:
        """A new, empty conversation under this system text."""
        return ByteConversation(system)

    async def propose(
        self,
        conversation: Conversation,
        sampling: Sampling,
        *,
        names: Names | None = None,
        on_text: Callable[[str], None] | None = None,
    ) -> Proposal:
        """The next reply of the script, cut at `max_tokens`."""
        started = time.perf_counter()
        prompt = conversation.size()
        text = self._next(conversation)
        ids = [*ByteTokenizer().encode(text), ByteTokenizer.end]
        cut = len(ids) > sampling.max_tokens
        if cut:
            ids = ids[: sampling.max_tokens]
            text = ByteTokenizer().decode(ids)
        if on_text is not None:
            on_text(text)
        return Proposal(
            text=text,
            token_ids=ids,
            logprobs=[0.0] * len(ids),
            logprobs_at_temperature=[0.0] * len(ids),
            prompt_tokens=prompt,
            generated_tokens=len(ids),
            finish="length" if cut else "stop",
            seconds=time.perf_counter() - started,
            sampler={"scripted": True, "greedy": True, "temperature": 0.0, "seed": sampling.seed},
        )

    async def aclose(self) -> None:
        """Nothing to release."""

    def _next(self, conversation: Conversation) -> str:
        if callable(self._replies):
            return self._replies(conversation)
        if self._given >= len(self._replies):
            raise ModelError(
                f"the script has only {len(self._replies)} replies",
                where="scripted policy",
                mend="add a reply to the script",
            )
        self._given += 1
        return self._replies[self._given - 1]
