"""Rubrics as TOML files that a person can edit."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ...runtime.new_file import new_file
from ..errors import RubricError
from .checks import parse_check
from .gates import Gates, parse_gates
from .rubric import CATEGORY_WEIGHTS, Category, Rubric, RubricCriterion, Source, numbered

_KEYS = ("task", "version", "source", "changing", "weights", "gates", "criteria")
_CRITERION_KEYS = ("id", "category", "text", "weight", "check", "truth")


def load_rubric(path: str | Path) -> Rubric:
    """The rubric in a TOML file. Raises `RubricError` naming the file and what is wrong in it."""
    path = Path(path).expanduser()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise RubricError(f"the rubric cannot be read: {problem.strerror}", where=str(path), mend="check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise RubricError(f"not valid TOML: {problem}", where=str(path), mend="mend that line") from None
    return parse_rubric(data, where=str(path))


def parse_rubric(data: Mapping[str, Any], *, where: str) -> Rubric:
    """A rubric from the data of a file."""
    unknown = [name for name in data if name not in _KEYS]
    if unknown:
        raise RubricError(f"unknown key {unknown[0]!r}", where=where, mend=f"the keys are {', '.join(_KEYS)}")
    if not isinstance(data.get("task"), str) or not data["task"].strip():
        raise RubricError("the rubric names no task", where=where, mend='add task = "..." with the text of the task')
    listed = data.get("criteria")
    if not isinstance(listed, list) or not listed or not all(isinstance(one, dict) for one in listed):
        raise RubricError("the rubric has no criteria", where=where, mend="add at least one [[criteria]]")
    criteria = numbered(tuple(_criterion(one, f"{where}: criteria {n + 1}") for n, one in enumerate(listed)))
    weights = data.get("weights", dict(CATEGORY_WEIGHTS))
    if not isinstance(weights, dict) or not all(isinstance(one, int | float) for one in weights.values()):
        raise RubricError("[weights] holds no numbers", where=where, mend="write fulfilment = 0.4, tool = 0.3, ...")
    version = data.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise RubricError(f"the version is {version!r}", where=where, mend="give a whole number from 1 on")
    changing = data.get("changing")
    if changing is not None and not (isinstance(changing, list) and all(isinstance(one, str) for one in changing)):
        raise RubricError("changing is no list of tools", where=where, mend='write changing = ["files.write"]')
    try:
        return Rubric(
            data["task"], criteria, version, cast("Source", data.get("source", "user")),
            parse_gates(data.get("gates", {}), where=where), None if changing is None else tuple(changing),
            cast("Mapping[Category, float]", weights),
        )  # fmt: skip
    except RubricError as problem:
        raise RubricError(problem.message, where=f"{where}: {problem.where}", mend=problem.mend) from None


def _criterion(data: Mapping[str, Any], where: str) -> RubricCriterion:
    unknown = [name for name in data if name not in _CRITERION_KEYS]
    if unknown:
        raise RubricError(f"unknown key {unknown[0]!r}", where=where, mend=f"the keys are {', '.join(_CRITERION_KEYS)}")
    for name in ("category", "text"):
        if not isinstance(data.get(name), str):
            raise RubricError(f"the criterion lacks its {name}", where=where, mend=f'add {name} = "..."')
    weight = data.get("weight", 5)
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise RubricError(f"the weight is {weight!r}", where=where, mend="give a number above 0")
    checks = {
        name: None if data.get(name) is None else parse_check(data[name], where=f"{where}: {name}")
        for name in ("check", "truth")
    }
    return RubricCriterion(
        str(data.get("id", "")), cast("Category", data["category"]), data["text"], weight, checks["check"], checks["truth"]
    )


def rubric_text(rubric: Rubric) -> str:
    """The TOML of a rubric, in an order that is good to read."""
    lines = [f"task = {toml(rubric.task)}", f"version = {rubric.version}", f"source = {toml(rubric.source)}"]
    if rubric.changing is not None:
        lines.append(f"changing = {toml(list(rubric.changing))}")
    lines += ["", "[weights]", *(f"{name} = {toml(value)}" for name, value in rubric.weights.items())]
    if rubric.gates != Gates():
        lines += ["", "[gates]", *(f"{name} = {toml(value)}" for name, value in rubric.gates.to_data().items())]
    for one in rubric.criteria:
        lines += ["", "[[criteria]]", f"id = {toml(one.id)}", f"category = {toml(one.category)}", f"text = {toml(one.text)}"]
        lines.append(f"weight = {toml(one.weight)}")
        lines += [
            f"{name} = {toml(check.to_data())}" for name, check in (("check", one.check), ("truth", one.truth)) if check
        ]
    return "\n".join(lines) + "\n"


def save_rubric(rubric: Rubric, path: Path) -> Path:
    """Write a rubric; the file is whole or not there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with new_file(path) as file:
            file.write(rubric_text(rubric))
    except OSError as problem:
        raise RubricError(
            f"the rubric cannot be written: {problem.strerror}", where=str(path), mend="make room, or check permissions"
        ) from problem
    return path


def toml(value: Any) -> str:
    """A value in TOML, on one line. What TOML lacks (null) cannot be in a rubric."""
    if isinstance(value, str):
        clean = value.encode("utf-8", "replace").decode("utf-8")
        return json.dumps(clean, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(str(name))} = {toml(item)}" for name, item in value.items() if item is not None)
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(item) for item in value if item is not None)}]"
    raise RubricError(f"{value!r} cannot stand in a rubric file", where="rubric", mend="use texts, numbers, lists, tables")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml(name)
