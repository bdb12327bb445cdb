"""What is known here about the base model: its encoding, or its own tokenizer and template."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ftproviders.data.ledger import Ledger
from ftproviders.data.statistics import estimate_tokens
from ftproviders.data.template import (
    ChatTemplate,
    GivenTemplate,
    TemplateCheck,
    TemplateTokenizer,
    model_folder,
)
from ftproviders.data.tokens import ChatTokenizer, RowTokenizer, count_file, encoding_of
from ftproviders.errors import MissingDependencyError
from ftproviders.schema.dataset import DatasetStatistics, TokenCount
from ftproviders.schema.template import TemplateReport

__all__ = ["BaseModelData", "find_base_model"]

_USUAL_ENCODING = "o200k_base"
"""What is counted with when exact tokens are asked for and no model is named."""


@dataclass(frozen=True, kw_only=True)
class BaseModelData:
    """A base model, as far as data are concerned."""

    name: str
    tokenizer: RowTokenizer | None = None
    """What counts its tokens; None = they can only be estimated."""
    chat: ChatTemplate | None = None
    """Its own template; None for models whose template is not on this machine."""
    hint: str = ""
    """Why tokens are estimated, and what to do about it."""

    def longest_row(self, limit: int | None) -> int | None:
        """Return the longest row in tokens: the provider's limit, or the model's if smaller."""
        known = [one for one in (limit, self.chat.max_length if self.chat else None) if one]
        return min(known) if known else None

    def count(
        self, path: Path, statistics: DatasetStatistics, *, exact: bool, limit: int | None
    ) -> TokenCount:
        """Count the tokens of a file, or estimate them by its size."""
        if self.tokenizer is None:
            return estimate_tokens(statistics).model_copy(update={"hint": self.hint})
        return count_file(path, self.tokenizer, exact=exact, limit=limit)

    def check_template(
        self, path: Path, ledger: Ledger, *, limit: int | None, every_row: bool
    ) -> TemplateReport | None:
        """Look at rows as the model's template writes them; None when it is not at hand."""
        if self.chat is None:
            return None
        check = TemplateCheck(self.chat, model=self.name, max_length=self.longest_row(limit))
        return check.check_file(path, ledger, every_row=every_row)


def find_base_model(
    model: str | None, *, exact: bool, cache: Path, template: GivenTemplate | None = None
) -> BaseModelData | None:
    """Return what is known here about a base model; None when nobody asks for tokens.

    Args:
        model: As the user wrote it: a name, a folder, a name on the Hugging Face Hub.
        exact: Whether exact tokens are asked for.
        cache: Our cache folder, in which converted models are.
        template: Chat template to use instead of the model's own.

    Raises:
        ConfigurationError: The model's files are here and cannot be read.
    """
    if model is None and not exact:
        return None
    folder = model_folder(model, cache=cache) if model else None
    encoding = encoding_of(model) if model else _USUAL_ENCODING
    name = model or encoding or ""
    try:
        if folder is not None:
            chat = ChatTemplate(folder, template=template)
            return BaseModelData(
                name=name, chat=chat, tokenizer=TemplateTokenizer(chat, model=name)
            )
        if encoding is not None:
            return BaseModelData(name=name, tokenizer=ChatTokenizer(encoding))
    except MissingDependencyError as error:
        return BaseModelData(name=name, hint=f"{error.message} {error.hint}")
    return BaseModelData(
        name=name,
        hint=f"The tokenizer of {name} is neither known nor on this machine, so tokens are "
        "estimated by size. Name a folder or a model of the Hub's cache to count them.",
    )
