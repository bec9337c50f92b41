"""One manifest that the API server accepts and one that it refuses, for every field and every rule of the spec."""

import pytest

from fireworks_operator.api.crd import crd
from fireworks_operator.api.kinds import DEPLOYMENTS
from tests.crd import rows_capacity, rows_entries, rows_fallbacks, rows_policies, rows_route, rows_serving
from tests.crd.row import Row
from tests.crd.server import Object, RefusedError, Server, manifest

TABLES = (rows_serving, rows_capacity, rows_policies, rows_entries, rows_route, rows_fallbacks)
ROWS = [row for table in TABLES for row in table.ROWS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_accepted(server: Server, row: Row) -> None:
    stored = server.dry_create(manifest(row.accepted), strict=True)
    assert contains(stored["spec"], row.accepted), row.reason


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_refused(server: Server, row: Row) -> None:
    with pytest.raises(RefusedError) as refused:
        server.dry_create(manifest(row.refused))
    assert row.message in str(refused.value), row.reason


def contains(stored: object, written: object) -> bool:
    """Whether everything that was written is stored; the server adds defaults, also inside objects."""
    if isinstance(written, dict):
        return isinstance(stored, dict) and all(contains(stored.get(key), value) for key, value in written.items())
    return stored == written


def test_a_misspelt_field_is_refused_by_strict_clients(server: Server) -> None:
    with pytest.raises(RefusedError, match=r'unknown field "spec.deletionPolcy"'):
        server.dry_create(manifest({"deletionPolcy": "Retain"}), strict=True)


def test_a_spec_without_a_base_model_is_refused(server: Server) -> None:
    body = manifest({})
    del body["spec"]["baseModel"]
    with pytest.raises(RefusedError, match=r"spec.baseModel: Required value"):
        server.dry_create(body)


def test_a_resource_without_a_spec_is_refused(server: Server) -> None:
    body = manifest({})
    del body["spec"]
    with pytest.raises(RefusedError, match=r"spec: Required value"):
        server.dry_create(body)


def test_a_name_has_63_characters_at_most(server: Server) -> None:
    server.dry_create(manifest({}, "a" * 63))
    with pytest.raises(RefusedError, match="must not be longer than 63 characters; choose a shorter name"):
        server.dry_create(manifest({}, "a" * 64))


def test_every_rule_of_the_crd_has_a_row_with_its_message() -> None:
    # The windows have tables of their own.
    messages = {message for message in rule_messages() if "must be a duration" not in message}
    assert [message for message in messages if not any(row.message in message for row in ROWS)] == []


def rule_messages() -> set[str]:
    """Return the messages of all rules on the spec; those of the root have tests of their own."""

    def walk(schema: Object) -> set[str]:
        elements = [schema[key] for key in ("items", "additionalProperties") if key in schema]
        inner = [*schema.get("properties", {}).values(), *elements]
        own = {rule["message"] for rule in schema.get("x-kubernetes-validations", [])}
        return own.union(*map(walk, inner))

    return walk(crd(DEPLOYMENTS)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"])


def test_every_field_of_the_spec_has_a_row() -> None:
    fields = crd(DEPLOYMENTS)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert fields.keys() == {name for row in ROWS for name in (*row.accepted, *row.refused)}
