"""The exact texts that a policy reads: the system text, the first message of a task, the message after a program.

The nano policy is trained on these functions, so a change here needs a new nano. Every argument is untrusted text;
the conversation tokenises it with special tokens off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

Profile = Literal["compact", "full"]

_COMPACT = (
    "Reply with one Python program. Tools: server.tool(...). "
    "load_tools(*search_tools(query)) shows more tools. answer(value) ends the task."
)

_FULL = """\
You complete tasks by writing Python programs. Your whole reply is one program, without explanation.
- Tools are functions grouped by server: server.tool(parameter=value). Call only tools that exist.
- If no tool in view fits, reply with: load_tools(*search_tools("what you need")) and you will see more tools next turn.
- print(...) what you need to see; variables stay alive between programs.
- A failing tool raises ToolError, with .kind and .message.
- When the task is done, call answer(value) with the result: just the value, not a sentence. If no tool can do the task,
  call answer("Cannot: no tool does this.").
- json, re, math, datetime, statistics, collections and itertools are available. No files or network except through tools.
Example of a reply:
totals = {}
for path in files.find(pattern="**/*.md"):
    totals[path] = text.count(path=path, what="words")
answer(totals)"""


def system_text(profile: Profile) -> str:
    """The system text; `compact` is for policies trained on this repository's worlds, `full` for any other model."""
    return _COMPACT if profile == "compact" else _FULL


def first_message(servers: Sequence[tuple[str, int]], stubs: Sequence[str], task: str) -> str:
    """Server index (identifier, number of tools), the stubs in view, and the task."""
    return f"{view_text(servers, stubs)}{task_text(task)}"


def view_text(servers: Sequence[tuple[str, int]], stubs: Sequence[str]) -> str:
    """The part of the first message before the task; tasks over one view share it as a prefix."""
    index = ", ".join(f"{name} ({count})" for name, count in servers)
    return f"servers: {index}\n" + "".join(f"{stub}\n" for stub in stubs)


def task_text(task: str) -> str:
    """The part of the first message that differs between tasks over one view."""
    return f"task: {task}"


def result_message(
    *,
    output: str = "",
    error: str | None = None,
    calls: Sequence[str] = (),
    loaded: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    lost: Sequence[str] = (),
) -> str:
    """What the policy reads after a program that did not end the run.

    `error` is one line such as `line 2: ToolError: no such file: a.txt`; `calls` are the calls that already changed
    something in a program that failed; `loaded` are new stubs; `variables` maps live names to shape and head;
    `lost` names variables that a rebuilt worker no longer has.
    """
    lines = [output.rstrip("\n")] if output.strip() else []
    if error:
        lines.append(f"error: {error}")
        lines += [f"done: {call}" for call in calls]
    lines += loaded
    if variables:
        lines += [f"{name}: {shape}" for name, shape in variables.items()]
    if lost:
        lines.append("lost: " + ", ".join(lost))
    return "\n".join(lines) or "no output, no answer"


def found_text(full_name: str, summary: str) -> str:
    """One line of `search_tools`; `summary` is the first sentence of the tool's description."""
    return f"{full_name}  # {summary}"


def call_text(full_name: str, arguments: Mapping[str, object]) -> str:
    """A call in one line, as the result message lists what a failed program already did."""
    return f"{full_name}({', '.join(f'{name}={value!r}' for name, value in arguments.items())})"
