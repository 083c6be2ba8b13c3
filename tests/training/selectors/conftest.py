"""Records made by hand: a selector reads nothing but the journal."""

from __future__ import annotations

import pytest

from atlas.runtime.episodes.episode import ContextUse
from atlas.runtime.episodes.rows import CallRow, EpisodeRow, Record, TurnRow


def turn(number, program, *, status="ok", result="", answered=False, loaded=(), error=None):
    return TurnRow(
        episode="E", turn=number, created_at=0.0, role="user" if number == 1 else "result", prompt_text="",
        row_start=number == 1, prompt_ids=[1], prompt_tokens=1,
        in_view=(), reply_text=program, reply_ids=[2, number], logprobs=[-1.0, -1.0],
        logprobs_at_temperature=[-1.0, -1.0], sampler={}, constrained=[], finish="stop", generated_tokens=2,
        propose_seconds=0.0, program=program, reply_kind="bare",
        thinking=None, status=status, error=error, output=result, value=None,
        answered=answered, program_seconds=0.0, peak_rss_mb=None, variables={}, result_text=result, loaded=tuple(loaded),
        finished_at=0.0,
    )  # fmt: skip


def call(number, turn_number, tool, value=None, *, repeatable=True, ok=True):
    return CallRow(
        episode="E", number=number, turn=turn_number, position=0, tool=tool, arguments={}, schema_hash="",
        repeatable=repeatable,
        decision=None, decided_by=None, sent_at=0.0, attempts=1, returned_at=0.0, completed=number, ok=ok, value=value,
    )  # fmt: skip


def record(turns, calls=(), *, task="a task", identifier="E", status="answered", answer=None, parent=None, settings=None):
    row = EpisodeRow(
        id=identifier, task=task, created_at=0.0, finished_at=0.0, status=status, answer=answer, error=None, owner="",
        parent=parent,
        forked_at=None, atlas="0", model="m", base_hash="", adapter=None, adapter_hash=None, policy_version="",
        settings=settings or {}, servers_started=(), context=ContextUse(), seconds=0.0, outcome="known", reward=1.0,
        outcome_detail=None, split=None,
    )  # fmt: skip
    return Record(row, list(turns), list(calls))


@pytest.fixture
def make():
    """`make.record([make.turn(1, "...")], [make.call(1, 1, "files.read")])`."""

    class Make:
        pass

    made = Make()
    made.turn, made.call, made.record = turn, call, record
    return made
