"""`ask(model, text, tools=[...])`: a program gives part of its task to a model of the pool and reads what came of it.

The model works on the text alone, in an episode of its own, with the tools that it was given; approvals and the spending
limit of the run hold for it. It cannot ask others in turn.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from ...sandbox.errors import ToolError
from ..pictures import NoPicture, picture_file
from ..policies.errors import ModelError
from ..route_acting import ALL, BEST_OF, NONE
from .best_of import CANDIDATES, MOST
from .errors import PoolError, SpendingError

if TYPE_CHECKING:
    from ..episodes.episode import Episode
    from .team import Team

ASK = "ask"
_NAMES = {"type": "array", "items": {"type": "string"}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "model": {"type": "string"}, "text": {"type": "string"}, "tools": _NAMES,
        "images": {"type": "array", "items": {}}, "best_of": {"type": "integer", "default": 1},
    },
    "required": ["model", "text"],
}


class Ask:
    """The function `ask` of one run over the models of a team; what the task hides is hidden from them, too."""

    schema = SCHEMA

    def __init__(self, team: Team, *, split: str | None = None, hidden: Collection[str] = ()) -> None:
        self._team, self._split, self._hidden = team, split, hidden
        self.asked: list[Episode] = []
        """What was asked so far, in order; its cost is in `.route`."""

    async def call(self, arguments: dict[str, Any], episode: str) -> Any:
        """The model's answer. Raises `ToolError` where it has none: kind `gave_up`, `budget`, `unreachable`, `invalid`."""
        model, text, tools = arguments.get("model"), arguments.get("text"), arguments.get("tools")
        if not isinstance(model, str) or model not in self._team.pool:
            raise ToolError(f"no model {model!r}; there are {', '.join(self._team.pool)}", kind="invalid")
        if not isinstance(text, str) or not text.strip():
            raise ToolError("ask takes the text of a question", kind="invalid")
        only, count = self._tools(tools), self._count(arguments)
        images = self._images(arguments.get("images") or [])
        try:
            model = self._team.seeing(model) if images else model
            found = await self._team.ask_best(
                model, text, count=count, tools=only, images=images, asked_by=episode, split=self._split,
                hidden=self._hidden,
            )  # fmt: skip
        except PoolError as problem:
            raise ToolError(f"{problem.message}; {problem.mend}", kind="invalid") from None
        except SpendingError as problem:
            raise ToolError(problem.message, kind="budget") from None
        except ModelError as problem:
            raise ToolError(f"{model} failed: {problem.message}", kind="unreachable") from None
        self.asked.append(found)
        return answer_of(model, found)

    def _tools(self, tools: object) -> frozenset[str] | None:
        """What the model may call; None: everything."""
        if tools is None:
            return None
        named = [tools] if isinstance(tools, str) else tools
        if not isinstance(named, Sequence) or not all(isinstance(one, str) for one in named):
            raise ToolError("tools takes a list of names of servers or tools", kind="invalid")
        if ALL in named:
            return None
        known = {*self._team.tool_names(), NONE, BEST_OF}
        wrong = [one for one in named if one not in known]
        if wrong:
            raise ToolError(f"no server or tool {wrong[0]!r}", kind="invalid")
        if list(named) == [BEST_OF]:  # by itself it says how often, not with which tools
            return None
        return frozenset(named) - {NONE, BEST_OF}

    def _count(self, arguments: dict[str, Any]) -> int:
        """How many candidates the best answer is chosen from."""
        count = arguments.get("best_of", 1)
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST:
            raise ToolError(f"best_of takes a whole number from 1 to {MOST}", kind="invalid")
        return CANDIDATES if count == 1 and BEST_OF in (arguments.get("tools") or ()) else count

    def _images(self, handles: object) -> tuple[str, ...]:
        listed = handles if isinstance(handles, list) else [handles]
        try:
            return tuple(picture_file(one, self._team.runtime.results) for one in listed)
        except NoPicture as problem:
            raise ToolError(str(problem), kind="invalid") from None


def answer_of(model: str, episode: Episode) -> Any:
    """The answer of an episode. Raises `ToolError` where there is none."""
    if episode.status == "answered":
        return episode.answer
    if episode.status == "gave_up":
        said = f": {episode.answer}" if episode.answer is not None else ""
        raise ToolError(f"{model} gave up{said}", kind="gave_up")
    kind = "budget" if episode.status == "budget" else "failed"
    raise ToolError(f"{model} ended without an answer: {episode.error or episode.status}", kind=kind)
