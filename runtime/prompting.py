"""The prompt of one run: it only ever grows, until the next turn would not fit and it is written anew (a re-base)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .conversation import Conversation, Role
from .episodes.journal import Prompt
from .errors import BudgetError, UsageError
from .json_acting import SYSTEM as JSON_SYSTEM
from .messages import Step, rebased_message
from .policies.base import Proposal
from .prompt import first_message, system_text
from .view import FULL_STUB_CHARS, LOADING_TEXTS

if TYPE_CHECKING:
    from .episodes.rows import TurnRow
    from .options import RunOptions
    from .policies.base import Policy
    from .view import View

_SEPARATORS = re.compile(r"[,;|\t\n\"'{}\[\]():=]")
_CELL_CHARS = 40
REBASE_EVERY = 3
"""Turns that must lie between two re-bases: each one costs the policy its cached prefix."""


def system_for(policy: Policy, options: RunOptions) -> str:
    """The system text for a policy that acts and loads tools as the options say."""
    text = JSON_SYSTEM if options.acting == "json" else system_text(policy.profile)
    extra = LOADING_TEXTS[options.loading]
    return f"{text.rstrip()}\n{extra}" if extra else text


class Prompting:
    """The conversation of one run, with what is needed to log each turn's part of it."""

    def __init__(
        self, policy: Policy, system: str, view: View, task: str, budget: int, pictures: Sequence[str] = ()
    ) -> None:
        """`pictures` are `data:` addresses that an endpoint reads beside the task."""
        self.policy = policy
        self.system = system
        self.view = view
        self.task = task
        self.budget = budget
        self._pictures = pictures
        self.conversation: Conversation = self._new()
        self._count_base: int | None = None
        self._logged: list[int] | None = None
        """Ids that are in the log already: the last prompt and its reply."""
        self.words: set[str] = set()
        """What the policy has read or written so far, in words and in cells as tables and JSON have them."""
        self._role: Role = "user"
        self._text = ""
        self._fresh = True
        self._rebased_at = -REBASE_EVERY

    def count(self, text: str) -> int:
        """About how many tokens `text` takes in the prompt."""
        if self.policy.counting != "exact":  # asking an endpoint for every piece would be slow; the bound itself is held
            return len(text.encode("utf-8", "replace")) // 3 + 1
        empty = self.policy.conversation("")
        if self._count_base is None:
            self._count_base = empty.size_with("user", "")
        return max(0, empty.size_with("user", text) - self._count_base)

    def open(self) -> None:
        """Add the first message: server index, stubs, task. Raises `BudgetError` where not even the task fits."""
        index = self.view.server_index()
        bare = first_message(index, [], self.task)
        room = self.budget - self.conversation.size_with("user", bare)
        if room < 0 and len(index) > 1:  # a long server index gives way to the task
            index = [("...", len(self.view.registry.tools))]
            room = self.budget - self.conversation.size_with("user", first_message(index, [], self.task))
        if room < 0:
            raise BudgetError(
                f"the task needs {self.budget - room} tokens, and the budget is {self.budget}",
                where="--budget", mend="raise --budget, or put the text into a file and name it in the task",
            )  # fmt: skip
        stubs = self.view.first(self.task, self.count, room, FULL_STUB_CHARS if self.policy.profile == "full" else None)
        while stubs and self.conversation.size_with("user", first_message(index, stubs, self.task)) > self.budget:
            stubs = stubs[:-1]
            self.view.shown = self.view.shown[: len(stubs)]
        self._index, self._stubs = index, stubs
        self._add("user", first_message(index, stubs, self.task))

    def prompt(self) -> Prompt:
        """What the policy is about to read, in the form of the log."""
        ids = self.conversation.prompt_ids()
        tokens = self.conversation.size()
        start = self._fresh or ids is None or self._logged is None or ids[: len(self._logged)] != self._logged
        new = ids if ids is None or start else ids[len(self._logged or []) :]
        row_start = self._fresh or (start and ids is not None)
        return Prompt(self._role, self._text, new, row_start, tokens, tuple(self.view.shown))

    def replied(self, proposal: Proposal) -> None:
        """Add the policy's reply."""
        before = self.conversation.prompt_ids()
        self.words |= words_in(proposal.text)
        self.conversation.add_reply(proposal)
        complete = before is not None and proposal.token_ids is not None
        self._logged = [*(before or []), *(proposal.token_ids or [])] if complete else None
        self._fresh = False

    def fits(self, result: str) -> bool:
        """True when the next prompt holds this result within the budget."""
        return self.conversation.size_with("result", result) <= self.budget

    def add_result(self, text: str) -> None:
        """Append what the policy reads next."""
        self._add("result", text)

    def may_rebase(self, turn: int) -> bool:
        """False shortly after a re-base."""
        return turn - self._rebased_at >= REBASE_EVERY

    def rebase(
        self, turn: int, stubs: Sequence[str], steps: Sequence[Step], variables: Sequence[tuple[str, str]],
        result: Callable[[int], str],
    ) -> bool:  # fmt: skip
        """Write the prompt anew; what does not fit is left out, oldest first. False where nothing fits.

        `result(tokens)` is the last result with that much room for its output.
        """
        for keep_stubs, keep_steps, keep_variables, tokens in _diets(len(stubs), len(steps), len(variables)):
            first = first_message(self._index, stubs[len(stubs) - keep_stubs :], self.task)
            text = rebased_message(first, steps[len(steps) - keep_steps :], variables[:keep_variables], result(tokens))
            conversation = self._new()
            if conversation.size_with("user", text) <= self.budget * 3 // 4:
                self.conversation, self._fresh, self._rebased_at = conversation, True, turn
                self._add("user", text)
                return True
        return False

    def restore(self, turns: Sequence[TurnRow]) -> None:
        """Rebuild the conversation of logged turns; the ids come out as they were, because nothing is rendered twice.

        Their programs have been run again before, so that the view holds what they loaded.
        """
        self._index = self.view.server_index()
        for row in turns:
            if row.role == "user":
                self.conversation, self._fresh = self._new(), True
            self._add("user" if row.role == "user" else "result", row.prompt_text)
            self.replied(_proposal_of(row))
        if turns:  # what the last program loaded came into view after its prompt was logged
            self.view.shown = list(dict.fromkeys([*turns[-1].in_view, *self.view.shown]))

    def _new(self) -> Conversation:
        conversation = self.policy.conversation(self.system)
        attach = getattr(conversation, "attach", None)
        if self._pictures:
            if attach is None:
                raise UsageError(
                    f"{self.policy.identity.model} takes no pictures", where="images", mend="ask an endpoint that does"
                )
            attach(self._pictures)
        return conversation

    def _add(self, role: Role, text: str) -> None:
        self.words |= words_in(text)
        if role == "user":
            self.conversation.add_user(text)
        else:
            self.conversation.add_result(text)
        self._role, self._text = role, text


