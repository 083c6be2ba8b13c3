"""A router's run as it should be, in the policy's own tokens: what a small policy imitates before it is reinforced.

Sampling alone never finds the format with a model that was not taught to follow instructions. A demonstration asks a right
member (see `rewards.right_models`) for the whole task and answers with what came back.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...runtime.route_acting import ALL
from ..practice.written import Written
from .rewards import Tried, right_models

if TYPE_CHECKING:
    from ...runtime.conversation import Conversation
    from ...runtime.policies.llama import LlamaPolicy

_THOUGHT_CHARS = 60
_GAVE_UP = re.compile(r"ToolError: \S+ gave up: (.*?)</information>", re.DOTALL)
_INFORMATION = re.compile(r"<information>(.*)</information>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Plan:
    """Whom to ask with which tool, and what is thought of it."""

    model: str
    tool: str
    thought: str


def plan_for(name: str, tried: Mapping[str, Tried], strengths: Mapping[str, str], *, cost_weight: float, seed: int) -> Plan:
    """A right member of the pool for a task, drawn where there are several; with the one server that it used, or all."""
    rng = random.Random(f"{seed}:{name}")
    model = rng.choice(sorted(right_models(tried, cost_weight)))
    used = tried[model].tools
    tool = used[0] if len(used) == 1 and rng.random() < 0.5 else ALL
    return Plan(model, tool, " ".join(strengths.get(model, "").split())[:_THOUGHT_CHARS] or model)


def demonstrating(policy: LlamaPolicy, task: str, plan: Plan) -> Written:
    """Writes the two replies of a plan: whom to ask, and what came back."""

    def reply(conversation: Conversation) -> str:
        last = conversation.messages[-1]
        if last["role"] != "user":
            return answer_to(last["content"])
        return f"<think>{plan.thought}</think><search>{plan.model}@@{plan.tool}: {task}</search>"

    return Written(policy, reply)


def answer_to(information: str) -> str:
    """The reply that hands on what came back."""
    gave_up = _GAVE_UP.search(information)
    found = _INFORMATION.search(information)
    said = gave_up[1] if gave_up else found[1].strip() if found else information.strip()
    return f"<think>{'it cannot be done' if gave_up else 'it answered'}</think><answer>{said}</answer>"


def as_text(value: Any) -> str:
    """An answer as a router writes it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
