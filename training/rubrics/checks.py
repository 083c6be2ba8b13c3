"""Program checks of criteria: what can be told from the journal is never asked of a judge.

A check is plain data, so that it can stand in a rubric file: `{kind = "called", tools = ["files.find"]}`. Each gives 1
(met), 0 (not met), a share between them, or None where the journal does not tell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from ..errors import RubricError
from ..worlds.check import same_answer
from .facts import Facts
from .grounded import grounded

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its kind and what it compares with."""

    kind: str
    given: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def run(self, facts: Facts) -> float | None:
        """The score of an episode, from 0 to 1, or None."""
        score = KINDS[self.kind].run(facts, self.given)
        return None if score is None else float(score)

    def to_data(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {"kind": self.kind, **self.given}


Run = Callable[[Facts, Mapping[str, Any]], float | bool | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of check takes, and how it is run."""

    run: Run
    required: Mapping[str, type | tuple[type, ...]]
    optional: Mapping[str, type | tuple[type, ...]] = field(default_factory=dict)


def parse_check(data: object, *, where: str) -> Check:
    """A check from its data. Raises `RubricError` naming the kind or field that is wrong."""
    if not isinstance(data, Mapping) or not isinstance(data.get("kind"), str):
        raise RubricError("a check needs a kind", where=where, mend=f"one of {', '.join(KINDS)}")
    kind = KINDS.get(data["kind"])
    if kind is None:
        raise RubricError(f"there is no check {data['kind']!r}", where=where, mend=f"one of {', '.join(KINDS)}")
    given = {name: value for name, value in data.items() if name != "kind"}
    known = {**kind.required, **kind.optional}
    for name, value in given.items():
        if name not in known:
            listed = ", ".join(known) or "nothing"
            raise RubricError(f"the check {data['kind']} has no {name!r}", where=where, mend=f"it takes {listed}")
        wanted = known[name]
        if wanted is not object and (not isinstance(value, wanted) or (isinstance(value, bool) and wanted is int)):
            raise RubricError(f"{name} of the check {data['kind']} is {value!r}", where=where, mend=f"give {_named(wanted)}")
    missing = [name for name in kind.required if name not in given]
    if missing:
        raise RubricError(f"the check {data['kind']} lacks {', '.join(missing)}", where=where, mend="add it")
    _check_pattern(given, where)
    return Check(data["kind"], given)


def _check_pattern(given: Mapping[str, Any], where: str) -> None:
    try:
        re.compile(given.get("matches", ""))
    except re.error as problem:
        raise RubricError(f"matches is no regular expression: {problem}", where=where, mend="mend it") from None


def _named(wanted: type | tuple[type, ...]) -> str:
    return f"a {wanted.__name__}" if isinstance(wanted, type) else " or ".join(one.__name__ for one in wanted)


# -- the checks


def _is(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _called(facts: Facts, given: Mapping[str, Any]) -> bool:
    count = sum(_is(call.tool, given["tools"]) for call in facts.done)
    return bool(given.get("at_least", 1) <= count <= given.get("at_most", count))


def _avoided(facts: Facts, given: Mapping[str, Any]) -> bool:
    return not any(_is(call.tool, given["tools"]) and call.sent_at is not None for call in facts.calls)


def _argument(facts: Facts, given: Mapping[str, Any]) -> bool:
    return any(_fits(value, given) for value in _values(facts, given))


def _fits(value: Any, given: Mapping[str, Any]) -> bool:
    if "equals" in given and not same_answer(given["equals"], value, ordered=True):
        return False
    if "matches" in given and not re.search(given["matches"], str(value)):
        return False
    return "one_of" not in given or any(same_answer(one, value, ordered=True) for one in given["one_of"])


def _values(facts: Facts, given: Mapping[str, Any]) -> list[Any]:
    """Values of the arguments in question, in calls that succeeded."""
    found: list[Any] = []
    for call in facts.done:
        if "tool" in given and not _is(call.tool, [given["tool"]]):
            continue
        name = given.get("name")
        found += [call.arguments[name]] if name in call.arguments else [] if name else list(call.arguments.values())
    return found


def _each(facts: Facts, given: Mapping[str, Any]) -> float:
    used, wanted = _values(facts, given), given["values"]
    return sum(any(same_answer(one, value, ordered=True) for value in used) for one in wanted) / max(1, len(wanted))


def _order(facts: Facts, given: Mapping[str, Any]) -> bool:
    place = -1
    for pattern in given["tools"]:
        numbers = [call.number for call in facts.done if _is(call.tool, [pattern]) and call.number > place]
        if not numbers:
            return False
        place = numbers[0]
    return True


def _effects(facts: Facts, given: Mapping[str, Any]) -> float:
    """The share of the wanted calls that were made, each as often as wanted."""
    left = [(call.tool, call.arguments) for call in facts.done]
    wanted = given["calls"]
    made = 0
    for one in wanted:
        match = next((item for item in left if item[0] == one["tool"] and _same(one["arguments"], item[1])), None)
        if match is not None:
            left.remove(match)
            made += 1
    return made / len(wanted) if wanted else 1.0


def _same(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> bool:
    return wanted.keys() == got.keys() and all(same_answer(wanted[name], got[name], ordered=True) for name in wanted)


def _only(facts: Facts, given: Mapping[str, Any]) -> bool:
    return all(_is(call.tool, given["tools"]) for call in facts.effects)


def _answer(facts: Facts, given: Mapping[str, Any]) -> bool:
    if not facts.answered:
        return False
    if "matches" in given and not re.search(given["matches"], str(facts.answer)):
        return False
    return "equals" not in given or same_answer(given["equals"], facts.answer, ordered=bool(given.get("ordered")))


def _loaded(facts: Facts, given: Mapping[str, Any]) -> bool:
    return any(_is(name, given["tools"]) for name in facts.loaded)


def _within(facts: Facts, given: Mapping[str, Any]) -> bool:
    context = facts.record.episode.context
    used = {
        "calls": len(facts.calls), "turns": len(facts.record.turns), "tokens": context.generated, "context": context.peak,
        "failures": sum(call.ok is False for call in facts.calls),
    }  # fmt: skip
    return all(used[name] <= bound for name, bound in given.items())


_LIST, _ANY = list, object
KINDS: dict[str, Kind] = {
    "called": Kind(_called, {"tools": _LIST}, {"at_least": int, "at_most": int}),
    "avoided": Kind(_avoided, {"tools": _LIST}),
    "argument": Kind(_argument, {}, {"tool": str, "name": str, "equals": _ANY, "matches": str, "one_of": _LIST}),
    "values": Kind(_each, {"values": _LIST}, {"tool": str, "name": str}),
    "order": Kind(_order, {"tools": _LIST}),
    "effects": Kind(_effects, {"calls": _LIST}),
    "only": Kind(_only, {"tools": _LIST}),
    "answer": Kind(_answer, {}, {"equals": _ANY, "ordered": bool, "matches": str}),
    "answered": Kind(lambda facts, _: facts.answered, {}),
    "refused": Kind(lambda facts, _: facts.gave_up, {}),
    "grounded": Kind(lambda facts, _: grounded(facts), {}),
    "searched": Kind(lambda facts, _: facts.searches > 0, {}),
    "loaded": Kind(_loaded, {"tools": _LIST}),
    "within": Kind(
        _within, {}, {"calls": int, "turns": int, "tokens": int, "context": int, "failures": int}
    ),
    "solved": Kind(lambda facts, _: facts.solved(), {}),
}  # fmt: skip
"""`solved` asks those who know the outcome: a world, a check command, a person."""
