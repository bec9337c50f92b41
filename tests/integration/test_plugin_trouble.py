"""Each command of `kubectl fireworks` where something is missing: one message with the way out, and its exit code."""

import json
from pathlib import Path

import pytest

from fireworks_simulator.testing import SimulatorClient
from testkit.factories import MakeTeam
from testkit.kubectl_plugin import Plugin
from testkit.kubernetes import Cluster, GivenCluster
from testkit.kubernetes_api import KubernetesError
from testkit.namespaces import Namespace, changed_kubeconfig
from testkit.team import Team
from testkit.waiting import eventually

IN_CLUSTER = (["list"], ["status", "chat"], ["status", "chat", "-w"], ["endpoint", "chat"], ["query", "chat", "Hi"])
BOTH = (["orphans"],)
AT_FIREWORKS = (["orphans"], ["import", "old"], ["import", "--all"], ["shapes", "m"])
WRONG = "fw_not-the-key-of-anybody"
every_command = pytest.mark.parametrize("words", [*IN_CLUSTER, *BOTH], ids=" ".join)
every_question = pytest.mark.parametrize("words", AT_FIREWORKS, ids=" ".join)


@pytest.fixture
def team(make_team: MakeTeam) -> Team:
    """A team that no operator looks after; nobody else has waited until the kind is served."""
    made = make_team(None)
    eventually(lambda: _is_served(made), "resources can be listed")
    return made


def _is_served(team: Team) -> bool:
    try:
        return team.resources() == []
    except KubernetesError:
        return False


@pytest.fixture
def plugin(tmp_path: Path, cluster: Cluster | GivenCluster, fireworks: SimulatorClient, team: Team) -> Plugin:
    """The plugin of a user with the team's API key."""
    return Plugin(tmp_path, cluster.kubeconfig, FIREWORKS_BASE_URL=fireworks.url, FIREWORKS_API_KEY=team.api_key)


def refused(plugin: Plugin, words: list[str], **variables: str) -> str:
    """What a command says in vain: one line, which ends as a sentence does."""
    told = plugin.refuse(*words, env=variables)
    assert told.startswith("Error: ")
    assert len(told.splitlines()) == 1, told
    for library in ("aiohttp", "httpx", "ssl:default", "Errno", "ClientConnector", "Exception"):
        assert library not in told
    assert told.rstrip().endswith((".", "?")) or "kubectl" in told.rsplit(". ", 1)[-1], told
    return told


# --- Kubernetes ------------------------------------------------------------------------------------------------------


@every_command
def test_an_api_server_that_cannot_be_reached_is_named_with_the_reason(
    plugin: Plugin, cluster: Cluster | GivenCluster, tmp_path: Path, words: list[str]
) -> None:
    nowhere = changed_kubeconfig(cluster.kubeconfig, tmp_path / "nowhere", server="https://127.0.0.1:1")
    told = refused(plugin, words, KUBECONFIG=str(nowhere))
    assert ": the API server https://127.0.0.1:1 cannot be reached: Connection refused. Check the context" in told


@every_command
def test_a_token_that_has_expired_is_told_as_such(
    plugin: Plugin, cluster: Cluster | GivenCluster, tmp_path: Path, words: list[str]
) -> None:
    expired = changed_kubeconfig(cluster.kubeconfig, tmp_path / "expired", user={"token": "old"})
    told = refused(plugin, words, KUBECONFIG=str(expired))
    assert "Unauthorized (401). Sign in again, or renew the credentials of the context" in told


@every_command
def test_a_right_that_is_missing_is_named(
    team: Team, plugin: Plugin, cluster: Cluster | GivenCluster, tmp_path: Path, words: list[str]
) -> None:
    nobody = Namespace(cluster, team.namespace).kubeconfig_of(tmp_path, "nobody")
    where = [] if words == ["orphans"] else ["-n", team.namespace]
    cluster_id = {"FIREWORKS_OPERATOR_CLUSTER_ID": "a"}
    told = refused(plugin, [*words, *where], KUBECONFIG=str(nobody), **cluster_id)
    assert " cannot " in told
    assert "(403). Ask for the permission; `kubectl fireworks doctor` shows which one." in told


