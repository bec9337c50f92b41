"""The sentences that stand in the operator's code, found without running it."""

import ast
import functools
import re
from pathlib import Path

import fireworks_operator

CODE = Path(fireworks_operator.__file__).parent
GAP = "…"
"""Stands for what is filled in when the sentence is said."""
_ENDING = {"StartError", "CredentialsError", "CrdMissingError", "WatchEndedError"}


def sentences(*names: str) -> set[str]:
    """Return the texts of these files below the operator's code; names may be patterns."""
    return {text for name in names for path in CODE.glob(name) for text in _texts(path)}


def logged() -> set[str]:
    """Return what the log may say as WARNING or ERROR, without lines that only carry another message."""
    calls = (node for path in CODE.rglob("*.py") for node in _nodes(path) if isinstance(node, ast.Call))
    texts = {
        re.sub(r"%[\d.]*[a-z]", GAP, text)
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("warning", "error")
        for text in map(_text, call.args[:1])
        if text is not None
    }
    return {text for text in texts if len(re.findall(r"[a-z]{2,}", text)) >= 3}


def endings() -> set[str]:
    """Return what the process may say when it cannot start or go on."""
    raised = (node.exc for path in CODE.rglob("*.py") for node in _nodes(path) if isinstance(node, ast.Raise))
    return {
        text
        for call in raised
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _ENDING
        for text in map(_text, call.args[:1])
        if text is not None
    }


@functools.cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return all nodes of a file's code; there are a few hundred thousand, so each file is walked once."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@functools.cache
def _texts(path: Path) -> frozenset[str]:
    nodes = _nodes(path)
    passed_over = {id(inner) for outer in nodes if isinstance(outer, ast.JoinedStr) for inner in outer.values}
    passed_over |= {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
    said = (node for node in nodes if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in passed_over)
    return frozenset(" ".join(text.split()) for text in map(_text, said) if text is not None)


def _text(node: ast.expr) -> str | None:
    """Return the text of a constant or an f-string, with a gap for each value."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(each.value) if isinstance(each, ast.Constant) else GAP for each in node.values)
    return (
        re.sub(r"\{(words|advice)\}", GAP, node.value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        else None
    )
