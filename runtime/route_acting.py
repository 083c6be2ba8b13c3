"""The steps of a router (Atlas, arXiv 2601.03872, section 3.2 and Fig. 6): think, ask a (model, tool) pair, answer.

    <think>It counts words, and laptop does that for nothing.</think>
    <search>laptop@@text: How many words are in notes.md?</search>

A step becomes a program of one line, `print(ask("laptop", "How many ...", tools=["text"]))`, so that everything after it
(gate, journal, limits, resume) is the same as for programs. What comes back stands between `<information>` tags.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .extract import Extracted

NO_STEP = "write <think>why</think> and then <search>model@@tool: question</search> or <answer>value</answer>"
ALL, NONE, BEST_OF = "all", "none", "best_of"
"""Words in the place of a tool: every tool, no tool, and the best of several answers (see `best_of`)."""
RULES = ("tags", "calls", "pairs", "thinks", "one_answer", "information")
"""The rules of the format reward, each checked apart so that a violation can be named."""
_TAGS = ("think", "search", "answer")
_TAG = re.compile(r"<(/?)(think|search|information|answer)>")
_TOLD = re.compile(r"</?information>")
_CALL = re.compile(r"\s*([\w.+:-]+?)@@([\w.,-]+)\s*:\s*(\S.*?)\s*", re.DOTALL)
_BLOCK = {name: re.compile(rf"<{name}>(.*?)</{name}>", re.DOTALL) for name in _TAGS}


@dataclass(frozen=True, slots=True)
class Step:
    """What one reply of a router says."""

    kind: Literal["think", "route", "answer"]
    thought: str = ""
    model: str = ""
    tools: tuple[str, ...] = ()
    text: str = ""
    """What the model is asked, or the answer."""


def read_step(reply: str) -> Step | None:
    """The step in a reply; None where its tags are wrong, or it asks and answers at once."""
    if not balanced(reply):
        return None
    thought = "\n".join(one.strip() for one in _BLOCK["think"].findall(reply))
    calls, answers = _BLOCK["search"].findall(reply), _BLOCK["answer"].findall(reply)
    if len(calls) + len(answers) > 1 or "<information>" in reply:
        return None
    if answers:
        return Step("answer", thought, text=answers[0].strip())
    if not calls:
        return Step("think", thought) if thought else None
    call = _CALL.fullmatch(calls[0])
    if call is None:
        return None
    return Step("route", thought, call[1], tuple(one for one in call[2].split(",") if one), call[3])


def extract_step(reply: str) -> Extracted:
    """The step in `reply` as a program, or no program where there is none."""
    step = read_step(reply)
    if step is None:
        return Extracted(None, "prose")
    if step.kind == "think":
        return Extracted("pass", "tool_call", step.thought)
    if step.kind == "answer":
        return Extracted(f"answer({_value(step.text)!r})", "tool_call", step.thought or None)
    given = "" if ALL in step.tools else f", tools={[one for one in step.tools if one != NONE]!r}"
    return Extracted(f"print(ask({step.model!r}, {step.text!r}{given}))", "tool_call", step.thought or None)


def information(text: str) -> str:
    """What came back, in the tags that a router is told of; text of others cannot close them."""
    return f"<information>{_TOLD.sub('', text)}</information>"


def balanced(text: str) -> bool:
    """Whether every tag is closed, nested or one after the other."""
    opened: list[str] = []
    for match in _TAG.finditer(text):
        if not match[1]:
            opened.append(match[2])
        elif not opened or opened.pop() != match[2]:
            return False
    return not opened


def kept_rules(
    replies: Sequence[str], told: int, models: Collection[str], tools: Collection[str] | None
) -> dict[str, bool]:
    """Which rules of the format a whole run of a router kept (the six of R_fmt, field note section 3).

    `replies` are its replies in order, `told` how many results it was given back; `tools` None does not look at them.
    """
    steps = [read_step(reply) for reply in replies]
    calls = [call for reply in replies for call in _BLOCK["search"].findall(reply)]
    formed = [_CALL.fullmatch(call) for call in calls]
    answers = sum(len(_BLOCK["answer"].findall(reply)) for reply in replies)
    known = {*(tools or ()), ALL, NONE, BEST_OF}
    return {
        "tags": all(balanced(reply) for reply in replies),
        "calls": all(formed),
        "pairs": all(one[1] in models and (tools is None or set(one[2].split(",")) <= known) for one in formed if one),
        "thinks": any(step is not None and step.thought for step in steps),
        "one_answer": answers == 1 and bool(steps) and steps[-1] is not None and steps[-1].kind == "answer",
        "information": len(calls) == told,
    }


def system_text(members: Mapping[str, str], *, compact: bool, best_of: bool = False) -> str:
    """What a router reads first: the form of a step, and the pool with a line for each member."""
    lines = [f"{name}: {said}" for name, said in members.items()]
    if compact:
        return "\n".join([f"{NO_STEP}. Models:", *lines])
    more = f" {BEST_OF} beside a server asks several times and keeps the best answer." if best_of else ""
    return "\n".join([_FULL, f"A tool is the name of a server, {ALL}, or {NONE}.{more}", "Models:", *lines])


_FULL = """\
You solve a task by asking models, which can use tools. Begin each reply with <think>...</think>: which kind of task is it,
is help needed, which model and which tool are right for it? Then write one of
<search>model@@tool: your question</search>  the model gets your question and nothing else; you read what it found between
<information> and </information>
<answer>value</answer>  the result and nothing but the result; this ends the task
Take the cheapest model that can do it. Write no other tag."""


def member_line(strengths: str, usd: float | None) -> str:
    """A member of the pool for the router's prompt."""
    price = "costs nothing" if not usd else f"about {usd:.2g} USD a task"
    return f"{' '.join(strengths.split()) or 'no strengths given'} ({price})"


def described(parts: Iterable[tuple[str, str, float | None]]) -> dict[str, str]:
    """Name, strengths and usual USD of each member as lines for `system_text`."""
    return {name: member_line(strengths, usd) for name, strengths, usd in parts}


def _value(text: str) -> Any:
    """An answer as the value that it says, else as the text."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return text
