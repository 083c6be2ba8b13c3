"""`atlas episodes`: looks at and keeps the log."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..runtime.errors import UsageError
from ..runtime.home import atlas_home
from .report import DONE, note, print_json, printable, safe

if TYPE_CHECKING:
    from ..runtime.episodes import EpisodeStore
    from ..runtime.episodes.rows import CallRow, EpisodeRow, Record, TurnRow

app = typer.Typer(help="Look at and keep the log of runs.", no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
EpisodeId = Annotated[str, typer.Argument(metavar="ID", help="An id, the beginning of one, or `latest`.")]


@app.command("list")
def list_episodes(
    limit: Annotated[int, typer.Option(min=1, help="How many at most, newest first.")] = 20, as_json: Json = False
) -> int:
    """List the newest episodes."""
    with _store() as store:
        for row in store.list(limit=limit):
            status = row.status or ("running" if store.is_running(row) else "interrupted")
            if as_json:
                print_json(_summary(row) | {"status": status})
                continue
            began = datetime.fromtimestamp(row.created_at).astimezone().strftime("%Y-%m-%d %H:%M")
            print(
                safe(
                    f"{row.id}  {began}  {status:11}  {_verdict(row):8}  {row.task.splitlines()[0][:80] if row.task else ''}"
                )
            )
    return DONE


@app.command()
def show(key: EpisodeId, as_json: Json = False) -> int:
    """Show one episode turn by turn: programs, calls, results."""
    with _store() as store:
        record = store.get(key)
    if as_json:
        from dataclasses import asdict

        print_json(asdict(record))
        return DONE
    for line in _story(record):
        print(printable(safe(line)))
    return DONE


@app.command()
def rate(key: EpisodeId, verdict: Annotated[Literal["solved", "failed"], typer.Argument()], as_json: Json = False) -> int:
    """Say whether an episode solved its task; training uses it."""
    with _store() as store:
        row = store.rate(key, verdict)
    print_json(_summary(row)) if as_json else note(f"episode {row.id} is rated {verdict}")
    return DONE


@app.command("rm")
def remove(
    key: Annotated[str | None, typer.Argument(metavar="[ID]", help="An id, or the beginning of one.")] = None,
    older_than: Annotated[float | None, typer.Option(min=0, metavar="DAYS", help="Every episode older than this.")] = None,
    as_json: Json = False,
) -> int:
    """Remove one episode, or all that are older than some days."""
    if (key is None) == (older_than is None):
        raise UsageError("rm takes an ID or --older-than DAYS", where="atlas episodes rm", mend="give one of them")
    with _store() as store:
        if key is not None:
            store.remove(key)
            count = 1
        else:
            count = store.remove_older(older_than or 0.0)
    print_json({"removed": count}) if as_json else note(f"removed {count}")
    return DONE


@app.command()
def export(
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where to; - for standard output. A folder: one ATIF file each.")
    ],
    form: Annotated[
        Literal["jsonl", "messages", "atif", "parquet"],
        typer.Option("--format", help="Whole episodes, chat messages, ATIF trajectories, or a table of turns."),
    ] = "jsonl",
    redact: Annotated[bool, typer.Option("--redact", help="Blot out secrets; touched turns leave training.")] = False,
    as_json: Json = False,
) -> int:
    """Write the log to a file that another machine can import (jsonl), or in a form that other tools read."""
    from ..runtime.episodes import export_episodes, export_table, export_trajectories
    from ..runtime.new_file import new_file

    if form == "parquet" and str(out) == "-":
        raise UsageError("a table cannot be written to standard output", where="--out", mend="name a file")
    with _store() as store:
        if form == "parquet" or (form == "atif" and out.is_dir()):
            count = (export_table if form == "parquet" else export_trajectories)(store, out, redact=redact)
            print_json({"exported": count, "file": str(out)}) if as_json else note(f"exported {count} episodes to {out}")
            return DONE
        if str(out) == "-":
            import sys

            export_episodes(store, sys.stdout, format=form, redact=redact)
            return DONE
        with new_file(out) as file:
            count = export_episodes(store, file, format=form, redact=redact)
    print_json({"exported": count, "file": str(out)}) if as_json else note(f"exported {count} episodes to {out}")
    return DONE


@app.command("import")
def import_(files: Annotated[list[Path], typer.Argument(metavar="FILE...")], as_json: Json = False) -> int:
    """Merge logs that other machines exported as jsonl."""
    from ..runtime.episodes import import_episodes

    with _store() as store:
        for path in files:
            count = import_episodes(store, path)
            print_json({"imported": count, "file": str(path)}) if as_json else note(f"imported {count} from {path}")
    return DONE


def _store() -> EpisodeStore:
    from ..runtime.episodes import open_store

    return open_store(atlas_home())


def _summary(row: EpisodeRow) -> dict[str, Any]:
    return {
        "episode": row.id,
        "created": datetime.fromtimestamp(row.created_at, UTC).isoformat(timespec="seconds"),
        "status": row.status,
        "outcome": row.outcome,
        "reward": row.reward,
        "task": row.task,
        "answer": row.answer,
        "model": row.model,
        "seconds": round(row.seconds, 3),
    }


def _verdict(row: EpisodeRow) -> str:
    return row.outcome if row.reward is None else f"{row.outcome} {row.reward:g}"


def _story(record: Record) -> list[str]:
    row = record.episode
    lines = [f"{row.id}  {row.status or 'unfinished'}  {_verdict(row)}  model {row.model}", f"task: {row.task}"]
    for turn in record.turns:
        lines += _turn(turn, [call for call in record.calls if call.turn == turn.turn])
    if row.error:
        lines.append(f"error: {row.error}")
    if row.answer is not None:
        lines.append(f"answer: {row.answer}")
    return lines


def _turn(turn: TurnRow, calls: list[CallRow]) -> list[str]:
    lines = ["", f"turn {turn.turn}  ({turn.prompt_tokens} tokens read, {turn.generated_tokens} written)"]
    lines += [f"  | {line}" for line in (turn.program or turn.reply_text).splitlines()]
    for call in calls:
        state = "in flight, fate unknown" if call.in_flight else "ok" if call.ok else f"failed: {call.error_message}"
        lines.append(f"  {call.number}. {call.tool}({', '.join(f'{k}={v!r}' for k, v in call.arguments.items())})  {state}")
    if turn.result_text:
        lines += [f"  < {line}" for line in turn.result_text.splitlines()]
    return lines
