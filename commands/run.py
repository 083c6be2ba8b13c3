"""`atlas run`: runs a task, or goes on with an interrupted episode."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .report import DONE, INTERRUPTED, UNSOLVED, note, print_json, print_result, safe
from .running import run_async
from .settings import Acting, Approve, Loading, Settings, resolve
from .toolspace import McpFiles, WorkspaceFolder

if TYPE_CHECKING:
    from ..runtime import Episode

_EXIT_CODES = {"answered": DONE, "interrupted": INTERRUPTED}


def run(
    task: Annotated[str | None, typer.Argument(metavar="TASK", help="What to do.")] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="nano, a .gguf file, hf:owner/name[:file], or http://host:port/v1#name"),
    ] = None,
    mcp: McpFiles = None,
    workspace: WorkspaceFolder = None,
    budget: Annotated[int | None, typer.Option(min=1, metavar="TOKENS", help="The prompt never exceeds this.")] = None,
    max_turns: Annotated[int | None, typer.Option(min=1, metavar="N", help="Programs at most.")] = None,
    loading: Annotated[Loading | None, typer.Option(help="How tools come into view.")] = None,
    acting: Annotated[Acting | None, typer.Option(help="What the policy writes: programs or single JSON calls.")] = None,
    approve: Annotated[Approve | None, typer.Option(help="What happens before a tool that may change something.")] = None,
    adapter: Annotated[str | None, typer.Option(metavar="PATH|latest|none", help="LoRA adapter of the model.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the sampling.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="0 (the default) is greedy.")] = None,
    check: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Run in the workspace afterwards; exit code 0 means solved.")
    ] = None,
    no_log: Annotated[bool, typer.Option("--no-log", help="Keep no episode.")] = False,
    unsafe_sandbox: Annotated[
        bool, typer.Option("--unsafe-sandbox", help="Run even where the kernel cannot lock the worker in.")
    ] = False,
    resume: Annotated[str | None, typer.Option(metavar="EPISODE", help="Go on with an interrupted episode.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but the answer.")] = False,
) -> int:
    """Run a task with the policy and the toolspace."""
    if (task is None) == (resume is None):
        raise UsageError(
            "run takes a TASK or --resume EPISODE", where="atlas run", mend='for example: atlas run "How many ..."'
        )
    flags = {
        "model": model,
        "mcp": tuple(mcp or ()) or None,
        "workspace": workspace,
        "budget": budget,
        "max_turns": max_turns,
        "loading": loading,
        "acting": acting,
        "approve": approve,
        "adapter": adapter,
        "seed": seed,
        "temperature": temperature,
        "check": check,
        "log": False if no_log else None,
        "unsafe_sandbox": unsafe_sandbox or None,
    }
    found = resolve(atlas_home(), Path.cwd(), flags)
    for notice in found.notices:
        note(safe(notice))
    episode = run_async(_run(found.settings, task, resume, show=not (quiet or as_json)))
    print_json(episode.to_json()) if as_json else _print_answer(episode)
    return _EXIT_CODES.get(episode.status, UNSOLVED)


async def _run(settings: Settings, task: str | None, resume: str | None, *, show: bool) -> Episode:
    from ..runtime import Runtime
    from ..runtime.events import EpisodeFinished

    view = None
    if show:
        from .view import TerminalView

        view = TerminalView()
    finished: Episode | None = None
    try:
        async with Runtime(**runtime_options(settings)) as runtime:
            events = runtime.stream(task) if task is not None else runtime.stream(resume=resume)
            async for event in events:
                if view:
                    view.show(event)
                if isinstance(event, EpisodeFinished):
                    finished = event.result
    finally:
        if view:
            view.close()
    assert finished is not None  # a stream ends with its episode, or raises
    return finished


def runtime_options(settings: Settings) -> dict[str, Any]:
    """Settings as the arguments of `Runtime`."""
    return {
        "model": settings.model,
        "mcp": list(settings.mcp),
        "workspace": settings.workspace,
        "budget": settings.budget,
        "max_turns": settings.max_turns,
        "loading": settings.loading,
        "acting": settings.acting,
        "approve": settings.approve,
        "adapter": settings.adapter,
        "seed": settings.seed,
        "temperature": settings.temperature,
        "check": settings.check,
        "log": settings.log,
        "unsafe_sandbox": settings.unsafe_sandbox,
    }


def _print_answer(episode: Episode) -> None:
    if episode.status in ("answered", "gave_up"):
        print_result(episode.answer)
    else:
        print(f"atlas: {episode.status}: {safe(episode.error or 'no answer')}", file=sys.stderr)
