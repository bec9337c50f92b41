"""Formats of the output that `-o` names."""

from enum import StrEnum


class Form(StrEnum):
    """As kubectl calls them; CSV is for spreadsheets and FinOps tools, Markdown for pull requests."""

    WIDE = "wide"
    NAME = "name"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"
    MARKDOWN = "markdown"
