"""Breaks up the control strings of chat templates in untrusted text that goes over HTTP.

A server renders the template itself and parses control strings wherever they stand, so a file with `<|im_start|>` in it
could open a turn. One blank after the first character keeps the text readable and takes that power away. In process this
is not needed: there, untrusted text is tokenised with special tokens off.
"""

from __future__ import annotations

import re

_TURNS = re.compile(
    r"(?P<first><)(?=\|[^\s|<>]{1,48}\|?>)"  # <|im_start|>, <|turn>
    r"|(?P<second><)(?=[\w-]{1,40}\|>)"  # <turn|>
    r"|(?P<third><)(?=｜[^\s<>]{1,48}>)"  # DeepSeek's full-width bars
    r"|(?P<fourth><)(?=/?s>|<SYS>>|</SYS>>)"
    r"|(?P<fifth><)(?=/?(?:bos|eos|pad|unk|mask|sep|cls|start_of_turn|end_of_turn|start_of_image|end_of_sentence"
    r"|beginning_of_sentence|SPECIAL_\d+|extra_id_\d+|seed:[\w:]+|role|assistant|user|system|im_start|im_end)>)"
    r"|(?P<sixth>\[)(?=/?(?:INST|SYSTEM_PROMPT|TOOL_RESULTS|TOOL_CALLS|TOOL_CONTENT|AVAILABLE_TOOLS|ARGS|CALL_ID|IMG|THINK)\])"
    r"|(?P<seventh>[\]\[])(?=~[be]\]|e~\[)",
    re.IGNORECASE,
)
_MARKUP = re.compile(
    r"<(?=/?(?:think|tool_call|tool_response|tool_results?|tools|function_call|tool_calls_?\w*)>)", re.IGNORECASE
)


def defuse(text: str, *, reply: bool = False) -> str:
    """`text` with a blank put into every control string; in a reply, the tags of thinking and tool calls stay."""
    text = _TURNS.sub(lambda match: f"{match.group(0)} ", text)
    return text if reply else _MARKUP.sub("< ", text)
