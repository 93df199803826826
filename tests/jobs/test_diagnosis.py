"""What curves say: each rule at its threshold, no alarm on noise, and when to stop."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.jobs import Checkpoint, Finding, MetricRow, Metrics
from gpt4o_tune.jobs.checkpoints import rank
from gpt4o_tune.jobs.early_stop import EarlyStop

FALLING = [3.0 * 0.8**step + 0.2 for step in range(30)]
LOSSES = st.floats(0.0, 20.0) | st.sampled_from([math.nan, math.inf, -math.inf, -5.0, 1e300])


def run_of(
    training: list[float],
    full: dict[int, float] | None = None,
    *,
    batches: list[float] | None = None,
) -> Metrics:
    """Make the metrics of a run from its losses: `full` by step, `batches` at every step."""
    return Metrics(
        tuple(
            MetricRow(
                step=step,
                train_loss=loss,
                valid_loss=batches[step - 1] if batches else None,
                full_valid_loss=(full or {}).get(step),
            )
            for step, loss in enumerate(training, start=1)
        )
    )


def epochs(*losses: float) -> Metrics:
    """Make the metrics of a run that was fully validated every 10 steps."""
    return run_of(FALLING[:10] * len(losses), {10 * n: x for n, x in enumerate(losses, start=1)})


@pytest.mark.parametrize(
    ("metrics", "finding", "best_step"),
    [
        (run_of([1.0] * 9), Finding.TOO_FEW_POINTS, None),
        (run_of([1.0 + step for step in range(30)]), Finding.DIVERGED, None),
        (run_of([3.0] * 10 + [0.5] * 10 + [2.5] * 10), Finding.DIVERGED, None),
        (run_of([2.0] * 20 + [math.nan] * 10), Finding.DIVERGED, None),
        (run_of([2.0] * 4 + [math.inf]), Finding.DIVERGED, None),
        (run_of(FALLING, {10: 1.0, 20: math.nan}), Finding.DIVERGED, 10),
        (run_of(FALLING, {10: 1.0, 20: 0.8, 30: 1.1}), Finding.OVERFITTING, 20),
        (run_of(FALLING, {10: 1.0, 20: 0.8, 30: 0.841}), Finding.OVERFITTING, 20),
        (run_of(FALLING, {10: 1.0, 20: 0.8, 30: 0.839}), Finding.SOUND, 20),
        (run_of(FALLING, {10: 0.02, 20: 0.001, 30: 0.010}), Finding.SOUND, 20),
        (run_of(FALLING, {10: 1.0, 20: 0.8, 30: 0.79}), Finding.SOUND, 30),
        (run_of(FALLING), Finding.SOUND, None),
        (run_of([5.0 - step / 10 for step in range(40)]), Finding.UNDERFITTING, None),
        (
            run_of([5.0 - step / 10 for step in range(40)], {20: 2.0, 40: 2.01}),
            Finding.SOUND,
            20,
        ),
        (run_of([2.0 + 0.5**step for step in range(40)]), Finding.PLATEAU, None),
        (run_of([0.69 + 0.001 * (step % 3) for step in range(40)]), Finding.PLATEAU, None),
        (
            run_of([2.5, 1.5] + [0.6 + 0.001 * (step % 3) for step in range(40)]),
            Finding.SOUND,
            None,
        ),
        (run_of([0.01] * 40), Finding.SOUND, None),
    ],
)
def test_the_diagnosis_follows_its_rules(
    metrics: Metrics, finding: Finding, best_step: int | None
) -> None:
    """Each rule names its finding; the sentence says why."""
    diagnosis = metrics.diagnosis

    assert (diagnosis.finding, diagnosis.best_step) == (finding, best_step), diagnosis
    assert str(finding) in str(diagnosis)
    assert max(map(len, str(diagnosis).splitlines())) <= 100


@pytest.mark.parametrize("size", [10, 30, 200])
@pytest.mark.parametrize("noise", [0.05, 0.2, 0.4])
def test_noisy_flat_validation_is_no_alarm(size: int, noise: float) -> None:
    """Single validation batches jump about; at most 3 runs in 100 are taken for overfitting.

    The two losses compared one by one would be 5 % apart in most of these runs.
    """
    source = random.Random(size * 100 + round(noise * 100))  # a seeded experiment
    training = [3.0 * math.exp(-5 * step / size) + 0.2 for step in range(size)]
    found = [
        run_of(
            training, batches=[source.gauss(0.8, 0.8 * noise) for _ in training]
        ).diagnosis.finding
        for _ in range(100)
    ]

    assert found.count(Finding.OVERFITTING) <= 3


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_a_rise_is_found_under_noise(noise: float) -> None:
    """Validation loss on batches that rises by half is found from 300 noisy steps, near its turning point."""
    source = random.Random(7)  # a seeded experiment
    training = [3.0 * math.exp(-step / 40) + 0.2 for step in range(300)]
    for _ in range(20):
        batches = [
            (0.8 + max(0, 100 - step) / 100 + max(0, step - 150) / 300) * source.gauss(1, noise)
            for step in range(300)
        ]
        diagnosis = run_of(training, batches=batches).diagnosis

        assert diagnosis.finding is Finding.OVERFITTING
        assert 90 <= (diagnosis.best_step or 0) <= 210


@given(
    st.lists(st.tuples(LOSSES, st.none() | LOSSES, st.none() | LOSSES), max_size=60),
    st.integers(2, 50),
)
def test_the_diagnosis_depends_on_order_and_not_on_step_numbers(
    losses: list[tuple[float, float | None, float | None]], factor: int
) -> None:
    """Any losses are judged without an error; steps counted in other units move `best_step` alone."""
    rows = [
        MetricRow(step=step, train_loss=train, valid_loss=valid, full_valid_loss=full)
        for step, (train, valid, full) in enumerate(losses, start=1)
    ]
    stretched = [replace(row, step=row.step * factor) for row in rows]
    one, other = Metrics(tuple(rows)).diagnosis, Metrics(tuple(stretched)).diagnosis

    assert one.finding is other.finding
    assert other.best_step == (None if one.best_step is None else one.best_step * factor)


@given(st.lists(st.floats(0.0, 20.0), min_size=10, max_size=60), st.floats(-50.0, 50.0))
def test_a_constant_added_to_all_losses_is_judged_too(losses: list[float], constant: float) -> None:
    """Negative losses, as some objectives have, are no error."""
    shifted = run_of([loss + constant for loss in losses]).diagnosis

    assert shifted.finding in Finding
    assert run_of(losses, {1: 1.0, 10: -1.0 + constant}).diagnosis.best_step in (1, 10)


@given(st.lists(st.floats(0.1, 20.0), min_size=2, max_size=20), st.floats(1.0, 1.02))
def test_a_rise_of_two_percent_is_never_overfitting(losses: list[float], rise: float) -> None:
    """However the full validations went before, an end within 2 % of the best is no alarm."""
    ending = [*losses, min(losses) * rise]

    assert epochs(*ending).diagnosis.finding is not Finding.OVERFITTING


@pytest.mark.parametrize(
    ("losses", "rule", "stops"),
    [
        ((1.0,), EarlyStop(), False),
        ((1.0, 0.8, 0.9), EarlyStop(), False),
        ((1.0, 0.8, 0.9, 0.85), EarlyStop(), True),
        ((1.0, 0.8, 0.9, 0.79), EarlyStop(), False),
        ((1.0, 0.8, 0.8, 0.8), EarlyStop(), True),
        ((1.0, 0.8, 0.82, 0.84), EarlyStop(min_rise=0.05), False),
        ((1.0, 0.8, 0.82, 0.86), EarlyStop(min_rise=0.05), True),
        ((1.0, 0.8, 0.9), EarlyStop(patience=1), True),
        ((1.0, math.nan, math.nan), EarlyStop(), True),
        ((math.nan, math.nan, math.nan), EarlyStop(), True),
        ((math.nan, math.nan), EarlyStop(), False),
    ],
)
def test_the_early_stop_waits_for_its_patience(
    losses: tuple[float, ...], rule: EarlyStop, stops: bool
) -> None:
    """It stops once that many full validations in a row were no better than the best before them."""
    metrics = epochs(*losses)

    assert rule.should_stop(metrics) is stops
    assert (rule.reason(metrics) is not None) is stops


def test_the_early_stop_heeds_full_validations_alone() -> None:
    """Rising losses on single validation batches stop nothing."""
    assert not EarlyStop(patience=1).should_stop(run_of(FALLING, batches=FALLING[::-1]))


@given(st.lists(LOSSES, max_size=12), st.integers(1, 4))
def test_the_early_stop_never_stops_at_a_new_best(losses: list[float], patience: int) -> None:
    """A run that has just improved goes on, whatever it did before; so does one too short to tell."""
    finite = [loss for loss in losses if math.isfinite(loss)]
    new_best = math.nextafter(min(finite, default=0.0), -math.inf)
    rule = EarlyStop(patience=patience)

    assert not rule.should_stop(epochs(*losses, new_best))
    assert not rule.should_stop(epochs(*losses[:patience]))


@pytest.mark.parametrize("knobs", [{"patience": 0}, {"min_rise": -0.1}, {"min_rise": math.nan}])
def test_a_senseless_early_stop_is_refused(knobs: dict[str, float]) -> None:
    """The error names the setting."""
    with pytest.raises(ValueError, match=next(iter(knobs))):
        EarlyStop(**knobs)  # type: ignore[arg-type]  # as parametrised


def checkpoint(step: int, loss: float | None) -> Checkpoint:
    """Make a checkpoint with a loss on the whole validation set."""
    return Checkpoint(
        name=f"ft:m:ckpt-step-{step}",
        step=step,
        metrics=MetricRow(step=step, full_valid_loss=loss, valid_loss=0.0),
    )


def test_checkpoints_are_ranked_by_full_validation_loss() -> None:
    """Lowest first, the earlier of equals before the later; unknown and NaN come last, latest first."""
    losses = {10: 0.9, 20: 0.7, 30: 0.7, 40: None, 50: math.nan}
    ranked = rank(checkpoint(step, loss) for step, loss in losses.items())

    assert [each.step for each in ranked] == [20, 30, 10, 50, 40]
    assert ranked.best == ranked[0]


@given(st.permutations([(step, loss) for step in (1, 2, 3) for loss in (None, 0.5, math.nan)]))
def test_the_ranking_does_not_depend_on_the_listing(order: list[tuple[int, float | None]]) -> None:
    """Services list checkpoints newest first, or in any order."""
    ranked = rank(checkpoint(*each) for each in order)

    assert [(each.step, each.metrics.full_valid_loss == 0.5) for each in ranked[:3]] == [
        (1, True),
        (2, True),
        (3, True),
    ]


def test_checkpoints_print_as_a_table() -> None:
    """Step, losses and the model's name, best first; none is a sentence."""
    text = str(rank([checkpoint(10, 0.9), checkpoint(1200, 0.75), checkpoint(30, None)]))

    assert [line.split()[0] for line in text.splitlines()[2:]] == ["1,200", "10", "30"]
    assert "0.7500" in text
    assert "ft:m:ckpt-step-1200" in rank([checkpoint(1200, 0.75)])._repr_html_()
    assert "No checkpoints" in str(rank([]))
    assert "No checkpoints" in rank([])._repr_html_()
    assert rank([]).best is None