@every_command
def test_who_may_not_impersonate_is_told_so(
    team: Team, plugin: Plugin, cluster: Cluster | GivenCluster, tmp_path: Path, words: list[str]
) -> None:
    nobody = Namespace(cluster, team.namespace).kubeconfig_of(tmp_path, "nobody")
    told = refused(plugin, [*words, "--as", "jane"], KUBECONFIG=str(nobody), FIREWORKS_OPERATOR_CLUSTER_ID="a")
    assert " cannot impersonate" in told
    assert told.endswith("Ask for the permission to impersonate, or omit --as.\n")


@pytest.mark.parametrize("words", IN_CLUSTER[1:], ids=" ".join)
def test_a_resource_that_does_not_exist_is_told_with_what_may_be_meant(
    team: Team, plugin: Plugin, words: list[str]
) -> None:
    team.create("chat-large", credentialsSecretRef={"name": "nowhere"})
    command, _, *rest = words
    close = refused(plugin, [command, "chat-lage", *rest, "-n", team.namespace])
    assert (
        f'There is no FireworksDeployment "chat-lage" in namespace {team.namespace}. Did you mean "chat-large"?'
        in close
    )
    elsewhere = refused(plugin, [command, "chat-large", *rest, "-n", "default"])
    assert f"in namespace default, but in {team.namespace}: specify the namespace with -n." in elsewhere
    nowhere = refused(plugin, [command, "chat", *rest, "-n", "no-such-namespace"])
    assert 'There is no namespace "no-such-namespace": specify another one with -n.' in nowhere
    unknown = refused(plugin, [command, "zzz", *rest, "-n", team.namespace])
    assert "run `kubectl fireworks list -A`, and specify its namespace with -n." in unknown


def test_who_may_only_get_it_is_told_no_more_than_that_it_does_not_exist(
    team: Team, plugin: Plugin, cluster: Cluster | GivenCluster, tmp_path: Path
) -> None:
    rule = "get fireworksdeployments.fireworks.ai"
    getter = Namespace(cluster, team.namespace).kubeconfig_of(tmp_path, "getter", rule)
    told = refused(plugin, ["status", "nobody", "-n", team.namespace], KUBECONFIG=str(getter))
    assert f'There is no FireworksDeployment "nobody" in namespace {team.namespace}: run ' in told


def test_a_selector_that_is_none_is_told_with_the_words_of_the_api_server(plugin: Plugin) -> None:
    assert "unable to parse requirement" in refused(plugin, ["list", "-l", "a in b"])


def test_a_resource_that_no_operator_has_seen_says_so(team: Team, plugin: Plugin) -> None:
    team.create()
    where = ["chat", "-n", team.namespace]
    unseen = "NotSeenYet: The operator has not seen this resource yet; if this persists, check that the operator"
    assert unseen in plugin("status", *where)
    assert unseen in refused(plugin, ["endpoint", *where])
    assert unseen in refused(plugin, ["query", "chat", "Hi", "-n", team.namespace])
    assert "NotSeenYet" in plugin("list", "-n", team.namespace)
    told = plugin.refuse("status", *where, "-w", "--timeout", "1500ms", "-o", "json")
    assert told.startswith(f"Error: chat did not become ready within 1.5 s. Last seen: chat: {unseen}")


# --- Fireworks -------------------------------------------------------------------------------------------------------


@every_question
def test_without_a_key_it_is_said_which_variable_to_set(plugin: Plugin, words: list[str]) -> None:
    assert "requires an API key: set FIREWORKS_API_KEY." in refused(plugin, words, FIREWORKS_API_KEY="")


@every_question
def test_a_key_that_fireworks_refuses_is_told_with_the_way_out(plugin: Plugin, words: list[str]) -> None:
    told = refused(plugin, words, FIREWORKS_API_KEY=WRONG)
    assert "Fireworks: The API key you provided is invalid" in told
    assert told.endswith("Set FIREWORKS_API_KEY to a valid API key.\n")


