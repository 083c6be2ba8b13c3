"""`atlas tools`: looks at the toolspace."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..runtime.errors import UsageError
from .report import DONE, UNREACHABLE, note, print_json, print_result, safe
from .running import run_async
from .toolspace import McpFiles, SearchEncoder, Toolspace, ToolspaceFile, WorkspaceFolder, open_toolspace

if TYPE_CHECKING:
    from ..tools_registry.tool import Tool

app = typer.Typer(help="Look at the toolspace.", no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Count = Annotated[int, typer.Option("-k", min=1, help="How many tools.")]


@app.command("list")
def list_tools(
    mcp: McpFiles = None, toolspace: ToolspaceFile = None, workspace: WorkspaceFolder = None, as_json: Json = False
) -> int:
    """List every known tool: name and first line of its description."""
    return run_async(_list(Toolspace(mcp, toolspace, workspace), as_json))


async def _list(space: Toolspace, as_json: bool) -> int:
    async with open_toolspace(space) as view:
        for tool in view.tools.values():
            print_json(_summary(tool)) if as_json else print(safe(f"{tool.full_name}  # {_one_line(tool)}"))
        _problems(view.problems)
    return DONE


@app.command()
def search(
    query: Annotated[str | None, typer.Argument(help="Words to look for.")] = None,
    k: Count = 8,
    mcp: McpFiles = None,
    toolspace: ToolspaceFile = None,
    workspace: WorkspaceFolder = None,
    queries: Annotated[
        Path | None, typer.Option("--queries", help='Answer many: a file with lines of {"id","query"}.')
    ] = None,
    task: Annotated[
        bool, typer.Option("--task", help="The query is a whole task: the tools that a run would show first.")
    ] = False,
    search_encoder: SearchEncoder = None,
    as_json: Json = False,
) -> int:
    """Find tools by words, and by meaning where an encoder is set, best first."""
    if (query is None) == (queries is None):
        raise UsageError("search takes a QUERY or --queries FILE", where="atlas tools search", mend="give one of them")
    asked = _read_queries(queries) if queries else [{"id": None, "query": query}]
    space = Toolspace(mcp, toolspace, workspace, searched=True, search_encoder=search_encoder)
    return run_async(_search(space, asked, k, task, many=queries is not None, as_json=as_json))


async def _search(space: Toolspace, asked: list[dict[str, Any]], k: int, task: bool, *, many: bool, as_json: bool) -> int:
    from ..tools_registry.stubs import stub

    async with open_toolspace(space) as view:
        for one in asked:
            found = view.first_view(one["query"], k) if task else view.search(one["query"], k)
            rows = [
                {"tool": tool.full_name, "server": tool.server_name or tool.server, "score": score} for tool, score in found
            ]
            if many:
                print_json({"id": one["id"], "results": rows})
            elif as_json:
                for row, (tool, _) in zip(rows, found, strict=True):
                    print_json({**row, "stub": stub(tool)})
            else:
                for tool, _ in found:
                    print(safe(stub(tool)))
        _problems(view.problems)
    return DONE


def _read_queries(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or "id" not in row or not isinstance(row.get("query"), str):
            raise UsageError(
                'not a line of {"id","query"}', where=f"{path}, line {number}", mend="write one JSON object on each line"
            )
        rows.append(row)
    return rows


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A tool as programs write it: server.tool")],
    mcp: McpFiles = None,
    toolspace: ToolspaceFile = None,
    workspace: WorkspaceFolder = None,
    as_json: Json = False,
) -> int:
    """Show one tool: stub, description, schemas."""
    return run_async(_show(Toolspace(mcp, toolspace, workspace), name, as_json))


async def _show(space: Toolspace, name: str, as_json: bool) -> int:
    from ..tools_registry.stubs import stub

    async with open_toolspace(space) as view:
        tool = view.tools.get(name)
        if tool is None:
            near = [full for full in view.tools if full.endswith(f".{name}")] or view.nearest(name)
            mend = f"did you mean {', '.join(near)}?" if near else "`atlas tools list` shows all"
            raise UsageError(f"no such tool: {name}", where="the toolspace", mend=mend)
        details = {
            **_summary(tool),
            "stub": stub(tool),
            "input_schema": tool.input_schema,
            "output_schema": tool.output_schema,
        }
        if as_json:
            print_json(details)
            return DONE
        print(safe(f"{stub(tool)}\n\n{tool.description.strip()}\n"))
        print_result({"input": tool.input_schema, "output": tool.output_schema})
    return DONE


@app.command()
def refresh(mcp: McpFiles = None, workspace: WorkspaceFolder = None, as_json: Json = False) -> int:
    """Ask every configured server for its tools anew."""
    return run_async(_refresh(Toolspace(mcp, None, workspace), as_json))


async def _refresh(space: Toolspace, as_json: bool) -> int:
    async with open_toolspace(space, refresh=True) as view:
        for server in view.servers:
            row = {"server": server.server_name, "tools": server.tool_count, "problem": server.problem}
            print_json(row) if as_json else print(safe(f"{server.server_name}: {server.tool_count} tools"))
        _problems(view.problems)
        return UNREACHABLE if view.problems else DONE


def _problems(problems: Iterable[str]) -> None:
    for problem in problems:
        note(f"warning: {safe(problem)}")


def _one_line(tool: Tool) -> str:
    from ..tools_registry.stubs import summary_line

    return summary_line(tool.description)


def _summary(tool: Tool) -> dict[str, Any]:
    return {
        "tool": tool.full_name,
        "server": tool.server_name or tool.server,
        "description": tool.description,
        "read_only": tool.read_only,
        "idempotent": tool.idempotent,
    }
