"""What a process has used, as the kernel counts it (Linux)."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor time in seconds, resident memory and its peak in MiB, since the process began."""

    cpu: float
    memory: float
    peak: float

    @classmethod
    def of(cls, pid: int) -> Self:
        """Ask the kernel about a process."""
        # The name, in brackets, may hold blanks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        lines = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        sizes = {name: value for name, _, value in lines}
        return cls((int(fields[11]) + int(fields[12])) / _TICKS, _mib(sizes["VmRSS"]), _mib(sizes["VmHWM"]))

    @property
    def figures(self) -> dict[str, float]:
        """What a sample says of it."""
        return {"CPU s": self.cpu, "peak MiB": self.peak}


def _mib(size: str) -> float:
    return int(size.split()[0]) / 1024
