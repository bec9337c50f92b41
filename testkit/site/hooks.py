"""What MkDocs calls while it builds the site (mkdocs.yml, `hooks`)."""

from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from testkit.site.links import Repository, into_repository

_DOCS = "docs"
_GENERATED = ("reference/", "performance.md", "reliability.md")
"""Pages that are written from code: to edit them would be in vain."""


def repository(config: MkDocsConfig) -> Repository:
    """Return the repository that the site belongs to."""
    return Repository(Path(config.config_file_path).parent, config.repo_url or "", config.extra["repo_ref"])


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that leave the documentation into links to the repository."""
    if page.file.src_uri.startswith(_GENERATED):
        page.edit_url = None
    return into_repository(markdown, PurePosixPath(_DOCS, page.file.src_uri).parent, repository(config), _DOCS)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Give a page without sections, such as one wide table, the room of its table of contents."""
    if not any(heading.children for heading in page.toc):
        page.meta["hide"] = ["toc"]
    return html
