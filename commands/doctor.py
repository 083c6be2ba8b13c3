"""`atlas doctor`: checks model, servers, sandbox guarantees, disk and versions; one line each, and the mend."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..runtime.home import atlas_home
from .report import DONE, note, print_json, safe
from .running import run_async
from .settings import resolve
from .toolspace import McpFiles


def doctor(
    model: Annotated[str | None, typer.Option(metavar="SPEC", help="The model to check, as in `atlas run`.")] = None,
    mcp: McpFiles = None,
    no_start: Annotated[
        bool, typer.Option("--no-start", help="Start no server; say only what is known of each from earlier.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> int:
    """Check model, servers, sandbox guarantees, disk and versions.

    Every configured server is started once, and what it costs is said: its tools, the tokens that they would take if all
    were shown to a model, and the time until it answers.
    """
    from .checks import all_checks

    home = atlas_home()
    found = resolve(home, Path.cwd(), {"model": model, "mcp": tuple(mcp or ()) or None})
    for notice in found.notices:
        note(safe(notice))
    findings = run_async(all_checks(home, found.settings, start=not no_start))
    for finding in findings:
        if as_json:
            print_json({key: value for key, value in asdict(finding).items() if key != "exit_code"})
        else:
            mark = {"ok": "ok  ", "warning": "warn", "wrong": "FAIL"}[finding.state]
            mend = f" -> {finding.mend}" if finding.mend else ""
            print(safe(f"{mark}  {finding.check}: {finding.detail}{mend}"))
    return next((finding.exit_code for finding in findings if finding.state == "wrong"), DONE)
