"""What was found in the data and should be seen before money is spent, in a line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ftproviders.schema.dataset import Issue, Severity, ValidationReport
from ftproviders.schema.template import TemplateReport

__all__ = ["data_notes", "data_warnings"]

_FAMILIES: Mapping[str, tuple[str, str]] = {
    "secret.": ("a possible secret", "possible secrets"),
    "template.": (
        "a row that the model's chat template does not write as it stands",
        "rows that the model's chat template does not write as they stand",
    ),
    "row.tokens": ("a row longer than the model takes", "rows longer than the model takes"),
}
"""Beginning of rule ids -> how one of them, and several, are called."""


def data_warnings(*reports: ValidationReport | None) -> Iterator[str]:
    """Yield one warning for each file and family of issues, with the first place.

    Args:
        reports: On the training file, then on the validation file.
    """
    for report in reports:
        if report is None:
            continue
        for family, (one, several) in _FAMILIES.items():
            found = [issue for issue in report.issues if _concerns(issue, family)]
            if found:
                more = "at least " if report.issues_truncated else ""
                what = one if len(found) == 1 and not more else f"{more}{len(found)} {several}"
                first = found[0]
                yield f"{report.file} has {what}. Line {first.line}: {first.message}."
    for template in [report.template for report in reports[:1] if report is not None]:
        if template is not None:
            yield from _about_answers(template)


def _about_answers(template: TemplateReport) -> Iterator[str]:
    """Yield what the form of an answer will do to the tuned model."""
    if not template.ends_answers:
        yield (
            f"Chat template ({template.template}): no end token is learned after the assistant's "
            "words, so the model would not learn to stop. Write one there, for instance "
            "{{ eos_token }}; with {% generation %} marks, inside them."
        )
    if not template.opens_answers:
        yield (
            f"Chat template ({template.template}): it ignores add_generation_prompt. A chat asks "
            "without what stands before the assistant's words, so the model has to write that "
            "itself. Write it too where add_generation_prompt is set."
        )


def _concerns(issue: Issue, family: str) -> bool:
    return issue.rule.startswith(family) and issue.severity is not Severity.INFO


def data_notes(report: ValidationReport) -> Iterator[str]:
    """Yield how tokens were counted, and what in these rows the template does not write."""
    tokens = report.tokens
    if tokens.low is not None and tokens.high is not None:
        yield f"Tokens: {tokens.method}; 95 % interval {tokens.low:,} to {tokens.high:,}."
    elif tokens.tokenizer is not None:
        yield f"Tokens: {tokens.method}."
    if tokens.hint:
        said = "estimated by size" in tokens.hint
        yield tokens.hint if said else f"Tokens are estimated by size. {tokens.hint}"
    template = report.template
    if template is None:
        return
    for word in ("dropped", "refused"):
        kinds = [k for k in template.kinds if template.treatments.get(k) == word]
        if kinds:
            yield f"Chat template ({template.template}): {word} are {', '.join(kinds)}."
