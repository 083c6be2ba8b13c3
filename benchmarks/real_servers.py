"""Calls real MCP servers of other people through `atlas exec`, each by one program, and prints what came of it.

`install_real_servers.sh DIR`, then `python benchmarks/real_servers.py DIR [NAME ...]`. Every server runs over stdio,
offline, without a key; one that is not installed is left out. What each program answers is held against what must be in it.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from measure import BIN, heading, table

_NODE = "node/node_modules"
_OFFICIAL = f"{_NODE}/@modelcontextprotocol"


@dataclass(frozen=True)
class Real:
    """One server: how it is started, and a program that calls it. `{d}` is the folder of servers, `{w}` a scratch folder."""

    name: str
    start: Sequence[str]
    program: str
    expect: str
    """Must occur in the answer."""
    env: dict[str, str] = field(default_factory=dict)

    def entry(self, folder: Path, work: Path) -> dict[str, Any]:
        """Its entry in a configuration file."""
        command, *args = (part.format(d=folder, w=work) for part in self.start)
        return {"command": command, "args": args, "env": {key: text.format(w=work) for key, text in self.env.items()}}


def _python(env: str, script: str, *args: str) -> tuple[str, ...]:
    return (f"{{d}}/{env}/bin/{script}", *args)


def _node(script: str, *args: str) -> tuple[str, ...]:
    return ("node", f"{{d}}/{script}", *args)


SERVERS = (
    Real("everything", _node(f"{_OFFICIAL}/server-everything/dist/index.js"), 'answer(everything.echo("hi"))', "Echo: hi"),
    Real("filesystem", _node(f"{_OFFICIAL}/server-filesystem/dist/index.js", "{w}/fs"),
         'answer(filesystem.read_text_file("{w}/fs/hello.txt"))', "hello from a file"),
    Real("memory", _node(f"{_OFFICIAL}/server-memory/dist/index.js"),
         'memory.create_entities([dict(name="Atlas", entityType="project", observations=["runs"])])\n'
         "answer(memory.read_graph())", "Atlas", {"MEMORY_FILE_PATH": "{w}/memory.json"}),
    Real("thinking", _node(f"{_OFFICIAL}/server-sequential-thinking/dist/index.js"),
         'answer(thinking.sequentialthinking(thought="x", nextThoughtNeeded=False, thoughtNumber=1, totalThoughts=1))',
         "totalThoughts"),
    Real("pdf", _node(f"{_OFFICIAL}/server-pdf/dist/index.js", "--stdio"), "answer(pdf.list_pdfs())", ""),
    Real("n8n", _node(f"{_NODE}/n8n-mcp/dist/mcp/index.js"), 'answer(n8n.search_nodes("slack"))', "slack",
         {"MCP_MODE": "stdio", "LOG_LEVEL": "error", "DISABLE_CONSOLE_OUTPUT": "true",
          "N8N_MCP_TELEMETRY_DISABLED": "true"}),
    Real("time", _python("new", "mcp-server-time"),
         'answer(time.convert_time(source_timezone="UTC", time="12:00", target_timezone="Asia/Tokyo"))', "21:00"),
    Real("git", _python("new", "mcp-server-git", "--repository", "{w}/repo"), 'answer(git.git_log("{w}/repo"))',
         "the first commit"),
    Real("fetch", _python("new", "mcp-server-fetch", "--allow-private-ips", "--ignore-robots-txt"),
         'answer(fetch.fetch("{url}/hello.txt"))', "hello from a file"),
    Real("motherduck", _python("new", "mcp-server-motherduck", "--db-path", ":memory:", "--read-write"),
         'answer(motherduck.execute_query(sql="select 6*7 as x"))', "42"),
    Real("excel", _python("new", "excel-mcp-server", "stdio"), 'answer(excel.create_workbook("{w}/y.xlsx"))', "y.xlsx"),
    Real("word", _python("new", "word_mcp_server"), 'answer(word.create_document(filename="{w}/x.docx"))', "x.docx"),
    Real("mathematics", _python("new", "mcp-mathematics"), 'answer(mathematics.calculate_expression("2*21"))', "42"),
    Real("alchemy", _python("new", "mcp-alchemy"), "answer(alchemy.all_table_names())", "", {"DB_URL": "sqlite:///{w}/a.db"}),
    Real("pandoc", _python("new", "mcp-pandoc"),
         'answer(pandoc.convert_contents(contents="# hi", input_format="markdown", output_format="html"))', "<h1"),
    Real("sqlite", _python("old", "mcp-server-sqlite", "--db-path", "{w}/t.db"),
         'sqlite.create_table("create table if not exists t(a int)")\nanswer(sqlite.list_tables())', "t"),
    Real("calculator", _python("old", "mcp-server-calculator"), 'answer(calculator.calculate("2*21"))', "42"),
    Real("powerpoint", _python("old", "ppt_mcp_server"), "answer(powerpoint.create_presentation())", "presentation"),
    Real("codeindex", _python("old", "code-index-mcp"), 'answer(codeindex.set_project_path("{w}/fs"))', "fs"),
    Real("terminal", _python("old", "terminal_controller"), 'answer(terminal.execute_command("echo hi there"))', "hi there"),
    Real("texteditor", _python("old", "mcp-text-editor"),
         'answer(texteditor.get_text_file_contents([dict(file_path="{w}/fs/hello.txt", ranges=[dict(start=1)])]))',
         "hello from a file"),
    Real("timeserver", _python("old", "mcp-simple-timeserver"), "answer(timeserver.get_local_time())", "20"),
    Real("treesitter", _python("old", "mcp-server-tree-sitter"), "answer(treesitter.list_languages())", "python"),
    Real("utility", _python("new312", "mcp-utility-tools"), 'answer(utility.hash_text("hi"))', "8f434346"),
    Real("medcalc", _python("old312", "medcalc"), "answer(medcalc.bmi_bsa_calculator(weight=70, height=175))", "22.9"),
    Real("chess", _python("old313", "python", "-m", "chess_mcp"), "answer(chess.new_game())", ""),
    Real("markitdown", _python("markitdown", "markitdown-mcp"),
         'answer(markitdown.convert_to_markdown("file://{w}/fs/d.csv"))', "a"),
    Real("basicmemory", _python("memory312", "basic-memory", "mcp"),
         'answer(basicmemory.write_note(title="n", content="c", directory="d"))', "n",
         {"BASIC_MEMORY_HOME": "{w}/bm", "HOME": "{w}"}),
    Real("chroma", _python("chroma", "chroma-mcp", "--client-type", "ephemeral"),
         "answer(chroma.chroma_list_collections())", ""),
)  # fmt: skip


def installed(folder: Path) -> list[Real]:
    """Those that are there."""
    found = []
    for one in SERVERS:
        command, *args = (part.format(d=folder, w="") for part in one.start)
        script = Path(args[0]) if command == "node" else Path(command)
        if script.exists() and (command != "node" or shutil.which("node")):
            found.append(one)
    return found


@contextmanager
def workplace() -> Iterator[Path]:
    """A scratch folder with a text file, a table and a repository with one commit."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "fs").mkdir()
        (work / "fs" / "hello.txt").write_text("hello from a file\n", encoding="utf-8")
        (work / "fs" / "d.csv").write_text("a,b\n1,2\n", encoding="utf-8")
        git = ["git", "-C", str(work / "repo"), "-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "init", "-q", str(work / "repo")], check=True)
        (work / "repo" / "notes.md").write_text("notes", encoding="utf-8")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "the first commit"], check=True)
        yield work


