"""Deployments on this machine: a folder each, with a supervisor that holds the folder's lock."""

from __future__ import annotations

import importlib.util
import re
import secrets
import shutil
import time
from pathlib import Path

from ftproviders.adapters.local.deploywire import to_deployment
from ftproviders.adapters.local.options import LocalSettings
from ftproviders.errors import (
    ConfigurationError,
    ConflictError,
    DeploymentError,
    MissingDependencyError,
    NotFoundError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)
from ftproviders.provider.machine import machine_name
from ftproviders.schema.deployment import (
    DeploymentPage,
    DeploymentRef,
    DeploymentSnapshot,
    DeploymentSpec,
    DeploymentStatus,
    Lease,
)
from ftproviders.schema.job import TunedModel
from ftproviders.worker import process
from ftproviders.worker.basemodel import folder_problem, locate
from ftproviders.worker.deploydir import DeploymentDirectory
from ftproviders.worker.merge import is_adapter
from ftproviders.worker.rundir import now, private_folder
from ftproviders.worker.serve import EXISTS

__all__ = ["Deployments", "missing_server"]

_PAGE_ROWS = 50
_STALE_SECONDS = 3600.0
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
_SERVER_MODULES = ("fastapi", "uvicorn", "openai")
"""What the server of transformers needs beside transformers itself."""


def missing_server() -> ConfigurationError | None:
    """Say what is missing for a server, with the line that installs it, or None."""
    lacking = [name for name in _SERVER_MODULES if importlib.util.find_spec(name) is None]
    if not lacking:
        return None
    return MissingDependencyError(
        f"A deployment on this machine needs {' and '.join(lacking)}, which cannot be imported.",
        provider="local",
        operation="deploy",
        hint="pip install 'ftproviders[local,serving]'",
    )


