"""What a platform engineer sees with kubectl."""

import pytest

from tests.crd.server import CRDS, NAMESPACE, Cluster, Create, Server


def explain(cluster: Cluster, path: str) -> str:
    """Return what `kubectl explain` prints, its lines joined since kubectl wraps them."""
    return " ".join(cluster.kubectl("explain", path).stdout.split())


@pytest.mark.parametrize(
    ("path", "texts"),
    [
        (
            "fireworksdeployment.spec.autoscalingPolicy",
            [
                "scaleUpWindow <string> How long the load must stay high before a replica is added. A duration with "
                "units ms, s, m or h, from 0s to 1h. Default: decided by Fireworks: 30s.",
                "scaleDownWindow <string> How long the load must stay low before a replica is removed. A duration with "
                "units ms, s, m or h, from 0s to 1h. Default: decided by Fireworks: 10m.",
                "A duration with units ms, s, m or h, at least 5m.",
                "Default: decided by Fireworks: 1h. On change: updated in place. If removed from the spec, it is "
                "reset to 1h. Example: 30m",
            ],
        ),
        (
            "fwd.spec.placement",
            ["On change: refused once status.deploymentName is set; until then it can be corrected."],
        ),
        ("fwd.spec.longPrompt", ["Sent to Fireworks as: autoTune.longPrompt"]),
        ("fwd.spec", ["baseModel <string> -required-", "enum: Delete, Retain"]),
        ("fwd.status", ["modelIdentifier <string> The value of model in an inference request"]),
    ],
)
def test_explain_tells_unit_bounds_default_and_what_a_change_does(
    server: Server, cluster: Cluster, path: str, texts: list[str]
) -> None:
    page = explain(cluster, path)
    for text in texts:
        assert text in page


def test_get_shows_state_replicas_and_model_and_wide_what_is_in_force(
    server: Server, cluster: Cluster, create: Create
) -> None:
    name = create()
    server.set_status(
        name,
        {
            "deploymentName": "accounts/acme/deployments/chat",
            "state": "READY",
            "replicas": {"ready": 0},
            "cost": {"hourly": "16.00", "month": {"name": "2026-03"}, "asOf": "2026-03-04T05:06:07Z"},
            "effective": {"acceleratorType": "NVIDIA_H100_80GB", "acceleratorCount": 2, "minReplicaCount": 0},
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "ScaledToZero",
                    "message": "",
                    "lastTransitionTime": "2026-03-04T05:06:07Z",
                }
            ],
        },
    )
    head, row = cluster.kubectl("get", "fwd", name, "-n", NAMESPACE).stdout.splitlines()
    assert head.split() == ["NAME", "READY", "STATE", "REPLICAS", "MODEL", "AGE"]
    assert row.split()[:4] == [name, "True", "READY", "0"]

    head, row = cluster.kubectl("get", "fwd", name, "-n", NAMESPACE, "-o", "wide").stdout.splitlines()
    assert head.split()[6:] == ["ACCELERATOR", "GPUS", "MIN", "MAX", "$/H", "REASON", "DEPLOYMENT"]
    # MAX is unknown here, so its cell is empty.
    assert row.split()[6:] == ["NVIDIA_H100_80GB", "2", "0", "16.00", "ScaledToZero", "accounts/acme/deployments/chat"]


def test_applying_the_crd_again_changes_nothing(server: Server, cluster: Cluster) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
    difference = cluster.kubectl("diff", "--server-side", "-f", str(CRDS), check=False)
    assert (difference.returncode, difference.stdout) == (0, "")
