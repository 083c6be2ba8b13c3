"""A small toolspace in plain Python, so that one program can be run by the sandbox and by CPython, and compared."""

from __future__ import annotations

import builtins
import json
import types
from collections.abc import Callable
from typing import Any

from . import support

CLIENTS = [
    {"id": 1, "name": "Ann Lee", "city": "Rome", "amount": 120.5, "orders": 3, "date": "2024-01-15", "tags": ["vip", "eu"]},
    {"id": 2, "name": "Bob Ray", "city": "Oslo", "amount": 80.0, "orders": 1, "date": "2024-02-03", "tags": []},
    {"id": 3, "name": "Cid Ash", "city": "Rome", "amount": 310.25, "orders": 7, "date": "2023-12-31", "tags": ["eu"]},
    {"id": 4, "name": "Dee Fox", "city": "Lima", "amount": 0.0, "orders": 0, "date": "2024-03-09", "tags": ["new"]},
    {"id": 5, "name": "Eve Orr", "city": "Oslo", "amount": 99.99, "orders": 2, "date": "2024-02-29", "tags": ["vip"]},
]
FILES = {
    "notes.md": "# Notes\n\nbuy milk\ncall Ann: 555-0101\nTODO: pay rent\nTODO: call Bob 555-0199\n",
    "todo.txt": "one\ntwo\n\nthree\n",
    "data/clients.json": json.dumps(CLIENTS),
    "data/clients.csv": "id,name,city,amount\n" + "".join(
        f"{row['id']},{row['name']},{row['city']},{row['amount']}\n" for row in CLIENTS),
    "logs/app.log": "2024-05-01 10:00:00 INFO start\n2024-05-01 10:00:05 ERROR disk full\n2024-05-01 10:01:00 WARN slow\n"
                    "2024-05-02 09:00:00 ERROR net down\n",
    "config.ini": "# settings\nname = demo\nsize=10\n\nverbose = true\n",
}


class Failed(Exception):
    """What a tool raises here; each side turns it into its own `ToolError`."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.message, self.kind = message, kind


def _read(path: str) -> str:
    if path not in FILES:
        raise Failed(f"no such file: {path}", "not_found")
    return FILES[path]


def _find(pattern: str) -> list[str]:
    end = pattern.rpartition("*")[2]
    return sorted(path for path in FILES if path.endswith(end))


def _clients(city: str | None = None, limit: int = 10, offset: int = 0) -> list[dict[str, Any]]:
    found = [row for row in CLIENTS if city is None or row["city"] == city]
    return json.loads(json.dumps(found[offset : offset + limit]))


def _client(id: int) -> dict[str, Any]:
    for row in CLIENTS:
        if row["id"] == id:
            return json.loads(json.dumps(row))
    raise Failed(f"no client {id}", "not_found")


def _page(page: int = 1) -> dict[str, Any]:
    rows = _clients(None, 2, 2 * (page - 1))
    return {"items": rows, "next": page + 1 if 2 * page < len(CLIENTS) else None}


def _forecast(city: str, days: int = 1) -> dict[str, Any]:
    if city == "Atlantis":
        raise Failed("unknown city: Atlantis", "invalid")
    return {"city": city, "days": [{"day": n, "high": len(city) * 3 + n, "rain": n % 2 == 0} for n in range(days)]}


TOOLS: dict[str, tuple[Callable[..., Any], str]] = {
    "files.list": (lambda path=".": sorted(one for one in FILES if "/" not in one), "path"),
    "files.find": (_find, "pattern!"),
    "files.read": (_read, "path!"),
    "files.write": (lambda path, content: path, "path! content!"),
    "text.count": (lambda path, what="words": len(_read(path).split() if what == "words" else _read(path).splitlines()),
                   "path! what"),
    "text.extract": (lambda path, pattern: __import__("re").findall(pattern, _read(path)), "path! pattern!"),
    "tables.sql": (lambda query: _clients(), "query!"),
    "clock.now": (lambda timezone="UTC": "2024-05-03T12:00:00+00:00", "timezone"),
    "units.convert": (lambda value, source, target: round(value * 2.5, 4), "value! source! target!"),
    "crm.find_clients": (_clients, "city limit offset"),
    "crm.get_client": (_client, "id!"),
    "crm.page": (_page, "page"),
    "weather.forecast": (_forecast, "city! days"),
    "mail.send": (lambda to, subject, body="": {"sent": True, "to": to, "size": len(subject) + len(body)},
                  "to! subject! body"),
}


def schemas() -> dict[str, dict[str, Any]]:
    """The tools as the sandbox takes them."""
    made: dict[str, dict[str, Any]] = {}
    for name, (_, parameters) in TOOLS.items():
        names = parameters.split()
        made[name] = {
            "type": "object", "properties": {one.rstrip("!"): {} for one in names},
            "required": [one[:-1] for one in names if one.endswith("!")],
        }
    return made


def call(tool: str, arguments: dict[str, Any]) -> Any:
    """The host's side of a call."""
    from atlas.sandbox import ToolError

    try:
        return TOOLS[tool][0](**arguments)
    except Failed as failed:
        raise ToolError(failed.message, failed.kind) from None


class _PlainToolError(Exception):
    def __init__(self, message: str, kind: str, tool: str, arguments: dict[str, Any]) -> None:
        super().__init__(message)
        self.message, self.kind, self.tool, self.arguments = message, kind, tool, arguments


_PlainToolError.__name__ = "ToolError"


def _plain_tool(name: str, function: Callable[..., Any], parameters: str, awaited: bool) -> Callable[..., Any]:
    names = [one.rstrip("!") for one in parameters.split()]

    def invoke(*args: Any, **kwargs: Any) -> Any:
        bound = dict(zip(names, args, strict=False)) | kwargs
        try:
            return json.loads(json.dumps(function(**bound)))
        except Failed as failed:
            raise _PlainToolError(failed.message, failed.kind, name, bound) from None

    async def invoke_async(*args: Any, **kwargs: Any) -> Any:
        return invoke(*args, **kwargs)

    return invoke_async if awaited else invoke


def cpython(source: str) -> dict[str, Any]:
    """What plain Python makes of a program that calls these tools: output, value, error type and line."""
    answers: list[Any] = []
    table = {**vars(builtins), "ToolError": _PlainToolError, "answer": answers.append}
    for name, (function, parameters) in TOOLS.items():
        server, _, short = name.partition(".")
        space = table.setdefault(server, types.SimpleNamespace())
        setattr(space, short, _plain_tool(name, function, parameters, "await " in source or "async " in source))
    report = support.cpython(source, table)
    if answers and report["error"] is None:
        report["value"] = support.plain(answers[-1])
    return report
