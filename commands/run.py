"""`atlas run`: runs a task, or goes on with an interrupted episode."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .report import DONE, INTERRUPTED, UNREACHABLE, UNSOLVED, note, print_json, print_result, safe
from .resuming import as_begun, resume_command
from .running import run_async
from .settings import Acting, Approve, Loading, Router, Settings, resolve
from .toolspace import McpFiles, SearchEncoder, WorkspaceFolder

if TYPE_CHECKING:
    from ..runtime import Episode, PendingCall, Runtime
    from ..runtime.events import Event
    from ..runtime.gate import Fate, InFlight
    from ..runtime.routing.steps import Thinker
    from .view import TerminalView

_OF_THE_POOL = ("models", "router", "cost_weight", "spend_limit", "encoder", "router_model", "router_adapter")
"""Settings that a run with one model does not take."""


def run(
    task: Annotated[str | None, typer.Argument(metavar="TASK", help="What to do.")] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="nano, a .gguf file, hf:owner/name[:file], or http://host:port/v1#name"),
    ] = None,
    mcp: McpFiles = None,
    workspace: WorkspaceFolder = None,
    budget: Annotated[
        int | None,
        typer.Option(min=1, metavar="TOKENS", help="The prompt never exceeds this (2,048 for nano, else 8,192)."),
    ] = None,
    max_turns: Annotated[int | None, typer.Option(min=1, metavar="N", help="Programs at most (12).")] = None,
    loading: Annotated[
        Loading | None,
        typer.Option(
            help="How tools come into view: search (default; some at first, more by search_tools), servers or tools (none "
            "at first, load_tools by server or by tool), eager (all)."
        ),
    ] = None,
    acting: Annotated[
        Acting | None, typer.Option(help="What the policy writes: programs (default) or single JSON calls.")
    ] = None,
    approve: Annotated[
        Approve | None, typer.Option(help="Before a tool that may change something: ask (default), auto (allow) or never.")
    ] = None,
    adapter: Annotated[
        str | None,
        typer.Option(metavar="PATH|NAME|latest|none", help="LoRA adapter; without it the promoted one, if any."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of the sampling.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="0 (the default) is greedy.")] = None,
    check: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="Run in the workspace afterwards; exit code 0 means solved.")
    ] = None,
    no_log: Annotated[bool, typer.Option("--no-log", help="Keep no episode.")] = False,
    no_overlap: Annotated[bool, typer.Option("--no-overlap", help="Make the calls of a program one by one.")] = False,
    unsafe_sandbox: Annotated[
        bool, typer.Option("--unsafe-sandbox", help="Run even where the kernel cannot lock the worker in.")
    ] = False,
    resume: Annotated[
        str | None,
        typer.Option(metavar="EPISODE", help="Go on with an interrupted episode, in its workspace and with its servers."),
    ] = None,
    router: Annotated[
        Router | None, typer.Option(help="Who chooses the model: off (--model), or a router over the pool of atlas.toml.")
    ] = None,
    cost_weight: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, metavar="A", help="What cost counts for the router (0.02)."),
    ] = None,
    spend_limit: Annotated[
        float | None, typer.Option(min=0.0, metavar="USD", help="With --router: all models together never cost more.")
    ] = None,
    search_encoder: SearchEncoder = None,
    in_flight: Annotated[
        Literal["ask", "repeat", "report"],
        typer.Option(help="With --resume: what becomes of a call that was in flight and may have been done."),
    ] = "ask",
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
        "overlap": False if no_overlap else None,
        "unsafe_sandbox": unsafe_sandbox or None,
        "router": router,
        "cost_weight": cost_weight,
        "spend_limit": spend_limit,
        "search_encoder": search_encoder,
    }
    found = resolve(atlas_home(), Path.cwd(), flags)
    routed = found.settings.router != "off"
    if routed and model is not None and router is not None:
        raise UsageError("--model names one model, --router chooses one", where="atlas run", mend="give one of them")
    routed = routed and model is None
    if resume is not None and (router is not None or spend_limit is not None):
        raise UsageError(
            "a resumed episode goes on with the model that it had, and no limit is kept", where="atlas run --resume",
            mend="leave --router and --spend-limit out; give --model as the episode's `model_spec` says",
        )  # fmt: skip
    if spend_limit is not None and not routed:
        raise UsageError("prices stand in the pool of models", where="--spend-limit", mend="add --router cluster")
    for notice in found.notices:
        note(safe(notice))
    fate: InFlight = ask_fate if in_flight == "ask" else in_flight
    chosen = found.settings if routed else replace(found.settings, router="off")
    if resume is not None and chosen.log:
        begun = as_begun(atlas_home(), resume, chosen, workspace=workspace is not None, servers=bool(mcp))
        resume, chosen = begun.episode, begun.settings
        for notice in begun.notices:
            note(safe(notice))
    episode = run_async(_run(chosen, task, resume, fate, show=not (quiet or as_json), quiet=quiet))
    if as_json:
        print_json(episode.to_json())
        if episode.error and not quiet:  # the object has no room for it
            note(f"{episode.status}: {episode.error}")
    else:
        _print_answer(episode, logged=chosen.log)
    return exit_code(episode)


async def _run(
    settings: Settings, task: str | None, resume: str | None, in_flight: InFlight, *, show: bool, quiet: bool
) -> Episode:
    """The episode, also when it was interrupted: then as far as it came."""
    from ..runtime import Runtime

    view = _view() if show else None
    begun: list[str] = []

    def on_event(event: Event) -> None:
        begun.append(event.episode)
        if view:
            view.show(event)

    async with Runtime(**runtime_options(settings), on_notice=None if quiet else note) as runtime:
        try:
            if task is not None and settings.router != "off":
                return await _routed(runtime, settings, task, on_event, quiet=quiet)
            if task is not None:
                return await runtime.run(task, on_event=on_event)
            return await _resumed(runtime, settings, resume or "latest", in_flight, on_event)
        except asyncio.CancelledError:
            if not begun:
                raise KeyboardInterrupt from None
            return runtime.store.get(begun[-1]).as_episode()
        finally:
            if view:
                view.close()


async def _resumed(
    runtime: Runtime, settings: Settings, episode: str, in_flight: InFlight, on_event: Callable[[Event], None]
) -> Episode:
    """Go on with an episode; one of a router needs the pool that it asks."""
    if runtime.store.get(episode).episode.settings.get("acting") != "route":
        return await runtime.resume(episode, in_flight=in_flight, on_event=on_event)
    from ..runtime.routing.chooser import Chooser
    from ..runtime.routing.pool import Pool
    from ..runtime.routing.steps import resume_steps
    from ..runtime.routing.team import Team

    pool = settings.models if settings.models is not None else Pool()
    async with AsyncExitStack() as stack:
        thinker = thinker_of(replace(settings, router="learned"), atlas_home(), stack, must=True)
        team = await stack.enter_async_context(
            Team(runtime, Chooser(pool, runtime.store, None), router="learned", thinker=thinker, tell=note)
        )
        assert thinker is not None
        return await resume_steps(team, thinker, episode, in_flight=in_flight, on_event=on_event)


async def _routed(
    runtime: Runtime, settings: Settings, task: str, on_event: Callable[[Event], None], *, quiet: bool
) -> Episode:
    """Run a task with the model that the router chooses."""
    from ..runtime.routing.chooser import Chooser
    from ..runtime.routing.pool import Pool
    from ..runtime.routing.team import Team

    home = atlas_home() if settings.log else None
    pool = settings.models if settings.models is not None else Pool()
    chooser = Chooser(pool, runtime.store, home, encoder=settings.encoder, cost_weight=settings.cost_weight)
    async with AsyncExitStack() as stack, Team(
        runtime, chooser, router=settings.router, spend_limit=settings.spend_limit, tell=None if quiet else note,
        thinker=thinker_of(settings, atlas_home(), stack),
    ) as team:  # fmt: skip
        return await team.run(task, on_event=on_event)


def thinker_of(settings: Settings, home: Path, stack: AsyncExitStack, *, must: bool = False) -> Thinker | None:
    """The policy of the learned router, where these settings use one; closed with `stack`."""
    from ..runtime.routing.pool import Pool
    from ..runtime.routing.thinkers import named_thinker

    if settings.router not in ("learned", "auto"):
        return None
    return named_thinker(
        settings.router_model or settings.model, settings.router_adapter, settings.models or Pool(), home, stack,
        must=must or settings.router_model is not None,
    )  # fmt: skip


def _view() -> TerminalView:
    from .view import TerminalView

    return TerminalView()


async def ask_fate(call: PendingCall) -> Fate:
    """Ask at the terminal what to do with a call whose fate is unknown; without a terminal the resume stops."""
    from ..runtime.approval import has_terminal, read_line

    if not has_terminal():
        return "stop"
    shown = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    note(safe(f"the run died while {call.tool}({shown}) was in flight; it may or may not have been done"))
    while True:
        print("send it again? [y]es, [n]o (the program gets an error), [s]top: ", end="", file=sys.stderr, flush=True)
        word = (await read_line() or "s").strip().lower()[:1]
        if word in ("y", "n", "s"):
            return {"y": "repeat", "n": "report", "s": "stop"}[word]  # type: ignore[return-value]


def runtime_options(settings: Settings) -> dict[str, Any]:
    """Settings as the arguments of `Runtime`."""
    given = {one.name: getattr(settings, one.name) for one in fields(settings) if one.name not in _OF_THE_POOL}
    return given | {"mcp": list(settings.mcp)}


def exit_code(episode: Episode) -> int:
    """What the command ends with: a task left unsolved because a server could not be reached says so."""
    if episode.status == "interrupted":
        return INTERRUPTED
    if episode.status == "answered":
        return DONE if episode.reward != 0.0 else UNSOLVED
    return UNREACHABLE if episode.unreachable else UNSOLVED


def _print_answer(episode: Episode, *, logged: bool) -> None:
    if episode.status in ("answered", "gave_up"):
        print_result(episode.answer)
        return
    note(f"{episode.status}: {safe(episode.error or 'no answer')}")
    if episode.status == "interrupted" and logged:
        note(f"go on with: {safe(resume_command(atlas_home(), episode.id))}")
