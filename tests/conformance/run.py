"""Runs the official MCP conformance suite against Atlas' client and its gateway; `make conformance` calls it.

    python run.py FOLDER [--only client|gateway] [--keep FOLDER]

FOLDER takes what is needed: Node 22, the suite (npm), and the SDK's everything server (from the source archive of the
installed `mcp`). Prints one line for each suite, with the name of every required scenario that fails; exits 1 for any.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
VERSIONS = ("2025-11-25", "2026-07-28")
HERE = Path(__file__).resolve().parent
START_SECONDS = 120.0
SCENARIO_MS = 120_000
"""For a busy machine; a scenario takes a second or two."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def install(folder: Path) -> list[str]:
    """Install what is missing; the command of the suite."""
    folder.mkdir(parents=True, exist_ok=True)
    suite = folder / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    if not suite.exists():
        say(f"installing {SUITE}")
        (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
        packages = [SUITE] if _node_is_new() else [SUITE, f"node-{_machine()}@22"]
        subprocess.run(["npm", "install", "--no-fund", "--no-audit", "--loglevel=error", *packages], cwd=folder, check=True)
    if not (folder / "mcp_everything_server").exists():
        _fetch_everything(folder)
    return ["node" if _node_is_new() else str(folder / "node_modules" / f"node-{_machine()}" / "bin" / "node"), str(suite)]


def _node_is_new() -> bool:
    if shutil.which("node") is None:
        return False
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    return version.strip().lstrip("v").partition(".")[0] >= "22"


def _machine() -> str:
    word = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}-{word}"


def _fetch_everything(folder: Path) -> None:
    """The server that the SDK's makers test with lies in the source archive only."""
    version = metadata.version("mcp")
    say(f"fetching the everything server of mcp {version}")
    with tempfile.TemporaryDirectory() as fetched:
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            "mcp",
            f"mcp=={version}",
            "-d",
            fetched,
        ]
        subprocess.run(pip, check=True)
        with tarfile.open(next(Path(fetched).glob("mcp-*.tar.gz"))) as archive:
            archive.extractall(fetched, filter="data")
        found = next(Path(fetched).glob("mcp-*/examples/servers/everything-server/mcp_everything_server"))
        shutil.copytree(found, folder / "mcp_everything_server")


def required(suite: list[str], version: str, side: str) -> list[str]:
    """Names of the scenarios that a protocol version requires of a client, or of a server."""
    text = subprocess.run([*suite, "list", "--requirements", version], capture_output=True, text=True, check=True).stdout
    part = text.split(f"{side} scenarios")[1].split("\n\n")[0]
    return re.findall(r"^\s+- (\S+)", part, re.MULTILINE)


def judge(title: str, wanted: list[str], output: str) -> list[str]:
    """Print the line of one suite; the required scenarios that did not pass."""
    seen = {name: mark for mark, name in re.findall(r"^([✓✗]) (\S+): ", output, re.MULTILINE)}
    failed = [name for name in wanted if seen.get(name) != "✓"]
    print(f"{title}: {len(wanted) - len(failed)} of {len(wanted)} required scenarios", flush=True)
    for name in failed:
        print(f"  failed: {name}" + ("" if name in seen else " (not run)"), flush=True)
    return failed


def run_suite(suite: list[str], arguments: list[str], keep: Path | None, name: str) -> str:
    """Run one suite and return what it printed."""
    done = subprocess.run([*suite, *arguments], capture_output=True, text=True, check=False)
    output = _COLOUR.sub("", done.stdout + done.stderr)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{name}.log").write_text(output, encoding="utf-8")
    return output


def client(suite: list[str], keep: Path | None) -> list[str]:
    """Atlas' client against the suite's servers."""
    failed = []
    command = f"{sys.executable} {HERE / 'client.py'}"
    for version in VERSIONS:
        arguments = ["client", "--command", command, "--requirements", version, "--timeout", str(SCENARIO_MS)]
        output = run_suite(suite, arguments, keep, f"client-{version}")
        failed += judge(f"client {version}", required(suite, version, "Client"), output)
    return failed


def gateway(suite: list[str], folder: Path, keep: Path | None) -> list[str]:
    """The suite's clients against `atlas serve --pass-through` in front of the everything server."""
    failed = []
    with tempfile.TemporaryDirectory() as home, served(folder, Path(home)) as url:
        for version in VERSIONS:
            arguments = ["server", "--url", url, "--requirements", version, "--timeout", str(SCENARIO_MS)]
            output = run_suite(suite, arguments, keep, f"gateway-{version}")
            failed += judge(f"gateway {version}", required(suite, version, "Server"), output)
    return failed


@contextlib.contextmanager
def served(folder: Path, home: Path) -> Iterator[str]:
    """The everything server, a gateway in front of it, and a door that adds the token; yields the door's address."""
    port = free_port()
    config = home / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"everything": {"type": "http", "url": f"http://127.0.0.1:{port}/mcp"}}}))
    environment = os.environ | {"ATLAS_HOME": str(home), "PYTHONPATH": str(folder)}
    everything = [sys.executable, "-m", "mcp_everything_server", "--port", str(port), "--log-level", "ERROR"]
    atlas = [sys.executable, "-m", "atlas.cli", "serve", "--pass-through", "--http", "0", "--json", "--mcp", str(config)]
    with started(everything, environment, quiet=True):
        wait_for(port)
        with started(atlas, environment) as process:
            address = json.loads(first_line(process))
            door = [sys.executable, str(HERE / "with_token.py"), address["url"], address["token_file"]]
            with started(door, environment) as process:
                url = first_line(process).strip()
                wait_for(int(url.split(":")[2].split("/")[0]))
                yield url


@contextlib.contextmanager
def started(command: list[str], environment: dict[str, str], *, quiet: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the block."""
    errors = subprocess.DEVNULL if quiet else None
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def first_line(process: subprocess.Popen[str]) -> str:
    """What a process says when it is ready."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"{process.args!r} ended before it served")
    return line


def free_port() -> int:
    """A port on loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until somebody listens there."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"nobody listens at port {port}")
        time.sleep(0.05)


def say(text: str) -> None:
    """A line of progress."""
    print(f"conformance: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Install, run, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where what is needed is installed")
    parser.add_argument("--only", choices=("client", "gateway"))
    parser.add_argument("--keep", type=Path, help="where the suite's own output goes")
    options = parser.parse_args()
    folder = options.folder.resolve()
    suite = install(folder)
    failed: list[str] = []
    if options.only != "client":
        failed += gateway(suite, folder, options.keep)
    if options.only != "gateway":
        failed += client(suite, options.keep)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
