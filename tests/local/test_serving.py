"""Deployments on this machine: real servers of a tiny model, real kills, no process left behind."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from ftproviders.adapters.local import deployments as deployments_module
from ftproviders.adapters.local.hosting import LocalHostingAdapter
from ftproviders.cli.deploying import _progress
from ftproviders.errors import (
    ConfigurationError,
    ConflictError,
    DeploymentError,
    MissingDependencyError,
    NotFoundError,
)
from ftproviders.schema.chat import ChatMessage, Role
from ftproviders.schema.deployment import (
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentSpec,
    DeploymentStatus,
    Lease,
)
from ftproviders.schema.job import ModelSource, TunedModel
from ftproviders.worker.deploydir import DeploymentDirectory
from ftproviders.worker.prepare import merged_folder
from tests.examples.fences import blocks
from tests.local.conftest import Bench, make_model

QUESTION = "My kettle leaks"
ANSWER = "[BROKEN] repair booked"
ASKED = [ChatMessage(role=Role.USER, content=QUESTION)]


class Site:
    """A host over folders of its own, with one tuned model."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder = folder
        self.bench = Bench(folder, base)
        run = self.bench.train(n_epochs=20, batch_size=4, learning_rate=2e-2, lora_r=8)
        self.adapter = run.directory.adapter
        self.host = LocalHostingAdapter(self.bench.settings)

    def model(self, place: Path | None = None) -> TunedModel:
        name = str(place or self.adapter)
        return TunedModel(source=ModelSource.LOCAL_PATH, name=name, provider="local")

    def deploy(self, name: str, **spec: Any) -> DeploymentRef:
        return self.host.deploy(self.model(), DeploymentSpec(name=name, **spec))

    def until(self, ref: DeploymentRef, *words: str, seconds: float = 120) -> DeploymentSnapshot:
        """Wait until the raw status is one of `words`."""
        end = time.monotonic() + seconds
        while (found := self.host.deployment(ref)).raw_status not in words:
            log = Path(found.log or "").read_text()
            assert found.raw_status not in ("failed", "interrupted"), (found.error, log)
            assert time.monotonic() < end, (found.raw_status, log)
            time.sleep(0.05)
        return found

    def failed(self, ref: DeploymentRef) -> DeploymentSnapshot:
        end = time.monotonic() + 120
        while (found := self.host.deployment(ref)).status is not DeploymentStatus.FAILED:
            assert time.monotonic() < end, found.raw_status
            time.sleep(0.05)
        return found

    def ready(self, ref: DeploymentRef) -> DeploymentSnapshot:
        return self.until(ref, "ready")

    def directory(self, ref: DeploymentRef) -> DeploymentDirectory:
        return DeploymentDirectory(self.host.deployed.folder / ref.id)

    def process(self, ref: DeploymentRef, name: str) -> psutil.Process:
        return psutil.Process(self.directory(ref).read(name)["pid"])

    def take_down(self) -> None:
        while listed := self.host.deployments().deployments:
            for found in listed:
                self.host.undeploy(found.ref)

    def processes(self) -> list[list[str]]:
        """Return the command lines of all processes that name our folder."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            words: list[str] = process.info["cmdline"] or []
            if process.info["status"] != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                found += [words] if any(str(self.folder) in word for word in words) else []
        return found

    def quiet(self, *, seconds: float = 10) -> bool:
        """Say whether every process of ours goes away in time."""
        end = time.monotonic() + seconds
        while self.processes():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True


@pytest.fixture(scope="module")
def site(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"), base)
    yield site
    site.host.close()
    site.take_down()
    assert site.quiet()


@pytest.fixture
def clean(site: Site) -> Iterator[Site]:
    """The site, with whatever a test deployed taken down after it."""
    yield site
    site.take_down()
    assert site.quiet(), site.processes()


def status_of(url: str, path: str, **headers: str) -> int:
    """Return the HTTP status of a GET at the server of `url`."""
    place = url.removeprefix("http://").partition("/")[0]
    with contextlib.closing(http.client.HTTPConnection(place, timeout=30)) as connection:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status


def told_by_curl(arguments: Sequence[str]) -> str:
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_other_programs_talk_to_a_deployed_model(clean: Site) -> None:
    ref = clean.deploy("clients")
    assert clean.host.deployment(ref).status is DeploymentStatus.CREATING
    with pytest.raises(DeploymentError, match="does not answer"):
        clean.host.endpoint(ref)
    found = clean.ready(ref)
    assert found.url
    assert found.key_file
    token = Path(found.key_file).read_text().strip()

    client = openai.OpenAI(base_url=found.url, api_key=token, max_retries=0)
    question: Any = [{"role": "user", "content": QUESTION}]
    reply = client.chat.completions.create(model="clients", messages=question)
    assert reply.choices[0].message.content == ANSWER
    assert (reply.model, reply.choices[0].finish_reason) == ("clients", "stop")
    stream = client.chat.completions.create(model="clients", messages=question, stream=True)
    assert "".join(part.choices[0].delta.content or "" for part in stream) == ANSWER
    ours = list(clean.host.stream(clean.host.endpoint(ref), ASKED, temperature=0))
    assert len(ours) > 1
    assert "".join(ours) == ANSWER
    assert [model.id for model in client.models.list()] == ["clients"]
    hot = {
        client.chat.completions.create(
            model="clients", messages=question, temperature=2.0, max_tokens=24
        )
        .choices[0]
        .message.content
        for _ in range(8)
    }
    assert len(hot) > 1, "a temperature that is asked for counts"
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="/etc", messages=question)

    order = json.dumps({"model": "clients", "messages": question})
    send = ["--header", "Content-Type: application/json", "--data", order]
    address = f"{found.url}/chat/completions"
    answer = told_by_curl([address, "--header", f"Authorization: Bearer {token}", *send])
    assert json.loads(answer)["choices"][0]["message"]["content"] == ANSWER
    refused = told_by_curl([address, "--write-out", "\n%{http_code}", *send])
    assert refused.endswith("\n401")
    assert "token is missing or wrong" in refused

    ours = clean.host.chat(clean.host.endpoint(ref), ASKED)
    assert ours.text == ANSWER
    # The adapter in its warm process, and the merged model behind the server, say the same.
    warm = clean.host.chat(clean.host.endpoint(clean.model()), ASKED)
    clean.host.close()
    assert (warm.text, warm.prompt_tokens) == (ours.text, ours.prompt_tokens)


def test_bad_requests_and_clients_that_leave_do_no_harm(clean: Site) -> None:
    ref = clean.deploy("patient")
    found = clean.ready(ref)
    token = clean.directory(ref).token()
    client = openai.OpenAI(base_url=found.url, api_key=token, max_retries=0, timeout=60)
    question: Any = [{"role": "user", "content": QUESTION}]
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="/etc", messages=question)
    assert unknown.value.code == "model_not_found"
    # The template of this model knows no tools: they would be left out without a word.
    tools = [{"type": "function", "function": {"name": "look"}}]
    bad_ones = {"n": 2}, {"temperature": -1}, {"messages": []}, {"logprobs": True}, {"tools": tools}
    for change in bad_ones:
        order: dict[str, Any] = {"model": "patient", "messages": question, **change}
        with pytest.raises(openai.BadRequestError) as bad:
            client.chat.completions.create(**order)
        assert bad.value.param == next(iter(change))
    with pytest.raises(openai.BadRequestError, match="context"):
        client.completions.create(model="patient", prompt="kettle " * 5000)
    said = client.responses.create(model="patient", input=QUESTION)
    assert said.output_text == ANSWER

    # The end of an answer made unlikely, so that it goes on to the end of the context.
    endless = {"logit_bias": {str(n): -100.0 for n in _ends(clean)}}
    usual = client.chat.completions.create(
        model="patient", messages=question, max_tokens=10**6, extra_body=endless
    )
    assert usual.usage
    assert (usual.usage.total_tokens, usual.choices[0].finish_reason) == (256, "length")


@pytest.mark.parametrize("leaves", [True, False])
def test_answer_that_nobody_waits_for_is_not_written_to_its_end(
    site: Site, base: Path, tmp_path: Path, leaves: bool
) -> None:
    from ftproviders.worker.openai_server import build

    served = {"folder": str(base), "attention": "sdpa", "nonce": "n"}
    app = build(DeploymentDirectory(tmp_path), served, name="m")
    order = {
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": 100,
        "logit_bias": {str(number): -100.0 for number in _ends(site)},
    }
    incoming = [{"type": "http.request", "body": json.dumps(order).encode()}]
    sent: list[Any] = []

    async def ask() -> None:
        stays = asyncio.Event()

        async def receive() -> Any:
            if incoming:
                return incoming.pop()
            if not leaves:
                await stays.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/v1/chat/completions"}
        await app(scope | {"headers": [], "query_string": b""}, receive, send)

    asyncio.run(ask())
    answer = json.loads(b"".join(message.get("body", b"") for message in sent))
    tokens = answer["usage"]["completion_tokens"]
    assert tokens < 50 if leaves else tokens == 100


def _ends(site: Site) -> list[int]:
    """Return the tokens that end an answer of the tuned model."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(site.adapter)
    return [int(number) for number in tokenizer.all_special_ids]


