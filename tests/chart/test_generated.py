"""What is made from other files is up to date, and values, their schema and their descriptions tell of the same."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fireworks_operator.api.kinds import KINDS
from testkit.chart.helm import CHART, ROOT, Helm
from tests.chart.generate import README, described_values, generated

TEXTS = [
    ROOT / "docs/installation.md",
    ROOT / "docs/alerts.md",
    README,
    CHART / "templates/NOTES.txt",
    CHART / "templates/_validate.tpl",
]
OPEN = {"podSpec", "strategy", "prices"}
"""Values that take whatever Kubernetes has a field for, and one that is empty by default, with a schema of its own."""


def test_generated_files_are_up_to_date(helm4: Helm) -> None:
    for path, text in generated(helm4).items():
        assert path.read_text() == text, f"{path.relative_to(ROOT)} is out of date: run `make chart`"


def test_the_crds_of_the_chart_are_the_projects(helm: Helm, crds: Path) -> None:
    rendered = {each["metadata"]["name"]: each for each in helm.template().of("CustomResourceDefinition")}
    project = [yaml.safe_load(path.read_text()) for path in crds.glob("*.yaml")]
    assert {name: each["spec"] for name, each in rendered.items()} == {
        each["metadata"]["name"]: each["spec"] for each in project
    }
    assert len(rendered) == len(KINDS)
    assert max(len(json.dumps(each)) for each in rendered.values()) < 100_000, "too large for client-side apply"


def test_the_charts_version_is_the_projects() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (project, project)


def test_every_value_has_a_description_and_a_row_in_the_readme() -> None:
    rows = list(described_values((CHART / "values.yaml").read_text()))
    readme = README.read_text()
    assert len(rows) > 80
    for path, _, description in rows:
        assert description.endswith((".", "`")), path
        assert f"| `{path}` |" in readme


def test_a_value_without_a_description_is_noticed() -> None:
    with pytest.raises(ValueError, match=r"a\.c has no description"):
        list(described_values("a:\n  # -- One.\n  b: 1\n  # Not one.\n  c: 2\n"))


def test_the_schema_knows_the_values_that_there_are_and_no_others() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    only_for_parents = {"enabled"}
    assert set(_closed(schema, "")) - only_for_parents == set(_keys(values, schema, ""))


def _closed(schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield the paths of all leaves of a schema, whose objects with properties must all be closed."""
    for name, each in schema["properties"].items():
        if "properties" in each and f"{prefix}{name}" not in OPEN:
            assert name == "global" or each["additionalProperties"] is False, f"{prefix}{name} takes unknown keys"
            yield from _closed(each, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _keys(values: Mapping[str, Any], schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, value in values.items():
        below = schema["properties"].get(name, {})
        if isinstance(value, dict) and "properties" in below and f"{prefix}{name}" not in OPEN:
            yield from _keys(value, below, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.name)
def test_values_that_texts_speak_of_exist(text: Path) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = set(_closed(schema, ""))
    groups = "|".join(sorted({path.partition(".")[0] for path in known if "." in path}))
    spoken_of = set(re.findall(rf"(?<![\w./-])((?:{groups})(?:\.[a-zA-Z]+)+)", text.read_text()))
    assert spoken_of - known == set()


@pytest.mark.parametrize("text", TEXTS[:2], ids=lambda path: path.name)
def test_links_of_texts_lead_somewhere(text: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text.read_text()):
        assert (text.parent / link).exists(), link
