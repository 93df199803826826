"""Fine-tuned models: a row for each id that answers, several of which may share one folder."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from gpt4o_tune.local.store.paging import read_record
from gpt4o_tune.local.store.records import ModelRecord

if TYPE_CHECKING:
    from pathlib import Path

    from gpt4o_tune.local.store.database import Database


class ModelStore:
    """Published fine-tuned models."""

    def __init__(self, database: Database, data_dir: Path) -> None:
        self._database = database
        self._data_dir = data_dir

    def find(self, model_id: str) -> ModelRecord | None:
        """Look a model up."""
        query = "SELECT * FROM models WHERE id = ?"
        with self._database.reading() as connection:
            row = connection.execute(query, (model_id,)).fetchone()
        return None if row is None else read_record(ModelRecord, row)

    def all(self) -> list[ModelRecord]:
        """List all models, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT * FROM models ORDER BY seq DESC").fetchall()
        return [read_record(ModelRecord, row) for row in rows]

    def directory(self, model: ModelRecord) -> Path:
        """Where the weights lie."""
        return self._data_dir / model.directory

    def delete(self, model: ModelRecord) -> None:
        """Forget a model, and remove its weights once no other id answers from them."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM models WHERE id = ?", (model.id,))
            connection.execute("DELETE FROM permissions WHERE model_id = ?", (model.id,))
            query = "SELECT 1 FROM models WHERE directory = ?"
            is_shared = connection.execute(query, (model.directory,)).fetchone() is not None
        if not is_shared:
            shutil.rmtree(self.directory(model), ignore_errors=True)
