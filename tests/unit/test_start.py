"""Settings that cannot be used are refused at once, before Kubernetes is asked for anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_COMMAND = Path(sys.executable).with_name("fireworks-operator")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"FIREWORKS_BASE_URL": "http://api.fireworks.ai"}, "must be https: API keys would be sent in plain text"),
        ({"FIREWORKS_BASE_URL": "https://api.fireworks.ai/v1"}, "must not contain /v1"),
        ({"FIREWORKS_API_KEY": "fw_one fw_two"}, "FIREWORKS_API_KEY: an API key is"),
        ({"FIREWORKS_ACCOUNT_ID": "accounts/acme"}, "FIREWORKS_ACCOUNT_ID: the id of an account is"),
        ({"FIREWORKS_OPERATOR_SWEEP_INTERVAL": "soon"}, "Settings that cannot be used"),
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
