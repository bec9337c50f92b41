"""What the chart renders fits the oldest and the newest Kubernetes, field by field, without running them."""

import copy
from pathlib import Path

import pytest
from kubernetes_validate.utils import ValidationError, validate

from testkit.chart.helm import KUBERNETES, Helm
from testkit.chart.rendered import Json

OLDEST, NEWEST = "1.30", KUBERNETES.rpartition(".")[0]


def known(manifest: Json) -> bool:
    """Whether the schemas that are bundled know the kind."""
    return not manifest["apiVersion"].startswith("monitoring.coreos.com/")


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_field_of_every_object_exists(helm4: Helm, values_file: Path, version: str) -> None:
    rendered = helm4.template("--values", str(values_file), "--kube-version", f"{version}.0")
    objects = [each for each in rendered if known(each)]
    assert len(objects) >= 5
    for each in objects:
        validate(each, version, strict=True)


def test_a_misspelt_field_is_noticed(helm4: Helm) -> None:
    deployment = copy.deepcopy(helm4.template().the("Deployment"))
    deployment["spec"]["template"]["spec"]["terminationGracePeriodSecond"] = 1
    with pytest.raises(ValidationError, match="terminationGracePeriodSecond"):
        validate(deployment, OLDEST, strict=True)
