"""The site as it is built: it shows what GitHub shows, and no link of it is dead."""

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit
from xml.etree import ElementTree as Xml

import pytest
from markdown_it import MarkdownIt

from testkit.documentation.pages import DOCS, ROOT
from testkit.site.build import REPO_REF, REPO_URL, SITE_URL, built_site
from testkit.site.links import Repository, into_repository
from tests.docs.html import article, blocks, parse

SOURCES = sorted(DOCS.rglob("*.md"))
REPOSITORY = Repository(ROOT, REPO_URL, REPO_REF)
LOADED = (("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src"), ("image", "href"), ("use", "href"))
"""What a browser fetches by itself, beside the `link` elements and what a stylesheet names."""
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.relative_to(DOCS).as_posix())


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the site."""
    return built_site()


def address(source: Path) -> str:
    """Return the path of a page's HTML, relative to the site."""
    name = source.relative_to(DOCS).with_suffix("").as_posix()
    return "index.html" if name == "index" else f"{name}/index.html"


def pages(site: Path) -> Iterator[tuple[str, Xml.Element]]:
    """Yield each page of the site and its path."""
    found = sorted(site.rglob("*.html"))
    assert len(found) > len(SOURCES)
    yield from ((path.relative_to(site).as_posix(), parse(path.read_text())) for path in found)


@each_source
def test_a_page_reads_as_on_github(site: Path, source: Path) -> None:
    """Both show the same lists, tables, code and paragraphs, though they understand some Markdown differently."""
    github = MarkdownIt("commonmark").enable("table").render(source.read_text())
    assert blocks(article((site / address(source)).read_text())) == blocks(parse(github))


@each_source
def test_no_markdown_is_left_on_a_page(site: Path, source: Path) -> None:
    prose = (text for path, text in blocks(article((site / address(source)).read_text())) if "pre" not in path)
    signs = re.compile(r"\*\*|\]\(|^\[!|^#+ |^\|.*\|$|\. [2-9]\. [A-Z]")
    assert [text for text in prose if signs.search(text)] == []


def test_every_link_of_the_site_leads_somewhere(site: Path) -> None:
    trees = dict(pages(site))
    ids = {path: {each.get("id") for each in tree.iter()} for path, tree in trees.items()}
    links = [(path, each.get("href", "")) for path, tree in trees.items() for each in tree.iter("a")]
    assert len(links) > 1000
    assert [f"{path}: {link}" for path, link in links if not leads_somewhere(site, ids, path, link)] == []


def leads_somewhere(site: Path, ids: dict[str, set[str | None]], path: str, link: str) -> bool:
    """Return whether a link of a page leads to a place of the site or of the repository, or elsewhere."""
    absolute = urljoin(urljoin(SITE_URL, path), link)
    if absolute.startswith(REPO_URL):
        return leads_into_the_repository(absolute)
    if not absolute.startswith(SITE_URL):
        return absolute.startswith("https://")
    parts = urlsplit(absolute.removeprefix(SITE_URL))
    target = unquote(parts.path).removeprefix("./")
    file = f"{target}index.html" if target.endswith("/") or not target else target
    if not (site / file).is_file():
        return False
    return not parts.fragment or file not in ids or unquote(parts.fragment) in ids[file]


def leads_into_the_repository(link: str) -> bool:
    """Return whether an address of the repository names it, or a file that there is."""
    path = REPOSITORY.path(link) or REPOSITORY.path(link.replace("/edit/", "/blob/"))
    return link == REPO_URL or (path is not None and (ROOT / path).exists())


def test_a_browser_loads_nothing_from_elsewhere(site: Path) -> None:
    foreign = []
    for path, tree in pages(site):
        loaded = [each.get(name, "") for tag, name in LOADED for each in tree.iter(tag)]
        loaded += [
            each.get("href", "") for each in tree.iter("link") if each.get("rel") not in {"canonical", "prev", "next"}
        ]
        foreign += [f"{path}: {each}" for each in loaded if urlsplit(each).netloc]
    named = re.compile(r"(?:url\(['\"]?|@import ['\"])(?:https?:)?//[^)]*")
    for file in [*site.rglob("*.css"), *site.rglob("*.svg"), *site.rglob("*.html")]:
        foreign += [f"{file}: {each}" for each in named.findall(file.read_text())]
    assert foreign == []


