"""What a job needs from this machine's disk before it can be planned: model, template, versions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ftproviders.adapters.local.options import LocalOptions
from ftproviders.data.template import GivenTemplate, given_template, model_folder
from ftproviders.errors import ConfigurationError
from ftproviders.schema.job import JobSpec
from ftproviders.schema.value import JsonValue
from ftproviders.worker import hardware
from ftproviders.worker.basemodel import ALIAS, BaseModel, alias_folder, locate

__all__ = [
    "about_dtype",
    "about_model",
    "base_model",
    "further_identity",
    "installed",
    "known_dtype",
    "template",
]


def base_model(spec: JobSpec) -> BaseModel:
    """Return the base model that a spec names.

    Raises:
        ConfigurationError: There is none, or it must not be loaded.
    """
    try:
        return locate(str(spec.base_model))
    except ValueError as error:
        raise ConfigurationError(str(error), provider="local", operation="plan") from error


def about_model(model: BaseModel, cache: Path) -> str:
    """Return one line for a plan: where the base model comes from."""
    if model.kind == "path":
        return f"Base model: the folder {model.name}."
    if model.kind == "hub":
        if model_folder(model.name, cache=cache) is not None:
            return f"Base model: {model.name}, which is in the Hugging Face Hub's cache here."
        return (
            f"Base model: {model.name} of the Hugging Face Hub, which is not in its cache here: "
            "nobody has checked that it exists, and it is downloaded at the start."
        )
    if alias_folder(cache).is_dir():
        return f"Base model: {ALIAS}, already converted."
    return f"Base model: {ALIAS}, which is downloaded (93 MB) and converted once, at the start."


def known_dtype(wanted: str) -> str:
    """Return the data type that ``auto`` stands for; ``auto`` where only the device knows it."""
    if wanted != "auto" or hardware.has_nvidia_device():
        return wanted
    return "bf16" if hardware.cpu_has_bf16() else "fp32"


def about_dtype(wanted: str, *, whole: bool = False) -> str:
    """Return one line for a plan: the data type, and why.

    Args:
        wanted: ``auto``, ``bf16`` or ``fp32``.
        whole: Whether every weight is trained.
    """
    if whole and wanted == "fp32":
        return "Data type: fp32, in which a whole model keeps its small updates."
    if wanted == "bf16" and not (hardware.has_nvidia_device() or hardware.cpu_has_bf16()):
        return (
            "Data type: bf16, as stated; this processor has no bf16 instructions, so fp32 may be "
            "faster."
        )
    if wanted != "auto":
        return f"Data type: {wanted}, as stated."
    if hardware.has_nvidia_device():
        return "Data type: bf16 if the NVIDIA device computes in it, otherwise fp32."
    if hardware.cpu_has_bf16():
        return "Data type: bf16; this processor multiplies it natively."
    return "Data type: fp32; this processor has no bf16 instructions."


def template(options: LocalOptions) -> GivenTemplate | None:
    """Read the user's chat template; the job keeps the text, so the file may change later.

    Raises:
        ConfigurationError: It cannot be read, or is no valid Jinja.
    """
    given = options.chat_template
    return None if given is None else given_template(given, provider="local")


def further_identity(spec: JobSpec, options: LocalOptions) -> Mapping[str, JsonValue]:
    """Return what stands behind the names in a spec: the model's folder, the template's text."""
    model, given = base_model(spec), template(options)
    found: dict[str, JsonValue] = {}
    if model.kind == "path":
        found["base_model_folder"] = str(Path(model.name).resolve())
    if given is not None:
        found["chat_template_sha256"] = hashlib.sha256(given.text.encode("utf-8")).hexdigest()
    return found


def installed(name: str) -> str | None:
    """Return the installed version of a distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
