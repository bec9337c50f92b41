"""The kinds of the Prometheus operator, with the fields that the chart's values stand for and no others."""

from typing import Final

from testkit.chart.rendered import Json

TEXT: Final = {"type": "string"}
FLAG: Final = {"type": "boolean"}
LABELS: Final = {"type": "object", "additionalProperties": TEXT}


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties}


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


_RELABELING = _object(
    sourceLabels=_list(TEXT), separator=TEXT, targetLabel=TEXT, regex=TEXT, replacement=TEXT, action=TEXT
)
_ENDPOINT = _object(
    port=TEXT,
    path=TEXT,
    scheme={**TEXT, "enum": ["http", "https", "HTTP", "HTTPS"]},
    interval={**TEXT, "pattern": "^([0-9]+(ms|[smhdwy]))+$"},
    scrapeTimeout={**TEXT, "pattern": "^([0-9]+(ms|[smhdwy]))+$"},
    tlsConfig=_object(serverName=TEXT, insecureSkipVerify=FLAG, caFile=TEXT),
    honorLabels=FLAG,
    relabelings=_list(_RELABELING),
    metricRelabelings=_list(_RELABELING),
)
_SELECTORS: Final = {
    "selector": _object(matchLabels=LABELS),
    "namespaceSelector": _object(any=FLAG, matchNames=_list(TEXT)),
}
_RULE = {
    **_object(alert=TEXT, record=TEXT, expr=TEXT, labels=LABELS, annotations=LABELS, **{"for": TEXT}),
    "required": ["expr"],
}
_GROUPS = {
    **_list({**_object(name=TEXT, rules=_list(_RULE)), "required": ["name"]}),
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
}
_KINDS: Final = {
    "ServiceMonitor": _object(endpoints=_list(_ENDPOINT), **_SELECTORS),
    "PodMonitor": _object(podMetricsEndpoints=_list(_ENDPOINT), **_SELECTORS),
    "PrometheusRule": _object(groups=_GROUPS),
}


def _definition(kind: str, spec: Json) -> Json:
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": _object(spec=spec)}}
            ],
        },
    }


DEFINITIONS: Final = [_definition(kind, spec) for kind, spec in _KINDS.items()]
