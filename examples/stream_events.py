"""Watch a run as it happens: every program, every call, then the answer."""

import asyncio
import sys
from pathlib import Path

from atlas import Runtime

WORKSPACE = Path(__file__).parent / "workspace"


async def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "nano"
    async with Runtime(model=model, workspace=WORKSPACE, approve="auto") as runtime:
        async for event in runtime.stream("How many words are in notes.md?"):
            print(event)


asyncio.run(main())
