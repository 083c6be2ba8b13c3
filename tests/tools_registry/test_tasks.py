"""Finding the tools of a whole task: steps, values and their kinds, breadth over servers, near names."""

from hypothesis import given, settings
from hypothesis import strategies as st

from atlas.tools_registry import Tool, ToolIndex
from atlas.tools_registry.steps import MAX_STEPS, steps
from atlas.tools_registry.words import grams, task_words, words


def tool(full_name: str, description: str = "") -> Tool:
    server, _, name = full_name.partition(".")
    return Tool(server, name, description, {"type": "object"})


def names(index: ToolIndex, task: str, count: int = 8) -> list[str]:
    return [found.full_name for found in index.first_view(task)[:count]]


def test_a_task_is_split_into_its_steps() -> None:
    assert steps("Find the flights. Book the cheapest, then mail me the ticket") == [
        "Find the flights.", "Book the cheapest", "then mail me the ticket"]  # fmt: skip
    assert steps("lines?") == ["lines?"] and steps("") == [""]
    assert steps("- first thing\n- second thing") == ["- first thing", "- second thing"]
    assert len(steps(". ".join(f"Do thing number {n}" for n in range(500)))) <= MAX_STEPS


@settings(max_examples=50)
@given(st.text(max_size=300))
def test_any_text_has_steps_and_words(text: str) -> None:
    assert steps(text)
    assert all(0 < weight <= 2 for step in steps(text) for weight in task_words(step).values())


def test_values_say_what_they_are() -> None:
    file = task_words("let me see harbour.txt")
    assert file["fil"] > 0 and file["harbour"] < 1
    assert "tabl" in task_words("the rows of sales.csv") and "dat" in task_words("what was due 2026-04-20?")
    assert "url" in task_words("fetch https://example.com/a") and "email" in task_words("write to a@example.com")
    assert task_words('rename it to "big hotel"')["hotel"] < 1 < task_words("hotel hotel")["hotel"]


def test_fillers_count_in_a_query_but_not_in_a_task() -> None:
    assert "need" not in task_words("I really need a train") and words("need") == ["need"]


SERVERS = {
    "weather": "forecast", "parks": "trails", "maps": "route", "papers": "article", "coins": "price", "mail": "message",
}  # fmt: skip
INDEX = ToolIndex(
    [tool(f"{server}.{verb}_{noun}", f"{verb} a {noun}") for server, noun in SERVERS.items() for verb in
     ("get", "list", "find", "make", "drop", "share")]
)  # fmt: skip


def test_every_step_of_a_long_task_has_its_server_in_the_first_eight() -> None:
    task = "Get the forecast. Find trails nearby. Plan the route. Look up an article. Check the price. Share a message."
    assert {name.partition(".")[0] for name in names(INDEX, task)} == SERVERS.keys()


def test_a_task_about_one_server_shows_several_of_its_tools() -> None:
    shown = [name.partition(".")[0] for name in names(INDEX, "get the forecast and share the forecast", 10)]
    assert shown[0] == "weather" and shown.count("weather") >= 4


def test_a_run_together_or_misspelt_name_is_near() -> None:
    index = ToolIndex([tool("money.exchange_rate"), tool("mail.send_message"), tool("files.read")])
    assert index.search("exchangerate")[0].tool.full_name == "money.exchange_rate"
    assert index.search("mesage")[0].tool.full_name == "mail.send_message"
    assert index.search("qqqqqq") == []
    assert grams("a_b") == set() and grams("Ab_Cd") == {"abc", "bcd"}


def test_what_a_server_says_about_itself_counts() -> None:
    tools = [tool("one.run", "Run a job."), tool("two.run", "Run a job.")]
    said = ToolIndex(tools, {"two": "Everything about telescopes."})
    assert names(said, "run a job on the telescope")[0] == "two.run"
    assert names(ToolIndex(tools), "run a job on the telescope")[0] == "one.run"
