"""Data files on the command line: what validation says runs; repairs, conversions and splits."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.cli.program import Run, Spawn, ended, row
from tests.cli.test_cli_terminal import PATIENCE_SECONDS, Terminal

GOOD = row("Hi?", "Yo.")
TWO = f"{GOOD}\n{GOOD.replace('Hi', 'How are you')}\n"
ARRAY = f"[\n{GOOD},\n{GOOD.replace('Hi', 'How')}]\n"
TABLE = 'phrase,tone,link\nhi there,polite,x\n"you\nthere",rude,y\n'


def zipped(text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.jsonl", text)
    return packed.getvalue()


RECOGNISED: dict[str, tuple[str, bytes]] = {
    "array": ("train.jsonl", ARRAY.encode()),
    "array-of-pairs": ("it's.json", b'[{"link": 1, "q": "hi", "a": "yo"}]'),
    "spread": ("train.json", "".join(json.dumps(json.loads(x), indent=2) + "\n"
                                     for x in TWO.splitlines()).encode()),
    "csv": ("-strange name.csv", TABLE.encode()),
    "csv-of-known-columns": ("t.csv", b"prompt,completion\nhi,yo\n"),
    "csv-semicolons": ("t.csv", TABLE.replace(",", ";").encode("cp1252")),
    "csv-preferences": ("t.csv", b"prompt,chosen,rejected\nhi,yo,no\n"),
    "tsv": ("t.tsv", TABLE.replace(",", "\t").encode("utf-8-sig")),
    "gzip": ("train.jsonl.gz", gzip.compress(TWO.encode(), mtime=0)),
    "gzip-misnamed": ("train.jsonl", gzip.compress(TWO.encode(), mtime=0)),
    "bzip2": ("train.json.bz2", bz2.compress(ARRAY.encode())),
    "xz": ("train.jsonl.xz", lzma.compress(TWO.encode())),
    "zip": ("train.zip", zipped(TWO)),
    "utf-16": ("train.jsonl", TWO.encode("utf-16")),
    "utf-16-le": ("train.jsonl", TWO.encode("utf-16-le")),
    "utf-16-be": ("train.jsonl", TWO.encode("utf-16-be")),
    "utf-32": ("train.jsonl", TWO.encode("utf-32")),
}  # fmt: skip


def format_fix(run: Run, name: str) -> str:
    """Return the fix of the one issue that validation has with a file."""
    issues = run("validate", "--json", "--provider", "memory", "--", name).json["issues"]
    (fix,) = [issue["fix"] for issue in issues if issue["rule"] == "file.format"]
    return str(fix)


@pytest.mark.parametrize("case", RECOGNISED)
def test_the_command_that_validation_prints_converts_the_file(
    run: Run, folder: Path, case: str
) -> None:
    name, content = RECOGNISED[case]
    (folder / name).write_bytes(content)
    words = shlex.split(format_fix(run, name).partition(": ")[2])
    assert words[:3] == ["ftproviders", "data", "convert"]

    done = run(*words[1:])
    assert done.code == 0, done.err
    method = "dpo" if case == "csv-preferences" else "supervised"
    out = words[words.index("--out") + 1]
    assert Path(out).resolve() != (folder / name).resolve()
    checked = run("validate", out, "--provider", "memory", "--method", method, "--json").json
    assert not [issue for issue in checked["issues"] if issue["severity"] == "error"]
    assert checked["rows"] == (1 if "pairs" in case or "known" in case or "pref" in case else 2)
    assert (folder / name).read_bytes() == content


def test_parquet_is_converted_by_the_command_that_is_printed(run: Run, folder: Path) -> None:
    table = pa.Table.from_pylist([json.loads(line) for line in TWO.splitlines()])
    parquet.write_table(table, folder / "train.parquet")
    words = shlex.split(format_fix(run, "train.parquet").partition(": ")[2])
    assert run(*words[1:]).code == 0
    out = words[words.index("--out") + 1]
    assert Path(out).read_text(encoding="utf-8") == TWO


@pytest.mark.parametrize("writer", [pa.ipc.new_file, pa.ipc.new_stream])
def test_both_forms_of_arrow_are_converted_by_the_command_that_is_printed(
    run: Run, folder: Path, writer: Any
) -> None:
    table = pa.Table.from_pylist([json.loads(line) for line in TWO.splitlines()])
    with writer(str(folder / "train.arrow"), table.schema) as batches:
        batches.write_table(table, max_chunksize=1)
    words = shlex.split(format_fix(run, "train.arrow").partition(": ")[2])
    assert run(*words[1:]).code == 0
    assert Path(words[words.index("--out") + 1]).read_text(encoding="utf-8") == TWO


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.xlsx", b"PK\x03\x04 [Content_Types].xml"),
        ("t.pdf", b"%PDF-1.7"),
        ("t.db", b"SQLite format 3\x00"),
        ("t.zst", b"\x28\xb5\x2f\xfd\x00"),
    ],
)
def test_what_is_not_converted_says_the_same_in_both_verbs(
    run: Run, folder: Path, name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)
    fix = format_fix(run, name)
    refused = run("data", "convert", name, "--out", "o.jsonl")
    assert refused.code == 1
    assert fix in refused.err


def test_convert_with_mappings(run: Run, folder: Path) -> None:
    (folder / "t.csv").write_text(TABLE, encoding="utf-8")
    done = run(
        "data", "convert", "t.csv", "--out", "o.jsonl", "--columns", "assistant=tone",
        "--user-template", r"Say:\n{phrase}\\n", "--system", "Be kind.", "--keep", "link",
    )  # fmt: skip
    assert done.code == 0, done.err
    first = json.loads((folder / "o.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert [m["content"] for m in first["messages"]] == [
        "Be kind.", "Say:\nhi there\\n", "polite",
    ]  # fmt: skip
    assert first["link"] == "x"
    assert "next: ftproviders validate o.jsonl" in done.err

    again = run("data", "convert", "t.csv", "--out", "o.jsonl", "--columns", "user=tone")
    assert again.code == 2
    assert "--overwrite" in again.err


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--columns", "asker=tone"], 2, "asker=tone"),
        (["--from", "klingon"], 2, "no shape 'klingon'"),
        ([], 1, "--columns user=phrase,assistant=tone"),
        (["--columns", "user=phrase,assistant=nothing"], 1, "line 2: there is no column"),
    ],
)
def test_convert_says_what_is_missing(
    run: Run, folder: Path, flags: list[str], code: int, words: str
) -> None:
    (folder / "t.csv").write_text(TABLE, encoding="utf-8")
    done = run("data", "convert", "t.csv", "--out", "o.jsonl", *flags)
    assert (done.code, words in done.err) == (code, True), done.err
    assert not (folder / "o.jsonl").exists()


def test_skipped_rows_are_shown(run: Run, folder: Path) -> None:
    (folder / "t.csv").write_text("prompt,completion\na,b\nc\nd,e\n", encoding="utf-8")
    done = run("data", "convert", "t.csv", "--out", "o.jsonl", "--skip-bad")
    assert done.code == 0
    assert "1 rows that cannot be converted" in done.out
    assert "t.csv:3: the row has 1 column, the table has 2" in done.out


def test_convert_from_standard_input_to_standard_output(spawn: Spawn) -> None:
    process = spawn("data", "convert", "-", "--out", "-", "--quiet", stdin=subprocess.PIPE)
    out, err = process.communicate(b"prompt,completion\na,b\n", timeout=PATIENCE_SECONDS)
    assert (process.returncode, err) == (0, b"")
    (made,) = out.splitlines()
    assert json.loads(made)["messages"][1] == {"role": "assistant", "content": "b"}
    both = ended(spawn("data", "convert", "t.csv", "--out", "-", "--json"))
    assert both.code == 2
    assert json.loads(both.out)["schema"] == "ftproviders.error/1"


def test_split(run: Run, folder: Path) -> None:
    done = run("data", "split", "train.jsonl", "--validation", "25%", "--test", "2", "--seed", "3")
    assert done.code == 0, done.err
    counts = {
        name: len((folder / f"train.{name}.jsonl").read_text(encoding="utf-8").splitlines())
        for name in ("train", "validation", "test")
    }
    assert counts == {"train": 7, "validation": 3, "test": 2}
    assert "no prompt stands in" in done.out
    assert run("data", "split", "train.jsonl", "--test", "2").code == 2
    assert run("data", "split", "train.jsonl", "--validation", "many").code == 2
    assert run("data", "split", "t.jsonl").code == 2
    (folder / "bad.jsonl").write_text("{\n", encoding="utf-8")
    assert run("data", "split", "bad.jsonl").code == 1


def test_fix_lists_what_it_did_and_checks_the_new_file(run: Run, folder: Path) -> None:
    rows = [row(f"q{n}", "a") for n in range(12)]
    rows[3] += ","
    text = "\ufeff" + "\r\n".join([*rows, ""]) + "\n\n"
    (folder / "bad.jsonl").write_text(text, encoding="utf-8", newline="")
    flags = ("--provider", "memory")
    assert run("validate", "bad.jsonl", *flags).code == 1

    done = run("validate", "bad.jsonl", "--fix", "good.jsonl", *flags)
    assert done.code == 0, done.out
    assert "bad.jsonl:4: fixed json.syntax: removed a comma after the last item." in done.out
    assert "good.jsonl has all 12 rows, 1 of them rewritten" in done.out
    assert "\ufeff" + (folder / "good.jsonl").read_text(encoding="utf-8") != text
    assert (folder / "bad.jsonl").read_text(encoding="utf-8").startswith("\ufeff")

    found = run("validate", "bad.jsonl", "--fix", "good.jsonl", "--overwrite", "--json").json
    assert found["file"] == "good.jsonl"
    assert found["repair"]["counts"]["json.syntax"] == 1
    assert run("validate", "bad.jsonl", "--fix", "bad.jsonl", "--overwrite").code == 2
    (folder / "t.csv").write_text(TABLE, encoding="utf-8")
    refused = run("validate", "t.csv", "--fix", "o.jsonl")
    assert refused.code == 1
    assert "ftproviders data convert t.csv" in refused.err


def test_standard_input_and_the_reasons_of_each_provider(spawn: Spawn) -> None:
    process = spawn("validate", "-", stdin=subprocess.PIPE)
    out, err = process.communicate(f"{GOOD}\n{{\n".encode(), timeout=PATIENCE_SECONDS)
    assert (process.returncode, err) == (1, b"")
    lines = out.decode().splitlines()
    assert any(line.startswith("-:2:2: error json.syntax: ") for line in lines)
    verdicts = [line.split() for line in lines[-8:]]
    assert ["memory", "refuses", "1", "0", "json.syntax"] in verdicts
    assert len({words[0] for words in verdicts}) == 8


def test_rows_that_stand_in_both_files(run: Run, folder: Path) -> None:
    first = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()[0]
    (folder / "valid.jsonl").write_text(f"{GOOD}\n{first}\n", encoding="utf-8")
    flags = ("--validation", "valid.jsonl", "--provider", "memory", "--workers", "1", "--json")
    held = run("validate", "train.jsonl", *flags).json["validation_file"]
    (issue,) = [issue for issue in held["issues"] if issue["line"] == 2]
    assert "line 1" in issue["message"]
    assert issue["severity"] == "warning"
    shown = run("validate", "train.jsonl", *flags[:-1]).out
    assert "\n\nvalid.jsonl:2:" in shown
    clean = run("validate", "train.jsonl", *flags[:-1], "--secrets", "off", "--max-issues", "0").out
    assert "\n\n... and" in clean


def test_stats_and_tokens(run: Run) -> None:
    shown = run("data", "stats", "train.jsonl")
    assert shown.code == 0
    assert ["messages", "a", "row", "2"] in [line.split()[:4] for line in shown.out.splitlines()]
    found = run("data", "stats", "train.jsonl", "--json").json["statistics"]
    assert found["messages_by_role"] == {"assistant": 12, "user": 12}
    assert found["rows_without_system"] == 12
    assert "tokens" in run("data", "tokens", "train.jsonl").out
    assert run("data", "tokens", "train.jsonl", "--json").json["tokens"]["total"] > 0


@pytest.mark.parametrize("verb", ["stats", "tokens"])
def test_a_file_in_which_nothing_can_be_counted_is_said(run: Run, folder: Path, verb: str) -> None:
    (folder / "t.csv").write_text("prompt,completion\nhi,yo\n", encoding="utf-8")
    refused = run("data", verb, "t.csv")
    assert (refused.code, refused.out) == (1, "")
    assert "looks like a table" in refused.err
    assert "ftproviders data convert t.csv" in refused.err
    assert run("data", verb, "t.csv", "--json").json["type"] == "DatasetError"
    (folder / "some.jsonl").write_text(f"{GOOD}\n{{\n[]\n", encoding="utf-8")
    counted = run("data", verb, "some.jsonl")
    assert counted.code == 0
    assert "2 of 3 rows have no text that could be counted" in counted.err
    pair = {"prompt": "q", "chosen": "a", "rejected": "b"}
    (folder / "pairs.jsonl").write_text(json.dumps(pair) + "\n", encoding="utf-8")
    counted = run("data", verb, "pairs.jsonl", "--method", "dpo")
    assert "messages 3 (2 assistant, 1 user)" in " ".join(counted.out.split())
    assert counted.err == ""


def test_tokens_of_a_model(run: Run, folder: Path) -> None:
    pytest.importorskip("quicktok", reason="the ranks of the encodings are an extra: tokens")
    flags = ("--model", "gpt-4o-mini-2024-07-18", "--limit", "15", "--exact-tokens")
    found = run("data", "tokens", "train.jsonl", *flags, "--json").json["tokens"]
    assert (found["tokenizer"], found["exact"], found["limit"]) == ("o200k_base", True, 15)
    assert found["total"] > found["billable"] == 12 * 15
    assert found["rows_over_limit"] == 12
    shown = run("data", "tokens", "train.jsonl", *flags).out
    assert "over the limit  12 rows of 15" in shown
    unknown = run("data", "tokens", "train.jsonl", "--model", "nobody/knows")
    assert unknown.code == 0
    assert "tokens are estimated by size" in unknown.err
    validated = run("validate", "train.jsonl", "--model", "nobody/knows", "--provider", "memory")
    assert validated.err == unknown.err
    for more in ((), ("--model", "nobody/knows")):
        assert (
            "not held to --limit" in run("data", "tokens", "train.jsonl", "--limit", "9", *more).err
        )


def test_a_limit_counts_for_a_sample_and_for_standard_input(spawn: Spawn, folder: Path) -> None:
    pytest.importorskip("quicktok", reason="the ranks of the encodings are an extra: tokens")
    short, long = row("Hi?", "Yo. " * 200), row("Hi?", "Yo. " * 900)
    text = f"{short}\n" * 9_000 + f"{long}\n" * 7
    (folder / "many.jsonl").write_text(text, encoding="utf-8")
    flags = ("--model", "gpt-4o-mini-2024-07-18", "--limit", "800", "--json")
    with (folder / "many.jsonl").open("rb") as source:
        for name in ("many.jsonl", "-"):
            process = spawn("data", "tokens", name, *flags, stdin=source, stdout=subprocess.PIPE)
            found = ended(process).json["tokens"]
            assert (found["exact"], found["limit"], found["rows_over_limit"]) == (False, 800, 7)


def large_file(folder: Path) -> Path:
    """Write a file that takes some seconds to convert."""
    large = folder / "large.jsonl"
    line = json.dumps({"prompt": "a" * 40, "completion": "b" * 40}) + "\n"
    large.write_text(line * 400_000, encoding="utf-8")
    return large


def wait_for_part(folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not [p for p in folder.glob(".*.part") if p.stat().st_size > 10_000]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("verb", [["convert", "--out", "o.jsonl"], ["split"]])
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another signal there")
def test_ctrl_c_leaves_nothing_half_written(spawn: Spawn, folder: Path, verb: list[str]) -> None:
    large = large_file(folder)
    if verb == ["split"]:
        lines = (f'{{"n": {n}}}\n' for n in range(400_000))
        large.write_text("".join(lines), encoding="utf-8")
    before = {path.name for path in folder.iterdir()}
    process = spawn("data", verb[0], "large.jsonl", *verb[1:])
    wait_for_part(folder)
    process.send_signal(signal.SIGINT)
    result = ended(process)
    assert result.code == 130, result.err
    assert "Traceback" not in result.err
    assert {path.name for path in folder.iterdir()} == before


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another signal there")
def test_ctrl_c_while_repairing(spawn: Spawn, folder: Path) -> None:
    large_file(folder)
    before = {path.name for path in folder.iterdir()}
    process = spawn("validate", "large.jsonl", "--fix", "fixed.jsonl")
    wait_for_part(folder)
    process.send_signal(signal.SIGINT)
    result = ended(process)
    assert result.code == 130, result.err
    assert "Traceback" not in result.err
    assert {path.name for path in folder.iterdir()} == before


def test_progress_is_shown_on_a_terminal_only(spawn: Spawn, folder: Path) -> None:
    large_file(folder)
    command = ["data", "convert", "large.jsonl", "--out"]
    shown = Terminal(spawn, *command, "one.jsonl", stdout=True).end()
    assert shown.code == 0
    assert "\rconverting large.jsonl: " in shown.err
    quiet: Any = ended(spawn(*command, "two.jsonl"))
    assert "converting" not in quiet.err
