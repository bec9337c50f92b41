"""A kubeconfig is understood as by kubectl, or refused with the name of what is not."""

import base64
import json
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from fireworks_operator.kube.credentials import Credentials, CredentialsError, load_credentials
from fireworks_operator.kube.kubeconfig import Overrides
from tests.unit.kube.scripted_server import write_config, write_kubeconfig

SERVER = {"server": "https://one.example:6443"}
CERTS = Path(__file__).parent / "certs"


async def loaded(folder: Path, cluster: Mapping[str, object], user: Mapping[str, object] | None) -> Credentials:
    return await load_credentials(write_config(folder / "config", cluster, user))


async def refusal(folder: Path, cluster: Mapping[str, object], user: Mapping[str, object] | None) -> str:
    with pytest.raises(CredentialsError) as caught:
        await loaded(folder, cluster, user)
    assert "topsecret" not in str(caught.value)
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("field", ["as-group", "tokenfile", "client-cert", "impersonate", "idp"])
async def test_an_unknown_field_of_a_user_is_refused_by_name(tmp_path: Path, field: str) -> None:
    said = await refusal(tmp_path, SERVER, {"token": "t", field: "topsecret"})
    assert f'the user "test" in {tmp_path}/config: the field `{field}` is not supported' in said


@pytest.mark.parametrize("field", ["tls-servername", "proxy", "insecure-skip-tls", "ca-data"])
async def test_an_unknown_field_of_a_cluster_is_refused_by_name(tmp_path: Path, field: str) -> None:
    assert f"the field `{field}` is not supported" in await refusal(tmp_path, {**SERVER, field: "x"}, {})


async def test_an_unknown_field_of_a_plugin_is_refused_by_name(tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "true", "timeout": 3}
    assert "the field `exec.timeout` is not supported" in await refusal(tmp_path, SERVER, {"exec": plugin})


@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        ({}, {"token": 12345}, "`token`: Input should be a valid string"),
        ({}, {"tokenFile": ["topsecret"]}, "`tokenFile`"),
        ({"insecure-skip-tls-verify": "yes"}, {}, "`insecure-skip-tls-verify`"),
        ({}, {"token": "topsecret", "username": "u", "password": "topsecret"}, "both a token and a username"),
        ({}, {"exec": {"command": "x"}}, "`exec.apiVersion`"),
        ({}, {"exec": {"command": "x", "apiVersion": "v"}, "auth-provider": {"name": "oidc"}}, "both `exec` and"),
        ({}, {"auth-provider": {"name": "gcp", "config": {"a": "topsecret"}}}, "`auth-provider` 'gcp', which is not"),
        ({}, {"auth-provider": {"name": "oidc", "config": {"refresh-token": "topsecret"}}}, "no id-token yet"),
        ({}, {"as-groups": ["viewers"]}, "without `as`"),
        ({}, {"as-uid": "7"}, "without `as`"),
        ({}, {"as": "jane\nroot"}, "must be printable"),
        ({}, {"tokenFile": "absent"}, "absent cannot be read: No such file or directory"),
        ({}, {"client-certificate": "client-old.crt"}, "client-old.crt cannot be read: No such file"),
        ({}, {"client-key-data": base64.b64encode(b"topsecret").decode()}, "only one of `client-certificate`"),
        ({}, {"client-key-data": "top-secret!"}, "`client-key-data` is not base64"),
        ({"certificate-authority": "absent.pem"}, {}, "`certificate-authority`: the file"),
        (
            {"certificate-authority": "a.pem", "certificate-authority-data": "eA=="},
            {},
            "a.pem is set together with its",
        ),
        ({"server": "ftp://one.example"}, {}, "`server` must be a URL"),
        ({"server": "https://jane:topsecret@one.example"}, {}, "`server` must be a URL"),
        ({"server": ""}, {}, "has no server"),
        ({"proxy-url": "gopher://topsecret"}, {}, "the cluster's `proxy-url`"),
    ],
)
async def test_what_cannot_work_is_refused_with_the_field(
    tmp_path: Path, cluster: Mapping[str, object], user: Mapping[str, object], words: str
) -> None:
    assert words in await refusal(tmp_path, {**SERVER, **cluster}, user)


