"""The base model's own tokenizer and chat template, without torch: what training will see.

``folder`` finds a model that is on this machine, ``chat`` renders and tokenizes, ``check`` looks
at rows. Needs ``tokenizers`` and ``jinja2``, which are imported at the first use; templates are
programs of the model's maker and run in jinja's sandbox.
"""

from ftproviders.data.template.chat import (
    OUR_TEMPLATE,
    ChatTemplate,
    TemplateRefusal,
    default_template,
)
from ftproviders.data.template.check import TemplateCheck, TemplateTokenizer
from ftproviders.data.template.folder import model_folder
from ftproviders.data.template.messages import NotText, plain_messages

__all__ = [
    "OUR_TEMPLATE",
    "ChatTemplate",
    "NotText",
    "TemplateCheck",
    "TemplateRefusal",
    "TemplateTokenizer",
    "default_template",
    "model_folder",
    "plain_messages",
]
