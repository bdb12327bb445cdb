"""An image part: its address and how closely it is to be looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ftproviders.data.exact.picture import picture_fault
from ftproviders.data.findings import Finding, JsonPath, show

__all__ = ["DETAILS", "address_fault", "check_image", "is_image_address"]

DETAILS = ("auto", "low", "high")
"""What ``image_url.detail`` may say."""

_DATA_URL = re.compile(r"data:image/(?:jpeg|jpg|png|webp);base64,[A-Za-z0-9+/]++={0,2}")
_USUAL_URL = re.compile(r"https://[A-Za-z0-9.-]++/[A-Za-z0-9._~/-]*+")
"""Addresses about which `urlsplit`, which takes its time, has nothing to say."""


def is_image_address(url: str) -> bool:
    """Say whether `url` is an https address or a base64 data URL of an accepted kind."""
    if url.startswith("data:"):
        return _DATA_URL.fullmatch(url) is not None
    if _USUAL_URL.fullmatch(url):
        return True
    try:
        address = urlsplit(url)
        return address.scheme == "https" and bool(address.hostname)
    except ValueError:
        return False


def address_fault(url: str) -> str | None:
    """Return the rule that the address or the bytes of an image break, or None."""
    if not is_image_address(url):
        return "image.url"
    fault = picture_fault(url) if url.startswith("data:") else None
    return fault[0] if fault else None


def check_image(part: dict[str, Any], path: JsonPath) -> Iterator[Finding]:
    """Yield what is wrong with a part of type ``image_url`` at `path`."""
    image = part.get("image_url")
    place = (*path, "image_url") if "image_url" in part else path
    if not isinstance(image, dict) or not isinstance(image.get("url"), str):
        yield Finding(
            rule="image.url",
            path=(*place, "url") if isinstance(image, dict) and "url" in image else place,
            message="the image has no address in `image_url.url`",
            fix='Write {"type": "image_url", "image_url": {"url": "https://..."}}.',
        )
        return
    if not is_image_address(image["url"]):
        yield Finding(
            rule="image.url",
            path=(*place, "url"),
            message=f"{show(image['url'])} is not an address that can be trained on",
            fix="Use an https address, or data:image/jpeg;base64,... (JPEG, PNG or WEBP).",
        )
    elif image["url"].startswith("data:"):
        fault = picture_fault(image["url"])
        if fault is not None:
            rule, message, fix = fault
            yield Finding(rule=rule, path=(*place, "url"), message=message, fix=fix)
    if "detail" in image and image["detail"] not in DETAILS:
        yield Finding(
            rule="image.detail",
            path=(*place, "detail"),
            message=f"`detail` is {show(image['detail'])}",
            fix="Use auto, low or high, or leave it out.",
        )
    for key in image.keys() - {"url", "detail"}:
        yield Finding(
            rule="message.unknown_key",
            path=(*place, key),
            key=True,
            message=f"an image has no key {show(key)}",
            fix="Leave it out; known keys are url and detail.",
        )