@contextmanager
def _web(folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given, directory=str(folder))

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def main(folder: Path, names: Sequence[str]) -> int:
    heading("Real servers, called through `atlas exec`")
    rows, good = [], 0
    with workplace() as work, _web(work / "fs") as url:
        for one in installed(folder):
            if names and one.name not in names:
                continue
            came, seconds, tools = _call(one, folder, work, url)
            good += came == "ok"
            tool = one.program.splitlines()[-1].removeprefix("answer(").partition("(")[0]
            rows.append([one.name, tools, f"`{tool}`", came, f"{seconds:.1f} s"])
    table(["server", "tools", "tool", "result", "start, list and call"], rows)
    print(f"\n{good} of {len(rows)} servers were called successfully.")
    return 0 if good == len(rows) else 1


def _call(one: Real, folder: Path, work: Path, url: str) -> tuple[str, float, int | str]:
    (work / "calls").mkdir(exist_ok=True)  # not in the servers' own folder, where Python would import the program
    config, program = work / "calls" / f"{one.name}.json", work / "calls" / f"{one.name}.py"
    entry = one.entry(folder, work) | {"connectTimeout": 120}
    config.write_text(json.dumps({"mcpServers": {one.name: entry}}), encoding="utf-8")
    program.write_text(one.program.replace("{w}", str(work)).replace("{url}", url), encoding="utf-8")
    flags = ["--mcp", config, "--approve", "auto", "--timeout", "180", "--no-toolbox", "--json"]
    command = [BIN / "atlas", "exec", program, *flags]
    started = time.perf_counter()
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=400, cwd=work,
        env={"ATLAS_HOME": str(work / "home"), "PATH": _path(), "HOME": str(work)},
    )  # fmt: skip
    seconds = time.perf_counter() - started
    try:
        result = json.loads(done.stdout)
    except ValueError:
        result = {}
    if "value" not in result:
        return f"exit code {done.returncode}: {done.stderr.strip()[-200:]}", seconds, "-"
    text = json.dumps(result["value"], ensure_ascii=False)
    wanted = one.expect.replace("{w}", str(work))
    if result["status"] != "ok":
        return f"{result['status']}: {(result['error'] or {}).get('message', '')[:200]}", seconds, "-"
    called = any(call["ok"] for call in result["calls"])
    return ("ok" if called and wanted in text else f"unexpected: {text[:120]}"), seconds, _tools(config, work)


def _tools(config: Path, work: Path) -> int:
    listed = subprocess.run(
        [str(BIN / "atlas"), "tools", "list", "--mcp", str(config), "--json"], capture_output=True, text=True, cwd=work,
        env={"ATLAS_HOME": str(work / "home"), "PATH": _path(), "HOME": str(work)}, timeout=400,
    ).stdout  # fmt: skip
    return sum(json.loads(line).get("server") == config.stem for line in listed.splitlines())


def _path() -> str:
    return os.environ["PATH"]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("usage: real_servers.py DIR [NAME ...]")
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