def test_no_page_needs_a_diagram_library(site: Path) -> None:
    """The theme fetches it from a public address as soon as a page has an element of this class."""
    drawn = 0
    for _, tree in pages(site):
        classes = [set(each.get("class", "").split()) for each in tree.iter()]
        assert not any("mermaid" in each for each in classes)
        drawn += sum("diagram" in each for each in classes)
    assert drawn == sum(source.read_text().count("```mermaid") for source in SOURCES) > 0


def test_no_two_elements_of_a_page_have_the_same_id(site: Path) -> None:
    for path, tree in pages(site):
        ids = [each.get("id", "") for each in tree.iter() if each.get("id")]
        assert sorted(ids) == sorted(set(ids)), path


def test_search_engines_find_every_page(site: Path) -> None:
    listed = set(re.findall(r"<loc>(.*?)</loc>", (site / "sitemap.xml").read_text()))
    assert listed == {urljoin(SITE_URL, address(source).removesuffix("index.html")) for source in SOURCES}


@pytest.mark.parametrize(
    "word", ["orphaned_deployments", "orphaned", "circuit_open", "POLL_INTERVAL_IDLE", "previousClusterIds"]
)
def test_a_part_of_a_name_is_found(site: Path, word: str) -> None:
    index = json.loads((site / "search/search_index.json").read_text())
    separator = re.compile(index["config"]["separator"])

    def words(text: str) -> list[str]:
        return [each.lower() for each in separator.split(re.sub(r"<[^>]*>", " ", text)) if each]

    wanted = set(words(word))
    assert any(wanted <= set(words(each["text"])) for each in index["docs"])


def test_only_links_that_leave_the_documentation_lead_to_the_repository() -> None:
    page = """
[a file](../../examples/minimal.yaml), [a folder](../../deploy/base), [a heading](../../CONTRIBUTING.md#tests)
[a page](../index.md#in-short), [missing](../../nothing.md), [elsewhere](https://example.com/a.md), [here](#below)

```text
[code](../../examples/minimal.yaml)
```
"""
    assert (
        into_repository(page, PurePosixPath("docs/how-to"), REPOSITORY, "docs")
        == f"""
[a file]({REPO_URL}/blob/v9.8/examples/minimal.yaml), [a folder]({REPO_URL}/tree/v9.8/deploy/base), \
[a heading]({REPO_URL}/blob/v9.8/CONTRIBUTING.md#tests)
[a page](../index.md#in-short), [missing](../../nothing.md), [elsewhere](https://example.com/a.md), [here](#below)

```text
[code](../../examples/minimal.yaml)
```
"""
    )


def test_pages_that_are_generated_cannot_be_edited(site: Path) -> None:
    edited = {path for path, tree in pages(site) if any("/edit/" in each.get("href", "") for each in tree.iter("a"))}
    assert {"index.html", "how-to/tags/index.html"} <= edited
    assert edited & {"reference/metrics/index.html", "performance/index.html", "reliability/index.html"} == set()


def test_the_repository_of_the_site_is_that_of_the_readme() -> None:
    (address,) = re.findall(r"repo_url: !ENV \[REPO_URL, \"(.*)\"\]", (ROOT / "mkdocs.yml").read_text())
    assert f"git clone {address}.git" in (ROOT / "README.md").read_text()


def test_a_page_without_sections_has_the_room_of_a_table_of_contents(site: Path) -> None:
    for page, is_hidden in (("reference/metrics", True), ("reference/conditions", False)):
        (contents,) = (
            each
            for each in parse((site / page / "index.html").read_text()).iter("div")
            if "md-sidebar--secondary" in each.get("class", "")
        )
        assert ("hidden" in contents.attrib) is is_hidden
