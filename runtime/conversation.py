"""A conversation that only ever grows: earlier turns are never rendered again, so their token ids never change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .policies.base import Proposal

Role = Literal["user", "result"]


class Conversation(ABC):
    """System text, then user messages, replies and results in the order in which they were added.

    Everything added is untrusted: it can never become a special token or open a turn.
    """

    def __init__(self, system: str) -> None:
        self.system = system
        self.messages: list[dict[str, str]] = [{"role": "system", "content": system}]

    @property
    def ids(self) -> list[int] | None:
        """The token ids so far without what asks for the next reply; None where only an endpoint knows them."""
        return None

    def prompt_ids(self) -> list[int] | None:
        """The exact ids that the policy would read now, or None where only an endpoint knows them."""
        return None

    def add_user(self, text: str) -> None:
        """Add what the user says."""
        self._add("user", text)
        self.messages.append({"role": "user", "content": text})

    def add_result(self, text: str) -> None:
        """Add what came of the last program."""
        if not any(message["role"] == "user" for message in self.messages):
            raise ValueError("a result needs a user message before it")
        self._add("result", text)
        self.messages.append({"role": "tool", "content": text})

    def add_reply(self, proposal: Proposal) -> None:
        """Add a reply that was proposed for this conversation."""
        if self.messages[-1]["role"] not in ("user", "tool"):
            raise ValueError("a reply needs a message before it")
        self._add_reply(proposal)
        self.messages.append({"role": "assistant", "content": proposal.text})

    @abstractmethod
    def size(self) -> int:
        """Tokens of the prompt if the policy were asked now."""

    @abstractmethod
    def size_with(self, role: Role, text: str) -> int:
        """Tokens of the prompt if this message were added first."""

    @abstractmethod
    def _add(self, role: Role, text: str) -> None: ...

    @abstractmethod
    def _add_reply(self, proposal: Proposal) -> None: ...
