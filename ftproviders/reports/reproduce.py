"""How to run a job once more: a command, a job file, Python lines."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ftproviders.reports.content import JobReport
from ftproviders.reports.markup import HIDDEN, withheld
from ftproviders.schema.hyperparameters import Method
from ftproviders.schema.job import JobSpec

__all__ = ["again", "as_command", "as_python", "digest_check", "holds_back"]

_FLAGS: Mapping[str, str] = {
    "n_epochs": "--epochs",
    "batch_size": "--batch-size",
    "learning_rate": "--learning-rate",
    "learning_rate_multiplier": "--learning-rate-multiplier",
    "lora_r": "--lora-r",
    "lora_alpha": "--lora-alpha",
    "lora_dropout": "--lora-dropout",
}
"""Hyperparameters that have a flag; with any other, the command uses a job file."""


def again(report: JobReport) -> JobSpec | None:
    """Return what to submit for the same training: what was asked for, with the seed in force.

    The models and options of other providers, and the note, are left out. None = what was asked
    for is not known.
    """
    spec = report.spec
    if spec is None:
        return None
    provider = report.snapshot.ref.provider
    model = spec.base_model
    if not isinstance(model, str):
        model = model.get(provider) or report.snapshot.base_model or ""
    own = spec.options.get(provider, {})
    return spec.model_copy(
        update={
            "provider": provider,
            "base_model": model,
            "options": {provider: withheld(own)} if own else {},
            "seed": report.seed,
            "note": None,
        }
    )


def holds_back(spec: JobSpec) -> bool:
    """Say whether an option is not shown because its name says that it is secret."""
    return HIDDEN in str(dict(spec.options))


def as_command(spec: JobSpec) -> str:
    """Return shell lines that submit `spec`; ``--again``, because the same submission is one job.

    Where a setting has no flag, the lines write a job file first.
    """
    stated = spec.hyperparameters.stated
    own = spec.options.get(spec.provider, {})
    plain = all(isinstance(value, (str, int, float, bool)) for value in own.values())
    if not plain or any(name not in _FLAGS for name in stated):
        return _with_job_file(spec)
    words = ["--provider", spec.provider, "--model", str(spec.base_model)]
    words += ["--training-file", spec.training_file]
    words += ["--validation-file", spec.validation_file] if spec.validation_file else []
    words += ["--method", spec.method.value] if spec.method is not Method.SUPERVISED else []
    for name, value in stated.items():
        words += [_FLAGS[name], _word(value)]
    words += ["--seed", str(spec.seed)] if spec.seed is not None else []
    words += ["--suffix", spec.suffix] if spec.suffix else []
    for option, chosen in own.items():
        words += ["-o", f"{option}={_word(chosen)}"]
    words += ["--max-cost", _word(spec.max_cost_usd)] if spec.max_cost_usd is not None else []
    words += ["--strict"] if spec.strict else []
    return _wrapped(["ftproviders", "submit", *words, "--again"])


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def _plain(path: str) -> bool:
    return path.isprintable() and "\\" not in path


def _wrapped(words: list[str]) -> str:
    """Put each flag with its value on a line of its own."""
    lines: list[list[str]] = [[]]
    for word in words:
        if word.startswith("-") and lines[-1]:
            lines.append([])
        lines[-1].append(shlex.quote(word))
    return " \\\n    ".join(" ".join(line) for line in lines)


def _with_job_file(spec: JobSpec) -> str:
    import yaml

    text = yaml.safe_dump(_stated(spec), sort_keys=False, allow_unicode=True)
    # The quoted word keeps the shell's hands off the text; it must not stand in the text itself.
    word = "JOB"
    while word in text.split("\n"):
        word += "_"
    return f"cat > job.yaml <<'{word}'\n{text}{word}\nftproviders submit job.yaml --again"


def _stated(spec: JobSpec) -> dict[str, Any]:
    """Return the fields of `spec` that say something, as plain values."""
    return spec.model_dump(mode="json", exclude_defaults=True, exclude_none=True)


def as_python(spec: JobSpec) -> str:
    """Return Python lines that submit `spec` once more and wait."""
    fields = _stated(spec)
    knobs = fields.pop("hyperparameters", {})
    lines = [f"    {name}={value!r}," for name, value in fields.items()]
    if knobs:
        inner = ", ".join(f"{name}={value!r}" for name, value in knobs.items())
        lines.append(f"    hyperparameters=ft.Hyperparameters({inner}),")
    return "\n".join(
        [
            "import ftproviders as ft",
            "",
            "spec = ft.JobSpec(",
            *lines,
            ")",
            "job = ft.submit(spec, again=True)  # the same submission is one job: train once more",
            "job.wait()",
        ]
    )


def digest_check(report: JobReport, spec: JobSpec) -> str:
    """Return shell lines that check the data files; empty when no digest is known."""
    paths = {"training": spec.training_file, "validation": spec.validation_file}
    named = [(file.sha256, paths.get(file.purpose)) for file in report.files]
    # A path with a line break would end the list, and what follows would be a command.
    lines = [f"{digest}  {path}" for digest, path in named if digest and path and _plain(path)]
    if not lines:
        return ""
    return "\n".join(["sha256sum --check <<'FILES'", *lines, "FILES"])
