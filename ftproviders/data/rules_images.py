"""Rules for images in rows: a part of the rule table, see ``rules``."""

from __future__ import annotations

from ftproviders.data.rule import CHAT, PAIRS, rule
from ftproviders.schema.dataset import Severity

__all__ = ["IMAGE_RULES"]

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING
_VISION = "OpenAI and Azure vision fine-tuning guides"

IMAGE_RULES = (
    rule("image.url", _ERROR,
          "An image is an https address or a base64 data URL of a JPEG, PNG or WEBP.",
          "The row is refused, or left out without its image.", "D", _VISION, CHAT),
    rule("image.detail", _ERROR, "`detail` of an image is auto, low or high.",
          "The row is refused.", "S",
          "OpenAI API description, ChatCompletionRequestMessageContentPartImage", CHAT),
    rule("image.format", _ERROR,
          "The bytes of a data URL are the JPEG, PNG or WEBP that it says they are.",
          "The image cannot be read, and the row is left out.", "D", _VISION, CHAT),
    rule("image.color", _ERROR, "An image is RGB or RGBA.",
          "Grey, palette and CMYK images are left out of the training.", "D", _VISION, CHAT),
    rule("image.bytes", _ERROR, "An image has at most 10 MB.",
          "The image is refused; a model looks at a smaller version of it anyway.", "D",
          _VISION, CHAT),
    rule("image.count", _ERROR, "A row has no more images than the provider takes.",
          "The row is refused or left out.", "D",
          "Azure: 64 (vision fine-tuning guide); OpenAI: 10 (guide, not confirmed by a second "
          "source)", CHAT),
    rule("file.images", _ERROR,
          "The file has no more rows with images than the provider and the model take.",
          "The file is refused, or images are lost.", "D",
          f"{_VISION}: 50,000 rows; the provider's table of models with vision", CHAT),
    rule("image.in_pair", _WARNING, "Preference rows have no images.",
          "No description says that they are taken.", "D",
          "Azure: vision is listed for supervised tuning and DPO of few models; no preference row "
          "with images is documented", PAIRS),
)  # fmt: skip
"""Rules for images, in the order of the documentation."""
