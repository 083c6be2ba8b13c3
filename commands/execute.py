"""`atlas exec`: runs a program file against the toolspace with no model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .report import DONE, note, print_json, print_result, printable, safe
from .running import run_async
from .settings import resolve
from .toolspace import McpFiles, WorkspaceFolder

if TYPE_CHECKING:
    from ..sandbox import Outcome


def execute(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A program, or - for standard input.")],
    mcp: McpFiles = None,
    workspace: WorkspaceFolder = None,
    approve: Annotated[
        Literal["ask", "auto", "never"] | None, typer.Option(help="What happens before a tool that may change something.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=0.001, metavar="S", help="Wall time, in seconds (30).")] = None,
    memory: Annotated[int | None, typer.Option(min=1, metavar="MB", help="Memory, in megabytes (128).")] = None,
    max_calls: Annotated[int | None, typer.Option(min=0, metavar="N", help="Tool calls.")] = None,
    no_toolbox: Annotated[bool, typer.Option("--no-toolbox", help="Leave the built-in servers out.")] = False,
    no_overlap: Annotated[bool, typer.Option("--no-overlap", help="Make the calls of the program one by one.")] = False,
    unsafe_sandbox: Annotated[
        bool, typer.Option("--unsafe-sandbox", help="Run even where the kernel cannot lock the worker in.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Run a program file against the toolspace, with no model."""
    flags = {
        "mcp": tuple(mcp or ()) or None,
        "workspace": workspace,
        "approve": approve,
        "overlap": False if no_overlap else None,
        "unsafe_sandbox": unsafe_sandbox or None,
    }
    found = resolve(atlas_home(), Path.cwd(), flags)
    for notice in found.notices:
        note(safe(notice))
    limits = {"wall_seconds": timeout, "memory_mb": memory, "max_calls": max_calls}
    options = found.settings
    outcome = run_async(
        _execute(
            _source(file),
            {name: value for name, value in limits.items() if value is not None},
            mcp=list(options.mcp),
            workspace=options.workspace,
            approve=options.approve,
            toolbox=not no_toolbox,
            overlap=options.overlap,
            unsafe_sandbox=options.unsafe_sandbox,
            on_notice=note,
        )
    )
    print_json(outcome_json(outcome)) if as_json else _print_outcome(outcome)
    return DONE


async def _execute(source: str, limits: dict[str, Any], **options: Any) -> Outcome:
    from ..runtime import Runtime
    from ..sandbox import Limits

    async with Runtime(limits=Limits(**limits), log=False, **options) as runtime:
        outcome: Outcome = await runtime.execute(source)
        return outcome


def _source(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError("not a text file in UTF-8", where=file, mend="give the path of a Python program") from None


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """The object that `atlas exec --json` prints."""
    error = outcome.error
    return {
        "status": outcome.status,
        "value": outcome.value,
        "output": outcome.output,
        "error": {"type": error.type, "message": error.message, "line": error.line} if error else None,
        "calls": [
            {"tool": call.tool, "arguments": call.arguments, "ok": call.ok, "seconds": round(call.seconds, 6)}
            for call in outcome.calls
        ],
        "seconds": round(outcome.seconds, 6),
        "peak_rss_mb": outcome.peak_rss_mb,
    }


def _print_outcome(outcome: Outcome) -> None:
    if outcome.output:
        text = outcome.output if outcome.output.endswith("\n") else outcome.output + "\n"
        sys.stdout.write(safe(text) if sys.stdout.isatty() else printable(text))
    if outcome.answered:
        print_result(outcome.value)
    if outcome.error:
        line = f"line {outcome.error.line}: " if outcome.error.line else ""
        note(f"{outcome.status}: {line}{safe(outcome.error.type)}: {safe(outcome.error.message)}")
    elif outcome.status != "ok":
        note(outcome.status)
