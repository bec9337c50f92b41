"""What was measured on: the machine and the versions."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from testkit.kubernetes_api import KubernetesApi


def describe(api: KubernetesApi) -> Mapping[str, str]:
    """Return what a reader must know to compare figures, by what it is called."""
    packages = ("fireworks-operator", "kopf", "httpx", "aiohttp", "pydantic")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": f"{os.cpu_count()} cores of {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Kubernetes": str(api.request("GET", "/version")["gitVersion"]),
        "Python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return names.get("model name", platform.machine())
