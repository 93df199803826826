"""`Dataset`: open, check, count, price, compare and split training data."""

from __future__ import annotations

from array import array
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias, get_args, overload

from gpt4o_tune.catalog import DEFAULT_MODEL, ProviderKind, load
from gpt4o_tune.data._records import encode_records
from gpt4o_tune.data._selection import Selection
from gpt4o_tune.data._store import RowStore
from gpt4o_tune.data.formats import METHOD_OF_FORMAT
from gpt4o_tune.data.report import CheckReport, Problem
from gpt4o_tune.errors import ProviderError

if TYPE_CHECKING:
    import datetime
    import os
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.catalog import Method
    from gpt4o_tune.data._decisions import DecisionsLike
    from gpt4o_tune.data._survey import Wanted
    from gpt4o_tune.data._tables import Source
    from gpt4o_tune.data.argilla import ArgillaRecords
    from gpt4o_tune.data.calls import CallRecorder
    from gpt4o_tune.data.checks import Scope
    from gpt4o_tune.data.cost import CostEstimate
    from gpt4o_tune.data.cost_table import CostTable
    from gpt4o_tune.data.decode import JsonObject
    from gpt4o_tune.data.fixing import Fixed
    from gpt4o_tune.data.formats import Format
    from gpt4o_tune.data.forms import Form, Target
    from gpt4o_tune.data.preview import Preview
    from gpt4o_tune.data.privacy import Kind, Redacted
    from gpt4o_tune.data.quality._benchmarks import Benchmark
    from gpt4o_tune.data.quality.card import DataCard
    from gpt4o_tune.data.quality.profile import Profile
    from gpt4o_tune.data.quality.screen import ScreenReport
    from gpt4o_tune.data.review import Review
    from gpt4o_tune.data.rows import Row
    from gpt4o_tune.data.similarity import AnyCorpus, OverlapReport
    from gpt4o_tune.data.split import Split
    from gpt4o_tune.data.tokens import TokenReport
    from gpt4o_tune.providers import Provider

__all__ = ["Dataset", "Group"]


class _HasKind(Protocol):
    @property
    def kind(self) -> ProviderKind: ...


ProviderLike: TypeAlias = "ProviderKind | _HasKind"
Group: TypeAlias = "str | Callable[[Row], object]"
"""The name of a row's field, or a function from the row to what it belongs to."""


