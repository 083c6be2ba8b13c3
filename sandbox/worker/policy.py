"""Which syntax is accepted, and what it becomes.

Guards are called by names that no program can write (`@getattr`), so that nothing a program defines can shadow them.
An unknown kind of node is refused, as RestrictedPython does it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from typing import Any, NamedTuple, cast

from RestrictedPython.transformer import INSPECT_ATTRIBUTES

from .importing import ASYNC_STARTERS, ImportPolicy
from .placing import at, place

MESSAGE_CHARS = 1_000
SPECIAL_METHODS = frozenset(
    f"__{name}__"
    for name in (
        "init", "repr", "str", "len", "bool", "iter", "next", "contains", "getitem", "setitem", "delitem", "call",
        "enter", "exit", "eq", "ne", "lt", "le", "gt", "ge", "hash", "post_init", "format", "reversed", "int", "float",
        "index", "abs", "neg", "pos", "invert", "round", "floor", "ceil", "trunc", "divmod", "aenter", "aexit", "aiter",
        "anext",
        *(f"{kind}{operation}" for kind in ("", "r", "i") for operation in (
            "add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and", "or", "xor",
        )),
    )
)
_CLASS_KEYWORDS = frozenset({"total", "frozen"})
"""What a class statement may say of `TypedDict` and the like; it means nothing here."""
_GUARD_LIKE = re.compile(r"^_[A-Za-z]\w*_$")
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%", ast.Pow: "**", ast.LShift: "<<",
    ast.RShift: ">>", ast.BitOr: "|", ast.BitXor: "^", ast.BitAnd: "&", ast.FloorDiv: "//", ast.MatMult: "@",
}
_GROWING: dict[type[ast.operator], str] = {ast.Pow: "power", ast.LShift: "shift"}
_INSTEAD = {
    "_asdict": "name the fields: {'x': p.x, 'y': p.y}", "_replace": "make a new one of its fields",
    "__dict__": "name the fields", "__class__": "use type(x)", "__len__": "use len(x)",
    "__str__": "use str(x)",
}


class Refusal(NamedTuple):
    """Why a program is not run."""

    type: str
    message: str
    line: int | None


class Policy(ImportPolicy):
    """Checks every node, and puts guards where attributes are read and anything but a name is written."""

    def __init__(self, modules: Collection[str], servers: Collection[str]) -> None:
        super().__init__(modules)
        self.servers = servers
        self.refusals: list[Refusal] = []
        self._in_class = False

    # -- refusing

    def error(self, node: ast.AST, info: str) -> None:
        """Note a refusal at the line of `node`."""
        self.refusals.append(Refusal("NotAllowed", info[:MESSAGE_CHARS], getattr(node, "lineno", None)))

    def not_allowed(self, node: ast.AST) -> None:
        """Refuse a kind of node."""
        self.error(node, f"{_words(type(node).__name__)} is not available in programs")

    def check_name(self, node: Any, name: str | None, allow_magic_methods: bool = False) -> None:
        """Refuse names of the interpreter's own, and names that look like guards."""
        if name is None or (name[:1] != "_" and name[-1:] != "_"):
            return
        if allow_magic_methods and name in SPECIAL_METHODS:
            return
        if (name.startswith("__") and name != "__") or _GUARD_LIKE.match(name) or name.endswith("__roles__"):
            self.error(node, f"the name {name!r} is reserved")

    def _check_attribute(self, node: ast.AST, name: str) -> None:
        if name.startswith("_") or name.endswith("__roles__") or name in INSPECT_ATTRIBUTES:
            hint = _INSTEAD.get(name)
            if hint is None and name.startswith("_") and not name.startswith("__"):
                hint = f"write {name.lstrip('_')!r}"
            info = "names that begin with '_' are internal" + (f"; {hint}" if hint else "")
            self.error(node, f"the attribute {name!r} is not available: {info}")

    # -- helpers

    def _name(self, guard: str) -> ast.Name:
        return ast.Name(f"@{guard}", ast.Load())

    # -- module

    def visit_Module(self, node: ast.Module) -> ast.Module:
        """A trailing expression becomes the program's value."""
        node.body = [child for child in node.body if not _is_future(child)]
        last = node.body[-1] if node.body else None
        node.body = self.several(node.body)
        if isinstance(last, ast.Expr) and not self.refusals:
            shown = node.body[-1]
            if isinstance(shown, ast.Expr):
                shown.value = self._guard(last, "show", shown.value)
        return node

    # -- names and attributes

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """`__name__` is text; other names of the interpreter are refused."""
        if node.id == "__name__" and isinstance(node.ctx, ast.Load):
            return at(ast.Constant("__main__"), node)
        self.check_name(node, node.id)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Powers and shifts are checked first: they make gigantic numbers of small ones."""
        guard = _GROWING.get(type(node.op))
        node = self.node_contents_visit(node)
        return node if guard is None else self._guard(node, guard, node.left, node.right)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """`a.b` becomes `@getattr(a, "b")`, `a.b = c` becomes `@write(a).b = c`."""
        if isinstance(node.ctx, ast.Load):
            special = self._special_attribute(node)
            if special is not None:
                return special
        self._check_attribute(node, node.attr)
        if isinstance(node.ctx, ast.Load):
            inner = node.value
            hidden = isinstance(inner, ast.Name) and inner.id in self.servers
            server = [ast.Constant(cast(ast.Name, inner).id)] if hidden else []
            return self._guard(node, "getattr", self.visit(inner), ast.Constant(node.attr), *server)
        node.value = self._guard(node, "write", self.visit(node.value))
        return node

    def _special_attribute(self, node: ast.Attribute) -> ast.expr | None:
        """`super().__init__`, `f.__name__`, `type(x).__name__` and `x.__class__.__name__`, which models write everywhere."""
        inner = node.value
        if node.attr in SPECIAL_METHODS and _is_call_of(inner, "super", 0):
            return self._guard(node, "super", self.visit(inner), ast.Constant(node.attr))
        if node.attr in ("__name__", "__qualname__"):
            if _is_call_of(inner, "type", 1):
                return self._guard(node, "typename", self.visit(cast(ast.Call, inner).args[0]))
            if isinstance(inner, ast.Attribute) and inner.attr == "__class__":
                return self._guard(node, "typename", self.visit(inner.value))
            return self._guard(node, "nameof", self.visit(inner))
        return None

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """Reading items needs no guard (nothing in reach has dangerous ones), writing them does."""
        node.slice = self.visit(node.slice)
        node.value = self.visit(node.value)
        if not isinstance(node.ctx, ast.Load):
            node.value = self._guard(node, "write", node.value)
        return node

    # -- assignments

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """Targets are guarded by their own nodes. In a class, `__rmul__ = __mul__` is a second name for a method."""
        names = [*node.targets, node.value]
        if self._in_class and all(isinstance(one, ast.Name) and one.id in SPECIAL_METHODS for one in names):
            return node
        return self.node_contents_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        """Annotations are dropped, never evaluated; in classes the field names are kept for `dataclass`."""
        fields: list[ast.stmt] = []
        if self._in_class and isinstance(node.target, ast.Name) and not _is_class_variable(node.annotation):
            self.check_name(node, node.target.id)
            note = ast.Expr(self._guard(node, "field", self._name("fields"), ast.Constant(node.target.id)))
            fields.append(at(note, node))
        if node.value is None:
            return fields or at(ast.Pass(), node)
        assign = at(ast.Assign(targets=[node.target], value=node.value), node)
        return [*fields, self.node_contents_visit(assign)]

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        """`o.a += v` goes through the guards; names and items are plain Python."""
        target = node.target
        guard = _GROWING.get(type(node.op))
        if isinstance(target, ast.Name) and guard is not None:
            self.check_name(node, target.id)
            value = self._guard(node, guard, at(ast.Name(target.id, ast.Load()), node), self.visit(node.value))
            return at(ast.Assign(targets=[target], value=value), node)
        if not isinstance(target, ast.Attribute):
            return self.node_contents_visit(node)
        self._check_attribute(target, target.attr)
        call = self._guard(
            node, "augattr", self.visit(target.value), ast.Constant(target.attr),
            ast.Constant(_OPERATORS[type(node.op)]), self.visit(node.value),
        )
        return at(ast.Expr(call), node)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        """Names checked."""
        for name in node.names:
            self.check_name(node, name)
        return node

    def visit_Global(self, node: ast.Global) -> ast.AST:
        """Names checked."""
        for name in node.names:
            self.check_name(node, name)
        return node

    # -- loops and comprehensions

    def guard_iter(self, node: Any) -> Any:
        """Iteration happens in C in too many places to guard it; only harmless things can be iterated."""
        return self.node_contents_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> Any:
        """As written; asynchronous ones run on the sandbox's own tokens."""
        return self.node_contents_visit(node)

    def visit_With(self, node: ast.With) -> Any:
        """Context managers are classes of the program."""
        return self.node_contents_visit(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> Any:
        """As `with`."""
        return self.node_contents_visit(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> Any:
        """As `for`."""
        return self.node_contents_visit(node)

    def visit_TemplateStr(self, node: ast.AST) -> Any:
        """Template strings (Python 3.14) give objects that nothing here can read."""
        self.not_allowed(node)

    def visit_Try(self, node: ast.Try) -> Any:
        """A bare `except:` catches errors only, not the limits."""
        self._trying += 1
        node.body = self.several(node.body)
        self._trying -= 1
        node.handlers = self.several(node.handlers)
        node.orelse = self.several(node.orelse)
        node.finalbody = self.several(node.finalbody)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> Any:
        """Names checked."""
        self.check_name(node, node.name)
        bare = node.type is None
        node = self.node_contents_visit(node)
        if bare:
            node.type = at(self._name("Exception"), node)
        return node

    # -- functions and classes

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """Annotations are dropped."""
        return self._function(node, node.name)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        """As `def`."""
        return self._function(node, node.name)

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        """Argument names checked."""
        self.check_function_argument_names(node)
        return self.node_contents_visit(node)

    def _function(self, node: Any, name: str) -> Any:
        self._no_type_parameters(node)
        self.check_name(node, name, allow_magic_methods=self._in_class)
        self.check_function_argument_names(node)
        node.returns = None
        node.decorator_list = self.several(node.decorator_list)
        node.args = self.visit(node.args)
        outer, self._in_class = self._in_class, False
        node.body = self.several(node.body)
        self._in_class = outer
        return node

    def visit_arg(self, node: ast.arg) -> Any:
        """The annotation is dropped."""
        node.annotation = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        """Every class is made by the program's own metaclass, which checks the bases."""
        self._no_type_parameters(node)
        self.check_name(node, node.name)
        if any(keyword.arg not in _CLASS_KEYWORDS for keyword in node.keywords):
            self.error(node, "keywords in a class statement are not available in programs")
        node.decorator_list = self.several(node.decorator_list)
        node.bases = self.several(node.bases)
        outer, self._in_class = self._in_class, True
        node.body = self.several(node.body)
        self._in_class = outer
        start = ast.Assign(targets=[ast.Name("@fields", ast.Store())], value=ast.List([], ast.Load()))
        node.body.insert(0, start)
        node.keywords = [ast.keyword(arg="metaclass", value=self._name("metaclass"))]
        for made in (start, node.keywords[0]):
            place(made, node.lineno, node.col_offset)
        return node

    def _no_type_parameters(self, node: Any) -> None:
        if getattr(node, "type_params", None):
            self.error(node, "type parameters are not available in programs")

    # -- calls and await

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Calls in the arguments of `asyncio.gather` and the like are started instead of waited for."""
        if isinstance(node.func, ast.Name) and node.func.id in ("exec", "eval", "compile"):
            self.error(node, f"{node.func.id}() is not available in programs")
        starts = self._starts(node.func)
        node = self.node_contents_visit(node)
        if starts:
            node.args = [self._lift(argument) for argument in node.args]
        return node

    def _starts(self, function: ast.expr) -> bool:
        if isinstance(function, ast.Name):
            return function.id in self._starters
        return (
            isinstance(function, ast.Attribute)
            and function.attr in ASYNC_STARTERS
            and isinstance(function.value, ast.Name)
            and function.value.id in self._asyncio_names
        )

    def _lift(self, node: ast.expr) -> ast.expr:
        """Start the call that `node` is, or those it is made of."""
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id.startswith("@"):
                return node  # a guarded attribute, not a call
            node.args.insert(0, node.func)
            node.func = at(self._name("start"), node)
        elif isinstance(node, ast.Starred):
            node.value = self._lift(node.value)
        elif isinstance(node, (ast.List, ast.Tuple)):
            node.elts = [self._lift(item) for item in node.elts]
        elif isinstance(node, (ast.ListComp, ast.GeneratorExp, ast.SetComp)):
            node.elt = self._lift(node.elt)
        return node

    def visit_Await(self, node: ast.Await) -> Any:
        """`await f(x)` starts the call and waits; anything that is not awaitable is its own result."""
        node.value = self._guard(node, "awaitable", self._lift(self.visit(node.value)))
        return node


def _is_class_variable(annotation: ast.expr) -> bool:
    """Whether an annotation says `ClassVar`: such a name is no field."""
    inner = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    text = inner.id if isinstance(inner, ast.Name) else inner.attr if isinstance(inner, ast.Attribute) else ""
    if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
        text = inner.value.partition("[")[0].rpartition(".")[2]
    return text == "ClassVar"


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _is_call_of(node: ast.expr, name: str, arguments: int) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == name
        and len(node.args) == arguments
        and not node.keywords
        and not any(isinstance(argument, ast.Starred) for argument in node.args)
    )


def _words(name: str) -> str:
    known: dict[str, str] = {"AsyncFor": "async for", "AsyncWith": "async with", "TryStar": "except*"}
    return known.get(name, name)
