"""Files packed with gzip or Zstandard are read through and written, byte for byte."""

from __future__ import annotations

import gzip
import importlib
import pickle
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt4o_tune.data import Dataset
from gpt4o_tune.errors import DatasetError, MissingExtraError
from tests.data.cases import as_bytes, many

if TYPE_CHECKING:
    from pathlib import Path

PLAIN = as_bytes(many(12))


def zstd(data: bytes) -> bytes:
    """Pack with the package, where it is installed."""
    packed: bytes = pytest.importorskip("zstandard").ZstdCompressor().compress(data)
    return packed


@given(rows=st.lists(st.text(st.characters(exclude_categories=("Cs",))), min_size=1))
def test_a_packed_file_is_written_and_read_byte_for_byte(
    rows: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What `to_jsonl` packs, gzip unpacks and `from_jsonl` opens, and equal rows give equal bytes."""
    data = Dataset.from_records({"messages": [{"role": "user", "content": row}]} for row in rows)
    folder = tmp_path_factory.getbasetemp()

    path = data.to_jsonl(folder / "rows.jsonl.gz")

    assert gzip.decompress(path.read_bytes()) == b"".join(
        data.raw(n) + b"\n" for n in range(len(data))
    )
    assert Dataset.from_jsonl(path) == data
    assert data.to_jsonl(folder / "again.jsonl.gz").read_bytes() == path.read_bytes()


def test_a_packed_file_is_known_by_its_bytes_not_by_its_name(tmp_path: Path) -> None:
    """Names lie: a plain file called .gz opens, and so does a packed one called .jsonl."""
    plain, packed = tmp_path / "plain.jsonl.gz", tmp_path / "packed.jsonl"
    plain.write_bytes(PLAIN)
    packed.write_bytes(gzip.compress(PLAIN[:100]) + gzip.compress(PLAIN[100:]))

    assert Dataset.from_jsonl(plain) == Dataset.from_jsonl(packed)
    assert Dataset.from_jsonl(packed).source == str(packed)


def test_zstandard_is_read_and_written(tmp_path: Path) -> None:
    """Several frames are one file, as with gzip."""
    path = tmp_path / "rows.jsonl.zst"
    path.write_bytes(zstd(PLAIN[:100]) + zstd(PLAIN[100:]))

    data = Dataset.from_jsonl(path)

    assert b"".join(data.raw(n) + b"\n" for n in range(len(data))) == PLAIN
    assert Dataset.from_jsonl(data.to_jsonl(tmp_path / "copy.jsonl.zst")) == data


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
@pytest.mark.parametrize("left", [4, 40, -1])
def test_a_cut_or_damaged_file_says_so(pack: object, left: int, tmp_path: Path) -> None:
    """No part of it is taken for the whole."""
    assert callable(pack)
    path = tmp_path / "rows.jsonl.packed"
    packed = pack(PLAIN)
    middle = len(packed) // 2
    flipped = packed[:middle] + bytes([packed[middle] ^ 0xFF]) + packed[middle + 1 :]

    for broken in (packed[:left], flipped):
        path.write_bytes(broken)
        with pytest.raises(DatasetError, match=r"damaged or cut short: .*download it again"):
            Dataset.from_jsonl(path)


def test_without_the_extra_the_error_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the missing package stands in the way."""
    for module in ("zstandard", "compression.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    path = tmp_path / "rows.jsonl.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd")

    with pytest.raises(MissingExtraError, match=r"gpt4o-tune\[zstd\]"):
        Dataset.from_jsonl(path)


def test_a_dataset_of_a_packed_file_crosses_to_another_process(tmp_path: Path) -> None:
    """It is opened again from the packed file, which must be the same."""
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(PLAIN))
    data = Dataset.from_jsonl(path)
    carried = pickle.dumps(data)

    assert len(carried) < 1000
    assert pickle.loads(carried) == data  # noqa: S301  # our own
    path.write_bytes(gzip.compress(PLAIN * 2))
    assert len(data) == 12
    assert data.check().ok
    with pytest.raises(DatasetError, match="changed since"):
        pickle.loads(carried)  # noqa: S301  # our own


def test_python_s_own_zstandard_serves_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.14 has it as `compression.zstd`; its backport stands in for it before."""
    backport = pytest.importorskip("backports.zstd")
    monkeypatch.setitem(sys.modules, "compression", importlib.import_module("backports"))
    monkeypatch.setitem(sys.modules, "compression.zstd", backport)
    monkeypatch.setitem(sys.modules, "zstandard", None)

    path = Dataset.from_records(many(12)).to_jsonl(tmp_path / "rows.jsonl.zst")

    assert Dataset.from_jsonl(path) == Dataset.from_records(many(12))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match="cut short"):
        Dataset.from_jsonl(path)
