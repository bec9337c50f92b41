"""The documentation builds, its links lead somewhere, and its manifests are accepted by an API server."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fireworks_operator.api.v1alpha1 import KIND

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("charts/*/README.md")])
_LINK = re.compile(r"\]\((?!https?://|mailto:|#)([^)#\s]+)")
_BLOCK = re.compile(r"^( *)```yaml\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every whole FireworksDeployment in a page's YAML blocks, with the page's name."""
    for page in PAGES:
        for _, block in _BLOCK.findall(page.read_text()):
            for each in yaml.safe_load_all(block):
                if isinstance(each, dict) and each.get("kind") == KIND:
                    yield name_of(page), each


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_into_the_repository_leads_somewhere(page: Path) -> None:
    missing = [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={"NO_MKDOCS_2_WARNING": "1", "PATH": ""}
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert (tmp_path / "site" / "index.html").exists()


def test_every_manifest_is_accepted_by_an_api_server(cluster: Any, crd_file: Path) -> None:  # noqa: ANN401 - its driver
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(crd_file))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(crd_file))
    found = list(manifests())
    assert len(found) >= 10
    for page, each in found:
        text = yaml.safe_dump({**each, "metadata": {**each["metadata"], "namespace": "default"}})
        answer = cluster.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", input=text, check=False)
        assert answer.returncode == 0, f"{page}: {answer.stderr}"
