"""Tasks whose tool is not in view: search, load, then solve."""

from __future__ import annotations

import dataclasses
import random

from ....tools_registry.search import ToolIndex
from .draft import Draft, Unsuitable

QUERIES: dict[str, str] = {
    "files.list": "list folder names",
    "files.find": "find files by pattern",
    "files.read": "read file",
    "files.write": "write file",
    "files.append": "append text to file",
    "files.move": "move or rename file",
    "files.copy": "copy file",
    "files.delete": "delete file",
    "files.make_folder": "make folder",
    "files.info": "file info size",
    "text.count": "count words lines",
    "text.search": "search lines in text",
    "text.replace": "replace text",
    "text.extract": "extract text matches",
    "tables.describe": "describe table columns",
    "tables.sql": "sql query table",
    "tables.write": "write table rows",
    "clock.now": "current time",
    "clock.convert": "convert time timezone",
    "clock.add": "add days to time",
    "clock.difference": "difference between times",
    "units.convert": "convert units",
}
"""What a policy searches for, by the tool that it needs."""


def hide(draft: Draft, rng: random.Random, needed: tuple[str, ...], index: ToolIndex) -> Draft:
    """The same task with one of its tools hidden: a first program finds it, the second is as before."""
    if len(draft.programs) != 1 or not needed:
        raise Unsuitable("not to be hidden")
    tool = rng.choice(needed)
    query = QUERIES[tool]
    if tool not in {hit.tool.full_name for hit in index.search(query, 4)}:
        raise Unsuitable("the search would not find it")
    first = f'load_tools(*search_tools("{query}", k=4))'
    return dataclasses.replace(draft, programs=(first, *draft.programs), hidden=(tool,))
