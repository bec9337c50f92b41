"""What is generated from the models: the CRDs, the JSON schemas, and the pages of docs/reference.

python -m fireworks_operator.reference FOLDER      make crd
"""

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

from prometheus_client import Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from fireworks_operator.api import json_schema, reference
from fireworks_operator.api.crd import render_crd
from fireworks_operator.api.kinds import KINDS
from fireworks_operator.observability.metrics import Metrics

from .settings import Settings, variable

_METRICS_INTRO = """\
<!-- Generated from operator/fireworks_operator/observability/metrics.py; change that instead. -->
# Metrics

`/metrics` on port 8080 (`FIREWORKS_OPERATOR_HEALTH_PORT`), for Prometheus and OpenMetrics. No label names a resource,
so cardinality does not grow with their number, unless `FIREWORKS_OPERATOR_COST_METRICS_PER_RESOURCE` is set. `account`
has one value per Fireworks account in use whose deployments could be listed, `credential` one per API key (a
fingerprint that changes at each start and reveals nothing about the key; at most a hundred for keys that Fireworks has
never accepted). With several replicas, only the leader has the series of accounts. The usual `process_*` metrics are
included. Alerts: [alerts.md](../alerts.md).
"""
_SETTINGS_INTRO = """\
<!-- Generated from operator/fireworks_operator/settings.py; change that instead. -->
# Settings

Environment variables of `fireworks-operator run`, read once at the start. With an invalid value the process
exits with a message that names it. An empty value counts as unset, except that an empty
`FIREWORKS_OPERATOR_CREDENTIAL_NAMESPACES` means no namespaces. Lists are separated by commas or spaces. The chart has
each as a value of the same name below `settings`, or under `credentials`, `watchNamespaces` and `leaderElection`. For
`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` and the like, see [behind a proxy](../how-to/proxy.md).
"""


def files() -> dict[str, str]:
    """Return the generated files by their path in the project."""
    pages = {**reference.pages(), "metrics.md": render_metrics(), "settings.md": render_settings()}
    return {
        **{f"docs/reference/{name}": text for name, text in pages.items()},
        **{f"schemas/{json_schema.file_name(each)}": json_schema.render_json_schema(each) for each in KINDS},
        **{f"crds/{each.crd_file}": render_crd(each) for each in KINDS},
    }


def render_metrics() -> str:
    """Return the page about metrics, as Markdown."""
    metrics = Metrics()
    found = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    found += metrics.of_budgets.values()
    return _page(_METRICS_INTRO, reference.table(("Metric", "Type", "Unit", "Labels", "Meaning"), map(_metric, found)))


def render_settings() -> str:
    """Return the page about settings, as Markdown."""
    texts = dict(_texts())
    rows = ((*_setting(name, field), texts[name]) for name, field in Settings.model_fields.items())
    return _page(_SETTINGS_INTRO, reference.table(("Variable", "Default", "Meaning"), rows))


def _page(intro: str, lines: Iterable[str]) -> str:
    return "\n".join([intro, *lines])


def _metric(metric: MetricWrapperBase) -> tuple[str, ...]:
    (family,) = metric.describe()
    name = f"{family.name}_total" if isinstance(metric, Counter) else family.name
    labels = ", ".join(f"`{each}`" for each in metric._labelnames)  # noqa: SLF001 - the library has no other way
    return f"`{name}`", family.type, _unit(metric, family.name), labels, family.documentation


def _unit(metric: MetricWrapperBase, name: str) -> str:
    if name.endswith("gpu_seconds"):
        return "GPU-seconds"
    if name.endswith("_seconds"):
        return "seconds"
    return "count" if isinstance(metric, Counter | Histogram) else "number"


def _setting(name: str, field: FieldInfo) -> tuple[str, str]:
    value = field.get_default()
    if isinstance(value, SecretStr) or value is None:
        return f"`{variable(name)}`", "none"
    if isinstance(value, tuple):
        return f"`{variable(name)}`", " ".join(value) or "empty"
    shown = f"{value:g}" if isinstance(value, float) else str(value)
    return f"`{variable(name)}`", f"`{shown.lower() if isinstance(value, bool) else shown}`"


def _texts() -> Iterator[tuple[str, str]]:
    """Yield each setting and the text that stands below it."""
    (body,) = (node.body for node in ast.parse(inspect.getsource(Settings)).body if isinstance(node, ast.ClassDef))
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
            words = " ".join(str(ast.literal_eval(text.value)).split())
            words = words.removeprefix(f"{variable(field.target.id)}: ")
            yield field.target.id, words[0].upper() + words[1:]


def _main(root: str) -> None:
    for name, text in files().items():
        path = Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _main(sys.argv[1])
