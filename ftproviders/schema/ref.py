"""How jobs and deployments are named: ``provider:[account/]id``."""

from __future__ import annotations

from typing import ClassVar, Self

from typing_extensions import override

from ftproviders.schema.value import Value

__all__ = ["Ref"]


class Ref(Value):
    """A name that is small enough for paper, and enough to find the thing again.

    The account is left out where it is the provider's public default.
    """

    noun: ClassVar[str]
    """What is named, for messages."""
    example: ClassVar[str] = ""

    provider: str
    account: str | None = None
    """None = the provider's public default account."""
    id: str

    @override
    def __str__(self) -> str:
        account = f"{self.account}/" if self.account else ""
        return f"{self.provider}:{account}{self.id}"

    def beside(self, other: Ref) -> bool:
        """Say whether both have the same provider and, where `other` names one, account."""
        return self.provider == other.provider and other.account in (None, self.account)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a ref.

        Args:
            text: ``provider:[account/]id``.

        Raises:
            ValueError: The text has another form.
        """
        provider, colon, rest = text.strip().partition(":")
        account, _, name = rest.rpartition("/")
        if not (colon and provider and name) or any(c.isspace() for c in text.strip()):
            raise ValueError(
                f"{text!r} is not a {cls.noun} ref; write provider:id or provider:account/id"
                f"{cls.example}"
            )
        return cls(provider=provider.replace("_", "-"), account=account or None, id=name)
