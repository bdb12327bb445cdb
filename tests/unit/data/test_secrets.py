"""Secrets: every kind is found where it stands, shown masked, and ordinary text is left alone.

Samples are put together here, so that no file of this project holds anything that looks real.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftproviders.data import RULES, validate
from ftproviders.data.engine import TwoPathEngine
from ftproviders.data.findings import show
from ftproviders.data.ledger import Ledger, judgements
from ftproviders.data.secrets import KINDS, find_secrets, mask
from ftproviders.data.secrets.scan import scan_block, with_level
from ftproviders.data.stream import Block
from ftproviders.provider import DataProfile
from ftproviders.schema.dataset import Issue, Severity

WORD, HEX = string.ascii_letters + string.digits, "0123456789abcdef"
UPPER = string.ascii_uppercase + string.digits
BASE64 = WORD + "+/"


def filler(size: int, letters: str = WORD, seed: int = 1) -> str:
    """Return `size` letters that mean nothing."""
    chance = random.Random(f"{size}{letters}{seed}")
    return "".join(chance.choice(letters) for _ in range(size))


PEM = f"-----BEGIN RSA {'PRIVATE'} KEY-----\\n{filler(64, BASE64)}\\n{filler(20, BASE64)}=="
JWT = f"eyJ{filler(17)}.eyJ{filler(40)}.{filler(43)}"
SAMPLES: dict[str, list[tuple[str, str]]] = {
    "an Anthropic API key": [("sk-ant-", f"api03-{filler(60)}")],
    "an OpenRouter API key": [("sk-or-v1-", filler(64, HEX))],
    "an OpenAI API key": [
        ("sk-proj-", filler(48)), ("sk-", filler(48)), ("sk-svcacct-", filler(30)),
        ("sk-admin-", filler(30)),
    ],
    "a Hugging Face token": [("hf_", filler(34)), ("api_org_", filler(34))],
    "a Groq API key": [("gsk_", filler(52))],
    "an xAI API key": [("xai-", filler(80))],
    "a Perplexity API key": [("pplx-", filler(48))],
    "a Replicate token": [("r8_", filler(37))],
    "a LangSmith API key": [("lsv2_pt_", f"{filler(32, HEX)}_{filler(10, HEX)}")],
    "an AWS access key id": [("AKIA", filler(16, UPPER)), ("ASIA", filler(16, UPPER))],
    "an AWS secret access key": [
        ("aws_secret_access_key = ", filler(40, BASE64)),
        ("AWS_SECRET_ACCESS_KEY=", filler(40, BASE64)),
        ("SecretAccessKey: ", filler(40, BASE64)),
    ],
    "an Azure account key": [
        ("DefaultEndpointsProtocol=https;AccountKey=", f"{filler(86, BASE64)}=="),
        ("Endpoint=sb://bus.example.net/;SharedAccessKey=", f"{filler(43, BASE64)}="),
    ],
    "an Azure shared access signature": [("https://x.example/c?sv=1&sig=", f"{filler(43)}%3D")],
    "an Azure client secret": [("", f"{filler(3)}8Q~{filler(34)}")],
    "a Google API key": [("AIza", filler(35))],
    "a Google OAuth client secret": [("GOCSPX-", filler(28))],
    "a Google OAuth token": [("ya29.", filler(60))],
    "a DigitalOcean token": [("dop_v1_", filler(64, HEX))],
    "a Databricks token": [("dapi", filler(32, HEX))],
    "a GitHub token": [("ghp_", filler(36)), ("github_pat_", filler(82)), ("ghs_", filler(36))],
    "a GitLab token": [("glpat-", filler(20)), ("glrt-", filler(20))],
    "an npm token": [("npm_", filler(36))],
    "a PyPI token": [("pypi-", filler(80))],
    "a Docker access token": [("dckr_pat_", filler(27))],
    "an Atlassian API token": [("ATATT3", filler(80))],
    "a HashiCorp Vault token": [("hvs.", filler(24))],
    "a Grafana token": [("glsa_", f"{filler(32)}_{filler(8, HEX)}")],
    "a Postman API key": [("PMAK-", f"{filler(24, HEX)}-{filler(34, HEX)}")],
    "a New Relic key": [("NRAK-", filler(27, UPPER))],
    "a Slack token": [("xoxb-", f"{filler(12, '123')}-{filler(24)}"), ("xapp-1-", filler(40))],
    "a Slack webhook": [("https://hooks.slack.com/services/T0AB12/B0CD34/", filler(24))],
    "a Discord webhook": [
        (f"https://discord.com/api/webhooks/{filler(18, '123')}/", filler(68))
    ],
    "a Telegram bot token": [("bot ", f"{filler(9, '123456789')}:{filler(35)}")],
    "a Stripe key": [("sk_live_", filler(24)), ("rk_test_", filler(24)), ("whsec_", filler(32))],
    "a SendGrid API key": [("SG.", f"{filler(22)}.{filler(43)}")],
    "a Twilio API key": [("SK", filler(32, HEX))],
    "a Shopify token": [("shpat_", filler(32, HEX))],
    "a Notion token": [("ntn_", filler(43))],
    "a Linear API key": [("lin_api_", filler(40))],
    "a Square token": [("sq0atp-", filler(22))],
    "a key, by the name before it": [
        ("api-key: ", f"7a{filler(30, HEX)}"), ('client_secret = "', f"q3{filler(40)}"),
    ],
    "a JSON Web Token": [("", JWT)],
    "a private key": [("", PEM.replace("\\n", "\n"))],
    "a connection string with a password": [
        ("postgresql://app:", "hunter2@db.example.com/prod"),
        ("mongodb+srv://u:", "pa55-word@cluster0.example.net"),
        ("Server=db.example.com;Database=x;User Id=sa;Password=", "Gr8Secret!;Encrypt=yes"),
        ("Data Source=db;Uid=root;Pwd=", "s3cr3tpw;"),
    ],
}  # fmt: skip
"""Kind -> what may be seen, and what must not."""

CASES = [(name, *sample) for name, samples in SAMPLES.items() for sample in samples]


def issues_in(*lines: str) -> tuple[Issue, ...]:
    """Return what the scan finds in lines."""
    rules = judgements({"any": DataProfile()})
    ledger = Ledger(rules, max_issues=50)
    scan_block(Block(1, [line.encode() for line in lines]), ledger)
    return ledger.issues()[0]


def row(content: str, *, escape_slashes: bool = False) -> str:
    """Return a row with `content` as the user's second part."""
    parts = [{"type": "text", "text": "Ünd"}, {"type": "text", "text": content}]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": "ok"}]
    written = json.dumps({"messages": messages}, ensure_ascii=False)
    return written.replace("/", "\\/") if escape_slashes else written


