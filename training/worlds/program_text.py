"""Programs made from syntax trees, in the form in which policies write them."""

from __future__ import annotations

import ast
import io
import json
import tokenize


def written(tree: ast.AST) -> str:
    """A tree as text with double quotes, as policies write it: quotes must not give a changed program away."""
    source = ast.unparse(tree)
    lines = source.splitlines(keepends=True)
    for token in reversed(list(tokenize.generate_tokens(io.StringIO(source).readline))):
        (row, start), (end_row, end) = token.start, token.end
        if token.type == tokenize.STRING and token.string.startswith("'") and row == end_row:
            text = ast.literal_eval(token.string)
            if json.loads(json.dumps(text, ensure_ascii=False)) == text:
                line = lines[row - 1]
                lines[row - 1] = f"{line[:start]}{json.dumps(text, ensure_ascii=False)}{line[end:]}"
    return "".join(lines)
