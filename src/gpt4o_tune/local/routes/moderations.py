"""`/v1/moderations`: the answers of a stand-in that knows a few patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from gpt4o_tune.local.envelope import ApiError
from gpt4o_tune.local.ids import new_id
from gpt4o_tune.local.moderation import CATEGORIES, MODELS, judge
from gpt4o_tune.local.routes.bodies import Body, read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

_NOTICE = (
    "A local stand-in with a few English word patterns judged this, not OpenAI's model. Images are not "
    "looked at, and what is not flagged is not thereby safe."
)


class TextPart(Body):
    """A text to judge."""

    type: Literal["text"]
    text: str


class ImageAddress(Body):
    """Where an image is, or the image itself as a data URL."""

    url: str


class ImagePart(Body):
    """An image, which the stand-in does not look at."""

    type: Literal["image_url"]
    image_url: ImageAddress


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class ModerationBody(Body):
    """What to judge: one text, several texts one by one, or parts that belong together."""

    input: (
        str | Annotated[list[str], Field(min_length=1)] | Annotated[list[Part], Field(min_length=1)]
    )
    model: str = "omni-moderation-latest"


class ModerationRoutes:
    """Serves the moderation stand-in."""

    def routes(self) -> list[Route]:
        """The resource's routes."""
        return [Route("/moderations", self._create, methods=["POST"])]

    async def _create(self, request: Request) -> JSONResponse:
        body = await read_json(request, ModerationBody)
        if body.model not in MODELS:
            raise ApiError(
                f"The model `{body.model}` does not exist; /v1/moderations has {', '.join(MODELS)}.",
                status=404,
                code="model_not_found",
                param="model",
            )
        results = await run_in_threadpool(_judge_all, _inputs(body))
        return JSONResponse(
            {
                "id": new_id("modr-"),
                "model": body.model,
                "results": results,
                "stand_in": True,
                "notice": _NOTICE,
            }
        )


def _inputs(body: ModerationBody) -> list[list[str]]:
    """Give the texts of each result."""
    if isinstance(body.input, str):
        return [[body.input]]
    texts = [each for each in body.input if isinstance(each, str)]
    if texts:
        return [[text] for text in texts]
    return [[part.text for part in body.input if isinstance(part, TextPart)]]


def _judge_all(inputs: list[list[str]]) -> list[dict[str, object]]:
    return [_result(texts) for texts in inputs]


def _result(texts: Sequence[str]) -> dict[str, object]:
    verdict = judge(texts)
    applied = ["text"] if texts else []
    return {
        "flagged": bool(verdict.categories),
        "categories": {each: each in verdict.categories for each in CATEGORIES},
        "category_scores": verdict.scores(),
        "category_applied_input_types": dict.fromkeys(CATEGORIES, applied),
    }
