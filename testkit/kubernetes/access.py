"""Ways into a cluster: users and their tokens, kubeconfigs, kubectl, a bare GET."""

import base64
import http.client
import json
import os
import secrets
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from testkit.kubernetes.errors import ClusterError
from testkit.kubernetes.files import write_private

ADMIN = "admin"
# Users of a cluster and their groups. `operator` may do nothing until a test binds a role to it.
USERS: Mapping[str, tuple[str, ...]] = {ADMIN: ("system:masters",), "operator": ()}


def kubeconfig_path(directory: Path, user: str) -> Path:
    """Returns where the kubeconfig of a user lies.

    Raises:
        ClusterError: There is no such user.
    """
    if user not in USERS:
        raise ClusterError(f"the cluster has no user {user}, only {', '.join(USERS)}")
    return directory / f"{user}.kubeconfig"


def make_users(tokens: Path) -> dict[str, str]:
    """Gives each user a random token, writes kube-apiserver's token file and returns the tokens by user."""
    found = {user: secrets.token_hex(32) for user in USERS}
    # Columns: token, user name, user id, groups.
    lines = [f'{token},{user},{user},"{",".join(USERS[user])}"\n' for user, token in found.items()]
    write_private(tokens, "".join(lines))
    return found


def write_kubeconfig(path: Path, server: str, authority: Path, user: str, token: str) -> None:
    """Writes a kubeconfig (JSON is YAML) that holds all it needs, so that it may be copied elsewhere."""
    data = base64.b64encode(authority.read_bytes()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": server, "certificate-authority-data": data}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "local", "context": {"cluster": "local", "user": user}}],
        "current-context": "local",
    }
    write_private(path, json.dumps(config, indent=2) + "\n")


def status_of(kubeconfig: Path, path: str) -> int | None:
    """Returns the HTTP status of a GET with a kubeconfig written here; None: no answer in 5 s, or no file."""
    try:
        config = json.loads(kubeconfig.read_text())
    except FileNotFoundError:
        return None
    cluster = config["clusters"][0]["cluster"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    # Not urllib: it would ask a proxy for 127.0.0.1.
    connection = http.client.HTTPSConnection(urlsplit(cluster["server"]).netloc, timeout=5, context=context)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {config['users'][0]['user']['token']}"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


FRUGAL: Mapping[str, str] = {"GOGC": "400"}
"""For programs in Go that end at once: less collecting of garbage takes a quarter off their processor time."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl for one cluster; nothing of the user's own ~/.kube or KUBECONFIG is read or written.

    Attributes:
        program: Path of kubectl.
        kubeconfig: Which cluster, and as whom.
        cache: Folder for what kubectl remembers of the cluster.
    """

    program: Path
    kubeconfig: Path
    cache: Path

    def command(self, *args: str) -> list[str]:
        """Returns program and arguments."""
        return [str(self.program), "--kubeconfig", str(self.kubeconfig), *args]

    def environment(self) -> dict[str, str]:
        """Returns the environment that the command is to run with."""
        kept = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
        return {**kept, "KUBECACHEDIR": str(self.cache), "KUBERC": "off", **FRUGAL}

    def run(self, args: Sequence[str], text: str | None, *, check: bool) -> subprocess.CompletedProcess[str]:
        """Runs it with `text` (None: nothing) on standard input.

        Raises:
            ClusterError: It failed and `check` is set. The text shows what it said, but of the arguments only
                the first: others may hold a secret.
        """
        done = subprocess.run(
            self.command(*args),
            input=text or "",
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            verb = args[0] if args else ""
            raise ClusterError(f"kubectl {verb} failed with exit code {done.returncode}: {done.stderr.strip()}")
        return done
