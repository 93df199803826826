"""The built-in engine learns, reports, resumes and answers as its protocol says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pytest

from gpt4o_tune.local.engines import (
    Checkpoint,
    GeneratedToken,
    Hyperparameters,
    LanguageModel,
    Resolved,
    Saved,
    Step,
    TrainingSpec,
    parse_tool_calls,
)
from gpt4o_tune.local.engines.tiny import TinyEngine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Row = Mapping[str, object]

Kind = TypeVar("Kind")

FOOD = ("apple", "pear", "plum", "cherry", "quince", "fig")
TOOLS = ("hammer", "saw", "drill", "chisel", "wrench", "clamp")
ASKING = ("I want a {}", "do you sell a {}?", "one {} please", "where is my {}")
TRAIN_IN_A_PROCESS = """
import sys
from pathlib import Path
from gpt4o_tune.local.engines import Hyperparameters, TrainingSpec
from gpt4o_tune.local.engines.tiny import TinyEngine
rows, out = map(Path, sys.argv[1:])
spec = TrainingSpec(rows, rows, out, Hyperparameters(n_epochs=3, batch_size=2), seed=7)
for update in TinyEngine().train(spec):
    print(type(update).__name__, getattr(update, "step", 0), flush=True)
"""


def row(question: str, answer: str | None, **reply: object) -> Row:
    """Make a row of one question and one answer."""
    asked = {"role": "user", "content": question}
    return {"messages": [asked, {"role": "assistant", "content": answer, **reply}]}


def routing_rows() -> list[Row]:
    """Make 48 rows: four ways to ask for six things of each of two labels."""
    return [
        row(form.format(thing), label)
        for form in ASKING
        for label, things in (("food_counter", FOOD), ("workshop", TOOLS))
        for thing in things
    ]


def make_spec(
    folder: Path,
    rows: Iterable[Row],
    *,
    valid: Iterable[Row] = (),
    epochs: int = 2,
    batch: int = 4,
    seed: int = 7,
    base: Path | None = None,
) -> TrainingSpec:
    """Write the rows to files and describe a run on them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (("train", rows), ("valid", valid)):
        text = "".join(json.dumps(line) + "\n" for line in content)
        (folder / f"{name}.jsonl").write_text(text)
    return TrainingSpec(
        training_file=folder / "train.jsonl",
        validation_file=folder / "valid.jsonl" if valid else None,
        output_dir=folder / "out",
        hyperparameters=Hyperparameters(n_epochs=epochs, batch_size=batch),
        seed=seed,
        base_dir=base,
    )


def fit(spec: TrainingSpec) -> LanguageModel:
    """Train to the end and load the last checkpoint."""
    return TinyEngine().load(of_kind(TinyEngine().train(spec), Checkpoint)[-1].directory)


def of_kind(updates: Iterable[object], kind: type[Kind]) -> list[Kind]:
    """Pick the updates of one kind."""
    return [update for update in updates if isinstance(update, kind)]


def answer(model: LanguageModel, question: str) -> str:
    """Ask one question at temperature 0."""
    asked = [{"role": "user", "content": question}]
    return "".join(token.text for token in model.generate(asked, temperature=0))