@every_question
def test_fireworks_that_cannot_be_reached_is_told_with_the_way_out(plugin: Plugin, words: list[str]) -> None:
    told = refused(plugin, words, FIREWORKS_BASE_URL="http://127.0.0.1:1")
    assert told.endswith("127.0.0.1 cannot be reached: Connection refused. Check FIREWORKS_BASE_URL and the network.\n")


@pytest.mark.parametrize("words", [*AT_FIREWORKS, ["query", "chat", "Hi"]], ids=" ".join)
def test_a_base_url_that_is_none_is_named(team: Team, plugin: Plugin, words: list[str]) -> None:
    told = plugin.refuse(*words, env={"FIREWORKS_BASE_URL": "ftp://x"})
    assert told == (
        "Error: Invalid settings:\n  FIREWORKS_BASE_URL: must be like https://api.fireworks.ai, without user, query "
        "and fragment\n"
    )


def test_doctor_names_the_secret_whose_key_is_refused(team: Team, plugin: Plugin) -> None:
    team.put_secret("wrong", theKey=WRONG)
    team.put_secret("astray", apiKey=team.api_key, accountId="somebody-else")
    told = plugin("doctor", "-n", team.namespace, "--secret", "wrong", "--key", "theKey", code=1)
    patch = '{"stringData": {"theKey": "YOUR_API_KEY"}}'
    assert (
        f'→ Put a valid API key under "theKey" of the Secret {team.namespace}/wrong: kubectl patch secret wrong -n '
        f"{team.namespace} -p '{patch}'"
    ) in told
    assert "Set FIREWORKS_API_KEY to a valid API key" not in told
    assert WRONG not in told
    told = plugin("doctor", "-n", team.namespace, "--secret", "astray", code=1)
    assert 'Correct the account id "somebody-else"' in told
    told = plugin("doctor", "-n", team.namespace, code=1, env={"FIREWORKS_API_KEY": WRONG})
    assert "→ Set FIREWORKS_API_KEY to a valid API key." in told


def test_the_command_that_doctor_gives_mends_the_secret(
    team: Team, plugin: Plugin, cluster: Cluster | GivenCluster
) -> None:
    team.put_secret("wrong", apiKey=WRONG, accountId=team.account)
    told = plugin("doctor", "-n", team.namespace, "--secret", "wrong", code=1)
    (line,) = (each for each in told.splitlines() if "kubectl patch secret wrong" in each)
    command = line[line.index("kubectl patch") :].replace("YOUR_API_KEY", team.api_key)
    kubectl = cluster.kubectl_program().program
    plugin.run("sh", "-c", command.replace("kubectl", str(kubectl), 1), env={"FIREWORKS_API_KEY": ""})
    assert "wrong: Fireworks accepts it" in plugin("doctor", "-n", team.namespace, "--secret", "wrong")


# --- no CRD ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bare(own_cluster: Cluster | GivenCluster, tmp_path: Path, fireworks: SimulatorClient, team: Team) -> Plugin:
    """The plugin at a cluster without the CRD."""
    return Plugin(tmp_path, own_cluster.kubeconfig, FIREWORKS_BASE_URL=fireworks.url, FIREWORKS_API_KEY=team.api_key)


@every_command
def test_without_the_crd_each_command_says_so_and_how_to_install_it(bare: Plugin, words: list[str]) -> None:
    assert refused(bare, words) == (
        "Error: The CRD fireworksdeployments.fireworks.ai is not installed in this cluster: install the operator's "
        "chart, or the CRD alone with `fireworks-operator crd | kubectl apply --server-side -f -`.\n"
    )


def test_doctor_says_so_too_and_goes_on(bare: Plugin) -> None:
    checks = json.loads(bare("doctor", "-o", "json", code=1))
    found = {each["subject"]: each for each in checks}
    assert found["CRD"]["state"] == "failed"
    assert "`fireworks-operator crd | kubectl apply --server-side -f -`" in found["CRD"]["wayOut"]
    assert found["API key"]["state"] == "ok"