def test_every_kind_has_a_sample() -> None:
    assert {kind.name for kind in KINDS} == set(SAMPLES)
    assert all(kind.source and kind.pattern for kind in KINDS)


@pytest.mark.parametrize(("name", "seen", "hidden"), CASES)
@pytest.mark.parametrize("around", ["{}", "Use {} please", "line\n{}\nnext", 'say "{}"', "k={}&a"])
def test_kind_is_found_where_it_stands(name: str, seen: str, hidden: str, around: str) -> None:
    line = row(around.replace("{}", seen + hidden))
    (issue,) = issues_in(row("nothing"), line, row("nothing"))
    assert name in issue.message
    assert (issue.line, issue.path) == (2, "messages[0].content[1].text")
    assert issue.severity is Severity.WARNING
    assert issue.rule.startswith("secret.")
    assert issue.column is not None
    at = line[issue.column - 1 :]
    assert hidden[:4] in at[: 14 + len(seen)]
    for piece in (hidden[6:], filler(12)):
        assert piece not in issue.message + issue.fix


@pytest.mark.parametrize(("name", "seen", "hidden"), CASES)
def test_kind_is_found_with_escaped_slashes_and_masked(name: str, seen: str, hidden: str) -> None:
    (issue,) = issues_in(row(f"See {seen}{hidden} there", escape_slashes=True))
    assert name in issue.message
    text = f"See {seen}{hidden} there"
    hidden_part = re.split("[@;]", hidden)[0]
    assert hidden_part not in mask(text)
    assert mask(text).startswith("See ")
    assert mask(text).endswith(" there")
    assert "***" in mask(text)


def test_several_secrets_are_counted_and_kept_apart() -> None:
    two = f"sk-{filler(48)} and postgres://a:{filler(8)}@h.example/x"
    found = issues_in(row(two), row("-"), row(f"ghp_{filler(36)}"))
    assert [(issue.line, issue.rule) for issue in found] == [
        (1, "secret.token"), (1, "secret.password"), (3, "secret.token"),
    ]  # fmt: skip