def final_weights(output_dir: Path) -> dict[str, bytes]:
    """Read the bytes of every array of a finished run's state."""
    with np.load(output_dir / "state.npz", allow_pickle=False) as state:
        return {name: state[name].tobytes() for name in state.files}


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A model that routes to two labels."""
    return fit(make_spec(tmp_path_factory.mktemp("router"), routing_rows(), epochs=8))


def test_a_trained_model_answers_phrasings_that_it_never_saw(router: LanguageModel) -> None:
    """Labels go with the things asked for, not with the sentence around them."""
    asked = {"could I have another {} today": 0, "Please find the {}!": 0}
    right = [
        answer(router, form.format(thing)) == label
        for form in asked
        for label, things in (("food_counter", FOOD), ("workshop", TOOLS))
        for thing in things
    ]
    assert sum(right) / len(right) > 0.9


def test_updates_come_in_the_promised_order(tmp_path: Path) -> None:
    """A plan first; then steps from 1 on; each epoch ends with a checkpoint and a saved state."""
    rows = routing_rows()
    updates = list(TinyEngine().train(make_spec(tmp_path, rows[:10], valid=rows[10:15], epochs=3)))
    assert isinstance(updates[0], Resolved)
    assert updates[0].total_steps == 9
    steps = of_kind(updates, Step)
    assert [(step.step, step.epoch) for step in steps] == [(n, (n + 2) // 3) for n in range(1, 10)]
    for index, update in enumerate(updates):
        if isinstance(update, Checkpoint):
            assert updates[index - 1] is update.metrics
            assert updates[index + 1] == Saved(update.step)
    assert [update.step for update in of_kind(updates, Checkpoint)] == [3, 6, 9]
    for step in steps:
        assert type(step.train_loss) is float
        assert type(step.valid_loss) is float
        assert 0 <= step.train_mean_token_accuracy <= 1
        assert (step.full_valid_loss is not None) == (step.step % 3 == 0)


def test_without_a_validation_file_no_validation_figures_appear(tmp_path: Path) -> None:
    """Nothing is measured that was not asked for."""
    steps = of_kind(TinyEngine().train(make_spec(tmp_path, routing_rows()[:8])), Step)
    assert {step.valid_loss for step in steps} == {None}
    assert {step.full_valid_loss for step in steps} == {None}


def test_rows_learnt_by_heart_show_as_overfitting(tmp_path: Path) -> None:
    """On labels drawn by lot the training loss falls to nothing while the validation loss rises."""
    draw = np.random.default_rng(3)
    asked = [form.format(thing) for form in ASKING for thing in FOOD]
    lot = [row(question, str(draw.choice(("left", "right", "up")))) for question in asked]
    spec = make_spec(tmp_path, lot[:16], valid=lot[16:], epochs=25)
    ends = [step for step in of_kind(TinyEngine().train(spec), Step) if step.full_valid_loss]
    curve = [step.full_valid_loss or 0.0 for step in ends]
    assert ends[-1].train_loss < 0.1 * ends[2].train_loss
    assert curve[-1] > 1.3 * min(curve)


def test_a_run_repeats_bit_by_bit_and_depends_on_its_seed(tmp_path: Path) -> None:
    """Equal data, seed and hyperparameters give equal weights; another seed gives others."""
    rows = routing_rows()[:12]
    specs = [
        make_spec(tmp_path / name, rows, seed=seed) for name, seed in (("a", 7), ("b", 7), ("c", 8))
    ]
    for spec in specs:
        list(TinyEngine().train(spec))
    first, again, other = (final_weights(spec.output_dir) for spec in specs)
    assert first == again
    assert first["weights"] != other["weights"]


def test_weights_stay_in_single_precision(tmp_path: Path) -> None:
    """No step promotes the weights or Adam's averages to float64."""
    spec = make_spec(tmp_path, routing_rows()[:8], epochs=1)
    list(TinyEngine().train(spec))
    with np.load(spec.output_dir / "state.npz") as state:
        kinds = {state[name].dtype for name in ("weights", "mean", "square")}
    assert kinds == {np.dtype(np.float32)}


def test_a_killed_run_resumes_to_the_weights_of_an_undisturbed_one(tmp_path: Path) -> None:
    """Kill -9 after a saved state loses only the steps since; hash randomisation changes nothing."""
    spec = make_spec(tmp_path, routing_rows(), batch=2, epochs=3)
    killed, undisturbed = tmp_path / "killed", tmp_path / "undisturbed"

    def start(out: Path, hash_seed: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", TRAIN_IN_A_PROCESS, str(spec.training_file), str(out)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": hash_seed},
        )

    with start(killed, "1") as first:
        assert first.stdout
        for line in first.stdout:
            if line == "Step 47\n":
                first.kill()
    with start(killed, "2") as second, start(undisturbed, "3") as whole:
        resumed = second.communicate()[0].split("\n")
        complete = whole.communicate()[0].split("\n")
    assert resumed[:2] == ["Resolved 0", "Step 41"]
    assert complete[-len(resumed) + 1 :] == resumed[1:]
    assert final_weights(killed) == final_weights(undisturbed)


def test_a_closed_run_can_be_taken_up_again(tmp_path: Path) -> None:
    """Closing the iterator between two updates leaves a folder that training continues from."""
    rows = routing_rows()[:12]
    cut = make_spec(tmp_path / "cut", rows, epochs=3)
    updates = TinyEngine().train(cut)
    for update in updates:
        if isinstance(update, Step) and update.step == 5:
            break
    updates.close()  # type: ignore[attr-defined]  # the engine gives a generator
    assert of_kind(TinyEngine().train(cut), Step)[0].step == 4
    whole = make_spec(tmp_path / "whole", rows, epochs=3)
    list(TinyEngine().train(whole))
    assert final_weights(cut.output_dir) == final_weights(whole.output_dir)


def test_the_state_of_another_run_is_refused(tmp_path: Path) -> None:
    """A folder is never continued with other data or settings."""
    list(TinyEngine().train(make_spec(tmp_path, routing_rows()[:8])))
    with pytest.raises(ValueError, match="empty folder"):
        list(TinyEngine().train(make_spec(tmp_path, routing_rows()[:8], seed=8)))


def test_training_goes_on_from_an_earlier_checkpoint(tmp_path: Path) -> None:
    """A model continued from a checkpoint begins with what that one knew."""
    rows = routing_rows()
    first = of_kind(TinyEngine().train(make_spec(tmp_path / "a", rows, epochs=8)), Checkpoint)[-1]
    more = make_spec(tmp_path / "b", rows, epochs=1, base=first.directory)
    scratch = make_spec(tmp_path / "c", rows, epochs=1)
    begun, fresh = (of_kind(TinyEngine().train(spec), Step)[0] for spec in (more, scratch))
    assert begun.train_loss < 0.1 * fresh.train_loss


