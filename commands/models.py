"""`atlas models`: looks at the pool in `atlas.toml`, and asks each of its models for a reply."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .report import DONE, UNREACHABLE, USAGE, describe, note, print_json, safe
from .running import run_async
from .settings import resolve

if TYPE_CHECKING:
    from ..runtime.routing.loading import Trial
    from ..runtime.routing.pool import Pool, PoolModel

app = typer.Typer(
    help="Look at the pool of models: the [models.<name>] tables of atlas.toml.", no_args_is_help=True, rich_markup_mode=None
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
EMPTY_POOL = 'add to atlas.toml in ATLAS_HOME: [models.name], then model = "..." as --model takes it'


@app.command("list")
def list_models(as_json: Json = False) -> int:
    """List the models of the pool with prices, limits and strengths."""
    pool = configured_pool()
    for name, model in pool.items():
        if as_json:
            print_json({"name": name} | model.model_dump())
        else:
            print(safe(_line(name, model)))
    if not pool and not as_json:
        note(f"the pool is empty; {EMPTY_POOL}")
    return DONE


@app.command("test")
def test_models(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="These models only.")] = None,
    as_json: Json = False,
) -> int:
    """Load each model and ask it for one short reply; exit code 3 where one cannot be reached, 2 where one is wrong."""
    pool = needed_pool()
    if names:
        pool = pool.named(names)
    return run_async(_tested(pool, as_json))


async def _tested(pool: Pool, as_json: bool) -> int:
    from ..runtime.routing.loading import try_member

    code = DONE
    home = atlas_home()
    endpoints = {
        name: asyncio.create_task(try_member(name, one, home)) for name, one in pool.items() if one.is_endpoint
    }  # those of this machine one by one, so that their memory never adds up
    for name, model in pool.items():
        trial = await (endpoints[name] if name in endpoints else try_member(name, model, home))
        print_json(trial.to_json()) if as_json else print(safe(_verdict(trial)))
        if trial.error is not None:
            code = max(code, UNREACHABLE if describe(trial.error).exit_code == UNREACHABLE else USAGE)
    return code


def configured_pool() -> Pool:
    """The pool that counts in this folder; lines about what was left out go to stderr."""
    from ..runtime.routing.pool import Pool

    found = resolve(atlas_home(), Path.cwd(), {}, uses_servers=False)
    for notice in found.notices:
        note(safe(notice))
    return found.settings.models if found.settings.models is not None else Pool()


def needed_pool() -> Pool:
    """The same where nothing can be done without one. Raises `UsageError` for an empty pool."""
    pool = configured_pool()
    if not pool:
        raise UsageError("the pool of models is empty", where="atlas.toml: [models.<name>]", mend=EMPTY_POOL)
    return pool


def _line(name: str, model: PoolModel) -> str:
    parts = [f"{name:16} {model.model}", _price(model)]
    if model.context_tokens:
        parts.append(f"{model.context_tokens:,} tokens of context")
    if model.spend_limit is not None:
        parts.append(f"at most {model.spend_limit:g} USD")
    if model.timeout_seconds:
        parts.append(f"{model.timeout_seconds:g} s a reply")
    parts += [word for word, said in (("scores others", model.scores), ("sees pictures", model.vision)) if said]
    if model.strengths:
        parts.append(model.strengths)
    return "  ".join(parts)


def _price(model: PoolModel) -> str:
    if model.input_price or model.output_price:
        return f"{model.input_price:g} in, {model.output_price:g} out (USD per million tokens)"
    return f"{model.watts:g} W at {model.usd_per_kwh:g} USD/kWh" if model.watts else "costs nothing"


def _verdict(trial: Trial) -> str:
    if trial.error is None:
        return f"ok    {trial.name:16} {trial.seconds:.1f} s, {trial.context_tokens:,} tokens of context"
    error: Any = trial.error
    return f"fails {trial.name:16} {error.where}: {error.message}; {error.mend}"
