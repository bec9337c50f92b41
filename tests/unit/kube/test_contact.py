"""A process that the API server has refused or not answered for a minute says so; a short restart is no reason."""

from fireworks_operator.kube.contact import PATIENCE, Contact


def test_only_failures_without_a_success_in_between_are_complained_of() -> None:
    now = 0.0
    contact = Contact(clock=lambda: now)
    assert contact.complaint() is None
    contact.failed("first")
    assert [contact.is_open] == [False]
    now = PATIENCE - 1
    contact.failed("Unauthorized (401)")
    assert contact.complaint() is None
    now = PATIENCE
    said = contact.complaint()
    assert said is not None
    assert "Unauthorized (401)" in said
    contact.succeeded()
    assert contact.complaint() is None
    assert [contact.is_open] == [True]
    contact.failed("again")
    now += PATIENCE - 1
    assert contact.complaint() is None
