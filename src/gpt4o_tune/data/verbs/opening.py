"""Open rows, whatever form they have, and hand them on to other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, overload

from gpt4o_tune.data._records import encode_records
from gpt4o_tune.data._selection import Selection
from gpt4o_tune.data._store import RowStore

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from gpt4o_tune.data._tables import Source
    from gpt4o_tune.data.calls import CallRecorder
    from gpt4o_tune.data.decode import JsonObject
    from gpt4o_tune.data.formats import Format
    from gpt4o_tune.data.forms import Form, Target
    from gpt4o_tune.data.rows import Row


class Opening(Selection):
    """Open rows, whatever form they have, and hand them on to other tools."""

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
