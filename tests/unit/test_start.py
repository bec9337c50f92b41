"""Settings that cannot be used are refused at once, before Kubernetes is asked for anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_COMMAND = Path(sys.executable).with_name("fireworks-operator")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"FIREWORKS_BASE_URL": "http://api.fireworks.ai"},
            "must use https: otherwise API keys are sent in plain text",
        ),
        ({"FIREWORKS_BASE_URL": "https://api.fireworks.ai/v1"}, "must not contain /v1"),
        ({"FIREWORKS_API_KEY": "fw_one fw_two"}, "FIREWORKS_API_KEY: an API key consists of"),
        ({"FIREWORKS_API_KEY": "Bearer fw_two"}, "FIREWORKS_API_KEY: it is a header (Bearer …); provide only the key"),
        ({"FIREWORKS_OPERATOR_SWEEP_INTERVAL": "soon"}, "FIREWORKS_OPERATOR_SWEEP_INTERVAL: Input should be a valid"),
        ({"SSL_CERT_FILE": "/nowhere.pem"}, "SSL_CERT_FILE: the file /nowhere.pem cannot be read: No such file"),
        ({"SSL_CERT_FILE": "/"}, "SSL_CERT_FILE: the file / cannot be read: Is a directory"),
        ({"SSL_CERT_DIR": "/nowhere"}, "SSL_CERT_DIR: the folder /nowhere cannot be read: No such file"),
        (
            {"HTTPS_PROXY": "socks6://jane:fw_two@proxy.example:1080"},
            "HTTPS_PROXY: the scheme of a proxy must be one of",
        ),
        ({"ALL_PROXY": "http://jane:fw_two@"}, "ALL_PROXY: use a URL like http://proxy.example.com:3128"),
        ({"FIREWORKS_ACCOUNT_ID": "accounts/acme"}, "FIREWORKS_ACCOUNT_ID: an account id consists of"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_reached(
    settings: dict[str, str], words: str, tmp_path: Path
) -> None:
    nowhere = {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(tmp_path / "missing"),
        "FIREWORKS_OPERATOR_HEALTH_PORT": "0",
    }
    told = subprocess.run(
        (_COMMAND, "run"), env=nowhere | settings, capture_output=True, text=True, timeout=60, check=False
    )

    assert told.returncode == 1
    assert words in told.stderr
    assert "Traceback" not in told.stderr
    assert "fw_two" not in told.stderr