class Deployments:
    """The deployments of one state folder.

    Args:
        settings: Connection settings.
    """

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings
        self.home = settings.home.absolute() / "local"
        self.folder = self.home / "deployments"
        self.program = process.python_command("ftproviders.worker.serve")

    # --- making ------------------------------------------------------------------------------

    def deploy(self, model: TunedModel, spec: DeploymentSpec) -> DeploymentRef:
        """Start a supervisor for a model; readiness is not waited for.

        Raises:
            ConflictError: There is a deployment of that name.
            NotFoundError: There is no such model here.
            ConfigurationError: The name or an option cannot be taken.
        """
        self._check(spec)
        kind, place = _locate(model)
        ref = DeploymentRef(provider="local", id=spec.name)
        directory = self._directory(spec.name)
        self._sweep()
        if directory.exists() and not self._ended_by_lease(directory):
            raise _taken(ref)
        prepared = self._prepare(model, spec, kind=kind, place=place)
        try:
            word = process.launch(
                [*self.program, str(prepared.path), str(directory.path)],
                log=prepared.log,
                folder=self.folder,
                environ=process.environment(threads=self.settings.threads),
                timeout_seconds=self.settings.start_seconds,
            )
            if word == EXISTS:
                raise _taken(ref)
            if not word:
                raise self._not_started(word, prepared, ref)
        finally:
            shutil.rmtree(prepared.path, ignore_errors=True)
        return ref

    def _check(self, spec: DeploymentSpec) -> None:
        _check_name(spec.name)
        if spec.options:
            raise ConfigurationError(
                f"Provider local has no deployment option {', '.join(sorted(spec.options))}.",
                provider="local",
                operation="deploy",
                hint="`ftproviders providers local` lists the settings; leave the option out.",
            )

    def _prepare(
        self, model: TunedModel, spec: DeploymentSpec, *, kind: str, place: str
    ) -> DeploymentDirectory:
        """Make a whole deployment beside the others; its supervisor renames it."""
        private_folder(self.folder)
        prepared = self._directory(f".new-{spec.name}-{secrets.token_hex(4)}")
        prepared.path.mkdir(mode=0o700)
        try:
            settings = self.settings
            order = {
                "name": spec.name,
                "model": model.model_dump(mode="json"),
                "kind": kind,
                "place": place,
                "cache": str(settings.cache.resolve()),
                "created_at": now(),
                "ready_seconds": settings.deploy_seconds,
                "restarts": settings.server_restarts,
                "restart_window_seconds": settings.server_restart_window_seconds,
            }
            prepared.make_token()
            _write_lease(prepared, spec.lease)
            prepared.write_status("pending")
            prepared.write("deployment", order)
        except BaseException:
            shutil.rmtree(prepared.path, ignore_errors=True)
            raise
        return prepared

    def _not_started(
        self, word: str | None, prepared: DeploymentDirectory, ref: DeploymentRef
    ) -> Exception:
        if word is None:
            return ProviderTimeoutError(
                f"The supervisor of {ref} did not start within {self.settings.start_seconds:g} "
                "seconds.",
                provider="local",
                operation="deploy",
                hint="Try again when the machine is less busy, or raise start_seconds.",
            )
        return ProviderUnavailableError(
            f"The supervisor of {ref} ended before it took over. It said: "
            f"{prepared.last_words() or 'nothing'}",
            provider="local",
            operation="deploy",
            hint="Run `ftproviders doctor`, then deploy again.",
            maybe_executed=False,
        )

    # --- reading -----------------------------------------------------------------------------

    def get(self, ref: DeploymentRef) -> DeploymentSnapshot:
        """Read one deployment.

        Raises:
            NotFoundError: There is none of that name.
        """
        return self._snapshot(self.existing(ref))

    def page(self, cursor: str | None) -> DeploymentPage:
        """Return one page, newest first."""
        found = sorted(self._all(), key=lambda pair: pair[0], reverse=True)
        rest = [pair for pair in found if cursor is None or pair[0] < cursor]
        page = rest[:_PAGE_ROWS]
        return DeploymentPage(
            deployments=tuple(self._snapshot(directory) for _, directory in page),
            cursor=page[-1][0] if len(rest) > _PAGE_ROWS else None,
        )

    def existing(self, ref: DeploymentRef) -> DeploymentDirectory:
        """Return the folder of a deployment.

        Raises:
            NotFoundError: There is none of that name.
            ConfigurationError: It is on another machine, or none can have that name.
        """
        here = machine_name(self.home.parent)
        if ref.account not in (None, here):
            raise ConfigurationError(
                f"Deployment {ref} is on the machine {ref.account}; this is {here}.",
                provider="local",
                hint=f"Run the command on {ref.account}, or set FTPROVIDERS_HOME to its folder.",
            )
        _check_name(ref.id)
        directory = self._directory(ref.id)
        if not directory.exists() or self._finish(directory):
            raise NotFoundError(
                f"There is no deployment {ref.id} on this machine ({here}).",
                provider="local",
                operation="deployment",
                hint="`ftproviders deployments` lists those that are there.",
            )
        return directory

    def keeps_address(self, ref: DeploymentRef) -> bool:
        """Say whether requests wait at the address while the server is started again."""
        return self.existing(ref).status().get("engine") == "transformers"

    def _directory(self, name: str) -> DeploymentDirectory:
        return DeploymentDirectory(self.folder / name)

    def _all(self) -> list[tuple[str, DeploymentDirectory]]:
        """Return every deployment with its sort key: moment of creation and name."""
        paths = [path for path in self.folder.glob("*") if not path.name.startswith(".")]
        there = [d for d in map(DeploymentDirectory, paths) if d.exists() and not self._finish(d)]
        return [(f"{d.read('deployment').get('created_at', '')} {d.path.name}", d) for d in there]

    def _snapshot(self, directory: DeploymentDirectory) -> DeploymentSnapshot:
        # First the lock, then the status: what a dead supervisor wrote is final.
        alive = directory.alive()
        if not alive:
            directory.signal("server", kill=True)
        return to_deployment(
            DeploymentRef(provider="local", id=directory.path.name),
            order=directory.read("deployment"),
            lease=directory.read("lease").get("lease"),
            status=directory.status(),
            alive=alive,
            key_file=str(directory.token_file),
            log=str(directory.log),
        )

    # --- changing ----------------------------------------------------------------------------

    def extend(self, ref: DeploymentRef, lease: Lease) -> DeploymentSnapshot:
        """Give a deployment another lease; its supervisor sees it at its next look.

        Raises:
            NotFoundError: There is none of that name.
            DeploymentError: It is over.
        """
        directory = self.existing(ref)
        found = self._snapshot(directory)
        if found.status in (DeploymentStatus.FAILED, DeploymentStatus.DELETING):
            why = found.error.message if found.error else "It is being taken down."
            raise DeploymentError(
                f"Deployment {ref} is over, so its lease cannot be extended: {why}",
                provider="local",
                operation="extend",
                hint=f"Run `ftproviders undeploy {ref}`, then deploy again.",
            )
        _write_lease(directory, lease)
        return self._snapshot(directory)

    def undeploy(self, ref: DeploymentRef) -> None:
        """End a deployment, wait until its processes are gone, and remove its folder.

        Raises:
            NotFoundError: There is none of that name.
            ProviderTimeoutError: A process does not go away.
        """
        directory = self.existing(ref)
        directory.write("stop", {"requested_at": now()})
        directory.signal("supervisor", kill=False)
        if not self._gone(directory, self.settings.grace_seconds):
            directory.signal("supervisor", kill=True)
        if not self._gone(directory, self.settings.grace_seconds + 5.0):
            raise ProviderTimeoutError(
                f"The processes of {ref} do not end.",
                provider="local",
                operation="undeploy",
                hint=f"See {directory.log}, then undeploy again.",
            )
        self._finish(directory)

    def _gone(self, directory: DeploymentDirectory, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while directory.alive():
            if time.monotonic() >= end:
                return False
            time.sleep(0.05)
        return True

    def _finish(self, directory: DeploymentDirectory) -> bool:
        """Remove what somebody asked to undeploy and whose supervisor is gone; say if it is so."""
        if not directory.read("stop") or directory.alive():
            return False
        self._remove(directory)
        return True

    def _ended_by_lease(self, directory: DeploymentDirectory) -> bool:
        """Remove a deployment of which its lease has left nothing but the log."""
        if directory.alive() or directory.status().get("status") != "expired":
            return False
        self._remove(directory)
        return True

    def _remove(self, directory: DeploymentDirectory) -> None:
        directory.signal("server", kill=True)
        # Renamed first, so that a folder that is half removed is no deployment.
        grave = self.folder / f".old-{secrets.token_hex(8)}"
        try:
            directory.path.rename(grave)
        except FileNotFoundError:  # somebody else was faster
            return
        shutil.rmtree(grave, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove folders whose maker died before its supervisor started, or while removing."""
        for path in (*self.folder.glob(".new-*"), *self.folder.glob(".old-*")):
            abandoned = time.time() - path.stat().st_mtime > _STALE_SECONDS
            if abandoned and not process.alive(path / "lock"):
                shutil.rmtree(path, ignore_errors=True)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} cannot be the name of a deployment.",
            provider="local",
            operation="deploy",
            hint="Use letters, digits, '-', '_' and '.', at most 128; a letter or digit at both "
            "ends.",
        )


def _write_lease(directory: DeploymentDirectory, lease: Lease | None) -> None:
    content = None if lease is None else lease.model_dump(mode="json")
    directory.write("lease", {"lease": content})


def _taken(ref: DeploymentRef) -> ConflictError:
    return ConflictError(
        f"There is a deployment {ref} already.",
        provider="local",
        operation="deploy",
        hint=f"Give another name, or run `ftproviders undeploy {ref}` first.",
    )


def _locate(model: TunedModel) -> tuple[str, str]:
    """Return ``adapter``, ``model`` or ``base``, and the absolute folder or the name.

    Raises:
        NotFoundError: There is no such model on this machine.
    """
    folder = Path(model.name)
    if is_adapter(folder):
        return "adapter", str(folder.resolve())
    if folder.is_dir() and folder_problem(folder) is None:
        return "model", str(folder.resolve())
    try:
        return "base", locate(model.name).name
    except ValueError as error:
        raise NotFoundError(
            str(error),
            provider="local",
            operation="deploy",
            hint="`ftproviders models --provider local` lists the models here.",
        ) from error