async def test_all_that_kubectl_knows_is_taken(tmp_path: Path) -> None:
    extensions = [{"name": "minikube.sigs.k8s.io", "extension": {"version": 1}}]
    made = await loaded(
        tmp_path,
        {**SERVER, "disable-compression": True, "extensions": extensions, "tls-server-name": "kubernetes.internal"},
        {"username": "jane", "password": "p", "extensions": extensions},
    )
    assert made.authorization == f"Basic {base64.b64encode(b'jane:p').decode()}"
    assert made.server_name == "kubernetes.internal"
    assert made.headers()["Accept-Encoding"] == "identity"


async def test_acting_as_somebody_else_is_asked_for_in_every_request(tmp_path: Path) -> None:
    user = {
        "token": "t",
        "as": "jane",
        "as-uid": "7",
        "as-groups": ["viewers", "team a"],
        "as-user-extra": {"Example.com/Scopes": ["view", "list"], "r%son": ["x"]},
    }
    headers = (await loaded(tmp_path, SERVER, user)).headers()
    assert headers["Impersonate-User"] == "jane"
    assert headers["Impersonate-Uid"] == "7"
    assert headers.getall("Impersonate-Group") == ["viewers", "team a"]
    assert headers.getall("Impersonate-Extra-example.com%2Fscopes") == ["view", "list"]
    assert headers.getall("Impersonate-Extra-r%25son") == ["x"]
    assert headers["Authorization"] == "Bearer t"


@pytest.mark.parametrize(
    ("user", "words"),
    [("nobody", 'there is no user "nobody"'), ("", 'the context "test" names no user')],
)
async def test_a_context_whose_user_is_missing_is_not_anonymous(tmp_path: Path, user: str, words: str) -> None:
    config = write_kubeconfig(tmp_path / "config", "https://one.example", token="t")
    content = json.loads(config.read_text())
    content["contexts"][0]["context"]["user"] = user
    config.write_text(json.dumps(content))
    with pytest.raises(CredentialsError, match=words):
        await load_credentials(config)


async def test_paths_are_those_beside_their_own_file_and_the_first_entry_of_a_name_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(f"of {name}\n".replace(" ", "-"))
        write_kubeconfig(tmp_path / name / "config", f"https://{name}.example", tokenFile="token")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/absent:{tmp_path}/one/config:{tmp_path}/two/config")
    credentials = await load_credentials(None)
    assert (credentials.server, credentials.authorization) == ("https://one.example", "Bearer of-one")


async def test_a_context_can_be_chosen(tmp_path: Path) -> None:
    config = write_kubeconfig(tmp_path / "config", "https://one.example", token="t")
    content = json.loads(config.read_text())
    content["clusters"].append({"name": "two", "cluster": {"server": "https://two.example"}})
    content["contexts"].append({"name": "two", "context": {"cluster": "two", "user": "test"}})
    config.write_text(json.dumps(content))
    assert (await load_credentials(config, Overrides("two"))).server == "https://two.example"
    with pytest.raises(CredentialsError, match='there is no context "three"'):
        await load_credentials(config, Overrides("three"))


async def test_the_command_line_can_choose_cluster_user_and_whom_to_impersonate(tmp_path: Path) -> None:
    config = write_kubeconfig(tmp_path / "config", "https://one.example", token="t", **{"as": "old", "as-uid": "7"})
    content = json.loads(config.read_text())
    content["clusters"].append({"name": "two", "cluster": {"server": "https://two.example"}})
    content["users"].append({"name": "other", "user": {"token": "o", "as": "old"}})
    config.write_text(json.dumps(content))
    found = await load_credentials(config, Overrides(cluster="two", user="other", impersonate="jane"))
    assert (found.server, found.authorization) == ("https://two.example", "Bearer o")
    assert found.impersonation == (("Impersonate-User", "jane"),)
    found = await load_credentials(config, Overrides(impersonate="jane", impersonate_groups=("a", "b")))
    assert found.impersonation == (
        ("Impersonate-User", "jane"),
        ("Impersonate-Group", "a"),
        ("Impersonate-Group", "b"),
    )
    with pytest.raises(CredentialsError, match='there is no cluster "three"'):
        await load_credentials(config, Overrides(cluster="three"))
    with pytest.raises(CredentialsError, match='there is no user "nobody"'):
        await load_credentials(config, Overrides(user="nobody"))


