"""Formats of the output that `-o` names."""

from enum import StrEnum


class Form(StrEnum):
    """As kubectl calls them."""

    WIDE = "wide"
    NAME = "name"
    JSON = "json"
    YAML = "yaml"
