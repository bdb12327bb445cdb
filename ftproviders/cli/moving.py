"""What a plan that was made from an existing job says of it, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftproviders.schema.moved import Lifecycle, MovedFile, MovedFrom, MovedSetting
    from ftproviders.schema.plan import JobPlan

__all__ = ["moved_lines"]


def moved_lines(made: JobPlan) -> Iterator[str]:
    """Yield a line for the old job, each file and setting, each loss, and both ends."""
    moved = made.moved_from
    if moved is None:
        return
    yield f"moved from  {moved.ref} ({moved.status})"
    if moved.provider != made.provider:
        yield f"changes     provider: {moved.provider} -> {made.provider}"
    if moved.base_model != made.base_model:
        yield f"changes     model: {moved.base_model or 'not known'} -> {made.base_model}"
    yield from (f"data        {_file(file, moved)}" for file in moved.files)
    for setting in moved.settings:
        # Defaults, and what is stated now and ignored, are shown among the plan's own lines.
        if setting.before is not None or setting.outcome == "changed":
            yield f"moves       {_setting(setting, moved)}"
    yield from (f"lost        {what}" for what in moved.lost)
    for end in dict.fromkeys((moved.source_lifecycle, moved.target_lifecycle)):
        yield f"until       {_until(end)}"


def _file(file: MovedFile, moved: MovedFrom) -> str:
    if file.origin == "given":
        how = "given now"
    elif file.origin == "kept":
        how = "as it was submitted"
    else:
        how = f"the copy of {moved.provider}"
    return f"{file.purpose}: {file.path} ({how}; SHA-256 {file.sha256[:16]}...)"


def _setting(setting: MovedSetting, moved: MovedFrom) -> str:
    told = f"; {moved.provider} tells it" if setting.told else ""
    if setting.outcome == "changed":
        before = "not stated" if setting.before is None else setting.before
        after = "not stated" if setting.after is None else setting.after
        return f"{setting.name}: {before} -> {after}"
    what = {"taken": "taken", "mapped": f"sent as {setting.detail}"}.get(setting.outcome)
    return f"{setting.name} = {setting.before}: {what or f'ignored ({setting.detail})'}{told}"


def _until(end: Lifecycle) -> str:
    name = f"{end.provider}, {end.model}: "
    if end.last_job_day is None and end.last_answer_day is None:
        return f"{name}no end is known here"
    parts = []
    if end.last_job_day is not None:
        parts.append(f"jobs until {end.last_job_day.isoformat()}")
    if end.last_answer_day is not None:
        parts.append(f"tuned models answer until {end.last_answer_day.isoformat()}")
    note = f"; {end.note}" if end.note else ""
    return f"{name}{', '.join(parts)}{note} ({end.source})"
