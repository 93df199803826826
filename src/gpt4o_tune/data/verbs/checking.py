"""Find what is wrong with the rows, and mend it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Self

from gpt4o_tune.catalog import DEFAULT_MODEL
from gpt4o_tune.data._selection import Selection
from gpt4o_tune.data._store import RowStore
from gpt4o_tune.data.formats import METHOD_OF_FORMAT
from gpt4o_tune.data.report import CheckReport, Problem
from gpt4o_tune.data.verbs.arguments import ProviderLike, kind_of

if TYPE_CHECKING:
    import os
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from gpt4o_tune._gateway import Gateway
    from gpt4o_tune.catalog import Method
    from gpt4o_tune.data._survey import Wanted
    from gpt4o_tune.data.checks import Scope
    from gpt4o_tune.data.fixing import Fixed
    from gpt4o_tune.data.privacy import Kind, Redacted
    from gpt4o_tune.providers import Provider


class Checking(Selection):
    """Find what is wrong with the rows, and mend it."""

    __slots__ = ()

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

    def redact(
        self,
        *,
        kinds: Collection[Kind] | None = None,
        replacement: str = "[{kind}_{number}]",
    ) -> Redacted[Self]:
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
        dataset = type(self)(store, range(len(store)), format=self._format)
        return Redacted(dataset=dataset, changes=tuple(redactor.changes))

    def fix(self, *, duplicates: bool = False, drop: bool = False) -> Fixed[Self]:
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
        dataset = type(self)(store, range(len(store)), format=self._format)
        return Fixed(dataset=dataset, changes=fixer.changes, left=tuple(fixer.left))

    def _scope(self, provider: ProviderLike) -> Scope:
        """Return the scope of rules that no model matters to."""
        from gpt4o_tune.data.checks import scope_for

        method = METHOD_OF_FORMAT[self.format]
        kind = kind_of(provider)
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
            provider=kind_of(provider),
            method=method or METHOD_OF_FORMAT[self.format],
            grader=grader,
            judge=True,
            pii=pii,
        )


def _ended(rows: Iterable[bytes]) -> Iterator[bytes]:
    """End each row but the last by a line end, if it has none."""
    before = b"\n"
    for row in rows:
        yield row if before.endswith(b"\n") else b"\n" + row
        before = row