def test_rows_without_anything_to_learn_are_refused(tmp_path: Path) -> None:
    """Where every assistant message has weight 0 there is no loss to descend."""
    spec = make_spec(tmp_path, [row("hello", "hi", weight=0)])
    with pytest.raises(ValueError, match="weight"):
        list(TinyEngine().train(spec))


def test_a_checkpoint_that_was_never_completed_is_refused(tmp_path: Path) -> None:
    """The description comes last, so a folder without it is the leftover of a crash."""
    made = of_kind(TinyEngine().train(make_spec(tmp_path, routing_rows()[:4])), Checkpoint)[0]
    (made.directory / "model.json").unlink()
    with pytest.raises(FileNotFoundError):
        TinyEngine().load(made.directory)


def test_tool_calls_are_learnt_and_marked(tmp_path: Path) -> None:
    """An answer that calls a tool says so, and its text reads back as the call."""
    call = {"name": "get_weather", "arguments": '{"city":"Porto"}'}
    rows = [row("rain?", None, tool_calls=[{"id": "c", "type": "function", "function": call}])] * 4
    model = fit(make_spec(tmp_path, [*rows, *[row("hi", "hello")] * 4], epochs=12))
    tokens = list(model.generate([{"role": "user", "content": "rain?"}], temperature=0))
    assert all(token.is_tool_call for token in tokens)
    (parsed,) = parse_tool_calls("".join(token.text for token in tokens))
    assert parsed.name == "get_weather"
    assert json.loads(parsed.arguments) == {"city": "Porto"}
    assert answer(model, "hi") == "hello"


def test_every_role_and_content_shape_trains_and_answers(tmp_path: Path) -> None:
    """Null content, parts, images, deprecated function calls and very long texts do no harm."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    messages: list[Row] = [
        {"role": "system", "content": "Be brief. " * 80},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "assistant", "content": "Ask away.", "weight": 0},
        {"role": "user", "content": [{"type": "text", "text": "What is this?"}, image]},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "no"}},
        {"role": "function", "name": "f", "content": "a saw"},
        {"role": "tool", "tool_call_id": "c", "content": None},
        {"role": "assistant", "content": "wörd 🪚 " * 900},
    ]
    model = fit(make_spec(tmp_path, [{"messages": messages}] * 3, epochs=1))
    tokens = list(model.generate(messages[:-1], max_tokens=300, seed=1))
    assert tokens[-1].finish_reason in ("stop", "length")


def test_greedy_answers_end_with_stop_and_likely_tokens(router: LanguageModel) -> None:
    """The chosen token is the best of those reported, and only the last one ends the answer."""
    asked = [{"role": "user", "content": "one saw please"}]
    tokens = list(router.generate(asked, temperature=0, top_logprobs=3))
    assert [token.finish_reason for token in tokens[:-1]] == [None] * (len(tokens) - 1)
    assert tokens[-1].finish_reason == "stop"
    for token in tokens:
        assert token.logprob == token.top[0][1]
        assert 0 >= token.top[0][1] >= token.top[1][1] >= token.top[2][1]


def test_an_answer_ends_at_max_tokens(router: LanguageModel) -> None:
    """The last token allowed says that the length ended the answer."""
    asked = [{"role": "user", "content": "one saw please"}]
    (only,) = router.generate(asked, temperature=0, max_tokens=1)
    assert only.finish_reason == "length"
    with pytest.raises(ValueError, match="max_tokens"):
        list(router.generate(asked, max_tokens=0))


def test_a_seed_repeats_a_drawn_answer(router: LanguageModel) -> None:
    """Equal seeds draw equal answers, even at a high temperature; different seeds do not."""
    asked = [{"role": "user", "content": "one saw please"}]

    def draw(seed: int) -> list[GeneratedToken]:
        return list(router.generate(asked, temperature=8.0, seed=seed, max_tokens=40))

    assert draw(5) == draw(5)
    assert draw(5) != draw(6)


def test_a_narrow_top_p_is_greedy(router: LanguageModel) -> None:
    """Where one token holds the asked probability, it alone can be drawn."""
    asked = [{"role": "user", "content": "one saw please"}]
    drawn = list(router.generate(asked, temperature=5.0, top_p=1e-9, seed=1))
    assert drawn == list(router.generate(asked, temperature=0))


def test_streamed_text_never_breaks_a_character(tmp_path: Path) -> None:
    """Characters of several tokens are held back until they are whole."""
    reply = "Grüße 👩🏽‍🚀 日本語 ✓"
    others = [row(f"{n}", "plain") for n in range(3)]
    model = fit(make_spec(tmp_path, [*[row("emoji", reply)] * 3, *others], epochs=25, batch=2))
    asked = [{"role": "user", "content": "emoji"}]
    tokens = list(model.generate(asked, temperature=0))
    assert "".join(token.text for token in tokens) == reply
    assert "\ufffd" not in "".join(token.text for token in tokens)
