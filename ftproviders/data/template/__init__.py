"""The base model's own tokenizer and chat template, without torch: what training will see.

``folder`` finds a model that is on this machine, ``given`` reads a user's template,
``environment`` is the sandbox, ``chat`` renders and tokenizes, ``check`` looks
at rows (``faults`` names what is wrong, ``probes`` tries made-up ones), ``pairs`` takes preference
rows apart, ``tokenizer`` counts. Needs ``tokenizers`` and ``jinja2``, which are
imported at the first use; templates are programs of the model's maker and run in jinja's sandbox.

Names are loaded on first use: a worker needs ``messages`` and a text, and starts sooner with them
alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftproviders.data.template.chat import ChatTemplate, TemplateRefusal
    from ftproviders.data.template.check import TemplateCheck
    from ftproviders.data.template.folder import model_folder
    from ftproviders.data.template.given import OUR_TEMPLATE, GivenTemplate, given_template
    from ftproviders.data.template.messages import NotText, default_template, plain_messages
    from ftproviders.data.template.pairs import conversations
    from ftproviders.data.template.tokenizer import TemplateTokenizer

__all__ = [
    "OUR_TEMPLATE",
    "ChatTemplate",
    "GivenTemplate",
    "NotText",
    "TemplateCheck",
    "TemplateRefusal",
    "TemplateTokenizer",
    "conversations",
    "default_template",
    "given_template",
    "model_folder",
    "plain_messages",
]

_HOME_OF = {
    "OUR_TEMPLATE": "given",
    "ChatTemplate": "chat",
    "GivenTemplate": "given",
    "NotText": "messages",
    "TemplateCheck": "check",
    "TemplateRefusal": "chat",
    "TemplateTokenizer": "tokenizer",
    "conversations": "pairs",
    "default_template": "messages",
    "given_template": "given",
    "model_folder": "folder",
    "plain_messages": "messages",
}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
