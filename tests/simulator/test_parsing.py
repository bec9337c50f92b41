"""Bodies that the parser refuses as Go's protojson does, and what it accepts."""

from dataclasses import dataclass

import pytest

from tests.simulator.api import H100, LLAMA, Api, error


@dataclass(frozen=True)
class Unparsable:
    """A body that the parser refuses."""

    reason: str
    body: str
    message: str


UNPARSABLE = [
    Unparsable("text for a number", '{"minReplicaCount": "x"}', 'invalid value for int32 field minReplicaCount: "x"'),
    Unparsable("a fraction", '{"minReplicaCount": 1.5}', "invalid value for int32 field minReplicaCount: 1.5"),
    Unparsable("too large", '{"minReplicaCount": 3000000000}', "field minReplicaCount: 3000000000"),
    Unparsable("true is no number", '{"minReplicaCount": true}', "field minReplicaCount: true"),
    Unparsable("a number for text", '{"displayName": 5}', "invalid value for string field displayName: 5"),
    Unparsable("text for a flag", '{"enableAddons": "true"}', 'invalid value for bool field enableAddons: "true"'),
    Unparsable(
        "Go durations",
        '{"autoscalingPolicy": {"scaleUpWindow": "10m"}}',
        'invalid google.protobuf.Duration value "10m"',
    ),
    Unparsable(
        "a duration is no number",
        '{"autoscalingPolicy": {"scaleUpWindow": 600}}',
        "invalid google.protobuf.Duration value 600",
    ),
    Unparsable("the same key twice", '{"baseModel": "a", "baseModel": "b"}', 'duplicate field "baseModel"'),
    Unparsable("in both spellings", '{"baseModel": "a", "base_model": "b"}', 'duplicate field "base_model"'),
    Unparsable(
        "two members of a oneof",
        '{"deploymentTemplate": "t", "autoTune": {"longPrompt": true}}',
        'error parsing "autoTune", oneof gateway.Deployment.preconfig is already set',
    ),
    Unparsable("not JSON", '{"baseModel": oops}', "syntax error (line 1:15): unexpected token oops}"),
    Unparsable("half of it", '{"baseModel": "a"', "syntax error (line 1:18): unexpected token EOF"),
    Unparsable("a list", "[1]", "syntax error (line 1:1): unexpected token ["),
    Unparsable("text for a message", '{"autoTune": "yes"}', 'syntax error (line 1:14): unexpected token "yes"'),
    Unparsable("a list for a map", '{"annotations": ["custom/a"]}', "unexpected token ["),
    Unparsable("text for a list", '{"directRouteApiKeys": "k"}', 'unexpected token "k"'),
    Unparsable("no number at all", '{"minReplicaCount": NaN}', "unexpected token NaN"),
    Unparsable("a time without zone", '{"expireTime": "2026-01-01T00:00:00"}', "invalid google.protobuf.Timestamp"),
]


@pytest.mark.parametrize("row", UNPARSABLE, ids=lambda row: row.reason)
def test_a_body_that_the_parser_refuses(api: Api, row: Unparsable) -> None:
    response = api.http.post(f"{api.prefix}/deployments", content=row.body)
    status, code, message = error(response)
    assert (status, code) == (400, 3)
    assert message.startswith("proto: ")
    assert row.message in message


@pytest.mark.parametrize("content", ["", "{}", "null"])
def test_an_empty_create_lacks_its_model(api: Api, content: str) -> None:
    response = api.http.post(f"{api.prefix}/deployments", content=content)
    expected = (
        "base_model is required" if content != "null" else "proto: syntax error (line 1:1): unexpected token null"
    )
    assert error(response) == (400, 3, expected)


def test_quoted_numbers_and_snake_case_names_are_accepted(api: Api) -> None:
    body = {"base_model": LLAMA, "accelerator_type": H100, "minReplicaCount": "2", "max_replica_count": 3.0}
    created = api.value("POST", "/deployments", body, deployment_id="chat", accept_shapeless_risk="true")
    assert (created["name"], created["minReplicaCount"], created["maxReplicaCount"]) == (
        "accounts/acme/deployments/chat",
        2,
        3,
    )


def test_the_position_of_an_unknown_field_is_that_of_its_key(api: Api) -> None:
    response = api.http.post(f"{api.prefix}/deployments", content='{\n  "oops": 1}')
    assert error(response)[2] == 'proto: (line 2:3): unknown field "oops"'
