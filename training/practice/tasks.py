"""What is practised: a task and the place where it can be tried without touching anything live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..suites import SHARES
from ..worlds.base import Task
from .places import Place, WorldPlace
from .recorded import live_tools, recorded_place

if TYPE_CHECKING:
    from ...runtime.episodes.rows import Record


@dataclass(frozen=True, slots=True)
class PracticeTask:
    """One task and its place."""

    name: str
    """Stays the same from run to run: `worlds:hard/practice/0/17`, or `episode:ID`."""
    text: str
    place: Place
    hidden: tuple[str, ...] = ()
    family: str = "own"

    @property
    def world_task(self) -> Task | None:
        """The generated task, where there is one."""
        return self.place.world_task


def practice_task(record: Record, home: Path, *, live: Sequence[str] = ()) -> PracticeTask:
    """The task of a logged episode in its safe place. Raises `NotPractisable` where there is none."""
    origin = suite_name(record)
    if origin is not None:
        return world_practice(origin)
    place = recorded_place(record, home)
    if live:
        place = live_tools(live, place)
    return PracticeTask(f"episode:{record.episode.id}", record.episode.task, place)


def suite_name(record: Record) -> str | None:
    """The name of a logged task among those of the suites; None where it is a person's own."""
    origin = record.episode.settings.get("origin")
    return origin if isinstance(origin, str) and origin.partition("/")[0] in SHARES else None


def world_practice(name: str) -> PracticeTask:
    """The task of a suite by its name, in its own world."""
    place = WorldPlace(name)
    task = place.world_task
    return PracticeTask(name, task.text, place, task.hidden, task.family)


def suite_practice(suite: str, *, seed: int, start: int = 0) -> Iterator[PracticeTask]:
    """Practice tasks of a suite without end; never one of its held-out tasks."""
    number = start
    while True:
        yield world_practice(f"{suite}/practice/{seed}/{number}")
        number += 1
