"""``--timeout``: seconds, or a length of time as ``--ttl`` has it."""

from __future__ import annotations

import pytest

from ftproviders.client import FineTuneJob
from tests.cli.program import Run


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("0.5", 0.5), ("90s", 90), ("30m", 1800), ("2h", 7200),
     ("1h30m", 5400), ("1d", 86400)],
)  # fmt: skip
def test_a_time_is_waited(
    run: Run, monkeypatch: pytest.MonkeyPatch, text: str, seconds: float
) -> None:
    given: list[float | None] = []
    wait = FineTuneJob.wait

    def noted(job: FineTuneJob, *, timeout_seconds: float | None = None, **more: object) -> object:
        given.append(timeout_seconds)
        return wait(job, **more)  # type: ignore[arg-type] # what the command gave

    monkeypatch.setattr(FineTuneJob, "wait", noted)
    assert run("submit", "job.yaml", "--wait", "--timeout", text).code == 0
    assert given == [seconds]


@pytest.mark.parametrize("text", ["soon", "", "2 hours", "-1", "-2h", "nan", "inf", "h", "0h"])
def test_what_is_no_time_is_refused_before_anything_is_sent(run: Run, text: str) -> None:
    refused = run("submit", "job.yaml", "--wait", f"--timeout={text}", "--json")
    assert refused.code == 2
    assert "no time to wait" in refused.json["message"]
    assert run("jobs", "--json").json["jobs"] == []
