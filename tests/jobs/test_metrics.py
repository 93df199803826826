"""Metrics: every form in which services deliver them, and every form in which they leave."""

from __future__ import annotations

import base64
import datetime as dt
import math
import sys
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune import MissingExtraError
from gpt4o_tune.jobs import Event, Finding, MetricRow, Metrics
from gpt4o_tune.jobs.metrics import combine, from_events, from_result_file

if TYPE_CHECKING:
    from pathlib import Path

OPENAI = b"step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n1,2.5,0.4,2.6,0.3\n2,2.0,0.5,,\n"
AZURE = (
    b"step,train_loss,train_mean_token_accuracy,valid_loss,validation_mean_token_accuracy,"
    b"full_valid_loss,full_valid_mean_token_accuracy\n1,2.5,0.4,2.6,0.3,,\n2,2.0,0.5,,,2.4,0.35\n"
)


def runs(numbers: st.SearchStrategy[float | None]) -> st.SearchStrategy[Metrics]:
    """Make up runs of up to 30 steps with such numbers anywhere."""
    measured = {name: numbers for name in MetricRow.__dataclass_fields__ if name != "step"}
    rows = st.lists(
        st.builds(MetricRow, step=st.integers(1, 10**6), **measured),
        unique_by=lambda row: row.step,
        max_size=30,
    )
    return rows.map(lambda rows: Metrics(tuple(sorted(rows, key=lambda row: row.step))))


ANY = st.none() | st.floats()
LOSSES = st.none() | st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf])
FALLING = Metrics(
    tuple(
        MetricRow(
            step=step,
            train_loss=3.0 * 0.8**step + 0.2,
            train_accuracy=1 - 0.8**step,
            full_valid_loss={10: 1.0, 20: 0.8, 30: 1.1}.get(step),
        )
        for step in range(1, 31)
    )
)


def event(step: object, **data: object) -> Event:
    """Make a metrics event."""
    return Event(
        id=f"e{step}",
        created_at=dt.datetime(2026, 11, 23, tzinfo=dt.UTC),
        level="info",
        kind="metrics",
        message="",
        data={"step": step, **data},
    )


@pytest.mark.parametrize(
    "content",
    [
        OPENAI,
        base64.b64encode(OPENAI),
        base64.encodebytes(OPENAI),
        b"\xef\xbb\xbf" + OPENAI,
        OPENAI.replace(b"\n", b"\r\n"),
        OPENAI.replace(b"\n", b"\r"),
    ],
    ids=["plain", "base64", "base64 in lines", "byte order mark", "CRLF", "CR"],
)
def test_the_result_file_is_read_plain_and_encoded(content: bytes) -> None:
    """All deliveries give the same rows; blank cells are not measured, not zero."""
    metrics = from_result_file(content)

    assert metrics.rows == (
        MetricRow(step=1, train_loss=2.5, train_accuracy=0.4, valid_loss=2.6, valid_accuracy=0.3),
        MetricRow(step=2, train_loss=2.0, train_accuracy=0.5),
    )


def test_the_second_header_variant_is_read() -> None:
    """Azure's column names mean the same numbers."""
    last = from_result_file(AZURE).rows[-1]

    assert (last.full_valid_loss, last.full_valid_accuracy) == (2.4, 0.35)
    assert from_result_file(AZURE).rows[0].valid_accuracy == 0.3


def test_an_empty_or_foreign_result_file_gives_no_rows() -> None:
    """A file that is no metrics table loses nothing else."""
    assert len(from_result_file(b"")) == 0
    assert len(from_result_file(b'{"steps": []}')) == 0
    assert len(from_result_file(b"step,train_loss\n1," + b"9" * 200_000)) == 0


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda tail: OPENAI + tail))
def test_no_content_of_a_result_file_raises(content: bytes) -> None:
    """Whatever a service delivers, metrics come back, in the order of their steps."""
    steps = [row.step for row in from_result_file(content)]

    assert steps == sorted(set(steps))


@pytest.mark.parametrize("step", [math.nan, math.inf, None, "", "last", True, [1], 10**400])
def test_an_event_without_a_usable_step_is_passed_over(step: object) -> None:
    """A measurement that belongs to no step is dropped, the others stay."""
    metrics = from_events([event(step, train_loss=1.0), event(2, train_loss=10**400)])

    assert metrics.rows == (MetricRow(step=2),)


def test_events_and_file_are_joined_by_step() -> None:
    """What only one of the two knows is kept; where both know, the file is final."""
    live = from_events([event(1, train_loss=9.0), event(2, full_valid_loss=1.5)])

    joined = combine(live, from_result_file(OPENAI))

    assert [row.step for row in joined] == [1, 2]
    assert joined.rows[0].train_loss == 2.5
    assert joined.rows[1].full_valid_loss == 1.5


@given(st.lists(st.integers(1, 50), unique=True), st.randoms())
def test_rows_stand_in_step_order_however_events_arrive(steps: list[int], random: object) -> None:
    """Order of arrival plays no part."""
    events = [event(step, train_loss=float(step)) for step in steps]
    random.shuffle(events)  # type: ignore[attr-defined]

    assert [row.step for row in from_events(events)] == sorted(steps)


