"""An episode in the Agent Trajectory Interchange Format (ATIF), which Harbor defines and other tools read.

A turn is one agent step: the program is its message, each call it made is a tool call, and what the calls returned and what
the policy read of the program's end are the step's observation. Token ids and log-probabilities go along, so that nobody has
to tokenise again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

SCHEMA = "ATIF-v1.8"


def trajectory_of(document: dict[str, Any]) -> dict[str, Any]:
    """The trajectory of an exported episode (see `export.document_of`, redacted or not)."""
    episode, turns = document["episode"], document["turns"]
    steps = _first_steps(episode, turns)
    prompt: list[int] | None = None
    for turn in turns:
        prompt = _prompt(prompt, turn)
        calls = [call for call in document["calls"] if call["turn"] == turn["turn"]]
        if turn is not turns[0] and turn["role"] == "user":  # a re-base: the policy read a new first message
            steps.append({"source": "user", "message": turn["prompt_text"], "timestamp": _time(turn["created_at"])})
        steps.append(_agent_step(turn, calls, prompt))
        prompt = None if prompt is None or turn["reply_ids"] is None else [*prompt, *turn["reply_ids"]]
    return _plain({
        "schema_version": SCHEMA, "session_id": episode["id"], "trajectory_id": episode["id"],
        "agent": {
            "name": "atlas", "version": episode["atlas"], "model_name": episode["model"],
            "extra": _plain({name: episode[name] for name in ("base_hash", "adapter", "adapter_hash", "policy_version")}),
        },
        "steps": [{"step_id": number} | step for number, step in enumerate(steps, 1)],
        "final_metrics": {
            "total_prompt_tokens": sum(turn["prompt_tokens"] or 0 for turn in turns),
            "total_completion_tokens": sum(turn["generated_tokens"] or 0 for turn in turns),
            "total_steps": len(steps),
        },
        "extra": _plain({
            name: episode[name]
            for name in ("task", "status", "answer", "error", "outcome", "reward", "split", "parent", "forked_at")
        }),
    })  # fmt: skip


def _first_steps(episode: dict[str, Any], turns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    system = (episode["settings"] or {}).get("system")
    first = turns[0]["prompt_text"] if turns else episode["task"]
    time = _time(episode["created_at"])
    steps = [{"source": "system", "message": system, "timestamp": time}] if system else []
    return [*steps, {"source": "user", "message": first or "", "timestamp": time}]


def _prompt(before: list[int] | None, turn: dict[str, Any]) -> list[int] | None:
    """The ids of the whole prompt of a turn."""
    if turn["prompt_ids"] is None:
        return None
    if turn["row_start"]:
        return list(turn["prompt_ids"])
    return None if before is None else [*before, *turn["prompt_ids"]]


def _agent_step(turn: dict[str, Any], calls: Sequence[dict[str, Any]], prompt: list[int] | None) -> dict[str, Any]:
    results = [_result(call) for call in calls if call["ok"] is not None]
    if turn["result_text"]:
        results.append({"content": turn["result_text"]})
    return _plain({
        "source": "agent", "timestamp": _time(turn["created_at"]), "message": turn["reply_text"] or "",
        "reasoning_content": turn["thinking"], "llm_call_count": 1,
        "tool_calls": [
            {"tool_call_id": _name(call), "function_name": call["tool"], "arguments": call["arguments"] or {}}
            for call in calls
        ] or None,
        "observation": {"results": results} if results else None,
        "metrics": _plain({
            "prompt_tokens": turn["prompt_tokens"], "completion_tokens": turn["generated_tokens"],
            "prompt_token_ids": prompt, "completion_token_ids": turn["reply_ids"], "logprobs": turn["logprobs"],
            "extra": _plain({
                "logprobs_at_temperature": turn["logprobs_at_temperature"], "sampler": turn["sampler"],
                "constrained": turn["constrained"], "finish": turn["finish"], "seconds": turn["propose_seconds"],
            }),
        }),
        "extra": _plain({
            name: turn[name] for name in ("program", "reply_kind", "status", "error", "output", "value", "answered")
        }),
    })  # fmt: skip


def _result(call: dict[str, Any]) -> dict[str, Any]:
    value = call["value"] if call["ok"] else call["error_message"]
    content = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {
        "source_call_id": _name(call), "content": content,
        "extra": _plain({"ok": bool(call["ok"]), "error_kind": call["error_kind"]}),
    }  # fmt: skip


def _name(call: dict[str, Any]) -> str:
    return f"call-{call['number']}"


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _plain(document: dict[str, Any]) -> dict[str, Any]:
    """Without what is not known."""
    return {name: value for name, value in document.items() if value is not None}
