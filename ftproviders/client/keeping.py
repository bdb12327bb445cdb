"""What `FineTuneClient` does with what stays at providers: data files and tuned models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ftproviders import registry
from ftproviders.errors import ConfigurationError
from ftproviders.provider import Feature
from ftproviders.runtime import Session, files, models
from ftproviders.schema.file import DeletedFiles, KeptFile

__all__ = ["KeepingClient"]


class KeepingClient:
    """The part of `FineTuneClient` that knows what is kept, and deletes it."""

    _session: Session

    def files(self, provider: str | None = None) -> Sequence[KeptFile]:
        """Return the data files at one provider, or at all set up here, newest first.

        Each comes with whether it is ours, which known jobs were made from it, and why it is not to
        be deleted. Files that others sent are among them.

        Raises:
            UnsupportedFeatureError: The provider named cannot list files.
            ProviderError: A provider cannot be asked.
        """
        if provider is not None:
            return files.listed(self._session, provider)
        found: list[KeptFile] = []
        for name in registry.names():
            try:
                if Feature.FILES in registry.info(name).features:
                    found += files.listed(self._session, name)
            except ConfigurationError:
                continue  # not set up here; `doctor` says why
        return found

    def is_free(self, provider: str) -> bool:
        """Say whether nothing costs money at a provider as it is set up here.

        Raises:
            ConfigurationError: It is not set up here.
        """
        return self._session.training(provider).free()

    def delete_unused_files(
        self, provider: str, *, agree: Callable[[Sequence[KeptFile]], None] | None = None
    ) -> DeletedFiles:
        """Delete the data files that we sent and that nothing needs; nobody else's, ever.

        Ours are those that the journal here shows to have been sent from here. One is needed by a
        job that has not ended, whoever made it, and by a submission whose outcome is not known or
        that is under way. Models that were tuned on a deleted file stay as they are.

        Args:
            provider: Whose files.
            agree: Given what is about to be deleted, when that is anything; raises to stop.

        Raises:
            UnsupportedFeatureError: The provider cannot list or delete files.
            ProviderError: Files or jobs cannot be listed; nothing was deleted.
        """
        return files.delete_unused(self._session, provider, agree=agree)

    def delete_model(self, provider: str, model: str) -> None:
        """Delete a tuned model by its name, for good. Of a job, `FineTuneJob.delete_model`.

        Args:
            provider: Where it was tuned.
            model: Its name there, as `models` lists it.

        Raises:
            ConflictError: A deployment serves it; the hint names which, and how to undeploy it.
            NotFoundError: There is no such model.
            UnsupportedFeatureError: The provider does not delete models.
        """
        models.delete_model(self._session, provider, model)
