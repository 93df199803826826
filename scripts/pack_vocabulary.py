"""Pack a published vocabulary into the form that the library carries.

    python scripts/pack_vocabulary.py o200k_base SOURCE

SOURCE is the `.tiktoken` file itself, or a wheel or zip that holds it under the name that tiktoken's cache
gives it (llama-index-core carries both: `pip download --no-deps llama-index-core`). The file is compared
with the digest that tiktoken pins before anything is written. The digest that is printed at the end
belongs into `vocabulary/definitions.py`.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import sys
import zipfile
from pathlib import Path

from gpt4o_tune.data.vocabulary.definitions import PUBLISHED
from gpt4o_tune.data.vocabulary.packing import pack, parse_tiktoken

FOLDER = Path(__file__).parents[1] / "src" / "gpt4o_tune" / "data" / "vocabulary"


def read_source(source: Path, names: set[str]) -> bytes:
    """Return the file itself, or the member of an archive that bears one of the names."""
    if not zipfile.is_zipfile(source):
        return source.read_bytes()
    with zipfile.ZipFile(source) as archive:
        for member in archive.namelist():
            if member.rpartition("/")[2] in names:
                return archive.read(member)
    sys.exit(f"{source} holds no file named {' or '.join(sorted(names))}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Pack a published vocabulary.")
    parser.add_argument("encoding", choices=sorted(PUBLISHED))
    parser.add_argument("source", type=Path)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to write")
    arguments = parser.parse_args()

    published = PUBLISHED[arguments.encoding]
    names = {published.cache_name, f"{arguments.encoding}.tiktoken"}
    text = read_source(arguments.source, names)
    if hashlib.sha256(text).hexdigest() != published.sha256:
        sys.exit(f"{arguments.source} is not the published {arguments.encoding}: wrong SHA-256")

    packed = pack(parse_tiktoken(text))
    target = arguments.folder / f"{arguments.encoding}.bin.gz"
    # A fixed time keeps the file the same whenever it is packed with the same zlib.
    target.write_bytes(gzip.compress(packed, 9, mtime=0))
    print(f"{target.name}: {target.stat().st_size:,} bytes")
    print(f"packed_sha256 {hashlib.sha256(packed).hexdigest()}")


if __name__ == "__main__":
    main()
