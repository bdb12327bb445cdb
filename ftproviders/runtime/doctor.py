"""Looking at the set-up: folders, journal, providers."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from importlib.util import find_spec

from ftproviders import registry
from ftproviders.config import data_engine
from ftproviders.data.native import native
from ftproviders.errors import FineTuneError
from ftproviders.provider import HostingFeature
from ftproviders.runtime.planner import unknown_in_profile
from ftproviders.runtime.session import Session
from ftproviders.schema.submission import CheckResult

__all__ = ["doctor"]

_LITTLE_DISK_BYTES = 2 * 1024**3


def doctor(session: Session) -> Iterator[CheckResult]:
    """Yield one result for each thing looked at; providers get one harmless read each."""
    python = platform.python_version()
    yield CheckResult(name="python", ok=True, detail=f"{python} on {platform.system()}")
    file = session.config.config_file
    there = "read" if file.exists() else "not there; defaults are used"
    strange = unknown_in_profile(session.config)
    detail = f"{file} ({there})"
    hint = ""
    if strange:
        detail += f"; it has settings for unknown providers: {strange}"
        hint = "Correct the name, or install the package that brings it."
    yield CheckResult(name="configuration", ok=not strange, detail=detail, hint=hint)
    yield _journal(session)
    yield _disk(session)
    yield _data_engine()
    for name in registry.names():
        found = _provider(session, name)
        yield found
        if found.ok:
            yield from _deploying(session, name)
        yield from _optional(name)


def _deploying(session: Session, name: str) -> Iterator[CheckResult]:
    """Yield one result for what deploying at a provider needs, where that is anything."""
    if HostingFeature.DEPLOY not in registry.info(name).hosting_features:
        return
    try:
        host = session.hosting(name)
        needs = session.call(host, "check", lambda: host.requirements(ask=True))
    except FineTuneError as error:
        yield CheckResult(
            name=f"provider {name}: deploying", ok=False, detail=error.message, hint=error.hint
        )
        return
    if needs:
        yield CheckResult(
            name=f"provider {name}: deploying",
            ok=all(need.met is not False for need in needs),
            detail="; ".join(f"{need.name}: {need.detail}" for need in needs),
            hint=" ".join(need.hint for need in needs if need.met is False),
        )


def _optional(name: str) -> Iterator[CheckResult]:
    """Yield one result for all optional parts of a provider; a part that is missing is no fault."""
    try:
        parts = registry.info(name).optional_modules
    except FineTuneError:
        return  # said already
    missing = [part for part, module in parts.items() if find_spec(module) is None]
    if parts:
        have = ", ".join(part for part in parts if part not in missing) or "none"
        yield CheckResult(
            name=f"optional for {name}",
            ok=True,
            detail=f"installed: {have}" + (f"; not: {', '.join(missing)}" if missing else ""),
            hint=f"For what you need of it: pip install 'ftproviders[{','.join(missing)}]'"
            if missing
            else "",
        )


def _journal(session: Session) -> CheckResult:
    try:
        open_rows = len(session.journal.unresolved())
        unknown = [row for row in session.journal.deployments.rows() if row.maybe_sent]
        jobs = len(session.journal.records())
    except FineTuneError as error:
        return CheckResult(name="journal", ok=False, detail=error.message, hint=error.hint)
    if open_rows:
        return CheckResult(
            name="journal",
            ok=False,
            detail=f"{open_rows} submission(s) whose outcome is unknown",
            hint="Run: ftproviders reconcile",
        )
    if unknown:
        return CheckResult(
            name="journal",
            ok=False,
            detail=f"{len(unknown)} deployment(s) whose outcome is unknown",
            hint="Look at `ftproviders deployments`, then run the same deploy command again.",
        )
    return CheckResult(name="journal", ok=True, detail=f"{session.journal.path}, {jobs} job(s)")


def _disk(session: Session) -> CheckResult:
    folder = session.config.home
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    ok = free >= _LITTLE_DISK_BYTES
    hint = "" if ok else "Free disk space, or set FTPROVIDERS_HOME and FTPROVIDERS_CACHE elsewhere."
    return CheckResult(
        name="disk", ok=ok, detail=f"{free / 1024**3:.1f} GiB free at {folder}", hint=hint
    )


def _data_engine() -> CheckResult:
    """Say which engine looks at data files; the slower one is no fault."""
    name = "data engine"
    try:
        if native():
            return CheckResult(name=name, ok=True, detail="native")
    except FineTuneError as error:
        return CheckResult(name=name, ok=False, detail=error.message, hint=error.hint)
    if data_engine() == "python":
        detail, hint = "python, as FTPROVIDERS_DATA_ENGINE says", ""
    else:
        detail = "python: the native engine was not built when the package was installed"
        hint = "To look at large files several times as fast: install a C compiler and reinstall."
    return CheckResult(name=name, ok=True, detail=detail, hint=hint)


def _provider(session: Session, name: str) -> CheckResult:
    label = f"provider {name}"
    try:
        found = registry.info(name)
        if found.rules_only:
            return CheckResult(
                name=f"data rules {name}", ok=True, detail="tuning is not in this version yet"
            )
        if found.training is None:
            session.hosting(name)
            return CheckResult(name=label, ok=True, detail="hosts only; ready")
        adapter = session.training(name)
        account = session.call(adapter, "check", adapter.check)
    except FineTuneError as error:
        return CheckResult(name=label, ok=False, detail=error.message, hint=error.hint)
    detail = f"{account.account}: {account.detail}" if account.detail else account.account
    return CheckResult(name=label, ok=True, detail=detail)
