"""The patterns of `match` that programs may use."""

from __future__ import annotations

import ast
from typing import Any

from .visiting import Visitor

SELF_MATCHING = frozenset({"bool", "bytes", "dict", "float", "frozenset", "int", "list", "set", "str", "tuple"})


class MatchPolicy(Visitor):
    """Everything but patterns that read attributes without the guard."""

    def visit_Match(self, node: ast.Match) -> Any:
        """As written."""
        return self.node_contents_visit(node)

    def visit_match_case(self, node: ast.match_case) -> Any:
        """As written."""
        return self.node_contents_visit(node)

    def visit_MatchValue(self, node: ast.MatchValue) -> Any:
        """Literals only: a dotted name would be read without the guard."""
        if any(isinstance(part, (ast.Attribute, ast.Name)) for part in ast.walk(node.value)):
            self.error(node, "a dotted name in a case pattern is not available; use a literal or a guard (if)")
        return node

    def visit_MatchSingleton(self, node: ast.MatchSingleton) -> Any:
        """None, True, False."""
        return node

    def visit_MatchSequence(self, node: ast.MatchSequence) -> Any:
        """As written."""
        return self.node_contents_visit(node)

    def visit_MatchOr(self, node: ast.MatchOr) -> Any:
        """As written."""
        return self.node_contents_visit(node)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> Any:
        """Names checked."""
        self.check_name(node, node.rest)
        for key in node.keys:
            if any(isinstance(part, (ast.Attribute, ast.Name)) for part in ast.walk(key)):
                self.error(node, "a dotted name in a case pattern is not available")
        node.patterns = [self.visit(pattern) for pattern in node.patterns]
        return node

    def visit_MatchStar(self, node: ast.MatchStar) -> Any:
        """Names checked."""
        self.check_name(node, node.name)
        return node

    def visit_MatchAs(self, node: ast.MatchAs) -> Any:
        """Names checked."""
        self.check_name(node, node.name)
        return self.node_contents_visit(node)

    def visit_MatchClass(self, node: ast.MatchClass) -> Any:
        """`str()` and `str(text)` only ask for the type; all others read attributes without the guard."""
        plain = isinstance(node.cls, ast.Name) and node.cls.id in SELF_MATCHING
        if not plain or node.kwd_attrs or len(node.patterns) > 1:
            self.error(node, "class patterns with attributes are not available; use isinstance in a guard (if)")
            return node
        return self.node_contents_visit(node)
