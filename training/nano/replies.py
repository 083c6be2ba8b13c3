"""What nano is to reply in a task, and what it reads in between: programs, or single calls in JSON."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ...tools_registry.search import ToolIndex
from ..worlds.base import Task, World
from ..worlds.json_calls import Called, json_calls
from ..worlds.mistakes import Mistaken, mistaken
from ..worlds.rehearse import rehearse
from ..worlds.variants import Acting

_LOOKS = ('{"name": "search_tools"', '{"name": "load_tools"')


@dataclass(frozen=True, slots=True)
class Replies:
    """The replies of a task, the messages between them, and which replies are read only."""

    replies: Sequence[str]
    results: Sequence[str]
    unlearned: frozenset[int] = frozenset()


def replies_of(
    world: World, task: Task, view: Sequence[str], index: ToolIndex, rng: random.Random, mistake_share: float,
    acting: Acting,
) -> Replies:  # fmt: skip
    """The reference of a task; with `mistake_share` as its chance, after something that goes wrong."""
    slips = rng.random() < mistake_share * (2 if task.impossible else 1)  # to see that it does not work is half of it
    done = rehearse(world, task, index=index) if slips or len(task.programs) > 1 else None
    made = mistaken(world, task, view, rng, expected=done, index=index) if slips and done is not None else None
    if acting == "json":
        return (made and _after_a_slip(world, made, index)) or _called(json_calls(world, task.programs, index=index))
    if made is not None:
        return Replies(made.programs, made.results, frozenset({made.place}))
    return Replies(task.programs, done.results if done is not None else ())


def _called(calls: Sequence[Called], unlearned: frozenset[int] = frozenset()) -> Replies:
    return Replies([one.reply for one in calls], [one.heard for one in calls[:-1]], unlearned)


def _after_a_slip(world: World, made: Mistaken, index: ToolIndex) -> Replies | None:
    """The calls of a wrong program, then the right ones; None where no call of its own went wrong.

    What it did well before is not done again: nobody forgets a result that stands above.
    """
    calls = json_calls(world, made.programs, index=index, wrong=made.place)
    slip = [one for one in calls if one.program == made.place]
    wrong = {one.reply for one in slip if one.failed or one.reply.startswith(_LOOKS)}
    if not wrong:
        return None
    known = {one.reply for one in slip} - wrong
    kept = [one for one in calls if one.program != made.place + 1 or one.reply not in known]
    places = (number for number, one in enumerate(kept) if one.program == made.place and one.reply in wrong)
    return _called(kept, frozenset(places))
