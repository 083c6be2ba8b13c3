"""Best-of-n with a model that scores, as a tool of the pool (the process reward model of Atlas, arXiv 2601.03872).

A member does the text several times at a temperature above 0, with tools that only read; the scoring model gives every step
of each a mark, and the answer with the highest mean mark is taken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..policies.base import Sampling

if TYPE_CHECKING:
    from ..episodes.rows import Record
    from ..policies.base import Policy

CANDIDATES = 5
"""As in the paper."""
MOST = 16
HOT = 1.0
"""Temperature of the candidates where the run itself is greedy."""
HIGHEST = 10.0
_STEP_CHARS = 600
_TOKENS_A_MARK = 8
_NUMBER = re.compile(r"(?<![\d.])\d+(?:\.\d+)?")
_SYSTEM = (
    "You mark the steps of someone who works on a task. Reply with one number from 0 (wrong) to 10 (right) for each step, "
    "one a line, and nothing else."
)


def steps_of(record: Record) -> list[str]:
    """The steps of an episode as the scoring model reads them: each program with what came of it, then the answer."""
    steps = [
        _short(f"{turn.program or turn.reply_text}\n-> {turn.result_text or repr(turn.value)}") for turn in record.turns
    ]
    answer = record.episode.answer
    return [*steps, _short(f"answer: {answer!r}")]


async def mark(policy: Policy, task: str, steps: Sequence[str]) -> float | None:
    """The mean mark of the steps, from 0 to 1; None where the model gave none. Raises what its policy raises."""
    conversation = policy.conversation(_SYSTEM)
    listed = "\n".join(f"step {number}: {step}" for number, step in enumerate(steps, 1))
    conversation.add_user(f"task: {task}\n{listed}")
    room = policy.context_length - conversation.size() - 1
    tokens = max(1, min(_TOKENS_A_MARK * (len(steps) + 1), room))
    proposal = await policy.propose(conversation, Sampling(max_tokens=tokens, constrain_names=False))
    return mean_mark(proposal.text, len(steps))


def mean_mark(reply: str, steps: int) -> float | None:
    """The mean of the marks in a reply, as shares of the highest; None for a reply without a mark."""
    marks = [float(found) for line in reply.splitlines() if (found := _last_number(line)) is not None][:steps]
    marks = [one for one in marks if 0 <= one <= HIGHEST]
    return sum(marks) / len(marks) / HIGHEST if marks else None


def _last_number(line: str) -> str | None:
    """`7`, or the mark in `step 2: 7`."""
    found = _NUMBER.findall(line)
    return found[-1] if found else None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _STEP_CHARS else f"{line[: _STEP_CHARS - 3]}..."