@pytest.mark.parametrize("given", [None, Path()])
@pytest.mark.parametrize("value", ["", ":"])
async def test_an_empty_variable_counts_as_unset(
    given: Path | None, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", value)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(CredentialsError, match="No Kubernetes configuration found"):
        await load_credentials(given)


@pytest.mark.parametrize(
    ("cluster", "user", "server"),
    [
        ({"server": "one.example:6443"}, {}, "http://one.example:6443"),
        ({"server": "one.example", "insecure-skip-tls-verify": True}, {}, "https://one.example"),
        ({"server": "one.example", "certificate-authority-data": "eA=="}, {}, "https://one.example"),
        ({"server": "https://one.example/k8s/clusters/c-1/"}, {}, "https://one.example/k8s/clusters/c-1"),
    ],
)
async def test_the_server_is_read_as_by_kubectl(
    tmp_path: Path, cluster: Mapping[str, object], user: Mapping[str, object], server: str
) -> None:
    assert (await loaded(tmp_path, cluster, user)).server == server


async def test_the_token_of_a_file_counts_and_the_written_one_while_that_is_missing(tmp_path: Path) -> None:
    user = {"token": "written", "tokenFile": "token"}
    assert (await loaded(tmp_path, SERVER, user)).authorization == "Bearer written"
    (tmp_path / "token").write_text("from-file\n")
    assert (await loaded(tmp_path, SERVER, user)).authorization == "Bearer from-file"


def jwt(**claims: object) -> str:
    return f"h.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.s"


async def test_an_id_token_serves_until_it_has_expired(tmp_path: Path) -> None:
    def user(token: str) -> dict[str, object]:
        return {"auth-provider": {"name": "oidc", "config": {"id-token": token, "refresh-token": "topsecret"}}}

    good = jwt(exp=time.time() + 60, sub="jane")
    assert (await loaded(tmp_path, SERVER, user(good))).authorization == f"Bearer {good}"
    assert "has expired: run kubectl once" in await refusal(tmp_path, SERVER, user(jwt(exp=time.time() - 1)))


@pytest.mark.parametrize(
    ("cluster", "environment", "proxy"),
    [
        ({"proxy-url": "socks5://127.0.0.1:1080"}, {}, "socks5://127.0.0.1:1080"),
        ({"proxy-url": "http://127.0.0.1:3128"}, {"NO_PROXY": "*"}, "http://127.0.0.1:3128"),
        ({}, {"HTTPS_PROXY": "proxy.example:3128"}, "http://proxy.example:3128"),
        ({}, {"HTTPS_PROXY": "proxy.example:3128", "NO_PROXY": "*.example"}, None),
        ({}, {"ALL_PROXY": "socks5://proxy.example"}, None),
        ({"server": "https://127.0.0.1:6443"}, {"HTTPS_PROXY": "http://proxy.example:3128"}, None),
        ({"server": "https://10.1.2.3"}, {"HTTPS_PROXY": "http://p.example", "NO_PROXY": "10.0.0.0/8"}, None),
    ],
)
async def test_the_proxy_is_the_one_that_kubectl_would_take(
    tmp_path: Path,
    cluster: Mapping[str, object],
    environment: Mapping[str, str],
    proxy: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = (await loaded(tmp_path, {**SERVER, **cluster}, {"token": "t"})).proxy
    assert (found and found.url) == proxy


async def test_a_proxy_named_wrongly_in_the_environment_is_refused_with_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://jane:topsecret@proxy.example")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert "HTTPS_PROXY" in await refusal(tmp_path, SERVER, {"token": "t"})
