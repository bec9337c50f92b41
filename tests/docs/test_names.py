"""Names in the documentation exist: settings, metrics, annotations, targets of links."""

import re
from pathlib import Path

import click
import pytest

from fireworks_operator.api.v1alpha1 import ANNOTATION_ABANDON, ANNOTATION_IGNORE_CHECKS, ANNOTATION_RECONCILE_AT
from fireworks_operator.observability.metrics import Metrics
from fireworks_operator.reference import files
from fireworks_operator.settings import Settings, variable
from testkit.documentation.pages import PAGES, ROOT, anchors
from tests.docs.generate import COMMANDS, generated

SETTINGS = {variable(name) for name in Settings.model_fields}
ANNOTATIONS = {ANNOTATION_ABANDON, ANNOTATION_IGNORE_CHECKS, ANNOTATION_RECONCILE_AT}
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())


def test_generated_pages_are_up_to_date() -> None:
    texts = {**{ROOT / name: text for name, text in files().items()}, **generated()}
    late = [path.name for path, text in texts.items() if path.read_text(encoding="utf-8") != text]
    assert late == [], "out of date: run `make docs`"


@pytest.mark.parametrize("name", [name for name, _, _ in COMMANDS])
def test_every_option_of_every_command_is_explained(name: str) -> None:
    (command,) = (command for each, command, _ in COMMANDS if each == name)
    below = command.commands.values() if isinstance(command, click.Group) else ()
    options = [each for one in (command, *below) for each in one.params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


def test_every_setting_is_explained() -> None:
    page = files()["docs/reference/settings.md"]
    for name in SETTINGS:
        assert re.search(rf"^\| `{name}` \| [^|]+ \| [A-Z][^|]{{10,}}", page, re.MULTILINE), name


def test_every_metric_is_explained() -> None:
    page = files()["docs/reference/metrics.md"]
    for family in Metrics().registry.collect():
        if family.name.startswith("fireworks_operator_"):
            assert f"| `{family.name}" in page
            assert family.documentation in page


@each_page
def test_settings_exist(page: Path) -> None:
    others = "SIMULATOR|TEST|E2E|IMAGES|CLUSTER_|ENVTEST_|DEPLOYMENT\\b|ADDON_"  # the last two are for applications
    named = set(re.findall(rf"\bFIREWORKS_(?!{others})[A-Z_]*[A-Z]\b", page.read_text()))
    assert named - {"FIREWORKS_OPERATOR"} <= SETTINGS


@each_page
def test_settings_of_the_local_kubernetes_exist(page: Path) -> None:
    pattern = r"\bFIREWORKS_(?:CLUSTER|ENVTEST)_[A-Z_]*[A-Z]\b"
    named = set(re.findall(pattern, page.read_text()))
    assert named <= set(re.findall(pattern, (ROOT / "testkit/kubernetes/__main__.py").read_text()))


@each_page
def test_metrics_exist(page: Path) -> None:
    known = {series for family in Metrics().registry.collect() for series in (family.name, f"{family.name}_total")}
    assert set(re.findall(r"\bfireworks_operator_[a-z_]*[a-z]\b", page.read_text())) <= known


@each_page
def test_annotations_exist(page: Path) -> None:
    found = set(
        re.findall(
            r"(?<![\w.])fireworks\.ai/(?!v1|deployment\b|kopf|fireworksdeployment)[a-z][a-z-]+\b(?![/_.])",
            page.read_text(),
        )
    )
    assert found <= ANNOTATIONS


@each_page
def test_links_into_other_pages_lead_to_a_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!\w+://)([^)#\s]*\.md)#([^)\s]+)\)", page.read_text()):
        assert anchor in anchors((page.parent / target).read_text()), f"{target}#{anchor}"
