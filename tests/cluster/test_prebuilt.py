"""Programs that others have built: which are used, where they come from, and that compiling is always left."""

import hashlib
import io
import os
import socket
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from testkit.kubernetes import build, envtest, parts, prebuilt
from testkit.kubernetes.errors import ClusterError
from tests.cluster.test_build import write_program

VERSION = build.kubernetes_version()
assert VERSION is not None
MINOR = f"{VERSION[0]}.{VERSION[1]}"
OTHER_MINOR = f"{VERSION[0]}.{VERSION[1] - 1}"
PLATFORM = f"linux-{envtest.this_platform().rpartition('-')[2]}"
OTHER_PLATFORM = "linux-s390x"
INDEX = "/envtest-releases.yaml"
# Stands for the compiler: notes each build with its arguments, and makes what it is told to.
FAKE_GO = """#!/bin/sh
case "$1" in
env) echo go1.99.1; echo linux; echo amd64 ;;
build)
    echo "$@" >> "$BUILDS"
    while [ "$1" != -o ]; do shift; done
    for package in "$@"; do case "$package" in ./*) echo > "$2${package##*/}" ;; esac; done ;;
esac
"""

Answer = bytes | Callable[[BaseHTTPRequestHandler], None]


class Mirror:
    """A web server with an index and archives; `answers` may be changed, `asked` are the paths of all requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.over = threading.Event()
        self._index: dict[str, dict[str, str]] = {}

    def offer(self, version: str, content: bytes, platform: str = PLATFORM, *, sha512: str | None = None) -> str:
        """Offers an archive and returns its path."""
        name = f"envtest-v{version}-{platform}.tar.gz"
        values = {"hash": sha512 or hashlib.sha512(content).hexdigest(), "selfLink": f"{self.url}/download/{name}"}
        self._index[f"v{version}/{name}"] = values
        self.answers[f"/download/{name}"] = content
        lines = ["releases:"]
        for key, entry in self._index.items():
            release, archive = key.split("/")
            lines += [f"  {release}:", f"    {archive}:", *(f"      {field}: {entry[field]}" for field in entry)]
        self.answers[INDEX] = "\n".join(lines).encode()
        return f"/download/{name}"

    def hang(self, handler: BaseHTTPRequestHandler) -> None:
        """Begins an answer, and sends no more of it."""
        handler.send_response(200)
        handler.send_header("Content-Length", "50000000")
        handler.end_headers()
        handler.wfile.write(b"the beginning")
        handler.wfile.flush()
        self.over.wait(30)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """A mirror that offers nothing yet."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            started.asked.append(self.path)
            answer = started.answers.get(self.path)
            if callable(answer):
                answer(self)
                return
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Length", str(len(answer or b"")))
            self.end_headers()
            self.wfile.write(answer or b"")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing waits for them
    started = Mirror(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield started
    started.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has nothing yet, and a network with nothing but the mirror."""
    for name in ("KUBEBUILDER_ASSETS", "FIREWORKS_CLUSTER_COMPILE", "ENVTEST_INSTALLED_ONLY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")  # where the stores lie
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("FIREWORKS_CLUSTER_BIN", str(tmp_path / "bin"))
    monkeypatch.setenv("FIREWORKS_ENVTEST_INDEX", mirror.url + INDEX)
    monkeypatch.setenv("FIREWORKS_ENVTEST_SECONDS", "20")


def archive(*programs: str, says: str = "hello") -> bytes:
    """Returns an archive as setup-envtest downloads it, of small scripts."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in ("controller-tools/envtest/", *(f"controller-tools/envtest/{each}" for each in programs)):
            content = f"#!/bin/sh\necho {says}\n".encode()
            member = tarfile.TarInfo(name.rstrip("/"))
            member.mode = 0o755
            if name.endswith("/"):
                member.type, content = tarfile.DIRTYPE, b""
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


COMPLETE = archive(*envtest.PROGRAMS)


def put(folder: Path, *programs: str) -> Path:
    """Puts programs into a new folder and returns it."""
    folder.mkdir(parents=True)
    for name in programs:
        write_program(folder / name, "#!/bin/sh\n")
    return folder


def store(tmp_path: Path) -> Path:
    """Returns where setup-envtest keeps what it has downloaded."""
    return tmp_path / "data/kubebuilder-envtest/k8s"


def kept(tmp_path: Path) -> list[str]:
    """Returns what is in our own store, once nothing is unfinished there any more."""
    own = tmp_path / "bin/k8s"
    deadline = time.monotonic() + 10
    while any(own.glob("*.unfinished")) and time.monotonic() < deadline:
        time.sleep(0.01)
    return sorted(path.name for path in own.iterdir()) if own.exists() else []


def test_the_newest_release_of_the_minor_version_for_this_platform_is_downloaded_once(
    mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for version in (f"{MINOR}.0", f"{MINOR}.9", f"{OTHER_MINOR}.99", f"{MINOR}.11-beta.0"):
        mirror.offer(version, archive(*envtest.PROGRAMS, says="another"))
    wanted = mirror.offer(f"{MINOR}.10", COMPLETE)
    mirror.offer(f"{MINOR}.12", COMPLETE, OTHER_PLATFORM)
    found = prebuilt.find()
    assert found == tmp_path / f"bin/k8s/{MINOR}.10-{PLATFORM}"
    assert sorted(path.name for path in found.iterdir()) == sorted(envtest.PROGRAMS)
    assert (found / "etcd").read_text() == "#!/bin/sh\necho hello\n"
    assert all(os.access(found / name, os.X_OK) for name in envtest.PROGRAMS)
    assert kept(tmp_path) == [found.name]
    assert mirror.asked == [INDEX, wanted]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"downloaded etcd, kube-apiserver, kubectl {found.name} into {found}")

    assert prebuilt.find() == found
    assert mirror.asked == [INDEX, wanted], "what is there is not asked for again"
    assert capsys.readouterr().err == ""


def test_a_download_that_the_mirror_moved_is_found_where_it_is_now(mirror: Mirror) -> None:
    path = mirror.offer(f"{MINOR}.2", COMPLETE)

    def moved(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", f"{mirror.url}/elsewhere")
        handler.end_headers()

    mirror.answers |= {path: moved, "/elsewhere": COMPLETE}
    assert prebuilt.find() is not None


def test_an_archive_that_is_not_what_the_index_names_is_never_unpacked(
    mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.offer(f"{MINOR}.2", COMPLETE, sha512=hashlib.sha512(b"another").hexdigest())
    assert prebuilt.find() is None
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        f"no prebuilt Kubernetes {MINOR} (the archive of {MINOR}.2-{PLATFORM} does not have the SHA-512 that the index "
        "names): it is compiled instead"
    )
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (archive("etcd", "kube-apiserver"), f"the archive of {MINOR}.2-{PLATFORM} holds no kubectl"),
        (COMPLETE[: len(COMPLETE) // 2], "ended before"),
        (b"not an archive", "not a gzip file"),
    ],
    ids=["incomplete", "cut off", "nonsense"],
)
def test_an_archive_that_is_no_good_leaves_nothing_to_use(
    content: bytes, reason: str, mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.offer(f"{MINOR}.2", content)
    assert prebuilt.find() is None
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
    assert kept(tmp_path) == []


def test_programs_of_an_archive_land_in_their_folder_and_nowhere_else(mirror: Mirror, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in (*envtest.PROGRAMS, "../../../escaped", "README.md"):
            member = tarfile.TarInfo(f"../../{name}")
            member.mode = 0o755
            tar.addfile(member, io.BytesIO())
        link = tarfile.TarInfo("kubectl")
        link.type, link.linkname = tarfile.SYMTYPE, "/bin/sh"
        tar.addfile(link)
    mirror.offer(f"{MINOR}.2", packed.getvalue())
    found = prebuilt.find()
    assert found is not None
    assert sorted(path.name for path in found.iterdir()) == sorted(envtest.PROGRAMS)
    assert not any(path.is_symlink() for path in found.iterdir())
    assert kept(tmp_path) == [found.name]
    assert not [path for path in tmp_path.rglob("*") if path.name in ("escaped", "README.md")]


@pytest.mark.parametrize(
    ("hangs", "reason"),
    [
        ("index", "no answer of 127.0.0.1 after 0.5 s"),
        ("archive", f"Kubernetes {MINOR}.2-{PLATFORM}: 0 of 50 MB after 0.5 s"),
    ],
)
def test_a_download_that_hangs_is_given_up_in_time(
    hangs: str,
    reason: str,
    mirror: Mirror,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("FIREWORKS_ENVTEST_SECONDS", "0.5")
    path = mirror.offer(f"{MINOR}.2", COMPLETE)
    mirror.answers[path if hangs == "archive" else INDEX] = mirror.hang
    begin = time.monotonic()
    assert prebuilt.find() is None
    assert 0.4 < time.monotonic() - begin < 5
    (line,) = capsys.readouterr().err.splitlines()
    assert f"no prebuilt Kubernetes {MINOR} ({reason}): it is compiled instead" in line
    assert kept(tmp_path) == []


def test_a_name_server_that_hangs_does_not_hold_anybody_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answered = threading.Event()

    def look_up(*_: object, **__: object) -> None:
        answered.wait(30)
        raise socket.gaierror("Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setenv("FIREWORKS_ENVTEST_INDEX", "https://mirror.example.com/index.yaml")
    monkeypatch.setenv("FIREWORKS_ENVTEST_SECONDS", "0.3")
    assert prebuilt.find() is None
    answered.set()
    (line,) = capsys.readouterr().err.splitlines()
    assert "(no answer of mirror.example.com after 0.3 s): it is compiled instead" in line


def test_offline_it_is_one_line_and_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("FIREWORKS_ENVTEST_INDEX", f"http://127.0.0.1:{unused.getsockname()[1]}/")
        assert prebuilt.find() is None
    (line,) = capsys.readouterr().err.splitlines()
    assert f"no prebuilt Kubernetes {MINOR} (127.0.0.1: " in line
    assert "Connection refused): it is compiled instead" in line
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        (None, "127.0.0.1: HTTP Error 404: Not Found"),
        (b"releases: {}\n", f"127.0.0.1 has no Kubernetes {MINOR} for {PLATFORM}"),
        (b"\xff\xfe<html>", f"127.0.0.1 has no Kubernetes {MINOR} for {PLATFORM}"),
    ],
    ids=["missing", "empty", "nonsense"],
)
def test_an_index_that_offers_nothing_leads_to_compiling(
    index: bytes | None, reason: str, mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    if index is not None:
        mirror.answers[INDEX] = index
    assert prebuilt.find() is None
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("link", ["file:///bin/sh", "ftp://mirror.example.com/envtest.tar.gz"])
def test_an_index_leads_to_web_servers_only(link: str, mirror: Mirror, capsys: pytest.CaptureFixture[str]) -> None:
    mirror.offer(f"{MINOR}.2", COMPLETE)
    index = mirror.answers[INDEX]
    assert isinstance(index, bytes)
    path = f"{mirror.url}/download/envtest-v{MINOR}.2-{PLATFORM}.tar.gz"
    mirror.answers[INDEX] = index.replace(path.encode(), f"'{link}'".encode())
    assert prebuilt.find() is None
    assert f"{link} is not the address of a web server" in capsys.readouterr().err


def test_what_setup_envtest_has_stored_is_used_without_a_request(mirror: Mirror, tmp_path: Path) -> None:
    mirror.offer(f"{MINOR}.12", COMPLETE)
    for name in (f"{MINOR}.0-{PLATFORM}", f"{OTHER_MINOR}.9-{PLATFORM}", f"{MINOR}.9-{OTHER_PLATFORM}", "notes"):
        put(store(tmp_path) / name, *envtest.PROGRAMS)
    wanted = put(store(tmp_path) / f"{MINOR}.2-{PLATFORM}", *envtest.PROGRAMS)
    put(store(tmp_path) / f"{MINOR}.9-{PLATFORM}", "etcd", "kube-apiserver")  # it was interrupted
    assert prebuilt.find() == wanted
    assert mirror.asked == []


@pytest.mark.parametrize("variable", ["ENVTEST_INSTALLED_ONLY", "FIREWORKS_CLUSTER_COMPILE"])
def test_nothing_is_downloaded_for_those_who_forbid_it(
    variable: str, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.offer(f"{MINOR}.2", COMPLETE)
    monkeypatch.setenv(variable, "1")
    assert prebuilt.find() is None
    assert mirror.asked == []
    assert capsys.readouterr().err == ""


def test_those_who_want_to_compile_get_nothing_from_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store(tmp_path) / f"{MINOR}.2-{PLATFORM}", *envtest.PROGRAMS)
    assert prebuilt.find() is not None
    monkeypatch.setenv("FIREWORKS_CLUSTER_COMPILE", "1")
    assert prebuilt.find() is None


def test_a_time_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREWORKS_ENVTEST_SECONDS", "soon")
    with pytest.raises(ClusterError, match="FIREWORKS_ENVTEST_SECONDS=soon is not a number of seconds"):
        prebuilt.find()


@pytest.mark.parametrize(
    ("system", "data", "expected"),
    [
        ("linux", None, "home/.local/share/kubebuilder-envtest/k8s"),
        ("linux", "data", "data/kubebuilder-envtest/k8s"),
        ("darwin", None, "home/Library/Application Support/io.kubebuilder.envtest/k8s"),
    ],
)
def test_the_store_is_where_setup_envtest_has_it(
    system: str, data: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME")
    if data is not None:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / data))
    assert envtest.default_store() == tmp_path / expected


@pytest.mark.parametrize(
    ("machine", "expected"), [("x86_64", "linux-amd64"), ("aarch64", "linux-arm64"), ("s390x", "linux-s390x")]
)
def test_platforms_have_the_names_that_go_gives_them(
    machine: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert envtest.this_platform() == expected


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All of the PATH: an empty folder, without Go and kubectl."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def builds(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the fake compiler on PATH; returns the file with a line for each build."""
    write_program(path / "go", FAKE_GO)
    monkeypatch.setenv("BUILDS", str(tmp_path / "builds"))
    return tmp_path / "builds"


def kubectl_on(path: Path, version: str) -> Path:
    write_program(path / "kubectl", f"""#!/bin/sh\necho '{{"clientVersion": {{"gitVersion": "{version}"}}}}'\n""")
    return path / "kubectl"


def test_with_a_store_nothing_is_compiled_and_no_compiler_is_needed(path: Path, tmp_path: Path) -> None:
    found = put(store(tmp_path) / f"{MINOR}.2-{PLATFORM}", *envtest.PROGRAMS)
    binaries = parts.find_binaries(controllers=False)
    assert binaries == parts.Binaries(found / "etcd", found / "kube-apiserver", found / "kubectl", own=None)
    assert not (tmp_path / "bin").exists()


def test_for_a_cluster_with_controllers_only_these_are_compiled(builds: Path, tmp_path: Path) -> None:
    found = put(store(tmp_path) / f"{MINOR}.2-{PLATFORM}", *envtest.PROGRAMS)
    binaries = parts.find_binaries()
    assert (binaries.apiserver, binaries.kubectl) == (found / "kube-apiserver", found / "kubectl")
    assert binaries.own is not None
    assert binaries.own.exists()
    (line,) = builds.read_text().splitlines()
    assert "-tags controllers_only" in line
    assert line.endswith(" ./controlplane")
    assert parts.find_binaries(controllers=False) == binaries, "what is there is used"
    assert parts.find_binaries() == binaries
    assert len(builds.read_text().splitlines()) == 1


def test_given_programs_come_before_a_store_and_what_was_built(
    builds: Path, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = build.build()
    put(store(tmp_path) / f"{MINOR}.2-{PLATFORM}", *envtest.PROGRAMS)
    given = put(tmp_path / "given", *envtest.PROGRAMS)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(given))
    binaries = parts.find_binaries()
    assert (binaries.etcd, binaries.apiserver, binaries.kubectl) == tuple(given / name for name in envtest.PROGRAMS)
    assert binaries.own == built / build.PROGRAM, "it has the controllers, too"
    assert len(builds.read_text().splitlines()) == 1


def test_what_was_built_before_is_used_before_a_store(builds: Path, path: Path, mirror: Mirror, tmp_path: Path) -> None:
    kubectl = kubectl_on(path, f"v{MINOR}.0")
    built = build.build()
    put(store(tmp_path) / f"{MINOR}.2-{PLATFORM}", *envtest.PROGRAMS)
    binaries = parts.find_binaries()
    assert binaries == parts.Binaries(built / "etcd", built / "kube-apiserver", kubectl, own=built / build.PROGRAM)
    assert mirror.asked == []


def test_where_nothing_can_be_had_all_is_compiled(
    builds: Path, path: Path, mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    binaries = parts.find_binaries(controllers=False)
    assert mirror.asked == [INDEX]
    assert [line.rpartition(" ")[2] for line in builds.read_text().splitlines()] == ["./controlplane", "./kubectl"]
    assert "-tags" not in builds.read_text()
    assert all(each is not None and each.exists() for each in (binaries.etcd, binaries.kubectl, binaries.own))
    first = capsys.readouterr().err.splitlines()[0]
    assert first.endswith("(127.0.0.1: HTTP Error 404: Not Found): it is compiled instead")

    assert parts.find_binaries() == binaries
    assert mirror.asked == [INDEX], "what is compiled already is not looked for"


@pytest.mark.parametrize(
    ("version", "fits", "reason"),
    [
        (f"v{MINOR}.0", True, "the same"),
        (f"v{OTHER_MINOR}.9-gke.1", True, "Kubernetes supports one minor version off"),
        (f"v{VERSION[0]}.{VERSION[1] - 2}.0", False, "two are too many"),
        (f"v{VERSION[0] + 1}.{VERSION[1]}.0", False, "another major version"),
        ("unknown", False, "it does not say"),
    ],
)
def test_a_kubectl_on_path_is_used_if_it_fits(version: str, fits: bool, reason: str, builds: Path, path: Path) -> None:
    kubectl = kubectl_on(path, version)
    binaries = parts.find_binaries()
    assert (binaries.kubectl == kubectl) == fits, reason
    assert ("./kubectl" in builds.read_text()) != fits


def test_a_kubectl_that_does_not_run_does_not_fit(builds: Path, path: Path) -> None:
    write_program(path / "kubectl", "#!/bin/sh\necho no; exit 1\n")
    assert parts.find_binaries().kubectl.is_relative_to(build.binaries_root())
