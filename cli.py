"""The `atlas` command: thin verbs that call the rooms below.

stdout carries the result only; progress, warnings and errors go to stderr. Exit codes: 0 done, 1 the task was not
solved, 2 wrong usage or configuration, 3 a tool server or model could not be reached, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, TextIO, cast

import typer

from .commands import (
    adapters,
    doctor,
    episodes,
    evaluate,
    execute,
    judge,
    mcp,
    models,
    route,
    run,
    serve,
    tools,
    train,
    trust,
)
from .commands.report import report_failure

app = typer.Typer(
    name="atlas",
    help="Run a small language model as an agent over any number of MCP tools.",
    epilog="Exit codes: 0 done, 1 not solved, 2 wrong usage or configuration, 3 not reachable, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("exec")(execute.execute)
app.add_typer(tools.app, name="tools")
app.add_typer(episodes.app, name="episodes")
app.command("eval")(evaluate.evaluate)
app.command("train")(train.train)
app.add_typer(adapters.app, name="adapters")
app.add_typer(judge.app, name="judge")
app.command("serve")(serve.serve)
app.add_typer(mcp.app, name="mcp")
app.add_typer(models.app, name="models")
app.add_typer(route.app, name="route")
app.command("trust")(trust.trust)
app.command("doctor")(doctor.doctor)


def _show_version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        typer.echo(f"atlas {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; may stand anywhere on the line.")] = False,
) -> None:
    """Options that hold for every verb."""


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code. Verbs return theirs, or None for 0."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug, as_json = "--debug" in options, "--json" in options
    kept = [word for place, word in enumerate(arguments) if word != "--debug" or place >= len(options)]
    try:
        result = app(kept, prog_name="atlas", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        return report_failure(error, as_json=as_json, debug=debug)
    return result if isinstance(result, int) else 0


def main() -> None:
    """Entry point of the `atlas` script."""
    _open_closed_streams()
    code = invoke(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # told already; Python would tell it again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


class _Forgiving:
    """A standard error that never fails: what cannot be shown to anybody must not cost the answer."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write; where that is impossible, everything goes nowhere from now on."""
        try:
            return self._stream.write(text)
        except OSError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """Write what is held back."""
        try:
            self._stream.flush()
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _open_closed_streams() -> None:
    """A command started with `>&-` has no stream there: what it prints goes nowhere, and the work is done."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the end
    sys.stderr = cast(TextIO, _Forgiving(sys.stderr))


if __name__ == "__main__":
    main()
