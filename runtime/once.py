"""`atlas.run("task")`: one task in one line, with or without a running event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .runtime import Runtime

if TYPE_CHECKING:
    from .episodes.episode import Episode


def run(task: str, *args: Any, **options: Any) -> Episode:
    """Run one task and return its episode; takes what `Runtime` takes. Works with and without a running event loop."""

    async def once() -> Episode:
        async with Runtime(*args, **options) as runtime:
            return await runtime.run(task)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(once())
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, once()).result()
