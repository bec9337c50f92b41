"""Kubernetes' programs as controller-runtime's `setup-envtest` keeps and downloads them.

A store is a folder with one folder `1.36.2-linux-amd64` for each version and platform, which holds etcd,
kube-apiserver and kubectl. What is downloaded is named by an index, with the SHA-512 of each archive; nothing is
unpacked that does not have it.
"""

import hashlib
import os
import platform
import re
import shutil
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

PROGRAMS = ("etcd", "kube-apiserver", "kubectl")
INDEX = "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml"
_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)-(\w+)-(\w+)")  # releases only, as 1.36.2-linux-amd64
_INDEX_BYTES = 10_000_000
_CHUNK = 1 << 18


class DownloadError(Exception):
    """Nothing was downloaded; the text says why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which programs are wanted: any release of a minor version of Kubernetes, for one platform.

    Attributes:
        minor: For example (1, 36).
        platform: For example `linux-amd64`.
    """

    minor: tuple[int, int]
    platform: str

    def patch_of(self, name: str) -> int | None:
        """Returns the patch version of a name such as `1.36.2-linux-amd64`, None if it is not what is wanted."""
        found = _VERSION.fullmatch(name)
        if found is None or (int(found[1]), int(found[2])) != self.minor or f"{found[4]}-{found[5]}" != self.platform:
            return None
        return int(found[3])


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive of the index.

    Attributes:
        name: What it holds, for example `1.36.2-linux-amd64`.
        url: Where it is.
        sha512: Its hash, in hexadecimal digits.
    """

    name: str
    url: str
    sha512: str


def this_platform() -> str:
    """Returns what setup-envtest calls this machine, for example `linux-amd64`."""
    machine = platform.machine()
    return f"{sys.platform}-{_MACHINES.get(machine, machine)}"


def default_store() -> Path:
    """Returns where setup-envtest keeps what it has downloaded."""
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/io.kubebuilder.envtest/k8s"
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local/share") / "kubebuilder-envtest/k8s"


def newest_in(stores: Iterable[Path], wanted: Wanted) -> Path | None:
    """Returns the folder of the newest complete release in any of the stores, None if there is none."""
    found = [
        (patch, folder)
        for store in stores
        if store.is_dir()
        for folder in sorted(store.iterdir())
        if (patch := wanted.patch_of(folder.name)) is not None and missing_in(folder) is None
    ]
    return max(found, key=lambda each: each[0])[1] if found else None


def missing_in(folder: Path) -> str | None:
    """Returns the name of a program that the folder lacks, None if it has all."""
    return next((name for name in PROGRAMS if not os.access(folder / name, os.X_OK)), None)


def newest_of(index: str, wanted: Wanted) -> Archive | None:
    """Returns the newest release that an index offers, None if it has none that is wanted."""
    found = [archive for archive in _archives(index) if wanted.patch_of(archive.name) is not None]
    return max(found, key=lambda archive: wanted.patch_of(archive.name) or 0, default=None)


def download(index_url: str, wanted: Wanted, store: Path, seconds: float, show: Callable[[str], None]) -> Path:
    """Downloads the newest release into a store, and returns its folder.

    Args:
        index_url: Where the index is.
        wanted: What to look for.
        store: The store. Nobody else may write to it meanwhile.
        seconds: How long all of it may take, whatever the network does.
        show: Is told, again and again, how far it is.

    Raises:
        DownloadError: It failed, or it was not done in time.
    """
    attempt = _Attempt(index_url, wanted, store, time.monotonic() + seconds)
    # In a thread: there is no limit on how long a name server takes, or a header that trickles in.
    thread = threading.Thread(target=attempt.run, name="envtest", daemon=True)
    thread.start()
    while thread.is_alive() and (left := attempt.left()) > 0:
        thread.join(min(left, 0.2))
        show(attempt.progress)
    attempt.abandoned.set()
    if attempt.folder is not None:
        return attempt.folder
    raise DownloadError(attempt.failure or f"{attempt.progress} after {seconds:g} s")


class _Attempt:
    """One attempt to download; it ends soon after it is abandoned."""

    def __init__(self, index_url: str, wanted: Wanted, store: Path, deadline: float) -> None:
        self._index_url, self._wanted, self._store, self._deadline = index_url, wanted, store, deadline
        self.abandoned = threading.Event()
        self.progress = f"no answer of {_site(index_url)}"
        self.folder: Path | None = None
        self.failure = ""

    def left(self) -> float:
        """Returns for how many more seconds it may go on."""
        return self._deadline - time.monotonic()

    def run(self) -> None:
        """Downloads; says in `folder` or `failure` what became of it."""
        try:
            self.folder = self._download()
        except (DownloadError, OSError, HTTPException, tarfile.TarError, ValueError, EOFError) as error:
            self.failure = str(error)

    def _download(self) -> Path:
        with self._open(self._index_url) as answer:
            index = b"".join(self._chunks(answer, _INDEX_BYTES)).decode(errors="replace")
        archive = newest_of(index, self._wanted)
        if archive is None:
            version = ".".join(map(str, self._wanted.minor))
            raise DownloadError(f"{_site(self._index_url)} has no Kubernetes {version} for {self._wanted.platform}")
        unfinished = self._store / f"{archive.name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        try:
            self._receive(archive, unfinished / "archive")
            unpack(unfinished / "archive", unfinished / "programs")
            if missing := missing_in(unfinished / "programs"):
                raise DownloadError(f"the archive of {archive.name} holds no {missing}")
            self._go_on()
            shutil.rmtree(self._store / archive.name, ignore_errors=True)  # incomplete, or it would have been used
            return (unfinished / "programs").rename(self._store / archive.name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _receive(self, archive: Archive, path: Path) -> None:
        digest, received = hashlib.sha512(), 0
        with self._open(archive.url) as answer, path.open("wb") as file:
            size = answer.headers.get("Content-Length", "")
            of = f" of {int(size) / 1e6:.0f}" if size.isdigit() else ""
            for chunk in self._chunks(answer):
                digest.update(chunk)
                file.write(chunk)
                received += len(chunk)
                self.progress = f"Kubernetes {archive.name}: {received / 1e6:.0f}{of} MB"
        if digest.hexdigest() != archive.sha512:
            raise DownloadError(f"the archive of {archive.name} does not have the SHA-512 that the index names")

    def _open(self, url: str) -> HTTPResponse:
        if not url.startswith(("https://", "http://")):
            raise DownloadError(f"{url} is not the address of a web server")
        try:
            answer: HTTPResponse = urllib.request.urlopen(url, timeout=max(self.left(), 0.01))
        except urllib.error.HTTPError as error:
            error.close()
            raise DownloadError(f"{_site(url)}: {error}") from None
        except urllib.error.URLError as error:
            raise DownloadError(f"{_site(url)}: {error.reason}") from None
        return answer

    def _chunks(self, answer: HTTPResponse, limit: int | None = None) -> Iterator[bytes]:
        received = 0
        while chunk := answer.read1(_CHUNK):
            self._go_on()
            received += len(chunk)
            if limit is not None and received > limit:
                raise DownloadError(f"{_site(answer.url)} answers with more than {limit} bytes")
            yield chunk

    def _go_on(self) -> None:
        if self.abandoned.is_set() or self.left() <= 0:
            raise DownloadError("")


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks the programs of an archive into a new folder, whatever folders they lie in there.

    Raises:
        tarfile.TarError, OSError, EOFError: It is not a complete archive.
    """
    folder.mkdir()
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            name = Path(member.name).name
            content = tar.extractfile(member) if member.isfile() and name in PROGRAMS else None
            if content is None:
                continue
            with content, (folder / name).open("wb") as file:
                shutil.copyfileobj(content, file)
            (folder / name).chmod(0o555)


def _archives(index: str) -> Iterator[Archive]:
    """Yields the archives of an index.

    It is YAML, of which it uses little: an archive's name is a key, and the lines below give `hash` and `selfLink`.
    """
    name, values = "", dict[str, str]()
    for line in [*index.splitlines(), "end:"]:
        key, _, value = (part.strip().strip("'\"") for part in line.partition(":"))
        if value:
            values[key] = value
            continue
        if name and {"hash", "selfLink"} <= values.keys():
            yield Archive(name, values["selfLink"], values["hash"])
        named = re.fullmatch(r"envtest-v(.+)\.tar\.gz", key)
        name, values = named[1] if named else "", {}


def _site(url: str) -> str:
    """Returns the host of an address."""
    return urlsplit(url).hostname or url
