"""Forty shapes of keys, said back by the service in every word: none turns up on this side."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

import pytest

import ftproviders as ft
from ftproviders import registry
from ftproviders.adapters.openai.adapter import OpenAIAdapter, OpenAIHosting
from ftproviders.adapters.openai.options import OpenAISettings
from ftproviders.cli.main import main
from ftproviders.data.secrets import find_secrets
from ftproviders.schema.hyperparameters import Method
from ftproviders.testing.openai import Behaviour, WireFault
from ftproviders.testing.openai.rig import training_rows
from tests.emulators.planting import KEYS, UNSENDABLE, Parrot, leaks, modes

MODEL = "gpt-4.1-mini-2025-04-14"
LOGGERS = ("", "openai", "httpx2", "httpcore2", "ftproviders")
AT_ONCE = Behaviour(validating_seconds=0, queued_seconds=0, running_seconds=0)


class Bench:
    """A machine with a key, a service that repeats it, and all that was seen of both."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.seen: dict[str, str] = {}
        self._capture = capture

    def run(self, *arguments: str, expect: int | None = 0) -> str:
        """Run one command; keep what it prints."""
        code = main(arguments)
        out, err = self._capture.readouterr()
        self.seen[f"{len(self.seen)} {' '.join(arguments)} -> {code}"] = out + err
        assert expect in (None, code), (arguments, code)
        return out

    def keep(self, what: str, *told: object) -> None:
        for number, one in enumerate(told):
            self.seen[f"{what} {number}"] = f"{one!s}\n{one!r}"


