"""Pushes, signs and describes what is in a registry."""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from release.errors import ReleaseError, run
from release.plan import Plan


@dataclass(frozen=True, slots=True)
class Cosign:
    """Who signs.

    Attributes:
        key: A private key; None: the identity of the workflow (keyless), recorded in the public transparency log.
    """

    key: Path | None = None

    @property
    def _flags(self) -> tuple[str, ...]:
        return ("--yes",) if self.key is None else ("--yes", "--key", str(self.key), "--tlog-upload=false")

    def sign(self, reference: str) -> None:
        """Sign an artifact of a registry, named by digest."""
        run(["cosign", "sign", *self._flags, _by_digest(reference)])

    def attest(self, reference: str, sbom: Path) -> None:
        """Attach an SBOM (SPDX, JSON) to an artifact, and sign it."""
        statement = ("--type", "spdxjson", "--predicate", str(sbom))
        run(["cosign", "attest", *self._flags, *statement, _by_digest(reference)])

    def sign_file(self, path: Path) -> Path:
        """Sign a file, and return the signature that is written beside it."""
        bundle = path.with_name(f"{path.name}.bundle")
        run(["cosign", "sign-blob", *self._flags, "--bundle", str(bundle), str(path)])
        return bundle


def push_chart(plan: Plan, archive: Path, *, plain_http: bool = False) -> str:
    """Push the packed chart, and return its digest.

    Raises:
        ReleaseError: Helm failed, or did not say the digest.
    """
    flags = ["--plain-http"] if plain_http else []
    done = run(["helm", "push", str(archive), f"oci://{plan.chart_folder}", *flags])
    digest = re.search(r"^Digest: (sha256:[0-9a-f]{64})$", done.stdout + done.stderr, re.MULTILINE)
    if digest is None:
        raise ReleaseError(f"`helm push` did not print a digest, but:\n{done.stdout}{done.stderr}")
    return digest[1]


def describe(reference: str, sbom: Path, *, plain_http: bool = False) -> None:
    """Write the SBOM of an image of a registry (SPDX, JSON).

    Raises:
        ReleaseError: syft failed.
    """
    http = {"SYFT_REGISTRY_INSECURE_USE_HTTP": "true"} if plain_http else {}
    environment = {**os.environ, **http, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    # In an empty folder: syft would read settings from the one it is called in.
    with tempfile.TemporaryDirectory(prefix="syft-") as folder:
        command = ["syft", "scan", f"registry:{reference}", "--output", f"spdx-json={sbom}"]
        run(command, folder=Path(folder), environment=environment)


def _by_digest(reference: str) -> str:
    if "@sha256:" not in reference:
        raise ReleaseError(f"{reference} has no digest: a tag could point to something else by the time it is signed")
    return reference