class Dataset(Selection):
    """Rows of training data, in order. Nothing changes a dataset: every verb returns a new one.

    A dataset holds row numbers over a store of bytes that all its slices, filters and splits share, so
    they cost a few bytes a row. Rows are parsed when they are asked for and written as they stand.

    Example:
        >>> data = Dataset.from_jsonl("tickets.jsonl")
        >>> data.check(model="gpt-4o-2024-08-06").raise_for_errors()
        >>> train, validation = data.split(validation=0.1, seed=7)
    """

    __slots__ = ()

    @classmethod
    def from_jsonl(cls, path: str | os.PathLike[str], *, format: Format | None = None) -> Self:  # noqa: A002  # says it best
        """Open a JSONL file. The file is mapped, not read: nothing is parsed or judged yet.

        A byte order mark and blank lines are skipped; `check` reports them. A file packed with gzip or
        Zstandard (`.gz`, `.zst`) is unpacked into a nameless file on disk, which is then mapped.

        Args:
            path: The file. It must not be written to while the dataset is in use; replacing it by
                another file, as `to_jsonl` does, is safe.
            format: What the rows are; found from the rows where it is not given.

        Raises:
            DatasetNotFoundError: No readable file is there.
            DatasetError: The file is packed, and damaged or cut short.
            MissingExtraError: The file is packed with Zstandard, and the extra `zstd` is not installed.
            ValueError: There is no such format.
        """
        store = RowStore.from_file(path)
        return cls(store, range(len(store)), format=format)

    @classmethod
    def from_records(
        cls,
        rows: Iterable[Mapping[str, object] | Row],
        *,
        format: Format | None = None,  # noqa: A002  # as in `from_jsonl`
    ) -> Self:
        """Make a dataset of mappings or row models, in order.

        Each is written once, as compact JSON in UTF-8 without ASCII escapes and with its keys in their
        own order; keys that a row model was not given stay out.

        Raises:
            DatasetError: A record cannot be written as JSON without loss; the message has its number.
            ValueError: There is no such format.
        """
        store = RowStore.from_lines(encode_records(rows))
        return cls(store, range(len(store)), format=format)

    @classmethod
    def from_calls(cls, calls: CallRecorder | str | os.PathLike[str]) -> Self:
        """Make a dataset of recorded chat calls, in the order in which their answers came.

        Args:
            calls: A recorder, or the file that one wrote. A line that a crash tore is left out with a
                warning in the log.

        Raises:
            DatasetNotFoundError: There is no such file.
        """
        from gpt4o_tune.data._journal import whole_lines
        from gpt4o_tune.data.calls import CallRecorder

        path = calls.path if isinstance(calls, CallRecorder) else calls
        lines = calls.lines if isinstance(calls, CallRecorder) else ()
        if path is not None:
            lines = whole_lines(path)
        store = RowStore.from_lines(lines)
        return cls(store, range(len(store)), format="chat")

    @classmethod
    def read(
        cls,
        source: Source,
        *,
        form: Form | None = None,
        columns: Mapping[str, str] | None = None,
        requests: str | os.PathLike[str] | None = None,
        format: Format | None = None,  # noqa: A002  # as in `from_jsonl`
    ) -> Self:
        """Read rows of another form, from a file, a table or a list of mappings.

        A file is JSON Lines, a JSON array, CSV, TSV or Parquet by the end of its name, packed or not.
        A table is of pandas, polars, pyarrow or Hugging Face `datasets`. JSON Lines that have the form
        `openai` are opened as they stand, as `from_jsonl` does. What no row can hold is an error; fields
        that stand beside what a form knows are left out. The logger `gpt4o_tune` names them in a
        warning, and the form that was found. What each form holds, `docs/reference/forms.md` says.

        Empty cells of a table count as missing, and so do null keys of objects inside cells, which
        tables give to every row as soon as one has them.

        Args:
            source: A path, a table, or mappings.
            form: What the records are; found from the first ones where it is not given.
            columns: The names of fields that the form knows, each with the column that holds it, such
                as `{"prompt": "question", "completion": "answer"}`.
            requests: The input file of a batch, whose output file is the source.
            format: What the rows are; found from the rows where it is not given.

        Example:
            >>> data = Dataset.read("faq.csv", columns={"prompt": "question", "completion": "answer"})

        Raises:
            DatasetNotFoundError: No readable file is there.
            DatasetError: The form cannot be told, the source is empty or damaged, or a record does not
                become a row; the message has its number.
            MissingExtraError: The file needs an extra (`parquet`, `zstd`) that is not installed.
            ValueError: There is no such form or format.
        """
        from gpt4o_tune.data._importing import read

        store = read(source, form=form, columns=columns, requests=requests)
        return cls(store, range(len(store)), format=format)

    @overload
    def export(self, form: Target) -> Iterator[JsonObject]: ...
    @overload
    def export(self, form: Target, path: str | os.PathLike[str]) -> Path: ...
    def export(
        self, form: Target, path: str | os.PathLike[str] | None = None
    ) -> Iterator[JsonObject] | Path:
        """Write the rows in the form of another tool, or yield them so where no path is given.

        Preference rows take the tool's form for preferences. An answer of weight 0 is written as the
        tool says it. `docs/reference/forms.md` says what each form holds.

        Args:
            form: The tool's form.
            path: Where to write: one record per line, or one JSON array where the name ends in `.json`.
                `.gz` or `.zst` may follow.

        Example:
            >>> data.export("axolotl", "tickets.jsonl")

        Raises:
            DatasetError: There are no rows, one cannot be read, or one holds what the form has no place
                for; the message has its line.
            DatasetNotFoundError: The folder does not exist.
            ValueError: There is no such form.
        """
        from gpt4o_tune.data._exporting import exported, write, writer_for

        writer = writer_for(form, format=self.format, weighted=self._has_weights())
        rows = zip(self.lines, self._records("export the rows"), strict=True)
        records = exported(rows, writer, form=form)
        return records if path is None else write(records, path)

    def export_settings(self, form: Target, path: str | os.PathLike[str]) -> JsonObject:
        """Return what the tool's own configuration must say of a file that `export` wrote.

        For `llama-factory` that is the entry of `dataset_info.json`, for `axolotl` the entry of
        `datasets`, for `trl` the fields of `SFTConfig` that decide what is trained.

        Raises:
            ValueError: The tool needs no such settings.
        """
        from gpt4o_tune.data._exporting import settings

        return settings(form, path, format=self.format, weighted=self._has_weights())

    def _has_weights(self) -> bool:
        from gpt4o_tune.data._exporting import has_weights

        return self.format == "chat" and has_weights(self._store.iterate(self._numbers))

    def drop(self, rows: Iterable[int | Problem]) -> Dataset:
        """Leave rows out, by number or because a problem stands on their line.

        Problems of the whole file name no row, so they drop none.

        Example:
            >>> sound = data.drop(data.check().errors)

        Raises:
            IndexError: There is no such row.
        """
        numbers, lines = set[int](), set[int]()
        for row in rows:
            if isinstance(row, Problem):
                lines.add(row.line)
            else:
                numbers.add(range(len(self))[row])
        return self.select(
            row for row, line in enumerate(self.lines) if row not in numbers and line not in lines
        )

    def deduplicate(self, *, near: bool = False) -> Dataset:
        """Keep the first row of each cluster that `duplicates` finds."""
        repeated = chain.from_iterable(cluster[1:] for cluster in self.duplicates(near=near))
        return self.drop(repeated)

    def check(
        self,
        *,
        model: str | None = None,
        provider: ProviderLike = "openai",
        method: Method | None = None,
        grader: Mapping[str, object] | None = None,
        pii: bool = False,
    ) -> CheckReport:
        """Apply every rule to every row, in one pass and without changing anything.

        Args:
            model: The model to train; `DEFAULT_MODEL` where none is given.
            provider: Where; limits follow from it.
            method: How; the one that the rows' format is for where none is given.
            grader: What is to reward answers, as `FineTuneJob.create` takes it: it is checked too, and
                every field that it reads is looked for in every row. Reinforcement only.
            pii: Whether to look for personal data too: e-mail addresses, phones, cards, accounts,
                national ids, IP addresses. Secrets are always looked for.

        Raises:
            ProviderError: The catalog does not know the model, or there is no such provider.
            ValueError: A grader came with another method.
        """
        from gpt4o_tune.data import _facts

        wanted = self._wanted(model=model, provider=provider, method=method, grader=grader, pii=pii)
        return self._report(_facts.problems(self._store, self._numbers, wanted), wanted.scope())

    def probe_images(
        self,
        *,
        provider: ProviderLike = "openai",
        timeout: float = 10.0,
        at_once: int = 8,
        allow_private: bool = False,
    ) -> CheckReport:
        """Fetch the head of every image behind a web address, and report those that training would skip.

        Each address is asked for once, without credentials, and no more of it is read than its format,
        mode and size need. Addresses inside this machine's network are not fetched, nor redirects to
        them: the service could not reach them, and rows from elsewhere must not look around in it.

        Args:
            provider: Where the rows are to be trained; the size limit follows from it.
            timeout: Seconds for one address, redirects included.
            at_once: Addresses that are fetched at the same time.
            allow_private: Whether addresses that are not public are fetched too.

        Raises:
            ProviderError: There is no such provider.
            ValueError: `timeout` or `at_once` is not positive.
        """
        from gpt4o_tune._drive import run

        return run(self._probe_images(provider, timeout, at_once, allow_private, blocking=True))

    async def probe_images_async(
        self,
        *,
        provider: ProviderLike = "openai",
        timeout: float = 10.0,
        at_once: int = 8,
        allow_private: bool = False,
    ) -> CheckReport:
        """As `probe_images`, without blocking."""
        return await self._probe_images(provider, timeout, at_once, allow_private, blocking=False)

    async def _probe_images(
        self,
        provider: ProviderLike,
        timeout: float,
        at_once: int,
        allow_private: bool,
        *,
        blocking: bool,
    ) -> CheckReport:
        from gpt4o_tune.data._probing import probe

        scope = self._scope(provider)
        problems = await probe(
            self._store.numbered(self._numbers),
            scope=scope,
            timeout=timeout,
            at_once=at_once,
            allow_private=allow_private,
            blocking=blocking,
        )
        return self._report(problems, scope)

    def moderate(
        self,
        *,
        provider: Provider,
        model: str = "omni-moderation-latest",
        cache: str | os.PathLike[str] | None = None,
    ) -> CheckReport:
        """Screen every text of the rows with a moderation service, and name the rows that it flags.

        Texts go to the service; images do not. Each distinct text is asked about once. The screening
        that a provider makes of an uploaded file is another one and may judge otherwise: a clean report
        is a good sign and no promise.

        Args:
            provider: Whose service; OpenAI's is free, Azure has none.
            model: The moderation model.
            cache: A file for the verdicts, by hash and without the texts, so that the next run asks only
                about what is new.

        Raises:
            ProviderError: The provider screens no texts.
            OSError: The cache cannot be read or written.

        Example:
            >>> data.moderate(provider=Provider.openai(), cache="verdicts.jsonl").raise_for_errors()
        """
        from gpt4o_tune._drive import run

        return run(self._moderate(provider, provider.blocking(), model, cache))

    async def moderate_async(
        self,
        *,
        provider: Provider,
        model: str = "omni-moderation-latest",
        cache: str | os.PathLike[str] | None = None,
    ) -> CheckReport:
        """As `moderate`, without blocking."""
        return await self._moderate(provider, provider.asynchronous(), model, cache)

    async def _moderate(
        self,
        provider: Provider,
        gateway: Gateway,
        model: str,
        cache: str | os.PathLike[str] | None,
    ) -> CheckReport:
        from gpt4o_tune.data._moderation import moderate

        scope = self._scope(provider)
        lines = partial(self._store.numbered, self._numbers)
        problems = await moderate(gateway, lines, scope=scope, model=model, cache=cache)
        return self._report(problems, scope)

    def _scope(self, provider: ProviderLike) -> Scope:
        """Return the scope of rules that no model matters to."""
        from gpt4o_tune.data.checks import scope_for

        method = METHOD_OF_FORMAT[self.format]
        kind = _kind(provider)
        return scope_for(DEFAULT_MODEL, provider=kind, method=method, format=self.format)

    def _report(self, problems: Iterable[Problem], scope: Scope) -> CheckReport:
        return CheckReport(
            problems=tuple(problems),
            source=self.source,
            rows=len(self),
            model=scope.model.name if scope.model else None,
            provider=scope.provider,
            method=scope.method,
        )

    def scan(
        self,
        *,
        model: str | None = None,
        provider: ProviderLike = "openai",
        method: Method | None = None,
        near: bool = True,
    ) -> Self:
        """Read all rows once for what `check`, `tokens`, `cost` and `split` will ask, and return the dataset.

        Each of these reads what it needs by itself; one pass for all saves time where there are many rows.

        Args:
            model: As for `check`; tokens are counted for the same model.
            provider: As for `check`.
            method: As for `check`.
            near: Whether near-duplicates will be looked for, as `split` and `duplicates` do by default.

        Raises:
            ProviderError: The catalog does not know the model, or there is no such provider.
        """
        from gpt4o_tune.data import _facts
        from gpt4o_tune.data.similarity import EXACT_ROWS

        wanted = replace(
            self._wanted(model=model, provider=provider, method=method),
            count=True,
            sketch=near and len(self) > EXACT_ROWS,
        )
        _facts.problems(self._store, self._numbers, wanted)
        return self

    def redact(
        self,
        *,
        kinds: Collection[Kind] | None = None,
        replacement: str = "[{kind}_{number}]",
    ) -> Redacted[Dataset]:
        """Put placeholders in the place of secrets and personal data, wherever in the rows they stand.

        The same value gets the same placeholder in all rows. Every other character stays as it is, rows in
        which nothing is found keep their bytes, and the arguments of tool calls stay JSON. What is found,
        and how surely, is written in `docs/reference/privacy.md`.

        Args:
            kinds: What to replace; everything where None.
            replacement: The placeholder. `{kind}` becomes `EMAIL`, `{number}` counts the values of a kind;
                without it, all values of a kind look the same.

        Raises:
            ValueError: There is no such kind, or the placeholder is no good.
        """
        from gpt4o_tune.data.privacy.redaction import Redacted, Redactor

        redactor = Redactor(kinds, replacement, self._store.iterate(self._numbers))
        lines = self._store.numbered(self._numbers)
        store = RowStore.from_lines(_ended(redactor.redact(line, raw) for line, raw in lines))
        dataset = Dataset(store, range(len(store)), format=self._format)
        return Redacted(dataset=dataset, changes=tuple(redactor.changes))

    def fix(self, *, duplicates: bool = False, drop: bool = False) -> Fixed[Dataset]:
        """Repair what can be repaired in one way only, and list every change and all that is left.

        Each rule's page says what `fix` does about it; no text that anybody wrote is touched. Rows without
        a fault of that sort keep their bytes. A byte order mark and blank lines are left out, as they are by
        `to_jsonl`.

        Args:
            duplicates: Whether to leave out rows that say the same as an earlier one.
            drop: Whether to leave out rows that still have errors.
        """
        from gpt4o_tune.data._reading import describe, scope_of
        from gpt4o_tune.data.fixing import Fixed, Fixer

        fixer = Fixer(scope_of(self.format), duplicates=duplicates, drop=drop)
        fixer.note_source(describe(self._store, self._numbers))
        rows = fixer.fix(self._store.numbered(self._numbers))
        store = RowStore.from_lines(_ended(rows))
        dataset = Dataset(store, range(len(store)), format=self._format)
        return Fixed(dataset=dataset, changes=fixer.changes, left=tuple(fixer.left))

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
            self.tokens(model=model), model=known, provider=_kind(provider), epochs=epochs
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
            providers=[_kind(provider) for provider in providers],
            on=on or date.today(),
        )

    def duplicates(self, *, near: bool = True) -> list[tuple[int, ...]]:
        """Group rows that are alike, directly or through others; see `gpt4o_tune.data.similarity`.

        Args:
            near: Whether rows whose words are nearly the same count too; else only equal messages.

        Returns:
            Row numbers of each group of two and more, ascending.

        Raises:
            DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
        """
        from gpt4o_tune.data.similarity import DEFAULT_THRESHOLD

        corpus = self._corpus(near=near, doing="look for duplicates")
        return corpus.groups(threshold=DEFAULT_THRESHOLD).several()

    def overlap(self, other: Dataset) -> OverlapReport:
        """Find the rows that also stand in another dataset, exactly, nearly or inside a longer one.

        Raises:
            DatasetError: There are no rows, or one cannot be read; all faults are in `.problems`.
        """
        from gpt4o_tune.data import _facts
        from gpt4o_tune.data._sketch import Sketches
        from gpt4o_tune.data.similarity import EXACT_ROWS, overlap

        doing, sketches = "compare rows", None
        if len(self) + len(other) > EXACT_ROWS:
            sketches = Sketches()
            for one in (self, other):
                sketches.extend(
                    _facts.sketches(one._store, one._numbers, format=one.format, doing=doing)
                )
        return overlap(self._records(doing), other._records(doing), sketches=sketches)

    def _corpus(self, *, near: bool, doing: str) -> AnyCorpus:
        from gpt4o_tune.data import _facts

        return _facts.corpus(self._store, self._numbers, format=self.format, near=near, doing=doing)

    def split(
        self,
        validation: float = 0.1,
        *,
        test: float = 0.0,
        seed: int = 0,
        by: Group | None = None,
        stratify: Group | None = None,
        near: bool = True,
    ) -> Split[Dataset]:
        """Divide the rows into training, validation and, where asked for, test.

        Rows that are alike stay together, so no held-out row was nearly seen in training. The same rows
        with the same seed always fall the same way, in whatever order they stand. Within a part, rows
        keep their order.

        Args:
            validation: Share of the rows to hold out for validation.
            test: Share of the rows to hold out for testing.
            seed: Another seed gives another draw.
            by: What must stay together, such as all rows of a customer.
            stratify: Classes whose shares should be the same in all parts.
            near: Whether rows that are alike in any way stay together; else only rows with the same
                messages, which is quicker, and `leakage` looks for those alone.

        Raises:
            DatasetError: There are no rows, one cannot be read, or one lacks the field named.
            ValueError: A share is negative, or the shares leave nothing to train on.
        """
        from gpt4o_tune.data._dividing import divide
        from gpt4o_tune.data.split import TEST, TRAIN, VALIDATION, Split

        parts, leakage = divide(
            self._corpus(near=near, doing="split"),
            validation=validation,
            test=test,
            seed=seed,
            by=self._values(by),
            stratify=self._values(stratify),
        )
        train, held_out, tested = (
            self.select(row for row, its_part in enumerate(parts) if its_part == part)
            for part in (TRAIN, VALIDATION, TEST)
        )
        return Split(
            train=train,
            validation=held_out,
            test=tested if test else None,
            leakage=leakage,
        )

    def review(
        self,
        path: str | os.PathLike[str] = "review.html",
        *,
        rows: Iterable[int | Problem] | None = None,
        problems: CheckReport | Iterable[Problem] | None = None,
        duplicates: Iterable[Sequence[int]] | None = None,
        title: str | None = None,
        reviewer: str | None = None,
    ) -> Path:
        """Write one HTML page on which a person keeps, corrects or drops each row.

        The page holds the rows and needs no network. It exports a file for `apply_review`.

        Args:
            path: Where to write the page.
            rows: The rows to show, by number or because a problem stands on their line; all of them
                where none are given.
            problems: What to show beside the messages: a report of `check`, or some of its problems.
            duplicates: Clusters of row numbers, as `duplicates` gives them.
            title: The heading; the name of the file where none is given.
            reviewer: The name to fill in; the reviewer may change it.

        Raises:
            DatasetNotFoundError: The folder does not exist.
            IndexError: There is no such row.
        """
        from gpt4o_tune.data._review_page import write_page

        return write_page(
            self,
            path,
            rows=rows,
            problems=problems.problems if isinstance(problems, CheckReport) else problems,
            duplicates=duplicates,
            title=title,
            reviewer=reviewer,
        )

    def apply_review(
        self,
        decisions: DecisionsLike | Sequence[DecisionsLike],
        *,
        undecided: Literal["keep", "drop", "error"] = "keep",
        conflicts: Literal["error", "drop", "keep", "first"] = "error",
    ) -> Review:
        """Apply what reviewers decided; rows that nobody touched keep their bytes.

        A decision finds its row by content, wherever it stands now. Corrected rows are written as
        compact JSON and, with the rows beside them, held in memory.

        Args:
            decisions: A file that the page exported, what is in one, or several of them: files of one
                reviewer are taken together, the later decision counts; reviewers are compared.
            undecided: What becomes of rows that nobody decided on, that changed since, or that are to be
                fixed and nobody corrected.
            conflicts: What becomes of rows on which reviewers differ; `first` follows the one whose
                decisions were given first.

        Raises:
            DatasetError: A file holds no decisions; a corrected row has an error that it did not have
                before; or there are undecided rows, or conflicts (then in `.problems`), where `"error"` was
                asked for.
        """
        from gpt4o_tune.data._reviewing import apply_review

        return apply_review(
            self, decisions, undecided=undecided, conflicts=conflicts, replace=self._rewritten
        )

    def to_argilla(
        self,
        *,
        rows: Iterable[int | Problem] | None = None,
        problems: CheckReport | Iterable[Problem] | None = None,
        reviewers: int = 1,
    ) -> ArgillaRecords:
        """Make a dataset for review in Argilla 2, as plain values that need no package.

        A record shows the conversation and the answer, asks to keep, fix or drop the row, and offers the
        answer for correction. Its `decisions` reads the answers back for `apply_review`.

        Args:
            rows: The rows to show, as for `review`.
            problems: What to show beside them, as for `review`.
            reviewers: How many people are to answer each record.

        Raises:
            IndexError: There is no such row.
            ValueError: `reviewers` is below 1.
        """
        from gpt4o_tune.data.argilla import to_argilla

        found = problems.problems if isinstance(problems, CheckReport) else problems
        return to_argilla(self, rows=rows, problems=found, reviewers=reviewers)

    def mix(self, general: Dataset, ratio: float, *, seed: int = 0) -> Dataset:
        """Blend general examples in, so that a model keeps skills that these rows do not train.

        The rows keep their order and their bytes; the general ones, drawn from their content and each
        taken at most once, stand evenly among them. The result has bytes of its own: its `source` is
        `records`, and its lines are numbered from 1. Mix after splitting, and the training part only.

        Example:
            >>> train = train.mix(general, 0.2, seed=7)

        Args:
            general: Rows of the same format that show what else the model should stay able to do.
            ratio: Their share of the result, above 0 and below 1.
            seed: Another seed gives another draw.

        Raises:
            DatasetError: The formats differ, general rows also stand here, there are too few of them, or
                a row cannot be read.
            ValueError: The ratio is out of range.
        """
        from gpt4o_tune.data.mixing import Chosen, blended, draw

        drawn = draw(
            self._records("mix rows"),
            general._records("mix rows"),
            formats=(self.format, general.format),
            ratio=ratio,
            seed=seed,
        )
        chosen = general.select(drawn)
        store = blended(Chosen(self._store, self._numbers), Chosen(chosen._store, chosen._numbers))
        return Dataset(store, range(len(store)), format=self.format)

    def _shows_images(self) -> bool:
        from gpt4o_tune.data.cost_table import may_show_image, shows_image

        rows = zip(self._numbers, self._store.iterate(self._numbers), strict=True)
        doubtful = array("Q", (number for number, raw in rows if may_show_image(raw)))
        return bool(doubtful) and any(map(shows_image, self._records("estimate costs", doubtful)))

    def _wanted(
        self,
        *,
        model: str | None,
        provider: ProviderLike,
        method: Method | None,
        grader: Mapping[str, object] | None = None,
        pii: bool = False,
    ) -> Wanted:
        from gpt4o_tune.data._survey import Wanted

        return Wanted(
            format=self.format,
            model=model or DEFAULT_MODEL,
            provider=_kind(provider),
            method=method or METHOD_OF_FORMAT[self.format],
            grader=grader,
            judge=True,
            pii=pii,
        )

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
        benchmarks: Mapping[str, Benchmark | Dataset],
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
            name: benchmark.records() if isinstance(benchmark, Dataset) else benchmark
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
        split: Split[Dataset] | None = None,
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

    def _values(self, of: Group | None) -> Iterator[object] | None:
        """Return what each row holds in a field, or what a function says of it."""
        from gpt4o_tune.data._dividing import field

        if of is None:
            return None
        if isinstance(of, str):
            return field(self._records("read the rows"), of, lines=self.lines)
        return map(of, self)


def _ended(rows: Iterable[bytes]) -> Iterator[bytes]:
    """End each row but the last by a line end, if it has none."""
    before = b"\n"
    for row in rows:
        yield row if before.endswith(b"\n") else b"\n" + row
        before = row


def _kind(provider: ProviderLike) -> ProviderKind:
    kind = provider if isinstance(provider, str) else provider.kind
    if kind not in get_args(ProviderKind):
        known = ", ".join(map(repr, get_args(ProviderKind)))
        raise ProviderError(f"There is no provider {kind!r}. Use one of {known}.")
    return kind
