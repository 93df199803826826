"""What the service was asked: recorded requests, without secrets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """One request as it arrived, whether or not a fault met it."""

    method: str
    path: str
    """Begins with `/v1`, without the query."""
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case; without `authorization`, `api-key` and `cookie`."""
    json: object = field(repr=False)
    """The body where it is JSON, otherwise None: uploads are not kept."""

    def matches(self, route: str) -> bool:
        """Tell whether it goes to a route such as `GET /v1/fine_tuning/jobs/*`.

        `*` stands for any text, slashes too; the method may be `*` or be left out.
        """
        method, _, path = route.rpartition(" ")
        return fnmatchcase(self.method, method or "*") and fnmatchcase(self.path, path)


class RecordedRequests(Sequence[RecordedRequest]):
    """The requests so far, in the order in which they arrived."""

    def __init__(self) -> None:
        self._requests: list[RecordedRequest] = []

    def __len__(self) -> int:
        return len(self._requests)

    @overload
    def __getitem__(self, index: int) -> RecordedRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[RecordedRequest]: ...
    def __getitem__(self, index: int | slice) -> RecordedRequest | list[RecordedRequest]:
        return self._requests[index]

    def __str__(self) -> str:
        return "\n".join(f"{request.method} {request.path}" for request in self._requests)

    def to(self, route: str) -> list[RecordedRequest]:
        """Return those to a route; see `RecordedRequest.matches`."""
        return [request for request in self._requests if request.matches(route)]

    def add(self, request: RecordedRequest) -> None:
        """Append a request; the service does it."""
        self._requests.append(request)