@pytest.fixture
def bench(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Bench:
    (tmp_path / "train.jsonl").write_text(training_rows(Method.SUPERVISED))
    job = f"provider: openai\nbase_model: {MODEL}\ntraining_file: train.jsonl\n"
    (tmp_path / "job.yaml").write_text(job)
    (tmp_path / "other.yaml").write_text(f"{job}seed: 2\n")
    for name, value in {"ATTEMPTS": "1", "POLL_SECONDS": "0.01", "SETTLE_SECONDS": "0.01"}.items():
        monkeypatch.setenv(f"FTPROVIDERS_{name}", value)
    monkeypatch.chdir(tmp_path)
    # What is installed here says nothing of keys, and looking it up takes longest.
    monkeypatch.setattr(registry, "_entry_points", list)
    return Bench(tmp_path, capsys)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that SDK, HTTP library and we ourselves log, down to DEBUG."""
    for name in LOGGERS:
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def logged(log: pytest.LogCaptureFixture) -> str:
    records = (f"{vars(record)!r} {record.getMessage()}" for record in log.records)
    return log.text + "\n".join(records)


def lifecycle(bench: Bench, server: Parrot) -> None:
    """Plan, submit, follow and fail: every verb that shows what the service said."""
    bench.run("plan", "job.yaml", "--json")
    server.fail_next_job(message=f"the key {server.planted} was shown to the job")
    server.faults.inject(WireFault("createFineTuningJob", kind="invalid"))
    bench.run("submit", "job.yaml", "--yes", "--debug", expect=3)
    bench.run("submit", "job.yaml", "--yes", "--json", "--debug")
    bench.run("watch", *job_ids(server), "--debug", expect=1)
    bench.run("submit", "other.yaml", "--yes", "--wait")
    failed, good = job_ids(server)
    for verb in ("status", "events", "metrics", "checkpoints"):
        bench.run(verb, good, "--json", "--debug")
    bench.run("status", failed, "--debug")
    bench.run("chat", good, "hello")
    bench.run("jobs", "--json")
    bench.run("models", "--provider", "openai", "--json")
    for kind in ("server_error", "malformed", "bad_gateway", "reset"):
        server.faults.inject(WireFault("retrieveFineTuningJob", kind=kind))
        bench.run("status", good, "--json", "--debug", expect=None)
    server.api_key = "another"
    for verb in ("status", "cancel", "events"):
        bench.run(verb, good, "--yes", "--debug", expect=3)
        bench.run(verb, good, "--yes", "--json", expect=3)


def job_ids(server: Parrot) -> list[str]:
    return [job["id"] for job in server.jobs()]


def objects(bench: Bench, server: Parrot, key: str) -> None:
    """What a program that uses the library, and a person with a debugger, sees."""
    settings = OpenAISettings.model_validate({"api_key": key, "base_url": server.base_url})
    adapter, host = OpenAIAdapter(settings), OpenAIHosting(settings)
    with ft.FineTuneClient() as client:
        bench.keep("objects", settings, adapter, host, client, settings.model_dump_json())
        bench.keep("account", adapter.account(), adapter.public_account())
        try:
            client.job(job_ids(server)[0]).refresh()
        except ft.FineTuneError as error:
            causes = [error, error.__cause__, error.__cause__ and error.__cause__.__context__]
            bench.keep("error", *causes, *[vars(one) for one in causes if one is not None])
            bench.keep("traceback", "".join(traceback.format_exception(error)))
        else:
            raise AssertionError("the key was not accepted any more")
    adapter.close()
    host.close()


@pytest.mark.parametrize("shape", KEYS)
def test_no_key_turns_up_anywhere(
    shape: str,
    bench: Bench,
    log: pytest.LogCaptureFixture,
    own_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = KEYS[shape]
    with Parrot(api_key=key, behaviour=AT_ONCE) as server:
        server.planted = key
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        lifecycle(bench, server)
        objects(bench, server, key)
        assert {request.key for request in server.requests} == {"right", "wrong"}
    assert any("***" in text for text in bench.seen.values()), "nothing was repeated at all"
    found = leaks(key, {**bench.seen, "log": logged(log)}, [own_environment, bench.folder])
    assert not found
    assert not modes(own_environment / "data")


@pytest.mark.parametrize("shape", UNSENDABLE)
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(
    shape: str,
    bench: Bench,
    log: pytest.LogCaptureFixture,
    own_environment: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = UNSENDABLE[shape]
    config = own_environment / "config.toml"  # the environment could not hold a NUL
    with Parrot() as server:
        settings = f"api_key = {_toml(key)}\nbase_url = '{server.base_url}'\n"
        config.write_text(f"[profiles.p.providers.openai]\n{settings}")
        for flags in (("--debug",), ("--json",)):
            bench.run("status", "openai:ftjob-1", "--profile", "p", *flags, expect=2)
            bench.run("submit", "job.yaml", "--yes", "--profile", "p", *flags, expect=2)
        assert not server.requests
    config.unlink()
    assert not leaks(key, {**bench.seen, "log": logged(log)}, [own_environment, bench.folder])


def _toml(text: str) -> str:
    escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in text)
    return f'"{escaped}"'


@pytest.mark.parametrize("shape", KEYS)
@pytest.mark.parametrize("name", ["organization", "project", "profile"])
def test_a_key_that_stands_for_an_account_is_refused(shape: str, name: str, bench: Bench) -> None:
    key = KEYS[shape]
    given = {"api_key": key, name: f"team-{key}"}
    with pytest.raises(ft.ConfigurationError, match=f"Setting {name}") as caught:
        OpenAISettings.load("openai", ft.Config.load(), environ={}, **given)
    bench.keep("error", caught.value, *traceback.format_exception(caught.value))
    assert not leaks(key, bench.seen)


KNOWN = [name for name, key in KEYS.items() if find_secrets(key.encode())]
"""Shapes that can be told to be keys without knowing the key."""


@pytest.mark.parametrize("shape", KNOWN)
@pytest.mark.parametrize("place", ["training_file", "suffix", "note", "options"])
def test_a_key_in_the_job_goes_nowhere(
    shape: str, place: str, bench: Bench, log: pytest.LogCaptureFixture, own_environment: Path
) -> None:
    key = KEYS[shape]
    changes = {
        "training_file": {"training_file": f"{key}.jsonl"},
        "options": {"options": {"openai": {"metadata": {"token": key}}}},
    }
    fields = {"base_model": MODEL, "training_file": "train.jsonl", "provider": "openai"}
    spec = ft.JobSpec.model_validate({**fields, **changes.get(place, {place: f"a {key}"})})
    settings = {"openai": {"base_url": "http://127.0.0.1:9/v1"}}
    refused = pytest.raises(ft.ConfigurationError, match=f"^{place} of the job")
    with ft.FineTuneClient(settings=settings) as client, refused as caught:
        client.submit(spec)
    bench.keep("error", caught.value, *traceback.format_exception(caught.value))
    assert not leaks(key, {**bench.seen, "log": logged(log)}, [own_environment])


@pytest.mark.parametrize("shape", {**KEYS, **UNSENDABLE})
@pytest.mark.parametrize(
    "address", ["https://{}@api.example.com/v1", "https://user:{}@api.example.com/v1",
                "https://api.example.com/v1?key={}", "https://api.example.com:{}/v1", "{}"]
)  # fmt: skip
def test_a_key_in_an_address_is_not_shown(shape: str, address: str, bench: Bench) -> None:
    key = {**KEYS, **UNSENDABLE}[shape]
    try:
        settings = OpenAISettings.load(
            "openai",
            ft.Config.load(),
            environ={},
            base_url=address.format(key),
        )
    except ft.ConfigurationError as error:
        bench.keep("error", error, vars(error), *traceback.format_exception(error))
        bench.keep("cause", error.__cause__, error.__context__)
    else:  # nothing that says a key: the rest of it stands in a place for names
        bench.keep("settings", settings)
    assert not leaks(key, bench.seen)
