"""Servers that misbehave: each failure has its own error that names the server, and leaves no process behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from atlas.tools_registry import (
    Catalogue,
    Registry,
    ServerConfig,
    ServerDied,
    ServerProtocolError,
    ServerTimeout,
    ToolFailed,
    UnknownTool,
)
from atlas.tools_registry.connection import Connection
from atlas.tools_registry.errors import ServerError, ServerStartError

from ..waiting import ended, until_dead

Script = Callable[..., ServerConfig]

KILLED_CLIENT = """
import asyncio, os, sys
from atlas.tools_registry import Registry, ServerConfig

async def main():
    env = {"REGISTRY_TEST": os.environ["REGISTRY_TEST"]}
    config = ServerConfig("plain", command=sys.executable, args=tuple(sys.argv[1:]), env=env)
    async with Registry([config]) as registry:
        print(await registry.call(registry.tools["plain.pid"], {}), flush=True)
        await registry.call(registry.tools["plain.hang"], {})

asyncio.run(main())
"""


def in_registry(config: ServerConfig, use: Callable[[Registry], Awaitable[Any]], **options: Any) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(120), Registry([config], **options) as registry:
            return await use(registry)

    return asyncio.run(main())


def start_error(config: ServerConfig) -> ServerError:
    async def main() -> ServerError:
        connection = Connection(config.name, config)
        with pytest.raises(ServerError) as caught:
            await connection.open()
        await connection.close()
        return caught.value

    return asyncio.run(main())


def slow_start_error(script: Script, behaviour: str, said: str) -> ServerError:
    """The error of a server that does not answer, and that was waited for until it had `said` something."""
    for seconds in (0.5, 2.0, 8.0, 32.0):
        error = start_error(script("plain", behaviour, connect_seconds=seconds))
        if said in error.message:
            break
    return error


def test_a_command_that_is_not_there_is_named() -> None:
    error = start_error(ServerConfig("ghost", command="no-such-command", source="mcp.json:7"))
    assert isinstance(error, ServerStartError)
    assert "command not found: 'no-such-command'" in error.message
    assert error.where == "server ghost (mcp.json:7)"
    assert "install 'no-such-command'" in error.mend


def test_a_folder_that_is_not_there_is_named(script: Script) -> None:
    error = start_error(script("plain", cwd="/no/such/folder"))
    assert "'/no/such/folder' is not there" in error.message
    assert "cwd" in error.mend


def test_a_file_that_cannot_be_run_is_named(tmp_path: Any) -> None:
    (tmp_path / "text").write_text("hello")
    error = start_error(ServerConfig("text", command=str(tmp_path / "text")))
    assert "cannot be run: Permission denied" in error.message


def test_a_server_that_exits_at_once_is_quoted(script: Script) -> None:
    error = start_error(script("plain", "exits"))
    assert isinstance(error, ServerStartError)
    assert "'plain' ended before it answered" in error.message
    assert "no licence key" in error.message


def test_a_server_for_the_old_sdk_gets_the_mend(script: Script) -> None:
    error = start_error(script("plain", "v1"))
    assert "version 1 of the MCP SDK" in error.message
    assert "pip install 'mcp<2'" in error.mend


def test_the_mend_for_uvx_is_the_command_to_write(script: Script, tmp_path: Any) -> None:
    config = script("plain", "v1")
    (tmp_path / "uvx").symlink_to(config.command)
    error = start_error(ServerConfig("old", command=str(tmp_path / "uvx"), args=config.args, env=config.env))
    assert "uvx --with 'mcp<2' " in error.mend


def test_a_server_that_hangs_at_its_start_times_out(script: Script) -> None:
    error = slow_start_error(script, "silent", "thinking")
    assert isinstance(error, ServerTimeout)
    assert "did not answer within" in error.message
    assert "thinking" in error.message
    assert "connectTimeout" in error.mend


def test_a_server_that_ignores_every_signal_is_killed(script: Script) -> None:
    started = time.monotonic()
    assert isinstance(start_error(script("plain", "deaf", connect_seconds=0.2)), ServerTimeout)
    assert time.monotonic() - started < 60


def test_a_server_that_only_prints_rubbish_is_quoted(script: Script) -> None:
    error = slow_start_error(script, "only-rubbish", "What do you mean?")
    assert "What do you mean?" in error.message
    assert "stdout" in error.message


def test_rubbish_beside_answers_does_no_harm(script: Script) -> None:
    async def use(registry: Registry) -> object:
        return await registry.call(registry.tools["plain.echo"], {"text": "hi"})

    assert in_registry(script("plain", "rubbish"), use) == "hi"


def test_a_server_that_dies_of_the_first_question_is_started_again_in_the_old_way(script: Script) -> None:
    async def use(registry: Registry) -> object:
        return await registry.call(registry.tools["plain.echo"], {"text": "hi"})

    assert in_registry(script("plain", "old"), use) == "hi"


def test_death_during_a_call_is_reported_and_the_next_call_starts_it_again(script: Script) -> None:
    async def use(registry: Registry) -> tuple[ServerDied, object, object, list[str]]:
        first = await registry.call(registry.tools["plain.pid"], {})
        with pytest.raises(ServerDied) as caught:
            await registry.call(registry.tools["plain.die"], {})
        return caught.value, first, await registry.call(registry.tools["plain.pid"], {}), registry.started

    error, first, second, started = in_registry(script("plain"), use)
    assert "'plain' died" in error.message
    assert "going[31m down" in error.message
    assert error.kind == "server"
    assert first != second
    assert started == ["plain"]


def test_a_slow_call_times_out_and_a_server_stuck_in_it_is_still_closed(script: Script) -> None:
    async def use(registry: Registry) -> ServerTimeout:
        with pytest.raises(ServerTimeout) as caught:
            await registry.call(registry.tools["plain.hang"], {}, timeout_seconds=0.2)
        return caught.value

    error = in_registry(script("plain"), use)
    assert error.kind == "timeout"
    assert "within 0.2 s" in error.message


def test_a_server_that_is_silent_in_call_after_call_is_started_anew(script: Script) -> None:
    async def use(registry: Registry) -> tuple[object, object]:
        first = await registry.call(registry.tools["plain.pid"], {})
        for name in ("hang", "number"):
            with pytest.raises(ServerTimeout):
                await registry.call(registry.tools[f"plain.{name}"], {}, timeout_seconds=0.2)
        return first, await registry.call(registry.tools["plain.pid"], {})

    first, second = in_registry(script("plain"), use)
    assert first != second


def test_the_timeout_of_the_configuration_is_the_default(script: Script) -> None:
    async def use(registry: Registry) -> None:
        with pytest.raises(ServerTimeout):
            await registry.call(registry.tools["plain.hang"], {})

    in_registry(script("plain", call_seconds=0.2), use)


def test_a_huge_result_is_refused_and_the_connection_survives(script: Script) -> None:
    async def use(registry: Registry) -> tuple[ToolFailed, object]:
        with pytest.raises(ToolFailed) as caught:
            await registry.call(registry.tools["plain.big"], {"n": 3_000_000})
        return caught.value, await registry.call(registry.tools["plain.big"], {"n": 3})

    error, after = in_registry(script("plain"), use, result_bytes=1_000_000)
    assert error.kind == "too_large"
    assert "3.0 MB, more than the limit of 1.0 MB" in error.message
    assert after == "xxx"


def test_malformed_tools_are_left_out_and_reported(script: Script) -> None:
    async def use(registry: Registry) -> tuple[list[str], list[str], object]:
        return list(registry.tools), registry.warnings, await registry.call(registry.tools["plain.echo"], {"text": "ok"})

    names, warnings, value = in_registry(script("plain", "malformed"), use)
    assert names == ["plain.echo", "plain.bad_output", "plain.untyped"]
    assert "server plain: tool 'no_schema' left out: it has no inputSchema" in warnings
    assert len(warnings) == 5
    assert value == "ok"


def test_a_list_in_pages_is_read_to_its_end(script: Script) -> None:
    async def use(registry: Registry) -> int:
        return len(registry.tools)

    assert in_registry(script("plain", "pages"), use) == 50


def test_a_list_without_an_end_is_cut_and_reported(script: Script) -> None:
    async def use(registry: Registry) -> tuple[int, list[str]]:
        return len(registry.tools), registry.warnings

    count, warnings = in_registry(script("plain", "endless"), use)
    assert count == 1
    assert any("does not end" in line for line in warnings)


def test_one_broken_server_leaves_the_others_usable(script: Script) -> None:
    async def main() -> None:
        broken = script("plain", "exits", name="broken")
        async with asyncio.timeout(120), Registry([broken, script("plain")]) as registry:
            problems = {server.name: server.problem for server in registry.servers}
            assert problems["plain"] is None
            assert "no licence key" in (problems["broken"] or "")
            assert await registry.call(registry.tools["plain.number"], {}) == 42
            assert registry.started == ["plain"]

    asyncio.run(main())


def test_what_a_server_leaves_running_is_ended(script: Script) -> None:
    async def use(registry: Registry) -> object:
        return await registry.call(registry.tools["plain.linger"], {})

    assert in_registry(script("plain"), use) == "left a child"  # the fixture looks for the child


def test_a_server_killed_with_its_client_busy_is_ended_all_the_same(script: Script) -> None:
    config = script("plain")
    with ended(
        subprocess.Popen(
            [sys.executable, "-c", KILLED_CLIENT, *config.args], env={**os.environ, **config.env}, stdout=subprocess.PIPE
        )
    ) as program:
        assert program.stdout is not None
        server = int(program.stdout.readline())
        program.kill()
        program.wait()
    until_dead(server)


def test_an_interrupt_at_the_keyboard_leaves_nothing(script: Script) -> None:
    config = script("plain")
    with ended(
        subprocess.Popen(
            [sys.executable, "-c", KILLED_CLIENT, *config.args],
            env={**os.environ, **config.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=120)
    assert program.returncode != 0
    assert errors.strip().endswith("KeyboardInterrupt")


def test_an_unusable_handshake_is_told_apart_from_a_death(script: Script) -> None:
    assert isinstance(start_error(script("plain", "odd")), ServerProtocolError)


def test_an_unusable_result_is_a_protocol_error(script: Script) -> None:
    async def use(registry: Registry) -> object:
        with pytest.raises(ServerProtocolError):
            await registry.call(registry.tools["plain.odd"], {})
        return await registry.call(registry.tools["plain.number"], {})

    assert in_registry(script("plain"), use) == 42


def test_a_server_without_tools_is_no_problem(script: Script) -> None:
    async def use(registry: Registry) -> tuple[int, str | None]:
        return registry.servers[0].tool_count, registry.servers[0].problem

    assert in_registry(script("plain", "toolless"), use) == (0, None)


def test_a_protocol_error_of_a_call_is_a_failed_tool(script: Script, tmp_path: Any) -> None:
    async def main() -> None:
        connection = Connection("plain", script("plain"))
        await connection.open()
        try:
            with pytest.raises(ToolFailed) as caught:
                await connection.call("nothing", {})
            assert caught.value.kind == "invalid"
        finally:
            await connection.close()

    asyncio.run(main())


def test_a_tool_that_is_gone_at_the_first_connection_is_unknown(script: Script, tmp_path: Any) -> None:
    grown = tmp_path / "grown"
    grown.touch()

    async def use(registry: Registry) -> None:
        tool = registry.tools["plain.new"]
        grown.unlink()
        with pytest.raises(UnknownTool):
            await registry.call(tool, {"text": "x"})

    in_registry(script("plain", "growing", env={"GROWN": str(grown)}), use)


def test_an_error_text_of_a_foreign_server_does_not_choose_its_kind(script: Script) -> None:
    async def use(registry: Registry) -> ToolFailed:
        with pytest.raises(ToolFailed) as caught:
            await registry.call(registry.tools["plain.fail"], {})
        return caught.value

    error = in_registry(script("plain"), use)
    assert (error.kind, error.message) == ("failed", "it broke [denied]")


def test_cancelling_a_caller_who_waits_for_a_start_leaves_nothing(script: Script) -> None:
    async def main() -> None:
        registry = Registry([script("plain", "silent", connect_seconds=20.0)])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await registry.__aenter__()

    asyncio.run(main())


def test_a_server_that_hung_is_not_waited_for_again_by_the_next_run_but_by_a_refresh(script: Script) -> None:
    async def use(registry: Registry) -> str:
        return registry.servers[0].problem or ""

    async def refreshed(registry: Registry) -> str:
        await registry.refresh()
        return registry.servers[0].problem or ""

    catalogue, config = Catalogue(), script("plain", "silent", connect_seconds=0.3)
    assert "connectTimeout" in in_registry(config, use, catalogue=catalogue)
    told: list[str] = []
    problem = in_registry(config, use, catalogue=catalogue, on_progress=told.append)
    assert "did not answer" in problem and "atlas tools refresh" in problem
    assert told == []
    assert "atlas tools refresh" not in in_registry(config, refreshed, catalogue=catalogue)


def test_whatever_goes_wrong_when_a_server_starts_is_an_error_that_a_program_can_catch(script: Script) -> None:
    starts: list[str] = []

    def callbacks(config: ServerConfig) -> dict[str, Any]:
        starts.append(config.name)
        if len(starts) > 1:
            raise RecursionError("too deep")
        return {}

    async def use(registry: Registry) -> None:
        with pytest.raises(ServerStartError) as caught:
            await registry.call(registry.tools["plain.pid"], {})
        assert "'plain' cannot be used: RecursionError: too deep; the call was not sent" in caught.value.message
        assert caught.value.fate == "not_sent" and caught.value.mend

    in_registry(script("plain"), use, callbacks=callbacks)
