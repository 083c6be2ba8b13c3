"""The patterns of `match` that programs may use."""

from __future__ import annotations

import ast
from typing import Any

from RestrictedPython.transformer import RestrictingNodeTransformer


class MatchPolicy(RestrictingNodeTransformer):
    """Everything but class patterns and dotted names, which read attributes without the guard."""

    def visit_Match(self, node: ast.Match) -> Any:
        """All patterns but class patterns."""
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
        """Class patterns read attributes without the guard."""
        self.error(node, "class patterns are not available; use isinstance in a guard (if)")
        return node
