"""Links that leave the documentation's folder: on the site they lead to the repository."""

import os.path
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_FENCE = re.compile(r"\s*(?:>\s*)?(```+|~~~+)")
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^()\s#]+)(#[^()\s]*)?(?=\))")


@dataclass(frozen=True, slots=True)
class Repository:
    """Where the files of a checkout are published.

    Attributes:
        root: the checkout.
        url: the address of the repository, as a browser opens it.
        ref: the branch or tag that the site belongs to.
    """

    root: Path
    url: str
    ref: str

    def address(self, path: str) -> str:
        """Return the address of a file or folder; `path` is relative to the root."""
        kind = "tree" if (self.root / path).is_dir() else "blob"
        return f"{self.url.rstrip('/')}/{kind}/{self.ref}/{path}"

    def path(self, address: str) -> str | None:
        """Return the path of a file or folder that an address names; None if it is an address of something else."""
        for kind in ("tree", "blob"):
            begin = f"{self.url.rstrip('/')}/{kind}/{self.ref}/"
            if address.startswith(begin):
                return address.removeprefix(begin).partition("#")[0]
        return None


def into_repository(markdown: str, folder: PurePosixPath, repository: Repository, docs: str) -> str:
    """Replace the links of a page that lead out of the documentation and to something in the repository.

    Args:
        markdown: the text of the page.
        folder: where the page is, relative to the root of the repository.
        repository: where they lead to.
        docs: the documentation's folder, relative to the root; links within it stay as they are.
    """

    def replace(link: re.Match[str]) -> str:
        target = os.path.normpath(folder / link[1])
        inside = target == docs or target.startswith(f"{docs}/")
        if inside or not (repository.root / target).exists():
            return link[0]
        return repository.address(target) + (link[2] or "")

    return "".join(line if is_code else _LINK.sub(replace, line) for line, is_code in _lines(markdown))


def _lines(markdown: str) -> Iterator[tuple[str, bool]]:
    """Yield the lines of a page, and whether they belong to a code block."""
    fence = ""
    for line in markdown.splitlines(keepends=True):
        mark = _FENCE.match(line)
        ends = bool(fence) and mark is not None and mark[1].startswith(fence)
        yield line, bool(fence) or mark is not None
        if ends:
            fence = ""
        elif mark is not None and not fence:
            fence = mark[1]
