"""Run one task on a folder of files and print the answer. A model may be named: python run_task.py model.gguf"""

import asyncio
import sys
from pathlib import Path

from atlas import Runtime

WORKSPACE = Path(__file__).parent / "workspace"


async def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "nano"
    async with Runtime(model=model, workspace=WORKSPACE, approve="auto") as runtime:
        episode = await runtime.run("How many words are in notes.md?")
    print(episode.status, episode.answer)


asyncio.run(main())
