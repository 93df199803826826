"""Rules for what services say about the rows: image addresses that were fetched, texts that were screened.

No check of a file calls them: `Dataset.probe_images` and `Dataset.moderate` do, since they need the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data.checks.images import FORMATS, MODE_FIX
from gpt4o_tune.data.checks.rule import Finding, shown
from gpt4o_tune.data.pixels import COLOUR_MODES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpt4o_tune.data.checks.rule import Fetched, Scope, Verdict

_NO_TYPE = ("", "application/octet-stream", "binary/octet-stream")
"""What servers declare that do not know what they serve."""


def unreachable_image(fetched: Fetched, scope: Scope) -> Iterable[Finding]:
    """An address that gives nothing."""
    if fetched.fault:
        yield Finding(
            f"{shown(fetched.url)} {fetched.fault}.",
            "Correct the address, open it to everybody, or put the image into a data URL.",
            fetched.path,
        )


def fetched_no_image(fetched: Fetched, scope: Scope) -> Iterable[Finding]:
    """An address that gives something other than an image to train on."""
    if not fetched.fault and fetched.format not in FORMATS:
        found = fetched.format or (
            f"declared as {fetched.content_type}, and no image"
            if fetched.content_type
            else "no image"
        )
        yield Finding(
            f"What {shown(fetched.url)} gives is {found}; such images are skipped in training.",
            f"Let it lead to the image itself, as {', '.join(FORMATS)}.",
            fetched.path,
        )


def fetched_too_large(fetched: Fetched, scope: Scope) -> Iterable[Finding]:
    """An image behind an address over the size limit."""
    limit = scope.limits.max_image_bytes
    if not fetched.fault and fetched.size > limit:
        yield Finding(
            f"The image has more than {limit:,} bytes; such images are skipped in training.",
            "Scale it down; 2,048 pixels on the longer side lose nothing in training.",
            fetched.path,
        )


def fetched_wrong_mode(fetched: Fetched, scope: Scope) -> Iterable[Finding]:
    """An image behind an address whose pixels are neither RGB nor RGBA."""
    if fetched.pixels is not None and fetched.pixels.mode not in COLOUR_MODES:
        yield Finding(
            f"The image's mode is {fetched.pixels.mode}; training takes RGB and RGBA.",
            MODE_FIX,
            fetched.path,
        )


def fetched_wrong_type(fetched: Fetched, scope: Scope) -> Iterable[Finding]:
    """An image that the server declares to be of another type than it is."""
    declared = fetched.content_type.replace("image/jpg", "image/jpeg")
    if fetched.format not in FORMATS or declared in _NO_TYPE:
        return
    if declared != f"image/{str(fetched.format).lower()}":
        yield Finding(
            f"The image is {fetched.format}, yet the server declares it as {shown(declared)}.",
            "Let the server send the right content type; some readers go by it.",
            fetched.path,
        )


def flagged_content(verdict: Verdict, scope: Scope) -> Iterable[Finding]:
    """A message that the moderation service flagged."""
    if verdict.categories:
        yield Finding(
            f"The message was flagged: {', '.join(verdict.categories)}.",
            "Leave the row out or rewrite it; the provider's own screening, which may judge otherwise, "
            "blocks a file with too many such rows.",
            verdict.path,
        )
