"""A mail server that sends nothing: `mail_server.py FILE` writes every address that it is asked to send to into FILE."""

import pathlib
import sys

from mcp.server import MCPServer
from mcp.types import ToolAnnotations

COUNT = pathlib.Path(sys.argv[1])
server = MCPServer("mail")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def find_address(name: str) -> str:
    """The address of a person."""
    return f"{name.lower()}@example.org"


@server.tool()
def send_email(to: str, text: str) -> str:
    """Send an email."""
    with COUNT.open("a") as file:
        file.write(to + "\n")
    return f"sent to {to}"


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def count_sent() -> int:
    """How many emails were sent."""
    return len(COUNT.read_text().splitlines()) if COUNT.exists() else 0


server.run()
