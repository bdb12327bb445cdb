"""``files``: the list, the question before anything is deleted, and what is left alone."""

from __future__ import annotations

import pytest

from tests.cli.program import Run

KEYS = [
    "provider", "id", "name", "bytes", "status", "created_at", "expires_at", "ours", "jobs",
    "unused", "needed",
]  # fmt: skip


def test_list_says_which_job_needs_a_file(run: Run, submitted: str) -> None:
    found = run("files", "--provider", "memory", "--json").json["files"]
    assert [list(one) for one in found] == [KEYS]
    assert found[0]["jobs"] == [submitted]
    assert (found[0]["ours"], found[0]["unused"]) == (True, False)
    assert submitted in found[0]["needed"]
    table = run("files", "--provider", "memory")
    assert (table.code, table.out.split()[:3]) == (0, ["provider", "id", "name"])
    assert found[0]["name"] in table.out


def test_unused_files_go_and_needed_ones_stay(run: Run, finished: str) -> None:
    assert run("submit", "job.yaml", "--again").code == 0
    left = run("files", "--provider", "memory", "--delete-unused")
    assert left.code == 0
    assert "no file of yours is unused" in left.err
    assert run("watch", "memory:job-0002").code == 0
    done = run("files", "--provider", "memory", "--delete-unused", "--json").json
    assert list(done)[1:] == ["files", "problems", "deleted", "spared"]
    assert done["files"] == done["problems"] == done["spared"] == []
    assert [one["unused"] for one in done["deleted"]] == [True]
    assert run("status", finished).code == 0


def test_without_a_provider_every_one_that_is_set_up_is_asked(run: Run, finished: str) -> None:
    found = run("files", "--json")
    assert found.code == 0
    assert [one["provider"] for one in found.json["files"]] == ["memory"]
    assert "not set up" in run("files").err


def test_on_a_paid_provider_somebody_must_agree(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_PAID", "1")
    for scope in ([], ["--provider", "memory"]):
        refused = run("files", *scope, "--delete-unused", "--json")
        assert (refused.code, refused.json["type"]) == (2, "ConsentError")
        assert "--yes" in refused.json["hint"]
    assert len(run("files", "--provider", "memory", "--json").json["files"]) == 1
    agreed = run("files", "--provider", "memory", "--delete-unused", "--yes")
    assert agreed.code == 0
    assert agreed.out.startswith("deleted memory  file-0001  train.")


def test_a_provider_without_a_list_says_so(run: Run) -> None:
    refused = run("files", "--provider", "hf-jobs", "--json")
    assert refused.code == 2
    assert refused.json["message"]


def test_a_provider_that_is_down_is_exit_3(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = '[{"operation": "files", "kind": "forbidden", "times": null}]'
    monkeypatch.setenv("FTPROVIDERS_MEMORY_FAULTS", fault)
    down = run("files", "--delete-unused", "--json")
    assert down.code == 3
    assert down.json["files"] == []
    assert down.json["problems"][0].startswith("memory: ")
