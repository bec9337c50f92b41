"""Combinations of values about the operator's Deployment and its pods."""

from typing import Final

from tests.chart.combination import CONTAINER, DEPLOYMENT, POD, Combination, refused, row

ROOT_FREE = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
MIRROR = "mirror.example.com"
CA_MOUNT = {"name": "ca", "mountPath": "/ca"}
PRE_STOP = {"preStop": {"exec": {"command": ["sleep", "5"]}}}
SIDECAR = {"name": "sidecar", "image": "registry.example.com/sidecar:1"}

PODS: Final[list[Combination]] = [
    row("defaults", {}, {f"{DEPLOYMENT} spec replicas": 2, f"{POD} dnsPolicy": None, f"{POD} hostNetwork": None}),
    # Scheduling
    row("nodeSelector", {"nodeSelector": {"disk": "ssd"}}, {f"{POD} nodeSelector": {"disk": "ssd"}}),
    row("nodeSelector null", {"nodeSelector": None}, {f"{POD} nodeSelector": None}),
    refused("nodeSelector of a number", {"nodeSelector": {"zone": 1}}, "nodeSelector"),
    row(
        "tolerations and affinity",
        {
            "tolerations": [{"operator": "Exists"}],
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]}]
                    }
                }
            },
        },
        {f"{POD} tolerations": [{"operator": "Exists"}]},
    ),
    row("no spread", {"topologySpreadConstraints": None}, {f"{POD} topologySpreadConstraints": None}),
    row(
        "a spread with a selector of its own",
        {
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "topology.kubernetes.io/zone",
                    "whenUnsatisfiable": "DoNotSchedule",
                    "labelSelector": {"matchLabels": {"team": "inference"}},
                }
            ]
        },
        {f"{POD} topologySpreadConstraints 0 labelSelector": {"matchLabels": {"team": "inference"}}},
    ),
    row(
        "priority, scheduler and runtime",
        {"priorityClassName": "1000", "schedulerName": "volcano", "runtimeClassName": "gvisor"},
        {f"{POD} priorityClassName": "1000", f"{POD} schedulerName": "volcano", f"{POD} runtimeClassName": "gvisor"},
    ),
    # Network
    row(
        "host network",
        {"hostNetwork": True},
        {f"{POD} hostNetwork": True, f"{POD} dnsPolicy": "ClusterFirstWithHostNet"},
    ),
    row(
        "host network with DNS of the node",
        {"hostNetwork": True, "dnsPolicy": "Default"},
        {f"{POD} dnsPolicy": "Default"},
    ),
    row(
        "DNS of its own",
        {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["192.0.2.53"], "searches": ["example.com"]}},
        {f"{POD} dnsConfig nameservers": ["192.0.2.53"], f"{POD} dnsPolicy": "None"},
    ),
    refused("a DNS policy that does not exist", {"dnsPolicy": "clusterfirst"}, "dnsPolicy"),
    refused("no DNS at all", {"dnsPolicy": "None"}, "spec.template.spec.dnsConfig", by_server=True),
    row(
        "host aliases",
        {"hostAliases": [{"ip": "192.0.2.10", "hostnames": ["api.fireworks.ai"]}]},
        {f"{POD} hostAliases 0 ip": "192.0.2.10"},
    ),
    refused(
        "an address with two aliases",
        {"hostAliases": [{"ip": "192.0.2.10", "hostnames": ["a"]}, {"ip": "192.0.2.10", "hostnames": ["b"]}]},
        "hostAliases: the ip 192.0.2.10 is used twice",
    ),
    # Containers
    row(
        "containers beside the operator's",
        {"extraContainers": [SIDECAR], "extraInitContainers": [{**SIDECAR, "name": "before"}]},
        {f"{POD} containers 1": SIDECAR, f"{POD} initContainers before image": SIDECAR["image"]},
    ),
    refused("a second operator", {"extraContainers": [{**SIDECAR, "name": "operator"}]}, "name operator is used twice"),
    refused(
        "one name for two containers",
        {"extraContainers": [SIDECAR], "extraInitContainers": [SIDECAR]},
        "name sidecar is used twice",
    ),
    refused("a container without a name", {"extraContainers": [{"image": "x"}]}, "extraContainers"),
    row(
        "arguments",
        {"extraArgs": ["--log-format", "text", "007"]},
        {f"{CONTAINER} args": ["run", "--log-format", "text", "007"]},
    ),
    refused("arguments as one text", {"extraArgs": "--log-format text"}, "extraArgs"),
    row("lifecycle", {"lifecycle": PRE_STOP}, {f"{CONTAINER} lifecycle": PRE_STOP}),
    row("resources null", {"resources": None}, {f"{CONTAINER} resources": None}),
    row(
        "resources without a limit",
        {"resources": {"limits": None}},
        {f"{CONTAINER} resources": {"requests": {"cpu": "50m", "memory": "128Mi"}}},
    ),
    row(
        "grace period of zero, and a very long one",
        {"terminationGracePeriodSeconds": 1000000},
        {f"{POD} terminationGracePeriodSeconds": 1000000},
    ),
    row("grace period null", {"terminationGracePeriodSeconds": None}, {f"{POD} terminationGracePeriodSeconds": None}),
    # Probes
    row("no liveness probe", {"livenessProbe": None}, {f"{CONTAINER} livenessProbe": None}),
    row("no probes", {"livenessProbe": None, "readinessProbe": None}, {f"{CONTAINER} readinessProbe": None}),
    row(
        "a probe with nothing set",
        {"readinessProbe": {"periodSeconds": None, "timeoutSeconds": None, "failureThreshold": None}},
        {f"{CONTAINER} readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}}},
    ),
    row(
        "a probe of another path",
        {"livenessProbe": {"httpGet": {"path": "/readyz"}}},
        {f"{CONTAINER} livenessProbe httpGet": {"path": "/readyz", "port": "http"}},
    ),
    row(
        "a probe by a command",
        {"readinessProbe": {"exec": {"command": ["true"]}}},
        {f"{CONTAINER} readinessProbe exec command": ["true"], f"{CONTAINER} readinessProbe httpGet": None},
    ),
    row(
        "a probe of a port",
        {"livenessProbe": {"tcpSocket": {"port": "http"}}},
        {f"{CONTAINER} livenessProbe tcpSocket": {"port": "http"}, f"{CONTAINER} livenessProbe httpGet": None},
    ),
    refused("a probe that is turned off by false", {"livenessProbe": False}, "livenessProbe"),
    refused("a misspelt field of a probe", {"livenessProbe": {"periodSecond": 1}}, "periodSecond", by_server=True),
    # Security
    row(
        "no security contexts", {"podSecurityContext": None, "securityContext": None}, {f"{POD} securityContext": None}
    ),
    row(
        "ids of OpenShift by null",
        {"podSecurityContext": {"runAsUser": None, "runAsGroup": None, "fsGroup": None}},
        {f"{POD} securityContext": ROOT_FREE},
    ),
    row(
        "OpenShift by force",
        {"openshift": {"adaptSecurityContext": "force"}, "securityContext": {"runAsUser": 1000680000}},
        {f"{POD} securityContext": ROOT_FREE, f"{CONTAINER} securityContext runAsUser": None},
    ),
    row(
        "OpenShift by itself",
        {},
        {f"{POD} securityContext": ROOT_FREE},
        arguments=("--api-versions", "security.openshift.io/v1"),
    ),
    row(
        "OpenShift with ids all the same",
        {"openshift": {"adaptSecurityContext": "disabled"}, "podSecurityContext": {"runAsUser": 1000680000}},
        {f"{POD} securityContext runAsUser": 1000680000},
        arguments=("--api-versions", "security.openshift.io/v1"),
    ),
    refused("OpenShift as a boolean", {"openshift": {"adaptSecurityContext": True}}, "adaptSecurityContext"),
    # Replicas
    row(
        "one replica",
        {"replicaCount": 1},
        {f"{DEPLOYMENT} spec strategy type": "RollingUpdate", "PodDisruptionBudget spec": None},
    ),
    row("no replica", {"replicaCount": 0}, {f"{DEPLOYMENT} spec replicas": 0, "PodDisruptionBudget spec": None}),
    row(
        "replicas of an autoscaler",
        {"replicaCount": None},
        {f"{DEPLOYMENT} spec replicas": None, "PodDisruptionBudget spec maxUnavailable": 1},
    ),
    refused("replicas as text", {"replicaCount": "2"}, "replicaCount"),
    row(
        "without a Lease",
        {"replicaCount": 1, "leaderElection": {"enabled": False}},
        {f"{DEPLOYMENT} spec strategy type": "Recreate", "Role spec": None},
    ),
    refused(
        "replicas of an autoscaler without a Lease",
        {"replicaCount": None, "leaderElection": {"enabled": False}},
        "replicaCount is null",
    ),
    refused(
        "two at a time without a Lease",
        {"replicaCount": 1, "leaderElection": {"enabled": False}, "strategy": {"type": "RollingUpdate"}},
        "strategy.type must be Recreate",
    ),
    row(
        "a slow update",
        {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}},
        {f"{DEPLOYMENT} spec strategy rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
    ),
    row("all at once", {"strategy": {"type": "Recreate"}}, {f"{DEPLOYMENT} spec strategy type": "Recreate"}),
    row("no history", {"revisionHistoryLimit": 0}, {f"{DEPLOYMENT} spec revisionHistoryLimit": 0}),
    row("history null", {"revisionHistoryLimit": None}, {f"{DEPLOYMENT} spec revisionHistoryLimit": 5}),
    # Disruptions
    row(
        "some must be there",
        {"podDisruptionBudget": {"minAvailable": 1}},
        {"PodDisruptionBudget spec minAvailable": 1, "PodDisruptionBudget spec maxUnavailable": None},
    ),
    row(
        "half must be there",
        {"podDisruptionBudget": {"minAvailable": "50%"}},
        {"PodDisruptionBudget spec minAvailable": "50%"},
    ),
    row(
        "none may be missing",
        {"podDisruptionBudget": {"maxUnavailable": 0}},
        {"PodDisruptionBudget spec maxUnavailable": 0},
    ),
    refused("both bounds", {"podDisruptionBudget": {"minAvailable": 1, "maxUnavailable": 1}}, "exclude each other"),
    refused(
        "all must be there", {"podDisruptionBudget": {"minAvailable": 2}}, "no node with such a pod could be drained"
    ),
    refused("a bound without per cent", {"podDisruptionBudget": {"minAvailable": "50"}}, "minAvailable"),
    # Anything else
    row(
        "a field that the chart does not know",
        {"podSpec": {"shareProcessNamespace": True, "hostUsers": False}},
        {f"{POD} shareProcessNamespace": True, f"{POD} enableServiceLinks": False},
    ),
    row(
        "another list and another number",
        {"tolerations": [{"key": "a"}], "podSpec": {"tolerations": [{"key": "b"}], "terminationGracePeriodSeconds": 5}},
        {f"{POD} tolerations": [{"key": "b"}], f"{POD} terminationGracePeriodSeconds": 5},
    ),
    row(
        "fields removed",
        {"podSpec": {"topologySpreadConstraints": None, "securityContext": {"fsGroup": None}}},
        {
            f"{POD} topologySpreadConstraints": None,
            f"{POD} securityContext": {**ROOT_FREE, "runAsUser": 65532, "runAsGroup": 65532},
        },
    ),
    row(
        "a field of the operator's container and one more container",
        {"podSpec": {"containers": [{"name": "operator", "tty": True, "resources": {"limits": None}}, SIDECAR]}},
        {
            f"{CONTAINER} tty": True,
            f"{CONTAINER} args": ["run"],
            f"{CONTAINER} resources limits": None,
            f"{POD} containers sidecar": SIDECAR,
        },
    ),
    row(
        "a variable from a Secret in place of a setting",
        {
            "podSpec": {
                "containers": [
                    {
                        "name": "operator",
                        "env": [
                            {
                                "name": "FIREWORKS_OPERATOR_LOG_LEVEL",
                                "valueFrom": {"configMapKeyRef": {"name": "logs", "key": "level"}},
                            }
                        ],
                    }
                ]
            }
        },
        {
            f"{CONTAINER} env FIREWORKS_OPERATOR_LOG_LEVEL value": None,
            f"{CONTAINER} env FIREWORKS_OPERATOR_LOG_LEVEL valueFrom configMapKeyRef key": "level",
            f"{CONTAINER} env FIREWORKS_BASE_URL value": "https://api.fireworks.ai",
        },
    ),
    row(
        "a volume in place of another",
        {
            "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
            "extraVolumeMounts": [CA_MOUNT],
            "podSpec": {"volumes": [{"name": "ca", "secret": {"secretName": "ca"}}, {"name": "tmp", "emptyDir": {}}]},
        },
        {
            f"{POD} volumes ca": {"name": "ca", "secret": {"secretName": "ca"}},
            f"{POD} volumes tmp": {"name": "tmp", "emptyDir": {}},
            f"{CONTAINER} volumeMounts": [CA_MOUNT],
        },
    ),
    row("podSpec null", {"podSpec": None}, {f"{POD} enableServiceLinks": False}),
    refused("podSpec as a list", {"podSpec": [{"hostUsers": False}]}, "podSpec"),
    refused("a container of podSpec without a name", {"podSpec": {"containers": [{"tty": True}]}}, "podSpec"),
    refused("a misspelt field of podSpec", {"podSpec": {"hostNetwrk": True}}, "hostNetwrk", by_server=True),
    refused("pods that end", {"podSpec": {"restartPolicy": "Never"}}, "spec.restartPolicy", by_server=True),
]
