"""Whatever the bytes are: a file is written, or one of our errors says why not. Nothing else."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ftproviders.data.conversion import RowMapping, convert
from ftproviders.data.repair import repair
from ftproviders.data.shapes import Shape
from ftproviders.data.splitting import split
from ftproviders.errors import FineTuneError
from tests.unit.data.data_cases import GOOD

SEEDS = (
    GOOD,
    f"[{GOOD},\n{GOOD}]",
    json.dumps(json.loads(GOOD), indent=1) * 2,
    'prompt,completion\nh\u00e9,yo\n"a\nb",c\n',
    "user\tassistant\nhi\tyo\n",
    '{"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}\n',
    '{"prompt": "q", "chosen": "a", "rejected": "b"}\n',
    '{"instruction": "q", "input": null, "output": 3, "history": [["a", "b"]]}\n',
)


def zipped(content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows", content)
    return packed.getvalue()


PACKERS = (bytes, bytes, bytes, gzip.compress, bz2.compress, lzma.compress, zipped)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252")


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Good files with a few bytes changed, cut out or put in; and plain rubbish."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    text = draw(st.sampled_from(SEEDS)).encode(draw(st.sampled_from(ENCODINGS)))
    content = bytearray(text)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    packed = bytearray(draw(st.sampled_from(PACKERS))(bytes(content)))
    if draw(st.integers(0, 4)) == 0 and packed:
        packed[draw(st.integers(0, len(packed) - 1))] ^= 1 << draw(st.integers(0, 7))
    return bytes(packed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


@settings(deadline=None, max_examples=300)
@given(
    content=files(),
    name=st.sampled_from(["a.jsonl", "a.csv", "a.tsv", "a.gz"]),
    target=st.sampled_from([None, *Shape]),
    out=st.sampled_from(["o.jsonl", "o.csv", "o.json.gz"]),
    stated=st.booleans(),
    skip_bad=st.booleans(),
)
def test_convert(
    folder: Path, content: bytes, name: str, target: Shape | None, out: str, stated: bool,
    skip_bad: bool,
) -> None:  # fmt: skip
    (folder / name).write_bytes(content)
    (folder / out).unlink(missing_ok=True)
    columns = {"user": "prompt", "assistant": "completion"} if stated else {}
    try:
        report = convert(
            folder / name, folder / out, mapping=RowMapping(columns=columns), target=target,
            skip_bad=skip_bad,
        )  # fmt: skip
    except FineTuneError:
        assert not (folder / out).exists()
    else:
        assert report.rows > 0
        assert (folder / out).stat().st_size > 0
    assert not list(folder.glob(".*.part"))
    assert (folder / name).read_bytes() == content


# An archive whose table of contents begins before the file does.
ODD_ZIP = (
    b"PK\x03\x04\x14\x00\x00\x00\x08\x00T v]y\x86H\xdc5\x00\x00\x00B\x00\x00\x00\x04\x00\x00\x00"
     b"rows" + b"\x03\x00" * 24
    + b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x08\x00T v]y\x86H\xdc5\x00\x00\x00B\x00\x00\x00\x04\x00"
    + b"\x00" * 10 + b"\x80\x01\x00\x00\x00\x00rows"
    + b"PK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x002\x00\x00\x00W\x01\x00\x00\x00\x00"
)  # fmt: skip


@settings(deadline=None, max_examples=200)
@example(content=ODD_ZIP)
@given(content=files())
def test_repair_and_split(folder: Path, content: bytes) -> None:
    source, out = folder / "b.jsonl", folder / "fixed.jsonl"
    source.write_bytes(content)
    for name in ("fixed.jsonl", "b.train.jsonl", "b.validation.jsonl"):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(FineTuneError):
        report = repair(source, out)
        assert len(out.read_bytes().splitlines()) >= report.rows
    with contextlib.suppress(FineTuneError):
        split(source, validation=1)
    assert not list(folder.glob(".*.part"))
    assert source.read_bytes() == content
