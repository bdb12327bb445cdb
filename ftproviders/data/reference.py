"""The page ``docs/data-rules.md``, made of the rule table and the providers' data profiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ftproviders.data.rules import RULES, Rule
from ftproviders.provider.info import ProviderInfo
from ftproviders.schema.dataset import Severity
from ftproviders.schema.hyperparameters import Method

__all__ = ["data_rules_page"]

_CLASSES = {
    "S": "the official API description, an RFC or an SDK",
    "D": "documentation of the vendor or the project",
    "J": "our judgement",
}
_HEAD = """# Data rules

Generated from the rule table; `python -m ftproviders.cli.datarules docs/data-rules.md` writes it.

An error stops an upload, a warning and an info do not. "off" means that nobody minds unless a
provider's profile says so. Sources: {classes}.
"""


def data_rules_page(providers: Mapping[str, ProviderInfo]) -> str:
    """Return the whole page.

    Args:
        providers: Provider name -> what it says of itself.
    """
    classes = "; ".join(f"[{letter}] {meaning}" for letter, meaning in _CLASSES.items())
    parts = [_HEAD.format(classes=classes), *_groups(), *_providers(providers)]
    return "\n".join(parts).rstrip() + "\n"


def _groups() -> Iterator[str]:
    by_group: dict[str, list[Rule]] = {}
    for rule in RULES.values():
        by_group.setdefault(rule.id.partition(".")[0], []).append(rule)
    for group, rules in by_group.items():
        yield f"## {group}\n"
        yield "| rule | severity | what is asked | why | methods | source |"
        yield "|---|---|---|---|---|---|"
        for rule in rules:
            yield (
                f"| `{rule.id}` | {_severity(rule.severity)} | {_cell(rule.title)} | "
                f"{_cell(rule.why)} | {_methods(rule.methods)} | "
                f"[{rule.source_class}] {_cell(rule.source)} |"
            )
        yield ""


def _providers(providers: Mapping[str, ProviderInfo]) -> Iterator[str]:
    yield "## Providers\n"
    yield (
        "| provider | rows | bytes | one upload | images a row, rows with images | row shapes | "
        "validation file | other severities |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, info in sorted(providers.items()):
        data = info.data
        images = "any" if data.maximum_row_images is None else f"{data.maximum_row_images}"
        seen = "any" if data.maximum_image_rows is None else f"{data.maximum_image_rows:,}"
        other = [f"`{rule}` {_severity(one)}" for rule, one in sorted(data.severities.items())]
        yield (
            f"| `{name}` | {data.minimum_training_rows}, validation "
            f"{data.minimum_validation_rows} | {_size(data.maximum_bytes)} | "
            f"{_size(data.maximum_plain_bytes)} | {images}, {seen} | "
            f"{', '.join(sorted(data.row_shapes))} | "
            f"{', '.join(sorted(m.value for m in data.needs_validation_file)) or 'optional'} | "
            f"{', '.join(other) or 'none'} |"
        )
    yield ""
    for name, info in sorted(providers.items()):
        if info.data.source:
            yield f"- `{name}`: {_cell(info.data.source)}"
    yield ""
    yield "## Base models\n"
    yield "| provider | model | methods | tokens a row | images | source |"
    yield "|---|---|---|---|---|---|"
    for name, info in sorted(providers.items()):
        for model in info.data.models:
            methods = "as the provider" if model.methods is None else _methods(model.methods)
            tokens = "not published" if model.row_tokens is None else f"{model.row_tokens:,}"
            sees = {True: "yes", False: "no", None: "unknown"}[model.images]
            yield (
                f"| `{name}` | `{model.pattern}` | {methods} | {tokens} | {sees} | "
                f"{_cell(model.source)} |"
            )


def _severity(severity: Severity | None) -> str:
    return severity.value if severity else "off"


def _methods(methods: frozenset[Method]) -> str:
    return "all" if methods == frozenset(Method) else ", ".join(sorted(m.value for m in methods))


def _size(size: int | None) -> str:
    if size is None:
        return "no limit known"
    return f"{size / 2**20:,.0f} MiB" if size % 2**20 == 0 else f"{size / 1e6:,.0f} MB"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
