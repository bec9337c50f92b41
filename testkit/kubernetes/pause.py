"""The image of the container that holds the namespaces of a pod, made here since none can be pulled."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

IMAGE = "localhost/pause:1"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_archive(program: Path, archive: Path) -> Path:
    """Writes an image, in the form of `docker save`, that holds and runs a single program; returns the archive."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        _add(files, "pause", program.read_bytes(), mode=0o755)
    content = layer.getvalue()
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, mode="w") as files:
        _add(files, "manifest.json", json.dumps(manifest).encode())
        _add(files, "config.json", json.dumps(config).encode())
        _add(files, "layer.tar", content)
    return archive


def _add(files: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    files.addfile(entry, io.BytesIO(content))