def test_counts_go_on_when_detail_is_full(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{row(f'hf_{filler(34)}')}\n" * 10)
    report = validate(file, profiles={"any": DataProfile()}, max_issues=3)[1]
    assert {issue.rule for issue in report.issues} == {"secret.token"}
    assert (len(report.issues), report.issues_truncated) == (3, 7)
    assert report.ok("any")
    assert report.verdicts["any"].warnings == 10


def test_level_is_the_users_choice(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f"{row('fine')}\n{row(f'postgres://a:{filler(9)}@h.example')}\n")
    profiles = {"any": DataProfile(), "other": DataProfile()}
    refused = validate(file, profiles=profiles, secrets="error")[1]
    assert not refused.ok("any")
    assert not refused.ok("other")
    (issue,) = refused.issues
    assert (issue.line, issue.severity, issue.providers) == (2, Severity.ERROR, ())
    off = validate(file, profiles=profiles, secrets="off")[1]
    assert off.issues == ()
    assert validate(file, profiles={}, secrets="error")[1].issues[0].severity is Severity.ERROR
    rules = judgements(profiles)
    assert with_level(rules, "warning") == rules


def test_workers_find_the_same(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    lines = [row(f"hf_{filler(34)}" if number % 7 == 0 else "fine") for number in range(100)]
    file.write_text("\n".join(lines) + "\n")
    one = validate(file, profiles={"any": DataProfile()}, workers=1)[1]
    two = validate(file, profiles={"any": DataProfile()}, workers=2)[1]
    assert one == two
    assert [issue.line for issue in one.issues] == [n + 1 for n in range(0, 100, 7)]


ORDINARY = [
    "The task-based risk-free sk-learn course costs $5 per head.",
    f"call_{filler(24)} chatcmpl-{filler(29)} toolu_{filler(24)} run-{filler(40)}",
    "commit 3f786850e387550fdab836ed7e6dc881de23001b, id 123e4567-e89b-12d3-a456-426614174000",
    "https://user@example.com/a/very/long-path-with-many-words-and-numbers-1234567890/x?q=1",
    "mail bob.smith+news@example.com, or git@github.com:org/repository-with-a-long-name.git",
    "api_key = os.environ['A_VERY_LONG_VARIABLE_NAME_FOR_THE_KEY'] # not a key itself",
    "postgres://user:***@db.example.com and postgres://$USER:$PASSWORD@host and x://a:{pw}@h",
    "Password=; Pwd=abcdef is no connection string",
    f"sk-{'x' * 32} and ghp_{'*' * 36}",
    "-----BEGIN CERTIFICATE-----\n" + filler(64, BASE64) + "\n-----END CERTIFICATE-----",
    "ssh-rsa AAAAB3NzaC1yc2E" + filler(200, BASE64) + " me@host",
    f"data:image/png;base64,{base64.b64encode(random.Random(3).randbytes(30_000)).decode()}",
    "f(x)=y; Key=short; sig=1; password=1",
    "12:30:45 meeting; ratio 123456789:1",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_has_no_secrets(text: str) -> None:
    assert issues_in(row(text)) == ()
    assert mask(text) == text


@pytest.mark.parametrize("file", sorted(Path("tests/data").glob("*/*.jsonl")), ids=str)
def test_published_data_has_no_secrets(file: Path) -> None:
    assert find_secrets(file.read_bytes()) == []


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    for secret in find_secrets(data):
        assert 0 <= secret.start < secret.end <= len(data)
    text = data.decode("utf-8", "surrogateescape")
    assert isinstance(mask(data.decode("utf-8", "replace")), str)
    assert isinstance(show(text.encode("utf-8", "replace").decode("utf-8", "replace")), str)


@given(st.sampled_from(CASES), st.text(max_size=30), st.text(max_size=30))
def test_whatever_stands_around(case: tuple[str, str, str], before: str, after: str) -> None:
    _, seen, hidden = case
    masked = mask(f"{before} {seen}{hidden} {after}")
    assert re.split("[@;]", hidden)[0] not in masked


def test_other_messages_do_not_show_secrets() -> None:
    secret = f"sk-proj-{filler(48)}"
    assert filler(48)[:12] not in show(f"{'a' * 20} {secret}")
    assert show("plain") == '"plain"'
    ledger = Ledger(judgements({}), max_issues=5)
    bad = json.dumps({"messages": [{"role": secret, "content": "x"}]}).encode()
    TwoPathEngine().check(Block(1, [bad]), ledger)
    found, _ = ledger.issues()
    assert found
    assert all(filler(48)[:12] not in issue.message + issue.fix for issue in found)


def test_broken_json_still_has_line_and_column() -> None:
    line = f'{{"messages": [broken "hf_{filler(34)}"'
    (issue,) = issues_in(line)
    assert issue.column == line.index("hf_") + 1


RULE_CASES = {
    "secret.token": (f"use ¤hf_{filler(34)}", f"use hf_{filler(20)}"),
    "secret.jwt": (f"use ¤{JWT}", "use eyJhbGciOiJub25lIn0.e30."),
    "secret.private_key": (f"¤{PEM}", PEM.replace("PRIVATE", "PUBLIC")),
    "secret.password": ("ftp://me:¤hunter2@h.example", "ftp://me@h.example:21"),
}  # fmt: skip
"""Rule -> text that breaks only it, with the place; text just inside."""


@pytest.mark.parametrize("rule", RULE_CASES)
def test_every_rule_has_a_row_that_breaks_only_it_and_one_inside(rule: str, tmp_path: Path) -> None:
    broken, inside = RULE_CASES[rule]
    marked = row(broken)
    file = tmp_path / "rows.jsonl"
    lines = [row("fine"), marked.replace("¤", ""), row(inside)]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    (issue,) = validate(file, profiles={"any": DataProfile()})[1].issues
    assert (issue.rule, issue.line) == (rule, 2)
    assert issue.column == marked.index("¤") + 1
    assert issue.path == "messages[0].content[1].text"


def test_no_rule_is_forgotten() -> None:
    assert set(RULE_CASES) == {rule for rule in RULES if rule.startswith("secret.")}
    assert set(RULE_CASES) == {kind.rule for kind in KINDS}
