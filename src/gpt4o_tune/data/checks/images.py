"""Rules for images: where they may stand, how many, and what they are."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, NamedTuple

from gpt4o_tune.data.checks.addresses import private_host
from gpt4o_tune.data.checks.rule import Finding, kind, shown
from gpt4o_tune.data.pixels import COLOUR_MODES, damage, decode_ends, read_pixels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gpt4o_tune.data.checks.rule import Conversation, Scope, Turn
    from gpt4o_tune.data.decode import Json, JsonObject
    from gpt4o_tune.data.pixels import Pixels

FORMATS = ("JPEG", "PNG", "WEBP")
_DETAILS = ("low", "high", "auto")
_WEB = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*);base64,", re.IGNORECASE)
_URL_FIX = "Write an https address, or data:image/png;base64, with the bytes of the image."


class _Image(NamedTuple):
    path: str
    part: JsonObject


def _images(turn: Turn) -> Iterator[_Image]:
    content = turn.body.get("content")
    if isinstance(content, list):
        for place, part in enumerate(content):
            if isinstance(part, dict) and part.get("type") == "image_url":
                yield _Image(f"{turn.path}.content[{place}]", part)


def count_images(turn: Turn) -> int:
    """Count the images of a message."""
    return sum(1 for _ in _images(turn)) if isinstance(turn.body.get("content"), list) else 0


def _url(image: _Image) -> Json:
    source = image.part.get("image_url")
    return source.get("url") if isinstance(source, dict) else None


def misplaced_image(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """An image in a message that is not the user's."""
    if turn.role == "user":
        return
    for image in _images(turn):
        yield Finding(
            f"A message of role {turn.role!r} holds an image; only the user's may.",
            "Move the image into a user message.",
            image.path,
        )