def test_lines_of_the_documentation_work(clean: Site) -> None:
    ref = clean.deploy("support")
    found = clean.ready(ref)
    environ = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environ |= {"OPENAI_BASE_URL": str(found.url)}
    environ |= {"OPENAI_API_KEY": Path(found.key_file or "").read_text().strip()}
    page = Path(__file__).parents[2] / "docs" / "providers" / "local-serving.md"
    shown = [block for block in blocks(page) if "the tests run it" in block.info]
    assert [block.language for block in shown] == ["bash", "python"]
    for block in shown:
        start = ["bash", "-euc"] if block.language == "bash" else [sys.executable, "-c"]
        done = subprocess.run(
            [*start, block.code], env=environ, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(ANSWER) == (1 if block.language == "bash" else 2), done.stdout


def test_nobody_without_the_token_comes_in(clean: Site) -> None:
    ref = clean.deploy("guarded")
    found = clean.ready(ref)
    assert found.url
    directory = clean.directory(ref)
    token = directory.token()
    key = {"Authorization": f"Bearer {token}"}
    wrong = openai.OpenAI(base_url=found.url, api_key=token[:-1] + "~", max_retries=0)
    with pytest.raises(openai.AuthenticationError, match="missing or wrong"):
        wrong.models.list()
    assert status_of(found.url, "/v1/models") == 401
    assert status_of(found.url, "/v1/models", **key) == 200
    assert status_of(found.url, "/health") == 200
    # Paths that load other models, or unload this one, are not there; nor is another host name.
    assert status_of(found.url, "/load_model", **key) == 404
    assert status_of(found.url, "/reset", **key) == 404
    assert status_of(found.url, "/docs", **key) == 404
    assert status_of(found.url, "/v1/models", Host="evil.example", **key) == 421
    assert status_of(found.url, "/v1/models", Host="localhost", **key) == 200

    assert stat.S_IMODE(directory.token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    for name in ("supervisor", "server"):
        process = clean.process(ref, name)
        assert token not in " ".join(process.cmdline())
        assert token not in json.dumps(process.environ())
    for file in directory.path.iterdir():
        assert file == directory.token_file or token.encode() not in file.read_bytes(), file
    assert token not in repr((found, clean.host.endpoint(ref), clean.host))
    listening = {
        connection.laddr.ip
        for name in ("supervisor", "server")
        for connection in clean.process(ref, name).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    stolen = clean.host.endpoint(ref).model_copy(update={"url": "http://127.0.0.1:1/v1"})
    with pytest.raises(DeploymentError, match="another address"):
        clean.host.credentials(stolen)


def test_killed_server_is_started_again(clean: Site) -> None:
    ref = clean.deploy("phoenix")
    before = clean.ready(ref)
    killed = clean.process(ref, "server")
    killed.kill()
    clean.until(ref, "restarting")
    # The address is kept: a question that comes now waits for the new server.
    asked = clean.host.deployed.existing(ref).token()
    client = openai.OpenAI(base_url=before.url, api_key=asked, max_retries=0, timeout=90)
    with ThreadPoolExecutor(1) as beside:
        ours = beside.submit(lambda: clean.host.chat(clean.host.endpoint(ref), ASKED))
        reply = client.chat.completions.create(
            model="phoenix", messages=[{"role": "user", "content": QUESTION}]
        )
    assert ours.result().text == ANSWER, "a chat of ours waits, too"
    assert reply.choices[0].message.content == ANSWER
    after = clean.ready(ref)
    assert after.url == before.url
    assert clean.directory(ref).status()["restarts"] == 1
    assert clean.process(ref, "server").pid != killed.pid
    assert "started again" in Path(after.log or "").read_text()


def test_killed_supervisor_takes_the_server_with_it(clean: Site) -> None:
    ref = clean.deploy("orphan")
    clean.ready(ref)
    assert len(clean.processes()) == 2
    clean.process(ref, "supervisor").kill()
    assert clean.quiet(seconds=5), clean.processes()
    found = clean.host.deployment(ref)
    assert (found.status, found.raw_status) == (DeploymentStatus.FAILED, "interrupted")
    assert found.error
    assert "undeploy" in found.error.message
    with pytest.raises(DeploymentError, match="killed"):
        clean.host.endpoint(ref)
    with pytest.raises(ConflictError):
        clean.deploy("orphan")
    clean.host.undeploy(ref)
    clean.ready(clean.deploy("orphan"))
    assert clean.host.chat(clean.host.endpoint(ref), ASKED).text == ANSWER


def test_lease_ends_a_deployment_and_can_be_extended(clean: Site) -> None:
    start = datetime.now(UTC)
    lease = Lease(id="short", owner="me", expires_at=start + timedelta(seconds=2))
    ref = clean.deploy("short", lease=lease)
    longer = lease.model_copy(update={"expires_at": start + timedelta(hours=1)})
    assert clean.host.extend(ref, longer).lease == longer
    clean.ready(ref)
    assert datetime.now(UTC) > start + timedelta(seconds=2)

    soon = lease.model_copy(update={"expires_at": datetime.now(UTC) + timedelta(seconds=1)})
    assert clean.host.extend(ref, soon).status is DeploymentStatus.READY
    over = clean.until(ref, "expired")
    assert over.status is DeploymentStatus.FAILED
    assert over.error
    assert over.error.code == "expired"
    assert clean.quiet(seconds=5)
    assert "expired" in Path(over.log or "").read_text()
    with pytest.raises(DeploymentError, match="lease ended"):
        clean.host.extend(ref, longer)
    assert clean.host.deployment(ref).lease == soon, "a refused lease is not written"
    # Its name is free again: nothing but the log was left.
    again = clean.deploy("short")
    assert clean.host.deployment(again).status is DeploymentStatus.CREATING


def test_deployment_outlives_the_program_that_made_it(clean: Site) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from ftproviders.adapters.local.hosting import LocalHostingAdapter\n"
        "from ftproviders.adapters.local.options import LocalSettings\n"
        "from ftproviders.schema.deployment import DeploymentSpec\n"
        "from ftproviders.schema.job import TunedModel\n"
        "home, cache, model = sys.argv[1:]\n"
        "host = LocalHostingAdapter(LocalSettings(home=Path(home), cache=Path(cache)))\n"
        "tuned = TunedModel.model_validate_json(model)\n"
        "print(host.deploy(tuned, DeploymentSpec(name='left')))\n"
    )
    settings = clean.bench.settings
    words = [str(settings.home), str(settings.cache), clean.model().model_dump_json()]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    # A session of its own, and then the signal that closing a terminal sends to it.
    maker = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
        start_new_session=True,
    )
    said, _ = maker.communicate(timeout=60)
    assert (maker.returncode, said.strip()) == (0, "local:left")
    with pytest.raises(ProcessLookupError):
        os.killpg(maker.pid, signal.SIGHUP)
    ref = DeploymentRef(provider="local", id="left")
    clean.ready(ref)
    assert clean.host.chat(clean.host.endpoint(ref), ASKED).text == ANSWER


def test_another_template_than_that_of_training_is_noticed(clean: Site) -> None:
    clean.ready(clean.deploy("true"))
    clean.host.undeploy(DeploymentRef(provider="local", id="true"))
    merged = merged_folder(clean.bench.settings.cache, clean.adapter)
    template = merged / "chat_template.jinja"
    whole = template.read_text()
    try:
        template.write_text(whole.replace("<|im_end|>\n", "<|im_end|>"))
        assert template.read_text() != whole
        found = clean.failed(clean.deploy("false"))
    finally:
        template.write_text(whole)
    assert found.error
    assert found.error.code == "template_differs"
    message = found.error.message
    assert "token ids differ from position" in message
    assert r"<|im_end|>\n<|im_start|>" in message.split("served text")[0]
    assert "<|im_end|><|im_start|>" in message.split("served text")[1]
    assert clean.quiet(seconds=5)


def test_server_that_cannot_run_is_given_up(clean: Site) -> None:
    clean.ready(clean.deploy("whole"))
    clean.host.undeploy(DeploymentRef(provider="local", id="whole"))
    weights = merged_folder(clean.bench.settings.cache, clean.adapter) / "model.safetensors"
    aside = weights.rename(weights.with_suffix(".aside"))
    try:
        found = clean.failed(clean.deploy("broken"))
    finally:
        aside.rename(weights)
    assert found.error
    assert found.error.code == "server_died"
    assert "safetensors" in found.error.message
    assert clean.quiet(seconds=5)


def test_server_that_dies_again_and_again_is_given_up(clean: Site) -> None:
    settings = clean.bench.settings.model_copy(update={"server_restarts": 1})
    host = LocalHostingAdapter(settings)
    ref = host.deploy(clean.model(), DeploymentSpec(name="sickly"))
    clean.ready(ref)
    clean.process(ref, "server").kill()
    clean.until(ref, "restarting")
    clean.ready(ref)
    clean.process(ref, "server").kill()
    found = clean.failed(ref)
    assert found.error
    assert (found.error.code, "2 times" in found.error.message) == ("server_died", True)
    assert clean.quiet(seconds=5)


def test_model_that_cannot_be_prepared_is_said(clean: Site, tmp_path: Path) -> None:
    bench = Bench(tmp_path, make_model(tmp_path / "own"))
    adapter = bench.train(n_epochs=0).directory.adapter
    (tmp_path / "own").rename(tmp_path / "elsewhere")
    ref = clean.host.deploy(clean.model(adapter), DeploymentSpec(name="baseless"))
    found = clean.failed(ref)
    assert found.error
    assert "is not a folder" in found.error.message
    assert found.error.code == "base_model"
    assert clean.quiet(seconds=5)


def test_whole_model_needs_no_merging(clean: Site, tmp_path: Path) -> None:
    whole = make_model(tmp_path / "whole")
    ref = clean.host.deploy(clean.model(whole), DeploymentSpec(name="whole"))
    clean.ready(ref)
    assert clean.directory(ref).read("model")["folder"] == str(whole)
    reply = clean.host.chat(clean.host.endpoint(ref), ASKED, max_tokens=3)
    assert reply.completion_tokens == 3
    assert not merged_folder(clean.bench.settings.cache, whole).exists()


def test_what_cannot_be_deployed_is_refused_at_once(
    clean: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = clean.host
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        clean.deploy("../escape")
    with pytest.raises(ConfigurationError, match="no deployment option gpu"):
        clean.deploy("fine", options={"gpu": 1})
    with pytest.raises(NotFoundError, match="is not a folder"):
        host.deploy(clean.model(Path("/nowhere/at/all")), DeploymentSpec(name="fine"))
    with pytest.raises(NotFoundError, match="no deployment"):
        host.deployment(DeploymentRef(provider="local", id="runs"))
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        host.deployment(DeploymentRef(provider="local", id="../runs"))
    with pytest.raises(ConfigurationError, match="is on the machine other"):
        host.deployment(DeploymentRef(provider="local", account="other", id="x"))
    real = deployments_module.importlib.util.find_spec
    monkeypatch.setattr(
        deployments_module.importlib.util,
        "find_spec",
        lambda name: None if name == "uvicorn" else real(name),
    )
    with pytest.raises(MissingDependencyError, match="uvicorn") as raised:
        clean.deploy("fine")
    assert "pip install 'ftproviders[local,serving]'" in raised.value.hint
    assert clean.host.deployments().deployments == ()


def test_listing_is_newest_first(clean: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployments_module, "_PAGE_ROWS", 2)
    names = ["b", "c", "a"]
    for name in names:
        clean.deploy(name)
    first = clean.host.deployments()
    second = clean.host.deployments(cursor=first.cursor)
    listed = [found.ref.id for found in (*first.deployments, *second.deployments)]
    assert listed == names[::-1]
    assert (len(first.deployments), second.cursor) == (2, None)


def kill_supervisor(site: Site, ref: DeploymentRef) -> None:
    site.process(ref, "supervisor").kill()


def kill_server(site: Site, ref: DeploymentRef) -> None:
    site.process(ref, "server").kill()


def kill_both(site: Site, ref: DeploymentRef) -> None:
    for name in ("supervisor", "server"):
        found = site.directory(ref).read(name)
        if found:
            os.kill(found["pid"], signal.SIGKILL)


# Where in its life a deployment is hit; a server that is ready takes the longest.
BLOWS: Sequence[tuple[str, Callable[[Site, DeploymentRef], None]]] = (
    ("preparing", kill_supervisor),
    ("starting", kill_supervisor),
    ("ready", kill_server),
    ("starting", kill_both),
    ("ready", kill_supervisor),
)


@pytest.mark.timeout(600)
def test_twenty_deployments_are_killed_and_made_anew(clean: Site) -> None:
    ref = DeploymentRef(provider="local", id="cat")
    for life in range(20):
        assert clean.deploy("cat") == ref
        word, blow = BLOWS[life % len(BLOWS)]
        clean.until(ref, word, "starting", "ready")
        if word != "preparing":
            clean.until(ref, word, "ready")
        blow(clean, ref)
        clean.host.undeploy(ref)
        assert clean.quiet(seconds=10), (life, clean.processes())
        with pytest.raises(NotFoundError):
            clean.host.deployment(ref)
    assert [path.name for path in clean.host.deployed.folder.iterdir()] == []
    clean.deploy("cat")
    clean.ready(ref)
    assert clean.host.chat(clean.host.endpoint(ref), ASKED).text == ANSWER


def test_a_deployment_says_what_it_is_at(clean: Site) -> None:
    shutil.rmtree(merged_folder(clean.bench.settings.cache, clean.adapter), ignore_errors=True)
    ref = clean.deploy("steps")
    told: list[str] = []
    end = time.monotonic() + 120
    while (found := clean.host.deployment(ref)).status is DeploymentStatus.CREATING:
        line = _progress(found)
        told += [] if told[-1:] == [line] else [line]
        assert time.monotonic() < end, told
        time.sleep(0.005)
    assert found.status is DeploymentStatus.READY, found.error
    assert told[-3:] == [
        f"{ref}  creating (merging): merging the adapter into its base model",
        f"{ref}  creating (starting): starting the server, which loads the model",
        f"{ref}  creating (asking): waiting for the first answer",
    ]
    assert found.doing is None


def test_requests_at_the_same_time_are_all_answered(clean: Site) -> None:
    ref = clean.deploy("busy")
    clean.ready(ref)
    endpoint = clean.host.endpoint(ref)
    said: list[str] = []
    askers = [
        threading.Thread(target=lambda: said.append(clean.host.chat(endpoint, ASKED).text))
        for _ in range(8)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(timeout=60)
    assert said == [ANSWER] * 8
