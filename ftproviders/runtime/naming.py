"""Which deployment a text names, and whether it names one at all."""

from __future__ import annotations

from collections.abc import Sequence

from ftproviders import registry
from ftproviders.errors import (
    ConfigurationError,
    FineTuneError,
    JournalError,
    MissingDependencyError,
    MissingSettingError,
    NotFoundError,
)
from ftproviders.provider import HostingFeature
from ftproviders.runtime.deployments import look_up
from ftproviders.runtime.session import Session
from ftproviders.schema.deployment import DeploymentRef
from ftproviders.schema.job import JobRef

__all__ = ["names_deployment", "resolve_ref"]


def resolve_ref(session: Session, text: str) -> DeploymentRef:
    """Read a full ref, or a name that the journal makes unique.

    Raises:
        ConfigurationError: The text names no deployment, or more than one.
    """
    hint = "`ftproviders deployments` lists refs."
    if ":" in text:
        try:
            ref = DeploymentRef.parse(text)
        except ValueError as error:
            raise ConfigurationError(f"{error}.", hint=hint) from error
        registry.info(ref.provider)
        found = _beginning(session, ref)
        return ref if not found or _there(session, ref) else _only(found, text)
    found = session.journal.deployments.matching(text) if text.strip() else ()
    if found:
        return _only(found, text)
    raise ConfigurationError(f"No deployment {text!r} is known here.", hint=hint)


def _beginning(session: Session, ref: DeploymentRef) -> Sequence[DeploymentRef]:
    """Return the journal's deployments whose names begin so; none where it has just this one."""
    try:
        found = session.journal.deployments.matching(ref.id, within=ref)
    except JournalError:
        return ()  # a whole ref needs no journal
    return () if any(known.id == ref.id for known in found) else found


def _only(found: Sequence[DeploymentRef], text: str) -> DeploymentRef:
    if len(found) == 1:
        return found[0]
    shown = ", ".join(str(ref) for ref in found[:5])
    raise ConfigurationError(
        f"{text!r} fits more than one deployment: {shown}.", hint="Write the whole ref."
    )


def names_deployment(session: Session, text: str) -> bool:
    """Say whether a ref, which jobs and deployments write alike, names a deployment.

    The journal decides where it knows one of the two; else the host is asked, and only for what
    has no job of that name.
    """
    if ":" not in text:
        return bool(text.strip()) and _named_in_journal(session, text)
    try:
        ref = DeploymentRef.parse(text)
        info = registry.info(ref.provider)
    except (ValueError, ConfigurationError):
        return False  # taking it for a job says what is wrong with it
    if info.training is None:
        return info.hosting is not None
    job = JobRef(provider=ref.provider, account=ref.account, id=ref.id)
    known = session.journal.deployments.rows()
    if any(row.ref is not None and str(row.ref) == str(ref) for row in known):
        return session.journal.job(job) is None
    if session.journal.job(job) is not None:
        return False
    if HostingFeature.DEPLOYMENT not in info.hosting_features:
        return False
    return _of_host_alone(session, ref) or _shown_to_be(session, ref, job)


def _shown_to_be(session: Session, ref: DeploymentRef, job: JobRef) -> bool:
    """Ask the provider for a job of the name, then the host for a deployment."""
    try:
        session.retrieve(job)
    except NotFoundError:
        if _there(session, ref):
            return True
        return bool(_beginning(session, ref)) and not session.journal.matching(job.id, within=job)
    except FineTuneError:
        return False  # whoever takes it for a job meets the same error and says so
    return False


def _of_host_alone(session: Session, ref: DeploymentRef) -> bool:
    """Say whether deployments are in the ref's account and jobs are not.

    Where both are told apart - jobs of a project, deployments of the resource it is in - the
    account decides, and nobody is asked.
    """
    if ref.account is None:
        return False
    try:
        return (
            session.hosting(ref.provider).account() == ref.account
            and session.training(ref.provider).account() != ref.account
        )
    except FineTuneError:
        return False  # whoever takes it for a job meets the same error and says so


def _there(session: Session, ref: DeploymentRef) -> bool:
    try:
        return look_up(session, session.hosting(ref.provider), ref) is not None
    except (MissingSettingError, MissingDependencyError):
        return True  # it cannot be looked up from here, and can be asked all the same
    except ConfigurationError:
        return False  # no deployment can have that name


def _named_in_journal(session: Session, text: str) -> bool:
    jobs, found = session.journal.matching(text), session.journal.deployments.matching(text)
    if any(ref.id == text for ref in found):
        return True
    return bool(found) and not jobs
