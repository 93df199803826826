"""Count, price and describe the rows."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Literal, Self

from gpt4o_tune.catalog import DEFAULT_MODEL, load
from gpt4o_tune.data._selection import Selection
from gpt4o_tune.data.verbs.arguments import Group, ProviderLike, kind_of
from gpt4o_tune.data.verbs.checking import Checking

if TYPE_CHECKING:
    import datetime
    import os
    from collections.abc import Mapping, Sequence

    from gpt4o_tune.data.cost import CostEstimate
    from gpt4o_tune.data.cost_table import CostTable
    from gpt4o_tune.data.preview import Preview
    from gpt4o_tune.data.quality._benchmarks import Benchmark
    from gpt4o_tune.data.quality.card import DataCard
    from gpt4o_tune.data.quality.profile import Profile
    from gpt4o_tune.data.quality.screen import ScreenReport
    from gpt4o_tune.data.split import Split
    from gpt4o_tune.data.tokens import TokenReport


class Measuring(Checking):
    """Count, price and describe the rows."""

    __slots__ = ()

    def tokens(self, *, model: str = DEFAULT_MODEL) -> TokenReport:
        """Count the tokens of every row for a model. No network is needed.

        Counts are kept: a part of a dataset that was counted needs no counting.

        Raises:
            DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
            ProviderError: The catalog does not know the model.
        """
        from gpt4o_tune.data._facts import token_counts
        from gpt4o_tune.data.tokens import TokenReport

        known = load().get(model)
        counts = token_counts(self._store, self._numbers, model=known, format=self.format)
        return TokenReport.of(counts.of(self._numbers), model=known)

    def preview(self, index: int, *, model: str = DEFAULT_MODEL) -> Preview:
        """Show one row as a model sees it: token by token, with what is trained and what is cut off.

        Example:
            >>> print(data.preview(0))
            >>> print(data.preview(0).to_text(color=True))

        Raises:
            IndexError: There is no such row.
            DatasetError: The row cannot be read; its faults are in `.problems`.
            ProviderError: The catalog does not know the model.
        """
        from gpt4o_tune.data.preview import preview

        number = self._numbers[index]
        row = self._records("preview the row", [number])[0]
        known = load().get(model)
        return preview(row, model=known, source=self.source, line=self._store.lines[number])

    def cost(
        self,
        *,
        model: str = DEFAULT_MODEL,
        epochs: int | Literal["auto"] = "auto",
        provider: ProviderLike = "openai",
    ) -> CostEstimate:
        """Estimate the price of training on these rows.

        Args:
            model: The model to train.
            epochs: Passes over the data; `auto` estimates what the service would choose.
            provider: Where; the price follows from it.

        Raises:
            DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
            ProviderError: The catalog does not know the model, or there is no such provider.
            ValueError: `epochs` is out of range.
        """
        from gpt4o_tune.data.cost import estimate

        known = load().get(model)
        return estimate(
            self.tokens(model=model), model=known, provider=kind_of(provider), epochs=epochs
        )

    def costs(
        self,
        *,
        epochs: int | Literal["auto"] = "auto",
        calls_per_month: float = 0,
        months: float = 1,
        input_tokens: float | None = None,
        output_tokens: float | None = None,
        hosting_hours: float = 730,
        providers: Sequence[ProviderLike] = ("openai", "azure"),
        on: datetime.date | None = None,
    ) -> CostTable:
        """Estimate training, hosting and inference on every model that such rows train, or once did.

        Example:
            >>> print(data.costs(calls_per_month=100_000))

        Args:
            epochs: Passes over the data; `auto` estimates what the service would choose.
            calls_per_month: How often the finished model is asked.
            months: How long it is used, for the total.
            input_tokens: What a call reads; the mean of the rows where it is not given, a row being one call.
            output_tokens: What a call writes; the mean of what is trained in a row where it is not given.
            hosting_hours: Hours a month in which the model is deployed, where that is billed.
            providers: Where to look.
            on: The day for which the table holds; today where none is given.

        Raises:
            DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
            ProviderError: There is no such provider.
            ValueError: A figure is out of range.
        """
        from datetime import date

        from gpt4o_tune.data.cost_table import Usage, cost_table

        usage = Usage(
            calls_per_month=calls_per_month,
            months=months,
            hosting_hours=hosting_hours,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )
        return cost_table(
            lambda model: self.tokens(model=model),
            format=self.format,
            examples=len(self),
            has_images=self._shows_images(),
            usage=usage,
            epochs=epochs,
            providers=[kind_of(provider) for provider in providers],
            on=on or date.today(),
        )

    def _shows_images(self) -> bool:
        from gpt4o_tune.data.cost_table import may_show_image, shows_image

        rows = zip(self._numbers, self._store.iterate(self._numbers), strict=True)
        doubtful = array("Q", (number for number, raw in rows if may_show_image(raw)))
        return bool(doubtful) and any(map(shows_image, self._records("estimate costs", doubtful)))

    def profile(self, *, model: str = DEFAULT_MODEL, label: Group | None = None) -> Profile:
        """Measure what is in the rows, and say what stands out; see `gpt4o_tune.data.quality`.

        Args:
            model: The model to count tokens for.
            label: What the label of a row is; where None, labels are looked for in the answers.

        Raises:
            DatasetError: There are no rows, one cannot be read, or one lacks the field named.
            ProviderError: The catalog does not know the model.
        """
        from gpt4o_tune.data.quality._profiling import profile

        return profile(
            self._records("profile the rows"),
            tokens=self.tokens(model=model),
            labels=self._values(label),
            source=self.source,
            format=self.format,
        )

    def screen(
        self,
        benchmarks: Mapping[str, Benchmark | Selection],
        *,
        fields: Sequence[str] | None = None,
    ) -> ScreenReport:
        """Find the rows that hold, or nearly hold, an item of a benchmark; see `quality.screen`.

        Example:
            >>> report = data.screen({"ours": "eval.jsonl", "exam": "questions.csv"})
            >>> clean = data.drop(report.rows)

        Args:
            benchmarks: By name a path (JSONL, JSON, CSV, TSV, or TXT with an item per line), a dataset, or
                an iterable of texts, records or `Path` objects.
            fields: The fields of records to compare; where None, the first of `question`, `prompt`,
                `input`, `problem`, `text` and the like, or the user's messages.

        Raises:
            ValueError: No benchmark is given.
            DatasetNotFoundError: A benchmark file is not there.
            DatasetError: A benchmark or a row cannot be read, or there are no rows.
        """
        from gpt4o_tune.data.quality.screen import screen

        given = {
            name: benchmark.records() if isinstance(benchmark, Selection) else benchmark
            for name, benchmark in benchmarks.items()
        }
        return screen(self._records("screen rows"), given, fields=fields)

    def card(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        title: str | None = None,
        model: str = DEFAULT_MODEL,
        provider: ProviderLike = "openai",
        label: Group | None = None,
        split: Split[Self] | None = None,
        screening: ScreenReport | None = None,
        samples: int = 3,
        seed: int = 0,
        date: datetime.date | None = None,
    ) -> DataCard:
        """Make a data card: one page with what `profile`, `check`, `tokens` and `cost` say of the rows.

        Args:
            path: Where to write the page as HTML; None writes nothing.
            title: Its heading; the name of the file where None.
            model: The model to check, count and price for.
            provider: Where; limits and price follow from it.
            label: As in `profile`.
            split: How the rows were divided, for the sizes and the leakage of its parts.
            screening: What `screen` said of the rows.
            samples: Rows to show in full; 0 where the data must not leave its place.
            seed: Another seed shows other rows.
            date: Day of the card; today where None.

        Raises:
            DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
            DatasetNotFoundError: The folder of `path` does not exist.
            ProviderError: The catalog does not know the model, or there is no such provider.
            ValueError: `samples` is negative.
        """
        from gpt4o_tune.data.quality.card import make_card

        card = make_card(
            profile=self.profile(model=model, label=label),
            report=self.check(model=model, provider=provider),
            tokens=self.tokens(model=model),
            cost=self.cost(model=model, provider=provider),
            rows=self._records("show sample rows"),
            fingerprint=self.fingerprint,
            title=title,
            split=split,
            screening=screening,
            samples=samples,
            seed=seed,
            date=date,
        )
        if path is not None:
            card.write(path)
        return card
