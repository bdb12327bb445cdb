"""Keys, addresses, accounts, and files that are sent in pieces."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from ftproviders import registry
from ftproviders.adapters._openai_dialect.addresses import checked_url, is_loopback
from ftproviders.adapters._openai_dialect.scrubbing import Scrubber
from ftproviders.adapters._openai_dialect.sending import Digests, Window, open_source
from ftproviders.adapters.openai.options import OpenAISettings
from ftproviders.adapters.openai.wire import (
    PUBLIC_URL,
    account_name,
    is_public,
    ref_account,
)
from ftproviders.config import Config
from ftproviders.errors import MissingDependencyError
from ftproviders.schema.job import JobRef
from tests.unit.data.test_secrets import CASES

KEY = "sk-planted-" + "0a1B" * 6


# --- addresses and accounts ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.openai.com/v1/", PUBLIC_URL),
        ("HTTPS://API.OpenAI.com:443/v1", PUBLIC_URL),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("http://[::1]:80/v1", "http://[::1]/v1"),
    ],
)
def test_one_address_has_one_form(given: str, kept: str) -> None:
    assert checked_url(given) == kept
    assert OpenAISettings(base_url=given).base_url == kept


@pytest.mark.parametrize(
    "url",
    ["", "api.openai.com", "ftp://x/v1", "https://u:p@x/v1", "https://x/v1?key=1", "https://"],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        OpenAISettings(base_url=url)


def test_accounts_differ_by_all_but_the_key() -> None:
    names = {
        account_name(PUBLIC_URL, organization=o, project=p, profile=f)
        for o in (None, "org-1")
        for p in (None, "proj_1")
        for f in (None, "work")
    }
    assert len(names) == 8
    assert account_name(PUBLIC_URL, organization=None, project=None, profile=None) == PUBLIC_URL


@pytest.mark.parametrize(
    ("url", "organization", "project", "written"),
    [
        (PUBLIC_URL, None, None, None),
        (PUBLIC_URL, "org-1", None, "org-1"),
        (PUBLIC_URL, "org-1", "proj_1", "org-1/proj_1"),
        ("http://127.0.0.1:8000/v1", None, None, "127.0.0.1:8000"),
        ("https://llm.example/tuning/v1", None, "p", "llm.example/tuning/p"),
        ("https://eu.api.openai.com/v1", None, None, "eu.api.openai.com"),
    ],
)
def test_refs_write_the_account_where_it_is_not_the_default(
    url: str, organization: str | None, project: str | None, written: str | None
) -> None:
    account = ref_account(url, organization=organization, project=project)
    assert account == written
    ref = JobRef(provider="openai", account=account, id="ftjob-1")
    assert JobRef.parse(str(ref)) == ref


def test_which_addresses_are_whose() -> None:
    assert is_public(PUBLIC_URL)
    assert is_public("https://eu.api.openai.com/v1")
    assert not is_public("https://api.openai.com.evil.example/v1")
    assert is_loopback("http://127.0.0.9:1/v1")
    assert not is_loopback("https://api.openai.com/v1")


def test_settings_come_from_openai_s_own_variables_and_hide_the_key() -> None:
    environ = {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": "http://localhost:1/v1/",
        "OPENAI_ORG_ID": "org-1",
        "OPENAI_PROJECT_ID": "proj_1",
    }
    config = Config.load().model_copy(update={"profile": "work"})
    settings = OpenAISettings.load("openai", config, environ=environ)
    assert (settings.organization, settings.project) == ("org-1", "proj_1")
    assert (settings.base_url, settings.profile) == ("http://localhost:1/v1", "work")
    assert KEY not in repr(settings) + str(settings) + settings.model_dump_json()


def test_without_the_sdk_the_install_line_is_given() -> None:
    with pytest.raises(MissingDependencyError) as caught:
        registry.training_adapter("openai", Config.load(), environ={"OPENAI_API_KEY": KEY})
    assert caught.value.hint == "Run: pip install 'ftproviders[openai]'"


# --- keys ---------------------------------------------------------------------------------------


def test_the_key_in_use_is_hidden_whatever_it_looks_like() -> None:
    scrub = Scrubber("plain words", None, "ab")
    assert scrub.text("key: plain words!") == "key: ***!"
    assert scrub.text("ab") == "ab", "too short to be a key"
    answer = {"error": {"message": "plain words"}, "id": "x-plain words", "n": [1, "plain words"]}
    assert "plain words" not in repr(scrub.json(answer))


@pytest.mark.parametrize(("kind", "shown", "secret"), CASES)
def test_every_known_shape_of_a_key_is_hidden(kind: str, shown: str, secret: str) -> None:
    told = {"error": {"message": f"before {shown}{secret} after"}, f"{shown}{secret}": 1}
    hidden = repr(Scrubber().json(told))
    assert secret not in hidden, kind
    assert "***" in hidden


def test_ordinary_words_and_names_stay_as_they_are() -> None:
    answer = {
        "id": "ftjob-3c114718bfb70ebcc0203a80",
        "fine_tuned_model": "ft:gpt-4.1-mini-2025-04-14:org:kettle:629385f9",
        "message": "New fine-tuned model created: ft:gpt-4.1-mini-2025-04-14:org:kettle:629385f9",
        "training_file": "file-c2bb3ccfff6a5dec63bfc98b",
        "training_file_message": "Validating training file: file-c2bb3ccfff6a5dec63bfc98b",
        "metadata": {"ftproviders_submission": "ft3twcnrc234kwt22pvr4b7pm5"},
        "n": None,
    }
    assert Scrubber(KEY).json(answer) == answer


# --- files --------------------------------------------------------------------------------------


@given(
    st.binary(min_size=1, max_size=300),
    st.integers(1, 80),
    st.integers(1, 50),
)
def test_windows_send_every_byte_once_and_hash_what_they_sent(
    content: bytes, part: int, chunk: int
) -> None:
    source = io.BytesIO(content)
    before, sent = Digests(), b""
    for start in range(0, len(content), part):
        size = min(part, len(content) - start)
        lost = Window(source, start=start, size_bytes=size, before=before)
        lost.read(chunk)  # a try that broke off leaves no trace
        window = Window(source, start=start, size_bytes=size, before=before)
        assert window.seek(0, io.SEEK_END) == size
        window.seek(0)
        while data := window.read(chunk):
            sent += data
        before = window.digests
    assert sent == content
    assert before.sha256 == hashlib.sha256(content).hexdigest()
    assert before.md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert before.size_bytes == len(content)


def test_reading_a_window_again_from_its_beginning_counts_once() -> None:
    window = Window(io.BytesIO(b"abcdef"), start=1, size_bytes=4)
    assert window.read() == b"bcde"
    window.seek(0)
    assert window.read() == b"bcde"
    assert window.digests.sha256 == hashlib.sha256(b"bcde").hexdigest()


def test_the_size_is_that_of_the_file_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"12345")
    source, size = open_source(path)
    with source:
        assert size == 5


def test_a_key_is_no_part_of_settings_that_are_written_down() -> None:
    settings = OpenAISettings(api_key=SecretStr(KEY))
    assert KEY not in settings.model_dump_json()