def image_in_preference(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """An image in preference data, which is text only."""
    for image in _images(turn):
        yield Finding(
            "Preference pairs are text only.", "Remove the image, or leave the row out.", image.path
        )


def model_without_vision(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """An image for a model that this provider does not train on images."""
    if scope.offer is None or scope.model is None or scope.offer.vision:
        return
    for image in _images(turn):
        yield Finding(
            f"{scope.service} does not train {scope.model.name!r} on images.",
            "Choose a model with vision training, or leave the rows with images out.",
            image.path,
        )


def invalid_image_url(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """An image part without an address that the service can read."""
    for image in _images(turn):
        url = _url(image)
        path = f"{image.path}.image_url"
        if not isinstance(image.part.get("image_url"), dict):
            found = kind(image.part.get("image_url"))
            yield Finding(f"'image_url' is {found}, not an object.", _OBJECT_FIX, path)
        elif not isinstance(url, str):
            yield Finding(f"The image's 'url' is {kind(url)}.", _URL_FIX, f"{path}.url")
        elif not (_WEB.fullmatch(url) or _DATA.match(url)):
            yield Finding(
                f"{shown(url)} is neither a web address nor a data URL in base64.",
                _URL_FIX,
                f"{path}.url",
            )


_OBJECT_FIX = 'Write {"type": "image_url", "image_url": {"url": "https://..."}}.'


def invalid_image_detail(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A level of detail that does not exist."""
    for image in _images(turn):
        source = image.part.get("image_url")
        detail = source.get("detail") if isinstance(source, dict) else None
        if detail is not None and detail not in _DETAILS:
            yield Finding(
                f"The detail {shown(detail)} does not exist.",
                "Write 'low', 'high' or 'auto', or leave it out.",
                f"{image.path}.image_url.detail",
            )


def invalid_image_data(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A data URL that does not decode, or not to an image of a format that can be trained on."""
    for image in _images(turn):
        url = _url(image)
        if not isinstance(url, str) or not (start := _DATA.match(url)):
            continue
        path = f"{image.path}.image_url.url"
        try:
            data = base64.b64decode(url[start.end() :], validate=True)
        except (binascii.Error, ValueError):
            yield Finding(
                "The image's base64 does not decode.",
                "Encode the file's bytes with base64.b64encode, without line breaks.",
                path,
            )
            continue
        found = image_format(data)
        declared = (start.group(1) or "").lower()
        if found is None:
            yield Finding(
                f"The data is no image of a known format ({len(data):,} bytes).",
                f"Use {', '.join(FORMATS)}.",
                path,
            )
        elif found not in FORMATS:
            yield Finding(
                f"The image is {found}; such images are skipped in training.",
                f"Convert it to {', '.join(FORMATS)}.",
                path,
            )
        elif declared.replace("image/jpg", "image/jpeg") != f"image/{found.lower()}":
            yield Finding(
                f"The image is {found}, yet declared as {shown(declared) if declared else 'nothing'}.",
                f"Write data:image/{found.lower()};base64,...",
                path,
            )


def _payload(image: _Image) -> str | None:
    """Return the base64 of an image in a data URL."""
    url = _url(image)
    start = _DATA.match(url) if isinstance(url, str) else None
    return str(url)[start.end() :] if start else None


def damaged_image(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """An image in a data URL that breaks off, or whose head makes no sense."""
    for image in _images(turn):
        if (payload := _payload(image)) is None or (ends := decode_ends(payload)) is None:
            continue
        found = image_format(ends.head)
        if found in FORMATS and (fault := damage(ends)):
            yield Finding(
                f"The {found} is damaged: {fault} ({ends.size:,} bytes).",
                "Save or download it again; text columns often cut long values off.",
                f"{image.path}.image_url.url",
            )


def image_mode(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """An image in a data URL whose pixels are neither RGB nor RGBA."""
    for image, pixels in _shown_pixels(turn):
        if pixels.mode not in COLOUR_MODES:
            yield Finding(
                f"The image's mode is {pixels.mode}; training takes RGB and RGBA.",
                MODE_FIX,
                f"{image.path}.image_url.url",
            )


MODE_FIX = 'Convert it, with Pillow: Image.open(path).convert("RGB").save(path).'


def animated_image(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A moving image, of which at most one frame can count."""
    for image, pixels in _shown_pixels(turn):
        if pixels.is_animated:
            yield Finding(
                "The image is an animation; what training makes of it is not documented.",
                "Save the frame that you mean as a picture of its own.",
                f"{image.path}.image_url.url",
            )


def _shown_pixels(turn: Turn) -> Iterator[tuple[_Image, Pixels]]:
    for image in _images(turn):
        payload = _payload(image)
        ends = decode_ends(payload) if payload is not None else None
        if ends is not None and (pixels := read_pixels(ends.head)):
            yield image, pixels


def private_image_url(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """A web address that only this machine or its network can reach, and the provider cannot."""
    if scope.limits.reaches_private:
        return
    for image in _images(turn):
        url = _url(image)
        if isinstance(url, str) and _WEB.fullmatch(url) and (host := private_host(url)):
            yield Finding(
                f"{shown(host)} is no public host, so the service cannot fetch the image.",
                "Put the image where everybody can fetch it, or into a data URL.",
                f"{image.path}.image_url.url",
            )


def image_urls(turn: Turn) -> Iterator[tuple[str, str]]:
    """Yield path and address of each image of a message that stands behind a web address."""
    for image in _images(turn):
        url = _url(image)
        if isinstance(url, str) and _WEB.fullmatch(url):
            yield f"{image.path}.image_url.url", url


def image_format(data: bytes) -> str | None:
    """Name the format of an image by its first bytes, or None where it is none of the usual."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    marks = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF8": "GIF", b"BM": "BMP"}
    marks |= {b"II*\x00": "TIFF", b"MM\x00*": "TIFF", b"%PDF": "PDF", b"<svg": "SVG"}
    return next((name for mark, name in marks.items() if data.startswith(mark)), None)


def image_too_large(turn: Turn, scope: Scope) -> Iterable[Finding]:
    """An image in a data URL over the size limit; the size of others cannot be seen from here."""
    limit = scope.limits.max_image_bytes
    for image in _images(turn):
        url = _url(image)
        if not isinstance(url, str) or len(url) * 3 // 4 <= limit:
            continue
        if start := _DATA.match(url):
            encoded = len(url) - start.end() - url[-2:].count("=")
            size = encoded * 3 // 4
            if size > limit:
                yield Finding(
                    f"The image has {size:,} bytes; larger ones than {limit:,} are skipped.",
                    "Scale it down; 2,048 pixels on the longer side lose nothing in training.",
                    f"{image.path}.image_url.url",
                )


def too_many_images(conversation: Conversation, scope: Scope) -> Iterable[Finding]:
    """More images in a row than the provider takes."""
    count = sum(map(count_images, conversation.turns))
    limit = scope.limits.max_images_per_example
    if count > limit:
        yield Finding(
            f"The row has {count} images; {scope.service} takes at most {limit} per example.",
            "Remove images, or spread them over several rows.",
            conversation.path,
        )
