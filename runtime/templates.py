"""The model's own chat template, read once: the trusted text between the turns, found by rendering marked probes.

A prompt is never rendered as a whole again. Many templates change earlier turns (they drop the thinking of old replies,
move the system text, trim), which would change token ids that the model has already read. So each template is rendered a
few times with marker strings at load; what stands between the markers are the delimiters:

    opening  SYSTEM  to_user  USER  to_reply   (reply)   after_reply  USER  to_reply ...
                                               (reply)   after_reply_result  RESULT  ...

A template without a system role gets the system text in its first user message, one without a tool role gets results as
user messages. One from which no such chain can be derived is refused with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from .policies.errors import BadTemplate

_SYSTEM, _USER, _REPLY, _NEXT = "qSYSTEMzq7", "qUSERzq7", "qREPLYzq7", "qNEXTzq7"
_JOIN = "\n\n"
# Text that a template may not escape, quote or interpret when it stands where a marker stood.
_ODD = "a \"b\" 'c' <d> &amp; {e} \\n\nnext é"
_CALL_ID = "atlas0001"
_MAX_RENDERED = 1_000_000

Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """Trusted text before and after the content of a message that follows a reply."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ChatShape:
    """The delimiters of one template."""

    opening: str
    to_user: str
    to_reply: str
    user: Turn
    result: Turn
    system_role: bool
    """False where the system text is put into the first user message."""
    tool_role: bool
    """False where results are shown as user messages."""
    trims: bool
    """True where the template strips blanks around a message, so that the policy never saw any."""
    thinks: bool = False
    """True where the reply begins inside the model's thinking."""

    def clean(self, text: str) -> str:
        """`text` as the template would show it."""
        return text.strip() if self.trims else text


