"""Has a model write the rubric of a task, from the task and its tools; what it writes is checked like a person's."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...runtime.policies.base import Sampling
from ...tools_registry.stubs import stub
from ...tools_registry.tool import Tool
from ..errors import RubricError
from .checks import Check
from .rubric import CATEGORIES, PAPER_COUNTS, Category, Rubric, RubricCriterion, numbered

if TYPE_CHECKING:
    from ...runtime.policies.base import Policy

_NAMES: dict[str, Category] = {
    "fulfilment": "fulfilment", "fulfillment": "fulfilment", "task fulfillment": "fulfilment", "tf": "fulfilment",
    "task fulfilment": "fulfilment", "task fulfillment and quality": "fulfilment", "tool": "tool", "ta": "tool",
    "tool appropriateness": "tool", "grounding": "grounding", "tg": "grounding", "tool grounding": "grounding",
    "parameter": "parameter", "pa": "parameter", "parameter accuracy": "parameter",
}  # fmt: skip
_CALLS = re.compile(r"(?i)^(?:the agent )?(?:calls|uses|invokes) (?:the )?(?:tool )?`?([A-Za-z_]\w*\.[A-Za-z_]\w*)`?\.?$")
_SYSTEM = """\
You write the grading rubric of one task for an agent that works by calling tools. The rubric is fixed for all attempts.
Write a JSON list between <RUBRICS> and </RUBRICS>. Each item: {"category", "criterion", "weight"}.
Categories: "fulfilment" (is the task done), "tool" (are the right tools called), "grounding" (does the answer come from what
tools returned), "parameter" (are the arguments right). Weights 1 to 10: 9-10 the task fails without it, 7-8 high,
4-6 moderate, 1-3 nice to have; fulfilment weighs most, then tool.
Each criterion is one demand in one short sentence that can be seen in the trace and answered with yes or no. No two overlap,
none is about style, none asks for what the task does not ask. A criterion about one tool reads: Calls server.tool"""
_COUNT = "Write {total} criteria in this order: {each}."
_FREE = "Write 4 to 10 criteria."
_STUBS = 40


async def write_rubric(
    policy: Policy, task_text: str, tools: Sequence[Tool], *, paper: bool = False, max_tokens: int = 1_500
) -> Rubric:
    """The rubric that a model writes. `paper` asks for exactly twelve criteria in the paper's counts.

    Raises `RubricError` where its reply holds no usable rubric.
    """
    conversation = policy.conversation(_SYSTEM)
    conversation.add_user(_question(task_text, tools, paper))
    room = policy.context_length - conversation.size() - 8
    if room < 64:
        raise RubricError(
            "the task and its tools leave no room for a rubric in the model's context", where=policy.identity.model,
            mend="give a model with a larger context, or write the rubric yourself",
        )  # fmt: skip
    reply = await policy.propose(conversation, Sampling(max_tokens=min(max_tokens, room), constrain_names=False))
    known = {tool.full_name for tool in tools}
    criteria = _criteria(reply.text, known, where=policy.identity.model)
    if paper:
        _check_counts(criteria, policy.identity.model)
    return Rubric(task_text, numbered(tuple(criteria)), source="model")


def _question(task: str, tools: Sequence[Tool], paper: bool) -> str:
    each = ", ".join(f"{count} {name}" for name, count in PAPER_COUNTS.items())
    count = _COUNT.format(total=sum(PAPER_COUNTS.values()), each=each) if paper else _FREE
    lines = "\n".join(stub(tool) for tool in tools[:_STUBS])
    return f"Tools:\n{lines}\n\nTask: {task}\n\n{count}"


def _criteria(reply: str, known: set[str], *, where: str) -> list[RubricCriterion]:
    made: list[RubricCriterion] = []
    for item in _items(reply, where):
        text = str(item.get("criterion") or item.get("description") or item.get("text") or "").strip()
        category = _NAMES.get(str(item.get("category", "")).strip().lower().replace("_", " "))
        weight = item.get("weight", 5)
        if not text or category is None or isinstance(weight, bool) or not isinstance(weight, int | float):
            continue
        if any(text.lower() == one.text.lower() for one in made):
            continue
        made.append(RubricCriterion("", category, text, weight, _check_of(text, known)))
    if not made:
        raise _refusal("no item is a criterion with a category, a text and a weight", where)
    return made


def _items(reply: str, where: str) -> list[dict[str, Any]]:
    tagged = re.search(r"<RUBRICS>(.*?)(?:</RUBRICS>|\Z)", reply, re.DOTALL | re.IGNORECASE)
    text = tagged.group(1) if tagged else reply
    start = text.find("[")
    if start < 0:
        raise _refusal("it holds no JSON list", where)
    try:
        items, _ = json.JSONDecoder(strict=False).raw_decode(text, start)
    except (ValueError, RecursionError):
        raise _refusal("its JSON list is broken", where) from None
    return [item for item in items if isinstance(item, dict)]


def _check_of(text: str, known: set[str]) -> Check | None:
    """A criterion about one tool is checked by a program."""
    found = _CALLS.match(text)
    return Check("called", {"tools": [found.group(1)]}) if found and found.group(1) in known else None


def _check_counts(criteria: Sequence[RubricCriterion], where: str) -> None:
    counts = {name: sum(one.category == name for one in criteria) for name in CATEGORIES}
    if counts != dict(PAPER_COUNTS):
        said = ", ".join(f"{count} {name}" for name, count in counts.items())
        raise _refusal(f"it has {said}, and not the paper's twelve", where)


def _refusal(what: str, where: str) -> RubricError:
    return RubricError(
        f"the model wrote no usable rubric: {what}", where=where,
        mend="try a larger model, write the rubric yourself, or use --reward outcome",
    )  # fmt: skip
