"""The emulated resource as a program of its own, found by Azure's variables."""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx2


def identity_of(told: Mapping[str, str]) -> str:
    return f"{told['IDENTITY_ENDPOINT']}?api-version=2019-08-01"


def test_a_resource_for_other_programs(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('[{"operation": "Accounts_Get", "kind": "forbidden"}]')
    command = [sys.executable, "-m", "ftproviders.testing", "azure-openai", "--port", "0"]
    command += ["--arm-faults", str(faults)]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    said = ""
    while "Control path" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        said += line
    told = dict(re.findall(r"export (\w+)=(\S+)", said))
    url = told["AZURE_OPENAI_ENDPOINT"]
    key = {"api-key": told["AZURE_OPENAI_API_KEY"]}
    dated = httpx2.get(
        f"{url}/openai/fine_tuning/jobs?api-version=2025-04-01-preview",
        headers=key,
        trust_env=False,
    )
    identity = httpx2.get(
        f"{identity_of(told)}&resource=https://ai.azure.com",
        headers={"X-IDENTITY-HEADER": told["IDENTITY_HEADER"]},
        trust_env=False,
    )
    token = {"Authorization": f"Bearer {identity.json()['access_token']}"}
    files = httpx2.get(f"{url}/openai/v1/files", headers=token, trust_env=False)
    manager = httpx2.get(
        f"{identity_of(told)}&resource=https://management.azure.com",
        headers={"X-IDENTITY-HEADER": told["IDENTITY_HEADER"]},
        trust_env=False,
    ).json()["access_token"]
    refused = httpx2.get(
        f"{told['FTPROVIDERS_AZURE_OPENAI_ARM_ENDPOINT']}/subscriptions/"
        f"{told['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{told['AZURE_RESOURCE_GROUP']}/providers/"
        "Microsoft.CognitiveServices/accounts/emulated?api-version=2025-12-01",
        headers={"Authorization": f"Bearer {manager}"},
        verify=ssl.create_default_context(cafile=told["REQUESTS_CA_BUNDLE"]),
        trust_env=False,
    )
    seen = httpx2.get(f"{url}/_emulator/requests", headers=key, trust_env=False)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AuthorizationFailed")
    assert (dated.json()["data"], files.json()["data"]) == ([], [])
    assert [r["operation"] for r in seen.json()["data"]] == [
        "listPaginatedFineTuningJobs",
        "listFiles",
    ]
    assert told["FTPROVIDERS_AZURE_OPENAI_ARM_ENDPOINT"].startswith("https://127.0.0.1:")