class ChatTemplate:
    """A compiled Jinja template in the immutable sandbox, with the helpers that chat templates use."""

    def __init__(self, source: str, *, bos: str = "", eos: str = "", where: str = "", thinking: bool = False) -> None:
        from jinja2 import TemplateError

        self.where = where
        self._fixed: dict[str, Any] = {
            "bos_token": bos,
            "eos_token": eos,
            "pad_token": "",
            "unk_token": "",
            "enable_thinking": thinking,
            "thinking": thinking,
            "add_generation_prompt": True,
        }
        try:
            self._template = _environment().from_string(source)
        except TemplateError as error:
            raise self._refusal(f"it is not valid Jinja ({error})") from None

    def render(self, messages: Sequence[Message]) -> str:
        """The prompt for these messages, ending where the reply begins."""
        text: str = self._template.render(messages=[dict(message) for message in messages], **self._fixed)
        if len(text) > _MAX_RENDERED:
            raise ValueError("it renders more than a million characters")
        return text

    def shape(self) -> ChatShape:
        """The delimiters; raises `BadTemplate` where no append-only prompt can be derived."""
        trims = self._trims()
        system_role, (opening, to_user, to_reply) = self._head()
        user = self._turn("user", system_role)
        if user is None:
            raise self._refusal("a second user message cannot be told apart from the turns before it")
        result = self._turn("tool", system_role)
        thinks = to_reply.rstrip().endswith(("<think>", "[THINK]", "<seed:think>"))
        return ChatShape(opening, to_user, to_reply, user, result or user, system_role, result is not None, trims, thinks)

    def _head(self) -> tuple[bool, tuple[str, str, str]]:
        """Delimiters of the first turn, with a system role where the template has a usable one."""
        with_system = self._between([_system(_SYSTEM), _user(_USER)], [_SYSTEM, _USER])
        if with_system is not None:
            opening, to_user, to_reply = with_system
            if self._neutral([_system(_ODD), _user(_ODD)], [opening, to_user, to_reply]):
                return True, (opening, to_user, to_reply)
        alone = self._between([_user(_USER)], [_USER])
        if alone is None:
            raise self._refusal(f"a single user message does not come out of it{self._reason([_user(_USER)])}")
        if not self._neutral([_user(_ODD)], alone):
            raise self._refusal("it rewrites the text of a user message")
        return False, (alone[0], _JOIN, alone[1])

    def _turn(self, role: str, system_role: bool) -> Turn | None:
        """Delimiters of a message of `role` after a reply; tool messages are tried in the forms that templates know."""
        heads = [[_system(_SYSTEM), _user(_USER)], [_user(_USER)]] if system_role else [[_user(_USER)]]
        for head in heads:
            for form in _forms(role):
                turn = self._after_reply(head, form)
                if turn is not None:
                    return turn
        return None

    def _after_reply(self, head: list[Message], form: Message) -> Turn | None:
        before = [*head, {"role": "assistant", "content": _REPLY}]
        marks = [message["content"] for message in before] + [_NEXT]
        parts = self._between([*before, {**form, "content": _NEXT}], marks)
        if parts is None or not parts[-2]:
            return None
        # The reply's own text must not change what follows it; replies here are programs, often of several lines.
        odd = self._try([*before[:-1], {"role": "assistant", "content": _ODD}, {**form, "content": _ODD}])
        expected = parts[-2] + _ODD + parts[-1]
        return Turn(parts[-2], parts[-1]) if odd is not None and odd.endswith(expected) else None

    def _between(self, messages: list[Message], marks: list[str]) -> list[str] | None:
        """The texts around `marks`, or None where one of them is missing, repeated or out of order."""
        text = self._try(messages)
        if text is None or any(text.count(mark) != 1 for mark in marks):
            return None
        parts = []
        for mark in marks:
            before, found, text = text.partition(mark)
            if not found:
                return None
            parts.append(before)
        return [*parts, text]

    def _neutral(self, messages: list[Message], parts: list[str]) -> bool:
        """True where odd content comes out unchanged between the same delimiters."""
        return self._try(messages) == _ODD.join(parts)

    def _trims(self) -> bool:
        text = self._try([_user(f" \n{_USER} \n")])
        return text is not None and f" \n{_USER}" not in text and f"{_USER} \n" not in text

    def _try(self, messages: list[Message]) -> str | None:
        """The rendering, or None where the template refuses; templates raise whatever Python raises."""
        try:
            return self.render(messages)
        except Exception:
            return None

    def _reason(self, messages: list[Message]) -> str:
        try:
            self.render(messages)
        except Exception as error:
            return f" ({type(error).__name__}: {error})"
        return ""

    def _refusal(self, reason: str) -> BadTemplate:
        return BadTemplate(
            f"the chat template of {self.where or 'this model'} cannot be used: {reason}",
            where=self.where,
            mend="choose a model with another chat template, or serve this one with llama-server and give its address",
        )


def _system(text: str) -> Message:
    return {"role": "system", "content": text}


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def _forms(role: str) -> list[Message]:
    if role == "user":
        return [{"role": "user"}]
    return [
        {"role": "tool"},
        {"role": "tool", "name": "python", "tool_call_id": _CALL_ID},
    ]


def _environment() -> Any:
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks replies for training; for a prompt it is transparent."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    environment.filters["tojson"] = _tojson
    environment.filters["fromjson"] = json.loads
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _raise(message: str) -> NoReturn:
    raise ValueError(message)


def _strftime_now(form: str) -> str:
    return datetime.now().strftime(form)


def _tojson(
    value: object,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
    **_: object,
) -> str:
    """Plain JSON, without the HTML escaping of Jinja's own filter."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{{ '<|im_start|>assistant\n' }}"
)
"""For a model without a template whose vocabulary has ChatML's tokens."""


def template_source(metadata: Mapping[str, object]) -> str | None:
    """The chat template in a GGUF's metadata."""
    source = metadata.get("tokenizer.chat_template")
    return source if isinstance(source, str) and source.strip() else None