def _diets(stubs: int, steps: int, variables: int) -> list[tuple[int, int, int, int]]:
    """What to keep, in the order in which it is tried."""
    return [
        (stubs, steps, variables, 300),
        (stubs, min(steps, 6), min(variables, 8), 150),
        (min(stubs, 6), min(steps, 4), min(variables, 6), 100),
        (min(stubs, 3), min(steps, 2), min(variables, 3), 40),
        (0, min(steps, 1), 0, 20),
    ]


def _proposal_of(row: TurnRow) -> Proposal:
    return Proposal(
        text=row.reply_text, token_ids=row.reply_ids, logprobs=row.logprobs,
        logprobs_at_temperature=row.logprobs_at_temperature, prompt_tokens=row.prompt_tokens,
        generated_tokens=row.generated_tokens, finish="length" if row.finish == "length" else "stop",
        seconds=row.propose_seconds, sampler=row.sampler, constrained=row.constrained,
    )  # fmt: skip


def words_in(text: str) -> set[str]:
    """The words of a text, and what stands between its commas, quotes, brackets, ..., where that is short."""
    cells = (cell.strip() for cell in _SEPARATORS.split(text))
    return {*re.findall(r"\w+", text), *(cell for cell in cells if 0 < len(cell) <= _CELL_CHARS)}
