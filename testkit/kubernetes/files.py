"""Files that several commands may write at the same time."""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from testkit.kubernetes.errors import ClusterError

_ATTEMPTS = 100


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Makes `directory` if need be and holds it for this process alone; waits for another holder and says so.

    The lock is on the folder itself, so that it leaves nothing behind, and it ends with its holder, whatever
    kills that. The holder may delete the folder.

    Raises:
        ClusterError: There is something else of that name, or the folder is deleted again and again.
    """
    for _ in range(_ATTEMPTS):
        descriptor = _open(directory)
        if descriptor is None:
            continue
        try:
            _lock(descriptor, directory)
            if _is_still(descriptor, directory):
                yield
                return
        finally:
            os.close(descriptor)
    raise ClusterError(f"{directory} cannot be made and locked")


def _open(directory: Path) -> int | None:
    """Makes the folder if need be and opens it; None if its holder deleted it in the middle of that."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except (FileExistsError, FileNotFoundError):
        return None


def _lock(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for another command that uses {directory}", file=sys.stderr, flush=True)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_still(descriptor: int, directory: Path) -> bool:
    """Whether `directory` is what was locked: the holder before us may have deleted it, another made it anew."""
    try:
        return os.path.samestat(os.fstat(descriptor), directory.stat())
    except FileNotFoundError:
        return False


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, all of it or nothing."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    unfinished.replace(path)
