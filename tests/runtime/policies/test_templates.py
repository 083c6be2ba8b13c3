# ruff: noqa: E501
"""Chat templates of several styles, each turned into delimiters once and never rendered again."""

from __future__ import annotations

import pytest

from atlas.runtime.policies import BadTemplate
from atlas.runtime.templates import ChatTemplate

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
HEADERS = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n{{ m['content'] | trim }}<|eot_id|>"
    "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
BRACKETS = (
    "{%- if messages[0].role == 'system' %}{%- set system = messages[0].content %}{%- set rest = messages[1:] %}"
    "{%- else %}{%- set rest = messages %}{%- endif %}{{- bos_token }}{%- for m in rest %}"
    "{%- if m.role == 'user' %}{%- if loop.last and system is defined %}{{- '[INST] ' + system + '\\n\\n' + m.content + ' [/INST]' }}"
    "{%- else %}{{- '[INST] ' + m.content + ' [/INST]' }}{%- endif %}"
    "{%- elif m.role == 'assistant' %}{{- m.content + eos_token }}"
    "{%- else %}{{- raise_exception('only user and assistant') }}{%- endif %}{%- endfor %}"
)
NO_SYSTEM = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('must alternate') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
THINKING = (
    "{%- for m in messages %}{%- if m.role == 'assistant' %}{%- set text = m.content.split('</think>')[-1].lstrip('\\n') %}"
    "{{- '<|im_start|>assistant\\n' + ('<think>\\n\\n</think>\\n\\n' if loop.last else '') + text + '<|im_end|>\\n' }}"
    "{%- elif m.role == 'tool' %}{{- '<|im_start|>user\\n<tool_response>\\n' + m.content + '\\n</tool_response><|im_end|>\\n' }}"
    "{%- else %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
)
JSON_RESULTS = CHATML.replace("{{ m.content }}", "{{ m.content | tojson if m.role == 'tool' else m.content }}")


def shape(source: str, **options: bool):
    return ChatTemplate(source, bos="<s>", eos="</s>", where="test.gguf", **options).shape()


def test_a_template_with_plain_roles_gives_its_delimiters() -> None:
    found = shape(CHATML)
    assert found.opening == "<|im_start|>system\n"
    assert found.to_user == "<|im_end|>\n<|im_start|>user\n"
    assert found.to_reply == "<|im_end|>\n<|im_start|>assistant\n"
    assert found.user.before == "<|im_end|>\n<|im_start|>user\n"
    assert found.result.before == "<|im_end|>\n<|im_start|>tool\n"
    assert (found.system_role, found.tool_role, found.trims, found.thinks) == (True, True, False, False)


def test_a_template_that_trims_says_so() -> None:
    found = shape(HEADERS)
    assert found.trims and found.clean("  x \n") == "x"
    assert found.opening == "<s><|start_header_id|>system<|end_header_id|>\n\n"


def test_a_system_text_that_moves_to_the_last_message_stays_in_the_first() -> None:
    found = shape(BRACKETS)
    assert (found.opening, found.to_user, found.to_reply) == ("<s>[INST] ", "\n\n", " [/INST]")
    assert found.user.before == "</s>[INST] " and not found.tool_role and found.result == found.user


def test_without_a_system_role_the_system_text_joins_the_first_message() -> None:
    found = shape(NO_SYSTEM)
    assert (found.system_role, found.tool_role) == (False, False)
    assert (found.opening, found.to_user, found.to_reply) == (
        "<s><start_of_turn>user\n",
        "\n\n",
        "<end_of_turn>\n<start_of_turn>model\n",
    )


def test_dropped_thinking_does_not_change_earlier_turns() -> None:
    quiet, loud = shape(THINKING), shape(THINKING, thinking=True)
    assert quiet.to_reply.endswith("assistant\n<think>\n\n</think>\n\n") and loud.to_reply.endswith("assistant\n")
    assert quiet.result.before == "<|im_end|>\n<|im_start|>user\n<tool_response>\n"
    assert quiet.result.after.startswith("\n</tool_response><|im_end|>\n")


def test_a_reply_that_begins_inside_thinking_is_known() -> None:
    assert shape(CHATML.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")).thinks


def test_results_that_would_be_escaped_become_user_messages() -> None:
    found = shape(JSON_RESULTS)
    assert not found.tool_role and found.result == found.user


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{% for m in messages %}{{ m.content", "not valid Jinja"),
        ("always the same", "does not come out"),
        ("{{ functions.nothing }}", "does not come out"),
        ("{% for m in messages %}{{ m.content | upper }}{% endfor %}", "does not come out"),
        ("{% for m in messages %}[{{ m.content | tojson }}]{% endfor %}", "rewrites"),
        ("{% for m in messages %}{{ m.content }}{% endfor %}", "told apart"),
        ("{{ messages[0].content }}", "told apart"),
        ("{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}", "does not come out"),
        ("{{ messages[0].content }}{{ ''.__class__.__mro__ }}", "does not come out"),
        ("{% for m in messages %}{% set _ = messages.append(m) %}{{ m.content }}{% endfor %}", "does not come out"),
        ("{% for i in range(10000000) %}{{ i }}{% endfor %}", "does not come out"),
    ],
)
def test_a_template_that_cannot_be_appended_to_is_refused_by_name(source: str, reason: str) -> None:
    with pytest.raises(BadTemplate, match=reason) as caught:
        shape(source)
    assert "test.gguf" in caught.value.message and caught.value.mend


def test_the_helpers_of_templates_are_there() -> None:
    source = CHATML.replace(
        "{{ m.content }}", "{{ m.content }}{% if not strftime_now('%Y') %}x{% endif %}{% generation %}{% endgeneration %}"
    )
    assert shape(source).opening == "<|im_start|>system\n"
    source = "{{ [{'a': '<é>'}] | tojson }}{{ ({'a': 1} | tojson(indent=2))[:2] }}" + CHATML
    assert shape(source).opening.startswith('[{"a": "<é>"}]{\n<|im_start|>')
