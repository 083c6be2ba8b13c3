"""Conversations whose exact token ids are known: a chat shape and a tokenizer, spliced turn by turn."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..conversation import Conversation, Role
from ..templates import ChatShape
from ..tokens import LlamaTokenizer
from .base import Proposal

if TYPE_CHECKING:
    from .adapter_swap import AdapterVersion


@dataclass(frozen=True, slots=True)
class TurnIds:
    """Ids before and after the content of a message that follows a reply."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    ended: tuple[int, ...]
    """`before` for a reply that already wrote its end-of-turn token."""


class TokenTemplate:
    """The delimiters of a chat shape as token ids of one vocabulary."""

    def __init__(self, shape: ChatShape, tokenizer: LlamaTokenizer) -> None:
        self.shape = shape
        self.tokenizer = tokenizer
        opening = tokenizer.encode_opening(shape.opening) if shape.opening else []
        if tokenizer.adds_bos and tokenizer.bos >= 0 and opening[:1] != [tokenizer.bos]:
            opening = [tokenizer.bos, *opening]
        self.opening = opening
        self.to_user = tokenizer.encode(shape.to_user, special=True)
        self.to_reply = tokenizer.encode(shape.to_reply, special=True)
        turn_end = self._turn_end()
        self.ends = frozenset({turn_end} if turn_end is not None else ())
        self.user = self._turn(shape.user.before, shape.user.after)
        self.result = self._turn(shape.result.before, shape.result.after)
        self.openers = self._openers()

    def content(self, text: str) -> list[int]:
        """Ids of untrusted text as this template would show it; never a special token."""
        return self.tokenizer.encode(self.shape.clean(text))

    def is_end(self, token: int) -> bool:
        """True for a token that ends a reply, by the vocabulary or by this template."""
        return token in self.ends or self.tokenizer.is_end(token)

    @property
    def stop_text(self) -> str | None:
        """What ends a reply where the template has no token for it, such as a new line with `User:`."""
        if any(self.tokenizer.is_control(token) for token in self.user.before):
            return None
        stop = self.shape.user.before.rstrip()
        return stop if len(stop.strip()) >= 3 else None

    def _turn_end(self) -> int | None:
        """The control token with which this template closes a reply, if it is the first thing after it."""
        before = self.shape.user.before
        for token in self.tokenizer.encode(before.lstrip(), special=True)[:2]:
            if self.tokenizer.is_control(token) or self.tokenizer.is_end(token):
                return token
        return None

    def _turn(self, before: str, after: str) -> TurnIds:
        ids = self.tokenizer.encode(before, special=True)
        end = next((i for i, token in enumerate(ids) if self.is_end(token)), None)
        ended = ids if end is None else ids[end + 1 :]
        return TurnIds(tuple(ids), tuple(self.tokenizer.encode(after, special=True)), tuple(ended))

    def _openers(self) -> frozenset[int]:
        """Control tokens that open a turn: a reply that writes one has left its own turn and is stopped there."""
        ids = {*self.opening, *self.to_user, *self.to_reply, *self.user.before, *self.result.before}
        return frozenset(token for token in ids if self.tokenizer.is_control(token))


class TokenConversation(Conversation):
    """An append-only list of token ids; content is encoded apart from the template's own text and spliced in."""

    def __init__(self, system: str, template: TokenTemplate) -> None:
        super().__init__(system)
        self._template = template
        self._ids = [*template.opening]
        if template.shape.system_role:
            self._ids += [*template.content(system), *template.to_user]
        self._pending: list[int] = []
        self._ended = False
        self.version: AdapterVersion | None = None
        """The adapter that answers, where the conversation was begun with a pinned policy; None takes the present one."""

    @property
    def ids(self) -> list[int]:
        """The token ids so far without the delimiters that ask for the next reply."""
        return list(self._ids)

    def prompt_ids(self) -> list[int]:
        """The exact ids that the policy would read now."""
        return [*self._ids, *self._pending]

    def size(self) -> int:
        """Tokens of the prompt if the policy were asked now."""
        return len(self._ids) + len(self._pending)

    def size_with(self, role: Role, text: str) -> int:
        """Tokens of the prompt if this message were added first."""
        trial = copy.copy(self)
        trial._ids = []
        trial._add(role, text)
        return len(self._ids) + trial.size()

    def _add(self, role: Role, text: str) -> None:
        template = self._template
        previous = self.messages[-1]["role"]
        if previous == "system":
            self._ids += self._merged_system() + template.content(text)
            self._pending = list(template.to_reply)
        elif previous == "assistant":
            turn = template.result if role == "result" else template.user
            self._ids += [*(turn.ended if self._ended else turn.before), *template.content(text)]
            self._pending = list(turn.after)
        else:  # two messages without a reply between them share a turn
            self._ids += template.tokenizer.encode("\n\n") + template.content(text)

    def _merged_system(self) -> list[int]:
        template = self._template
        if template.shape.system_role or not self.system:
            return []
        return [*template.content(self.system), *template.to_user]

    def _add_reply(self, proposal: Proposal) -> None:
        reply = self._reply_ids(proposal)
        self._ids += [*self._pending, *reply]
        self._pending = []
        self._ended = bool(reply) and self._template.is_end(reply[-1])

    def _reply_ids(self, proposal: Proposal) -> Sequence[int]:
        if proposal.token_ids is None:  # a reply that was written elsewhere, for example a reference program
            return self._template.tokenizer.encode(proposal.text)
        return proposal.token_ids
