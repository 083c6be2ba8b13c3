"""`atlas adapters`: looks at the adapters that training made, chooses the one that runs use, removes the others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..runtime.adapters import NONE, latest_adapter, stored_adapters, users_of
from ..runtime.home import atlas_home
from .report import DONE, note, print_json, safe

if TYPE_CHECKING:
    from ..runtime.adapters import StoredAdapter
    from ..training.adapters.store import AdapterStore

app = typer.Typer(help="Look at and choose the adapters that training made.", no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="As `atlas adapters list` shows it.")]


@app.command("list")
def list_adapters(as_json: Json = False) -> int:
    """List the adapters, newest first; a star marks the one that plain runs of its model use."""
    home = atlas_home()
    found = stored_adapters(home)
    used = {latest.name for one in found if (latest := latest_adapter(home, one.base_hash))}
    for one in found:
        if as_json:
            print_json(_summary(one, one.name in used))
        else:
            print(safe(_line(one, one.name in used)))
    if not found and not as_json:
        note("there is no adapter yet; `atlas train` makes them")
    return DONE


@app.command()
def use(
    name: Annotated[str, typer.Argument(metavar="NAME|none", help="none: runs use no adapter.")], as_json: Json = False
) -> int:
    """Choose the adapter that plain runs of its base model use from now on; one trained to route: --router learned."""
    store = _store()
    if name == NONE:
        withdrawn = [one.name for one in store.use_none()]
        if as_json:
            print_json({"used": None, "withdrawn": withdrawn})
        else:
            note(f"runs use no adapter now{f' (until now {withdrawn[0]})' if withdrawn else ''}")
        return DONE
    chosen = store.use(name)
    if as_json:
        print_json({"used": chosen.name, "model": chosen.model})
    else:
        note(f"{users_of(chosen.purpose, chosen.model)} use {chosen.name} now")
    return DONE


@app.command()
def remove(names: Annotated[list[str], typer.Argument(metavar="NAME...")], as_json: Json = False) -> int:
    """Delete adapters."""
    store = _store()
    for name in names:
        store.remove(name)
    print_json({"removed": names}) if as_json else note(f"removed {', '.join(names)}")
    return DONE


def _store() -> AdapterStore:
    from ..training.adapters.store import AdapterStore

    return AdapterStore(atlas_home())


def _summary(one: StoredAdapter, used: bool) -> dict[str, Any]:
    promotion = one.card.get("promotion") or {}
    return {
        "adapter": one.name, "model": one.model, "base_hash": one.base_hash,
        "created": datetime.fromtimestamp(one.created, UTC).isoformat(timespec="seconds"), "used": used,
        "promoted": one.promoted is not None, "by": promotion.get("by"), "interval": promotion.get("interval"),
        "path": str(one.gguf), "problem": one.problem,
    }  # fmt: skip


def _line(one: StoredAdapter, used: bool) -> str:
    made = datetime.fromtimestamp(one.created).astimezone().strftime("%Y-%m-%d %H:%M") if one.created else "unknown"
    return f"{'*' if used else ' '} {one.name}  {made:16}  {one.model or '?'}  {_state(one)}"


def _state(one: StoredAdapter) -> str:
    if one.problem:
        return f"broken: {one.problem}"
    promotion = one.card.get("promotion") or {}
    if promotion.get("by") == "user":
        return "chosen by you" if one.promoted is not None else "set aside by you"
    interval = promotion.get("interval")
    if not interval:
        return "not tried on enough held-out tasks"
    low, high = (100 * float(end) for end in interval)
    verdict = "promoted" if one.promoted is not None else "not promoted"
    return f"{verdict}: held-out success changed by {low:+.1f} to {high:+.1f} points"
