"""The cyclomatic complexity of functions, counted as radon counts it: boolean operators and comprehensions, too."""

import ast
from collections.abc import Iterator

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def complexities(source: str) -> Iterator[tuple[str, int]]:
    """Yield the name of each function of a module, also of methods and closures, with its complexity."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _Function):
            yield node.name, 1 + sum(map(_branches, _own(node)))


def _own(function: _Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body, without what is in other functions, in classes and in assertions."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _Function | ast.ClassDef):
            continue
        yield node
        if not isinstance(node, ast.Assert):
            waiting += ast.iter_child_nodes(node)


def _branches(node: ast.AST) -> int:
    match node:
        case ast.If() | ast.IfExp() | ast.Assert():
            return 1
        case ast.For(orelse=otherwise) | ast.AsyncFor(orelse=otherwise) | ast.While(orelse=otherwise):
            return 1 + bool(otherwise)
        case ast.Try(handlers=handlers, orelse=otherwise) | ast.TryStar(handlers=handlers, orelse=otherwise):
            return len(handlers) + bool(otherwise)
        case ast.BoolOp(values=values):
            return len(values) - 1
        case ast.comprehension(ifs=conditions):
            return 1 + len(conditions)
        case ast.Match(cases=cases):
            return len(cases) - any(_takes_all(case.pattern) for case in cases)
    return 0


def _takes_all(pattern: ast.pattern) -> bool:
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None
