"""Argo CD's health scripts, run as Argo CD runs it: Lua 5.1, the resource as `obj`, no access to anything else."""

from collections.abc import Mapping
from typing import Any

from lupa.lua51 import LuaRuntime  # type: ignore[import-untyped]

WITHHELD = ("io", "os", "package", "require", "dofile", "loadfile", "debug", "python")


def run_health(script: str, resource: Mapping[str, Any]) -> tuple[str, str]:
    """Return the health and its message."""
    runtime = LuaRuntime(register_eval=False, register_builtins=False)
    scope = runtime.globals()
    for name in WITHHELD:
        scope[name] = None
    scope.obj = runtime.table_from(resource, recursive=True)
    health = runtime.execute(script)
    return str(health.status), str(health.message)
