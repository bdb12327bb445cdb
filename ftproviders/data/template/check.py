"""Looks at rows as the base model's chat template writes them, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from ftproviders.data.findings import Finding
from ftproviders.data.ledger import Ledger
from ftproviders.data.secrets import mask
from ftproviders.data.stream import BOM, open_data_file
from ftproviders.data.template.chat import ChatTemplate, EncodedRow
from ftproviders.data.template.faults import dropped, refusal
from ftproviders.data.template.pairs import Reading, readings
from ftproviders.data.template.probes import answer_form, kinds_of, spare_tokens, treatments
from ftproviders.data.template.tokenizer import BrokenRow, encode_messages
from ftproviders.data.tokens.totals import decode_row
from ftproviders.schema.template import RenderedRow, TemplateReport

__all__ = ["TemplateCheck"]

_ROWS = 5_000
"""Rows that are rendered when nobody asks for all: about a millisecond each."""
_SHOWN_ROWS = 3
_SHOWN_CHARACTERS = 2_000


class TemplateCheck:
    """Renders rows and notes what is wrong with them.

    A preference row is read twice, as in training: the input with the preferred answer, and with
    the rejected one.

    Args:
        chat: The base model's tokenizer and template.
        model: How the model is named.
        max_length: Longest row of the training in tokens; None = not known.
    """

    def __init__(self, chat: ChatTemplate, *, model: str, max_length: int | None = None) -> None:
        self._chat = chat
        self._model = model
        self._max_length = max_length
        self._treatments = treatments(chat)
        self._form = answer_form(chat)
        self._kinds: set[str] = set()
        self._spare = spare_tokens(chat)
        self._counts: dict[str, int] = dict.fromkeys(
            ("refused", "dropped", "rewritten", "masked", "truncated", "too_long", "rows"), 0
        )
        self._first: list[RenderedRow] = []

    def check_file(self, path: Path, ledger: Ledger, *, every_row: bool = False) -> TemplateReport:
        """Look at the rows of a file and write what is wrong into `ledger`.

        Looked at are the first 5,000 rows, and all rows that may be too long: tokens never exceed
        bytes by more than what the template adds.

        Args:
            path: The file, JSON Lines.
            ledger: Where findings go.
            every_row: Look at all rows.

        Raises:
            DatasetError: The file cannot be read.
        """
        complete = True
        limit = self._max_length
        with closing(open_data_file(path)) as file:
            for number, line in enumerate(file, start=1):
                if not every_row and self._counts["rows"] >= _ROWS:
                    complete = False
                    if limit is None:
                        break
                    if len(line) + self._spare <= limit:
                        continue
                self._look(line.removeprefix(BOM) if number == 1 else line, number, ledger)
        return self._report(complete=complete)

    def _look(self, line: bytes, number: int, ledger: Ledger) -> None:
        """Look at a row: once, or at each conversation of a pair."""
        findings: dict[tuple[object, ...], Finding] = {}
        read = too_long = False
        for reading in readings(decode_row(line)):
            encoded = encode_messages(self._chat, reading.row)
            if isinstance(encoded, BrokenRow):
                if encoded.error is None:
                    continue  # other rules say what it is
                found: Iterable[Finding] = (
                    refusal(reading, encoded.error, self._chat, self._model),
                )
            else:
                self._show(encoded, reading, number)
                found = self._findings(reading, encoded)
                too_long |= self._max_length is not None and encoded.tokens > self._max_length
            read = True
            self._kinds |= kinds_of(reading.row)
            for one in found:  # what both conversations begin with is said once
                findings.setdefault((one.rule, one.path), one)
        counts = self._counts
        counts["rows"] += read
        counts["too_long"] += too_long
        for rule in {one.rule for one in findings.values()}:
            counts[rule.removeprefix("template.")] += 1
        if findings:
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            for one in findings.values():
                ledger.add(one, line=number, text=text)

    def _show(self, encoded: EncodedRow, reading: Reading, number: int) -> None:
        shown = {row.line for row in self._first}
        if number not in shown and len(shown) >= _SHOWN_ROWS:
            return
        text = mask(encoded.text)
        if len(text) > _SHOWN_CHARACTERS:
            text = text[: _SHOWN_CHARACTERS - 1] + "…"
        self._first.append(
            RenderedRow(
                line=number,
                text=text,
                tokens=encoded.tokens,
                learned_tokens=self._learned(encoded),
                answer=reading.answer,
            )
        )

    def _learned(self, encoded: EncodedRow) -> int:
        """Count the tokens that are learned and not cut off."""
        limit = self._max_length
        return sum(limit is None or at < limit for at in encoded.learned)

    def _findings(self, reading: Reading, encoded: EncodedRow) -> Iterator[Finding]:
        yield from dropped(reading, encoded.text, self._model)
        limit = self._max_length
        learned, wanted = self._learned(encoded), len(encoded.learned)
        what = "row" if reading.answer is None else f"input with the {reading.name}"
        if not learned:
            why = "its answers are empty or have weight 0"
            if reading.answer:
                why = "it is empty or has weight 0"
            if wanted:
                subject = "it lies" if reading.answer else "every answer lies"
                why = f"{subject} beyond the {limit:,} tokens of the longest row"
            yield Finding(
                rule="template.masked",
                path=reading.answered,
                message=f"the {reading.name} has no token to learn from: {why}",
                fix="Shorten the row, raise max_length_tokens, or drop the row.",
            )
        elif limit is not None and encoded.tokens > limit:
            yield Finding(
                rule="template.truncated",
                path=reading.answered,
                message=f"the {what} has {encoded.tokens:,} tokens, {limit:,} are trained on; "
                f"{wanted - learned:,} tokens of answers are cut off",
                fix="Shorten or split the row, or raise max_length_tokens.",
            )

    def _report(self, *, complete: bool) -> TemplateReport:
        return TemplateReport(
            model=self._model,
            template=self._chat.source,
            marked=self._chat.marked,
            treatments=self._treatments,
            kinds=tuple(kind for kind in self._treatments if kind in self._kinds),
            opens_answers=self._form.opens,
            ends_answers=self._form.ends,
            complete=complete,
            max_length_tokens=self._max_length,
            first_rows=tuple(self._first),
            **self._counts,
        )
