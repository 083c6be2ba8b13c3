"""Finding tools by words."""

import time

from atlas.tools_registry import Tool, ToolIndex
from atlas.tools_registry.search import words


def tool(full_name: str, description: str = "", *parameters: str) -> Tool:
    server, _, tool_name = full_name.partition(".")
    return Tool(
        server, tool_name, description, {"type": "object", "properties": {name: {"type": "string"} for name in parameters}}
    )


TOOLS = [
    tool("files.list", "Names in a folder.", "path"),
    tool("files.read", "The text of a file.", "path"),
    tool("files.delete", "Delete a file or an empty folder.", "path"),
    tool("crm.find_clients", "Find clients by city.", "city"),
    tool("crm.add_client", "Add a client.", "name", "city"),
    tool("calendar.list_meetings", "Meetings of a day.", "day"),
    tool("money.exchange_rate", "The rate between two currencies.", "source", "target"),
    tool("shop.find_orders", "Find orders by client.", "client"),
]
INDEX = ToolIndex(TOOLS)


def best(query: str) -> str:
    return INDEX.search(query)[0].tool.full_name


def test_plain_questions_find_their_tool() -> None:
    assert best("Which meeting do I have on Monday?") == "calendar.list_meetings"
    assert best("currency exchange rates") == "money.exchange_rate"
    assert best("clients in Oslo by city") == "crm.find_clients"


def test_singular_plural_and_verb_forms_are_one_word() -> None:
    for forms in (
        ["file", "files"],
        ["meeting", "meetings", "meet"],
        ["city", "cities"],
        ["class", "classes"],
        ["add", "added"],
        ["plan", "planned", "planning"],
        ["copy", "copies", "copied"],
        ["string", "strings"],
        ["invoice", "invoices"],
    ):
        assert len({words(form)[0] for form in forms}) == 1, forms
    assert words("findClients_byCity") == words("find clients by city")


def test_another_word_for_the_same_act_finds_the_tool() -> None:
    assert best("remove the old file") == "files.delete"
    assert best("customers") in ("crm.add_client", "crm.find_clients")


def test_the_server_that_covers_more_of_the_query_wins() -> None:
    assert best("crm: find the client") == "crm.find_clients"


def test_nothing_in_common_gives_nothing() -> None:
    assert INDEX.search("zebra") == []
    assert INDEX.search("") == []
    assert INDEX.search("file", 0) == []


def test_the_order_is_the_same_every_time() -> None:
    first = [hit.tool.full_name for hit in INDEX.search("find the list of clients and files", 8)]
    assert [hit.tool.full_name for hit in ToolIndex(TOOLS).search("find the list of clients and files", 8)] == first
    scores = [hit.score for hit in INDEX.search("find the list of clients and files", 8)]
    assert scores == sorted(scores, reverse=True)


def test_the_first_view_is_filled_up_and_mixed() -> None:
    many = [tool(f"mail.find_message_{i}", "Find a message.") for i in range(20)] + TOOLS
    view = ToolIndex(many).first_view("find a message of a client", minimum=8, limit=10)
    assert len(view) == 10
    assert [found.server for found in view[:8]].count("mail") == 5
    assert {"crm", "shop"} <= {found.server for found in view}
    assert len({found.full_name for found in view}) == 10
    filled = INDEX.first_view("zebra", minimum=5)
    assert [found.full_name for found in filled] == [
        "files.list",
        "crm.find_clients",
        "calendar.list_meetings",
        "money.exchange_rate",
        "shop.find_orders",
    ]
    assert len(INDEX.first_view("zebra", minimum=50)) == len(TOOLS)
    assert ToolIndex([]).first_view("x") == []


def test_hostile_text_is_read_in_bounded_time() -> None:
    hostile = [
        tool("x.y", "a" * 3_000_000),
        tool("x.z", "aA" * 1_000_000),
        tool("x.w", "_ " * 1_000_000),
        tool("x.v", "\ud800\x00"),
    ]
    started = time.process_time()
    ToolIndex(hostile).search("a" * 1_000_000)
    assert time.process_time() - started < 5
