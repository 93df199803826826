"""Are the images behind the addresses in the rows there, and can they be trained on?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpt4o_tune.data._remote import listed_turns, readable
from gpt4o_tune.data.checks import examine
from gpt4o_tune.data.checks.images import image_urls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gpt4o_tune.data.checks import Scope
    from gpt4o_tune.data.report import Problem

__all__ = ["probe"]


async def probe(
    lines: Iterable[tuple[int, bytes]],
    *,
    scope: Scope,
    timeout: float,
    at_once: int,
    allow_private: bool,
    blocking: bool,
) -> list[Problem]:
    """Look at every address once, however many rows show it, and return the problems by line.

    Raises:
        ValueError: `timeout` or `at_once` is not positive.
    """
    from gpt4o_tune.data._fetching import Fetcher, Patience

    if timeout <= 0 or at_once < 1:
        raise ValueError(f"timeout and at_once must be positive, got {timeout!r} and {at_once!r}")
    patience = Patience(
        timeout=timeout, max_bytes=scope.limits.max_image_bytes, allow_private=allow_private
    )
    fetcher = Fetcher.blocking(patience) if blocking else Fetcher.asynchronous(patience)
    places: dict[str, list[tuple[int, str]]] = {}
    for line, row in readable(lines):
        for turn in listed_turns(row, scope):
            for path, url in image_urls(turn):
                places.setdefault(url, []).append((line, path))
    try:
        looked = await fetcher.each(fetcher.look, list(places), at_once=at_once)
    finally:
        await fetcher.close()
    problems = [
        problem
        for fetched in looked
        for line, path in places[fetched.url]
        for problem in examine("fetched", fetched._replace(path=path), scope, line=line)
    ]
    return sorted(problems, key=lambda problem: problem.line)
