"""Deployments on the command line: what is shown, what is asked, what a script reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftproviders.config import Config
from ftproviders.journal import Journal
from ftproviders.testing.memory.server import MemoryServer
from tests.cli.program import Run


def server(monkeypatch: pytest.MonkeyPatch | None = None) -> MemoryServer:
    """Return the server that the commands talk to."""
    return MemoryServer(Path(os.environ["FTPROVIDERS_HOME"]) / "memory")


def plant(name: str, *, model: str, tags: dict[str, str | None]) -> None:
    server().request("deploy", {"name": name, "model": model, "tags": tags})


def model_of(run: Run, ref: str) -> str:
    return run("model", ref).out.strip()


def test_deploy_shows_where_it_answers_and_what_comes_next(run: Run, finished: str) -> None:
    result = run("deploy", finished, "--name", "bot", "--ttl", "2h", "--wait")
    assert result.code == 0, result.err
    shown = dict(line.split("  ", 1) for line in result.out.splitlines())
    assert shown["ref"].strip() == "memory:bot"
    assert shown["status"].strip() == "ready"
    assert shown["url"].strip().startswith("memory://")
    assert shown["model name"].strip() == model_of(run, finished)
    assert shown["expires"].strip().endswith("UTC")
    assert 'Next: ftproviders chat memory:bot "..."' in result.err
    assert "ftproviders undeploy memory:bot" in result.err


def test_deployed_twice_is_deployed_once(run: Run, finished: str) -> None:
    first = run("deploy", finished, "--json")
    again = run("deploy", finished, "--ttl", "1h", "--json")
    assert (first.json["reused"], again.json["reused"]) == (False, True)
    assert first.json["ref"] == again.json["ref"]
    assert again.json["expires_at"] is None
    assert "ftproviders extend" in again.err
    assert len(server().requests("deploy")) == 1


def test_json_holds_every_field_and_no_key(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_MEMORY_API_KEY", "planted-secret")
    result = run("deploy", finished, "--wait", "--json", "-o", "replicas=2", "-o", "name=x y")
    body = result.json
    assert body["schema"] == "ftproviders.deployment/1"
    assert set(body) == {
        "schema", "ref", "provider", "account", "id", "status", "raw_status", "model", "url",
        "model_name", "key_file", "log", "tier", "created_at", "removed_at", "cost", "owner",
        "expires_at", "error", "reused",
    }  # fmt: skip
    assert "planted-secret" not in result.out + result.err
    assert server().requests("deploy")[0].body["options"] == {"replicas": 2, "name": "x y"}


def test_chat_takes_a_deployment_as_well_as_a_job(run: Run, finished: str) -> None:
    run("deploy", finished, "--name", "bot", "--wait")
    for ref in ("memory:bot", "bot", finished, finished.partition(":")[2]):
        result = run("chat", ref, "Question number 3?", "--json")
        assert result.code == 0, result.err
        assert result.json["text"] == "Answer number 3."
    assert run("chat", "memory:bot", "Question number 3?", "--json").json["ref"] == "memory:bot"


def test_chat_with_what_is_neither_says_so(run: Run, finished: str) -> None:
    result = run("chat", "memory:nothing", "hello")
    assert result.code == 3
    assert "memory:nothing" in result.err or "nothing" in result.err


def test_checkpoints_are_listed_and_deployed(run: Run, finished: str) -> None:
    listed = run("checkpoints", finished, "--json").json
    assert listed["schema"] == "ftproviders.checkpoints/1"
    point = listed["checkpoints"][0]
    assert {"id", "step", "created_at", "model", "metrics"} == set(point)
    text = run("checkpoints", finished)
    assert point["id"] in text.out
    assert f"ftproviders deploy {finished} --checkpoint" in text.err
    made = run("deploy", finished, "--checkpoint", point["id"], "--json")
    assert made.json["model"] == point["model"]
    wrong = run("deploy", finished, "--checkpoint", "nope")
    assert (wrong.code, "no checkpoint 'nope'" in wrong.err) == (2, True)
    assert point["id"] in wrong.err


def test_deployments_lists_what_is_there_whoever_made_it(run: Run, finished: str) -> None:
    empty = run("deployments")
    assert (empty.code, empty.out) == (0, "")
    assert "Nothing is deployed" in empty.err
    run("deploy", finished, "--name", "mine", "--ttl", "1d")
    plant("theirs", model=model_of(run, finished), tags={})
    listed = run("deployments", "--json").json
    assert [one["ref"] for one in listed["deployments"]] == ["memory:theirs", "memory:mine"]
    assert listed["deployments"][0]["owner"] is None
    rows = run("deployments").out.splitlines()
    words = ["ref", "status", "model", "age", "expires", "costs", "owner", "url"]
    assert rows[0].split() == words
    assert "never" in rows[1]
    assert "@" in rows[2]


def test_list_shows_the_hosts_word_and_where_it_answers(run: Run, finished: str) -> None:
    made = run("deploy", finished, "--name", "mine", "--wait", "--json").json
    assert run("deployments").out.splitlines()[1].endswith(made["url"])
    server().set_deployment_walk("mine", "broken")
    assert "(broken)" in run("deployments").out


def test_verbs_of_jobs_and_deployments_tell_one_from_the_other(run: Run, finished: str) -> None:
    run("deploy", finished, "--name", "mine")
    for ref in ("memory:mine", "mine"):
        asked = run("status", ref)
        assert asked.code != 0
        assert f"{ref} is a deployment" in asked.err
    for ref in (finished, finished.partition(":")[2]):
        refused = run("undeploy", ref)
        assert refused.code != 0
        assert f"{finished} is a job" in refused.err
    assert "memory:mine" in run("deployments").out


def test_undeploy_deletes_ours_and_leaves_others(run: Run, finished: str) -> None:
    run("deploy", finished, "--name", "mine")
    plant("theirs", model=model_of(run, finished), tags={})
    assert run("undeploy", "mine").out == "undeployed memory:mine\n"
    gone = run("undeploy", "memory:mine", "--json")
    assert (gone.code, gone.json["type"]) == (3, "NotFoundError")
    assert gone.json["ref"] == "memory:mine"
    refused = run("undeploy", "memory:theirs")
    assert refused.code == 3
    assert "carries no tag of ours" in refused.err
    assert [one["id"] for one in run("deployments", "--json").json["deployments"]] == ["theirs"]


def test_extend_shows_the_new_end(run: Run, finished: str) -> None:
    before = run("deploy", finished, "--name", "bot", "--ttl", "1h", "--json").json["expires_at"]
    after = run("extend", "bot", "--ttl", "3h", "--json").json["expires_at"]
    assert after > before
    assert run("extend", "bot", "--ttl", "1m").code == 2
    wrong = run("extend", "bot", "--ttl", "soon")
    assert (wrong.code, "30m, 2h, 1d" in wrong.err) == (2, True)
    assert run("extend", "bot").code == 2


def expired_tags(name: str, owner: str) -> dict[str, str | None]:
    return {
        "lease_id": name,
        "lease_owner": owner,
        "lease_expires_at": "2026-01-01T00:00:00+00:00",
    }


def owner_here(run: Run, ref: str) -> str:
    made = run("deploy", ref, "--name", "living", "--json").json
    assert made["owner"]
    return str(made["owner"])


def test_reap_deletes_what_has_ended_and_shows_the_rest(run: Run, finished: str) -> None:
    me, model = owner_here(run, finished), model_of(run, finished)
    plant("old", model=model, tags=expired_tags("old", me))
    plant("others", model=model, tags=expired_tags("others", "somebody@else-1"))
    first = run("deployments", "--reap")
    assert first.code == 0
    assert "reaped memory:old" in first.out
    assert "memory:living" in first.out
    assert "memory:others" in first.out
    again = run("deployments", "--reap", "--json").json
    assert (again["reaped"], again["spared"], again["problems"]) == ([], [], [])
    wider = run("deployments", "--reap", "--all-owners", "--json").json
    assert [one["id"] for one in wider["reaped"]] == ["others"]
    assert [one["id"] for one in wider["deployments"]] == ["living"]
    assert run("deployments", "--all-owners").code == 2


def test_paid_host_needs_consent_for_each_of_these(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = owner_here(run, finished)
    plant("old", model=model_of(run, finished), tags=expired_tags("old", me))
    monkeypatch.setenv("FTPROVIDERS_MEMORY_PAID", "1")
    for line in (
        ("deploy", finished, "--name", "bot"),
        ("undeploy", "memory:living"),
        ("extend", "memory:living", "--ttl", "1h"),
        ("deployments", "--reap"),
    ):
        refused = run(*line)
        assert refused.code == 2, line
        assert "--yes" in refused.err
    assert {one["id"] for one in run("deployments", "--json").json["deployments"]} == {
        "old",
        "living",
    }
    # What is there already costs nothing more, so nobody asks.
    assert run("deploy", finished, "--name", "living").code == 0
    assert run("deploy", finished, "--name", "bot", "--yes").code == 0
    assert run("deployments", "--reap", "--yes").code == 0
    assert run("undeploy", "memory:living", "--yes").code == 0
    assert [one["id"] for one in run("deployments", "--json").json["deployments"]] == ["bot"]


def test_failed_deployment_exits_1_and_says_what_to_do(run: Run, finished: str) -> None:
    run("deploy", finished, "--name", "bot")
    server().set_deployment_walk("bot", "failed")
    result = run("deploy", finished, "--name", "bot", "--wait")
    assert result.code == 1
    assert "memory:bot failed" in result.err
    assert "ftproviders undeploy memory:bot" in result.err


def test_lost_answer_exits_4_and_is_listed_as_unknown(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPROVIDERS_SETTLE_SECONDS", "0")
    monkeypatch.setenv("FTPROVIDERS_MEMORY_FAULTS", '[{"operation": "deploy", "kind": "reset"}]')
    result = run("deploy", finished, "--name", "bot", "--json")
    assert (result.code, result.json["type"]) == (4, "OutcomeUnknownError")
    assert result.json["ref"] == "memory:bot"
    listed = run("deployments", "--json").json["deployments"]
    assert [(one["ref"], one["status"]) for one in listed] == [("memory:bot", "unknown")]
    assert "run the same deploy again" in run("deployments").out
    assert run("deploy", finished, "--name", "bot").code == 0
    assert run("deployments", "--json").json["deployments"][0]["status"] != "unknown"


def test_unreachable_host_exits_3_and_is_named(
    run: Run, finished: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = '[{"operation": "deployments", "kind": "forbidden", "times": null}]'
    monkeypatch.setenv("FTPROVIDERS_MEMORY_FAULTS", script)
    result = run("deployments", "--json")
    assert result.code == 3
    assert result.json["problems"][0].startswith("memory: ")


def test_wrong_use_is_told(run: Run, submitted: str, finished: str) -> None:
    assert run("deploy", finished, "-o", "novalue").code == 2
    assert run("deploy", finished, "--ttl", "0m").code == 2
    nowhere = run("deploy", finished, "--provider", "openai")
    assert (nowhere.code, "Hosts that take it: memory" in nowhere.err) == (2, True)
    assert server().requests("deploy") == []


def test_job_that_has_no_model_yet_is_not_deployed(run: Run) -> None:
    ref = run("submit", "job.yaml", "-o", "walk=running,running,running,running").out.strip()
    result = run("deploy", ref)
    assert result.code == 1
    assert f"ftproviders watch {ref}" in result.err


# --- pause and resume ---------------------------------------------------------------------------


def test_pause_and_resume_show_the_job(run: Run) -> None:
    ref = run("submit", "job.yaml", "-o", "walk=running,running,running,succeeded").out.strip()
    paused = run("pause", ref, "--json").json
    assert (paused["schema"], paused["status"]) == ("ftproviders.job/1", "paused")
    left = run("watch", ref)
    assert left.code == 5
    assert f"ftproviders resume {ref}" in left.err
    resumed = run("resume", ref)
    assert resumed.code == 0
    assert f"Next: ftproviders watch {ref}" in resumed.err
    assert run("watch", ref).code == 0


def test_what_comes_too_late_or_twice_says_how_the_job_stands(run: Run) -> None:
    walk = ",".join([*["running"] * 12, "succeeded"])
    ref = run("submit", "job.yaml", "-o", f"walk={walk}").out.strip()
    assert run("pause", ref).code == 0
    again = run("pause", ref)
    assert again.code == 0
    assert "paused already" in again.err
    assert run("resume", ref).code == 0
    twice = run("resume", ref)
    assert twice.code == 0
    assert "It was not paused" in twice.err
    assert run("watch", ref).code == 0
    late = run("cancel", ref)
    assert (late.code, "nothing to cancel" in late.err) == (0, True)
    for word in ("pause", "resume"):
        refused = run(word, ref, "--json")
        assert (refused.code, refused.json["type"]) == (1, "JobError")
        assert f"it is succeeded, so there is nothing to {word}" in refused.json["message"]


@pytest.mark.parametrize("word", ["pause", "resume"])
def test_pause_and_resume_of_a_paid_job_need_consent(
    run: Run, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = run("submit", "job.yaml", "-o", "walk=running,running,running,succeeded").out.strip()
    monkeypatch.setenv("FTPROVIDERS_MEMORY_PAID", "1")
    refused = run(word, ref)
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert server().requests(word) == []


def test_token_of_a_deployment_stands_nowhere_in_the_journal(run: Run, finished: str) -> None:
    run("deploy", finished, "--name", "bot", "--wait")
    journal = Journal(Config.load().home / "journal.db")
    (row,) = journal.deployments.rows()
    journal.close()
    assert row.ref is not None
    assert set(row.model_dump()) == {
        "provider", "account", "name", "state", "model", "options", "ref", "created_at", "sent_at",
        "reason",
    }  # fmt: skip
