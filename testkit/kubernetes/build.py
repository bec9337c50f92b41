"""Builds Kubernetes' own parts from the published Go modules, once: binaries are kept by a hash of sources."""

import collections
import hashlib
import os
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from testkit.kubernetes import toolchain
from testkit.kubernetes.errors import ClusterError, last_lines
from testkit.kubernetes.files import locked
from testkit.kubernetes.progress import Progress
from testkit.kubernetes.toolchain import Go

MODULE = Path(__file__).resolve().parent
PROGRAM = "controlplane"
LINKS = ("etcd", "kube-apiserver")
_KUBERNETES = r"^\s*k8s\.io/kubernetes v(\d+)\.(\d+)\.(\d+)(?: // indirect)?$"


@dataclass(frozen=True, slots=True)
class Target:
    """Programs that are built together, and kept in a folder of their own.

    Attributes:
        module: Folder of the Go module.
        program: Its package, in a folder of that name, and so the name of the program.
        links: Further names of the program: it does what the name says that it is called by.
        parts: What is built, in words.
        tools: Programs of other modules that go.mod names, as Go packages.
        tags: Build tags.
    """

    module: Path
    program: str
    links: tuple[str, ...]
    parts: str
    tools: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def packages(self) -> list[str]:
        """All that the compiler is to build."""
        return [f"./{self.program}", *self.tools]


def control_plane(module: Path = MODULE) -> Target:
    """Returns all of the control plane."""
    return Target(module, PROGRAM, LINKS, "kube-apiserver, etcd, controllers")


CONTROLLERS = Target(MODULE, PROGRAM, (), "controllers", tags=("controllers_only",))
"""What is left of it beside a kube-apiserver and an etcd that are there already."""
KUBECTL = Target(MODULE, "kubectl", (), "kubectl")


def binaries_root() -> Path:
    """Returns where binaries are kept: `$FIREWORKS_CLUSTER_BIN` or `~/.cache/fireworks-operator/bin`."""
    named = os.environ.get("FIREWORKS_CLUSTER_BIN")
    return Path(named).expanduser().absolute() if named else Path.home() / ".cache/fireworks-operator/bin"


def kubernetes_version(module: Path = MODULE) -> tuple[int, int, int] | None:
    """Returns the version of Kubernetes that a module builds, None if it builds none."""
    line = re.search(_KUBERNETES, (module / "go.mod").read_text(), re.MULTILINE)
    return (int(line[1]), int(line[2]), int(line[3])) if line else None


def build(module: Path = MODULE) -> Path:
    """Returns the folder with the built `controlplane` and a link for each of its parts; builds it if need be.

    A cold build takes minutes and shows how far it is on standard error.

    Args:
        module: Folder of the Go module.

    Raises:
        ClusterError: No compiler, or it failed; the text ends with what it said last.
    """
    return build_target(control_plane(module))


def build_target(target: Target) -> Path:
    """Returns the folder with the programs of a target, built if need be; raises as build() does."""
    root = binaries_root()
    go = toolchain.find(target.module, root)
    folder = root / key_of(target, go)
    if (folder / target.program).exists():
        return folder
    with locked(folder):
        if not (folder / target.program).exists():
            _compile(go, target, folder)
    return folder


def built(target: Target) -> Path | None:
    """Returns what build_target() returns if nothing has to be built or installed for it, None otherwise."""
    root = binaries_root()
    go = toolchain.present(target.module, root)
    folder = root / key_of(target, go) if go else None
    return folder if folder is not None and (folder / target.program).exists() else None


def cache_key(module: Path, go: Go) -> str:
    """Returns the key of the control plane, see key_of()."""
    return key_of(control_plane(module), go)


def key_of(target: Target, go: Go) -> str:
    """Returns 16 hexadecimal digits that change whenever other programs would come out."""
    module = target.module
    digest = hashlib.sha256()
    files = [module / "go.mod", module / "go.sum", *sorted((module / target.program).glob("*.go"))]
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(module)} {len(content)}\n".encode() + content)
    digest.update("\n".join([*_flags(target), go.version, go.platform, *target.links, *target.tools]).encode())
    return digest.hexdigest()[:16]


def _flags(target: Target) -> list[str]:
    """Returns the flags of `go build`; without a version of their own, kubectl and discovery misbehave."""
    go_mod = target.module / "go.mod"
    version, settings = kubernetes_version(target.module), ""
    if version is not None:
        values = {"gitVersion": "v{}.{}.{}".format(*version), "gitMajor": version[0], "gitMinor": version[1]}
        settings = "".join(f" -X k8s.io/component-base/version.{name}={value}" for name, value in values.items())
    elif "k8s.io/kubernetes" in go_mod.read_text():
        raise ClusterError(f"{go_mod} does not say which Kubernetes to build")
    tags = ["-tags", ",".join(target.tags)] if target.tags else []
    # What only debuggers read is not even made.
    return ["-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false", "-ldflags", f"-s -w{settings}", *tags]


def _compile(go: Go, target: Target, folder: Path) -> None:
    progress = Progress()
    parts = target.parts
    progress.say(f"building {parts} with {go.version} (minutes the first time, then kept in {folder})")
    missing = _packages_to_compile(go, target, progress)

    unfinished = folder / "unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    command = [str(go.program), "build", "-v", *_flags(target), "-o", f"{unfinished}/", *target.packages]
    compiled = 0
    for line in _follow(command, target.module):
        compiled += line is not None and _names_package(line)
        done = compiled >= missing
        progress.show(f"{'linking' if done else 'compiling'} {parts}: {compiled} of {missing} packages")

    for name in target.links:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target.program)
    # The one that says that all are there comes last.
    for program in sorted(unfinished.iterdir(), key=lambda path: path.name == target.program):
        program.replace(folder / program.name)
    unfinished.rmdir()
    progress.say(f"built {folder / target.program}")


def _packages_to_compile(go: Go, target: Target, progress: Progress) -> int:
    """Returns how many packages the compiler's own cache lacks; downloads all modules on the way."""
    template = "{{if .Stale}}{{.ImportPath}}{{end}}"
    command = [str(go.program), "list", "-deps", *_flags(target), "-f", template, *target.packages]
    modules = missing = 0
    for line in _follow(command, target.module):
        modules += line is not None and line.startswith("go: downloading ")
        missing += line is not None and _names_package(line)
        if modules:
            progress.show(f"downloading modules: {modules}")
    return missing


def _names_package(line: str) -> bool:
    """Whether a line of the compiler's output is the name of a package, and not a message."""
    return bool(line) and " " not in line


def _follow(command: Sequence[str], directory: Path) -> Iterator[str | None]:
    """Runs a command and yields each line of its output as it comes, and None for each second without one.

    Raises:
        ClusterError: It failed.
    """
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=toolchain.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    last: collections.deque[str] = collections.deque(maxlen=20)
    try:
        while True:
            try:
                line = lines.get(timeout=1)
            except queue.Empty:
                yield None
                continue
            if line is None:
                break
            last.append(line)
            yield line
    finally:
        process.terminate()  # in vain where it ended by itself
        reader.join()
        process.wait()
    if process.returncode != 0:
        said = last_lines("\n".join(last))
        raise ClusterError(f"`go {command[1]}` failed with exit code {process.returncode}:\n{said}")


def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    with process.stdout as output:
        for line in output:
            lines.put(line.rstrip("\n"))
    process.wait()
    lines.put(None)
