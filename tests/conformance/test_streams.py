"""Server-sent events against the published API description."""

from __future__ import annotations

import pytest

from gpt4o_tune.testing import FakeService
from tests.conformance.document import VARIABLE, document_from_environment

MODEL = "gpt-4o-2024-08-06"


@pytest.mark.parametrize("n", [1, 2])
def test_each_event_of_a_stream_is_as_described(n: int) -> None:
    """Chunks with text, log-probabilities, the reason of the end and the usage fit their schema."""
    document = document_from_environment()
    if document is None:
        pytest.skip(f"{VARIABLE} names no API description")
    with FakeService() as service:
        client = service.client()
        stream = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Hello?"}],
            stream=True,
            stream_options={"include_usage": True},
            logprobs=True,
            top_logprobs=2,
            n=n,
        )
        for chunk in stream:
            body = chunk.to_dict(exclude_unset=True)
            document.check_event("POST", "/v1/chat/completions", body)
    assert document.take_faults() == []
    assert document.checked.total() > 2 * n
