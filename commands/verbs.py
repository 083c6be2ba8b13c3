"""Every verb of the `atlas` command; they call the rooms below."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from . import (
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
from .running import Interrupted


class _Verbs(TyperGroup):
    """Lets an interrupt through, of which typer would make an exit code with nothing told."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().make_context(*arguments, **options)
        except KeyboardInterrupt:
            raise Interrupted from None

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None


app = typer.Typer(
    name="atlas",
    cls=_Verbs,
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
app.command("train", short_help="Finetune the policy on the log.")(train.train)
app.add_typer(adapters.app, name="adapters")
app.add_typer(judge.app, name="judge")
app.command("serve", short_help="Serve the toolspace to another agent.")(serve.serve)
app.add_typer(mcp.app, name="mcp")
app.add_typer(models.app, name="models", short_help="Look at the pool of models.")
app.add_typer(route.app, name="route")
app.command("trust", short_help="Let this folder's configuration be used.")(trust.trust)
app.command("doctor")(doctor.doctor)


def _show_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

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
