"""The manifests in the documentation are accepted by an API server."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from fireworks_operator.api.kinds import KINDS
from testkit.kubernetes.definitions import apply_crds
from tests.docs.specification import PAGE, statements
from tests.docs.test_site import PAGES, name_of

NAMES = {each.name for each in KINDS}
_BLOCK = re.compile(r"^( *)```yaml\n(.*?)^\1```", re.DOTALL | re.MULTILINE)


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every resource in a page's YAML blocks and in the specification's table, with its page."""
    for page in PAGES:
        for _, block in _BLOCK.findall(page.read_text()):
            for each in yaml.safe_load_all(block):
                if isinstance(each, dict) and each.get("kind") in NAMES:
                    yield name_of(page), each
    for statement in statements():
        for each in statement.manifests():
            yield f"{name_of(PAGE)}:{statement.line}", each


def test_every_manifest_is_accepted_by_an_api_server(cluster: Any, crds: Path) -> None:  # noqa: ANN401 - its driver
    apply_crds(cluster, crds)
    found = list(manifests())
    assert len(found) >= 50
    for page, each in found:
        text = yaml.safe_dump({**each, "metadata": {**each["metadata"], "namespace": "default"}})
        answer = cluster.kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", input=text, check=False)
        assert answer.returncode == 0, f"{page}: {answer.stderr}"
