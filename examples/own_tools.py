"""Give the policy your own Python functions as tools; their signatures and docstrings become its stubs."""

import asyncio
import sys

from atlas import Runtime

STOCK = {"lamp": 12, "chair": 3, "desk": 0}


def get_stock(product: str) -> int:
    """Get how many pieces of a product are in stock."""
    if product not in STOCK:
        raise ValueError(f"no such product: {product} (known: {', '.join(STOCK)})")
    return STOCK[product]


def list_products() -> list[str]:
    """List the names of all products."""
    return sorted(STOCK)


async def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "nano"
    async with Runtime(model=model, tools=[get_stock, list_products], approve="auto") as runtime:
        episode = await runtime.run("List the names of all products.")
    print(episode.status, episode.answer)
    if episode.status != "answered":
        sys.exit("the model did not manage it; give a stronger one: python examples/own_tools.py MODEL")


asyncio.run(main())