@given(metrics=runs(ANY))
def test_the_csv_file_is_read_back_exactly(
    metrics: Metrics, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What `to_csv` writes reads like a result file, down to the last bit, NaN and infinity included."""
    path = metrics.to_csv(tmp_path_factory.getbasetemp() / "run.csv")

    assert repr(from_result_file(path.read_bytes())) == repr(metrics)


@given(metrics=runs(LOSSES))
def test_every_rendering_takes_any_losses(metrics: Metrics) -> None:
    """Text keeps to 100 columns and HTML is well formed, with NaN and infinity too."""
    text, page = str(metrics), metrics._repr_html_()

    assert max(map(len, text.splitlines())) <= 100
    ET.fromstring(page)  # noqa: S314  # our own text


def test_the_text_shows_both_curves_and_the_diagnosis() -> None:
    """Printing metrics shows a chart with its legend and the finding below, in 100 columns."""
    text = str(FALLING)

    assert "· training loss" in text
    assert "● validation loss" in text
    assert "Diagnosis: overfitting" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_notebook_shows_both_curves_as_a_picture() -> None:
    """One self-contained SVG with a panel for loss and one for accuracy, in the page's own text colour."""
    page = ET.fromstring(FALLING._repr_html_())  # noqa: S314  # our own text
    svg = "{http://www.w3.org/2000/svg}"
    lines = page.findall(f".//{svg}polyline")
    labels = {text.text for text in page.iter(f"{svg}text")}

    assert [len((line.get("points") or "").split()) for line in lines] == [30, 3, 30]
    assert {"training loss", "validation loss", "training accuracy"} <= labels
    assert {line.get("stroke") for line in lines} == {"#3f83d4", "#d4701c"}
    assert page.find(f"{svg}svg").get("fill") == "currentColor"  # type: ignore[union-attr]  # it is there
    assert "Diagnosis: overfitting" in "".join(page.itertext())
    assert "href" not in FALLING._repr_html_()


def test_a_long_run_is_thinned_for_the_picture() -> None:
    """A hundred thousand steps do not make a notebook heavy."""
    rows = tuple(MetricRow(step=step, train_loss=1.0) for step in range(1, 100_001))

    assert len(Metrics(rows)._repr_html_()) < 10_000


def test_no_metrics_yet_says_so() -> None:
    """A job that has not started training prints a sentence, not an empty chart."""
    assert "No metrics yet" in str(Metrics(()))
    assert "No metrics yet" in Metrics(())._repr_html_()
    assert Metrics(()).diagnosis.finding is Finding.TOO_FEW_POINTS


@pytest.mark.parametrize(
    ("verb", "extra", "modules"),
    [
        ("to_pandas", "pandas", ["pandas"]),
        ("to_polars", "polars", ["polars"]),
        ("plot", "plot", ["matplotlib", "matplotlib.figure"]),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    verb: str, extra: str, modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error carries the command that helps."""
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingExtraError, match=rf"gpt4o-tune\[{extra}\]"):
        getattr(FALLING, verb)()


@pytest.mark.parametrize("metrics", [FALLING, Metrics(())], ids=["run", "empty"])
def test_a_pandas_frame_holds_the_same_numbers(metrics: Metrics) -> None:
    """One row per step; NaN where nothing was measured; numeric columns even where all are blank."""
    pytest.importorskip("pandas", reason="the extra [pandas] is not installed")
    frame = metrics.to_pandas()

    assert list(frame.columns) == list(MetricRow.__dataclass_fields__)
    assert frame["step"].tolist() == [row.step for row in metrics]
    assert frame["full_valid_loss"].dropna().tolist() == [1.0, 0.8, 1.1][: len(metrics)]
    assert set(map(str, frame.dtypes)) == {"int64", "float64"}


@pytest.mark.parametrize("metrics", [FALLING, Metrics(())], ids=["run", "empty"])
def test_a_polars_frame_holds_the_same_numbers(metrics: Metrics) -> None:
    """One row per step; null where nothing was measured; numeric columns even where all are blank."""
    polars = pytest.importorskip("polars", reason="the extra [polars] is not installed")
    frame = metrics.to_polars()

    assert frame.to_dicts() == metrics.to_records()
    assert set(frame.dtypes) == {polars.Int64, polars.Float64}


@pytest.mark.filterwarnings("ignore")  # matplotlib's own
def test_the_figure_shows_loss_and_accuracy(tmp_path: Path) -> None:
    """Two axes with all measured points, saved without pyplot ever being imported."""
    pytest.importorskip("matplotlib", reason="the extra [plot] is not installed")
    figure = FALLING.plot()
    loss, accuracy = figure.axes
    figure.savefig(tmp_path / "run.png")

    assert [len(line.get_xdata()) for line in loss.lines] == [30, 3]
    assert [line.get_label() for line in accuracy.lines] == ["training accuracy"]
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    assert "matplotlib.pyplot" not in sys.modules
    assert [axes.lines[:] for axes in Metrics(()).plot().axes] == [[]]
