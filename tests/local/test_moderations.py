"""Moderations: the shape of the real answers, and what the stand-in knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest
from openai.types import ModerationCreateResponse

from gpt4o_tune import Dataset, LocalServer
from gpt4o_tune.local.moderation import CATEGORIES
from tests.local.conftest import ROWS, desk_at, example, jsonl

if TYPE_CHECKING:
    from pathlib import Path

    from tests.local.conftest import Desk


def test_an_answer_is_what_the_client_expects(desk: Desk) -> None:
    """All thirteen categories are there, with scores and the kind of input, and the stand-in says so."""
    create = desk.client.moderations.with_raw_response.create
    text = create(input="Where is my parcel? I am going to hurt you.").text
    answer = ModerationCreateResponse.model_validate_json(text, strict=True)
    assert answer.model == "omni-moderation-latest"
    assert answer.model_extra
    assert answer.model_extra["stand_in"] is True
    (result,) = answer.results
    assert result.flagged
    flags = result.categories.model_dump(by_alias=True)
    assert {*flags} == {*CATEGORIES}
    assert len(flags) == 13
    assert {each for each in flags if flags[each]} == {"harassment", "harassment/threatening"}
    scores = result.category_scores.model_dump(by_alias=True)
    assert {each for each in scores if scores[each] > 0.5} == {
        each for each in flags if flags[each]
    }
    applied = result.category_applied_input_types.model_dump(by_alias=True)
    assert {*map(tuple, applied.values())} == {("text",)}


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_category_can_be_asked_for(desk: Desk, category: str) -> None:
    """A mark in the text flags a category by name, and the one above it; others stay quiet."""
    (result,) = desk.client.moderations.create(input=f"a text [FLAG:{category}]").results
    flags = result.categories.model_dump(by_alias=True)
    assert {each for each in flags if flags[each]} == {category, category.partition("/")[0]}


def test_each_kind_of_input_is_taken(desk: Desk) -> None:
    """A list gives a result for each text; parts that belong together give one, images unseen."""
    create = desk.client.moderations.create
    answer = create(input=["good morning", "[flag:hate]", ""], model="omni-moderation-2024-09-26")
    assert [each.flagged for each in answer.results] == [False, True, False]
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    both = create(input=[{"type": "text", "text": "[flag:violence]"}, image])
    assert [each.flagged for each in both.results] == [True]
    (alone,) = create(input=[image]).results
    assert not alone.flagged
    assert alone.category_applied_input_types.violence == []
    assert create(input="The killer feature of this text is that it kills time.").results[0]
    for wrong in ([], [3], [{"type": "audio"}], None):
        with pytest.raises(openai.BadRequestError, match="input"):
            create(input=wrong)
    with pytest.raises(openai.NotFoundError, match="no-such-model"):
        create(input="a", model="no-such-model")


def test_ordinary_rows_are_not_flagged(desk: Desk) -> None:
    """The patterns leave support dialogues alone."""
    texts = [row["messages"][0]["content"] for row in ROWS]
    assert not any(each.flagged for each in desk.client.moderations.create(input=texts).results)


def test_a_dataset_is_moderated_by_the_local_server(server: LocalServer) -> None:
    """`Dataset.moderate` finds the rows that the server flags."""
    rows = [*ROWS[:12], example("[flag:hate]", "no")]
    report = Dataset.from_records(rows).moderate(provider=server.provider)
    assert [problem.line for problem in report.problems] == [13]


def test_flagged_training_files_fail_only_where_asked(desk: Desk, tmp_path: Path) -> None:
    """Screening is off by default; with it the job fails as the real one does and names the lines."""
    flagged = [example("hello", "[flag:hate/threatening]"), *ROWS, example("[flag:sexual]", "no")]
    content = b"\xef\xbb\xbf" + jsonl(flagged).replace(b"\n", b"\n\n", 1)
    unscreened = desk.create(desk.upload(content).id, n_epochs=1)
    assert desk.finished(unscreened.id).status == "succeeded"
    with (
        LocalServer(tmp_path, moderation=True) as server,
        desk_at(server.base_url, server.api_key).client as client,
    ):
        strict = type(desk)(client)
        job = strict.finished(strict.create(strict.upload(content).id, n_epochs=1).id)
        assert job.status == "failed"
        assert job.error
        assert (job.error.code, job.error.param) == ("invalid_training_file", "training_file")
        assert "flagged by our moderation API" in job.error.message
        assert "hate, hate/threatening, sexual" in job.error.message
        assert f"Lines: 1, {len(flagged) + 1}." in job.error.message
        clean = strict.create(strict.upload(jsonl(ROWS)).id, n_epochs=1)
        assert strict.finished(clean.id).status == "succeeded"
