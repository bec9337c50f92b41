"""Manifests of every kind on a real API server: stored, or refused with the field that is wrong."""

import re
import secrets
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given

from fireworks_operator.api.v1alpha1 import FireworksDeployment
from testkit.kubernetes_api import KubernetesApi, KubernetesError, resources_path
from tests.fuzz.examples import EXAMPLES, as_ci_or_new
from tests.fuzz.manifests import Manifest, anything
from tests.fuzz.verdict import answer

_FIELD = re.compile(r"\b(spec|metadata)\b(\.\w+|\[|:)|ObjectMeta\.name|name or generateName is required")
"""The path of a field, as every refusal must have it; the last two are Kubernetes' own words for metadata.name."""


@pytest.fixture
def namespace(kubernetes: KubernetesApi) -> Iterator[str]:
    """A namespace for what is never stored."""
    name = f"fuzz-{secrets.token_hex(3)}"
    kubernetes.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    kubernetes.request("DELETE", f"/api/v1/namespaces/{name}")


@pytest.mark.timeout(3600)
def test_every_manifest_is_accepted_or_refused_with_the_path_of_the_field_that_is_wrong(
    kubernetes: KubernetesApi, namespace: str
) -> None:
    verdicts: Counter[str] = Counter()

    @as_ci_or_new(EXAMPLES)
    @given(anything)
    def send(manifest: Manifest) -> None:
        said = answer(kubernetes, "POST", resources_path(namespace), manifest.body(namespace), dryRun="All")
        if isinstance(said, KubernetesError):
            verdicts[str(said.status)] += 1
            assert not manifest.sound, f"a sound manifest is refused: {said}"
            assert said.status in (400, 422), said
            assert _FIELD.search(str(said)), f"names no field: {said}"
        else:
            verdicts["accepted"] += 1
            said["metadata"].setdefault("resourceVersion", "0")
            FireworksDeployment.parse(said)  # or it could not even be deleted

    send()
    print(f"{verdicts.total()} manifests: {dict(verdicts)}")
    assert min(verdicts["accepted"], verdicts["422"]) > verdicts.total() / 10, verdicts
