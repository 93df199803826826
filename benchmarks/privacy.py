"""How often real text is taken for a secret or for personal data, and what looking for them costs.

    python benchmarks/privacy.py                      # counts, by form
    python benchmarks/privacy.py --show phone-france  # what was found, with what stands around it

Reads what a Unix machine has, as `corpus.py` does. Whether a finding is right, only a reader can tell.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from typing import TYPE_CHECKING

from corpus import ROOTS, texts

from gpt4o_tune.data.privacy import DETECTORS, find, secrets_suspected

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_CHARS = 4_000
PERSONAL = sorted({detector.kind for detector in DETECTORS} - {"secret"})


def blocks(per_root: int) -> Iterator[str]:
    """Yield the text of some folders in blocks, as many characters of each."""
    for root in ROOTS:
        left = per_root
        for text in texts(root):
            for at in range(0, len(text), BLOCK_CHARS):
                yield text[at : at + BLOCK_CHARS]
            left -= len(text)
            if left < 0:
                break


def main() -> None:
    parser = argparse.ArgumentParser(description="Look for secrets and personal data in real text.")
    parser.add_argument("--million-characters", type=float, default=8, help="of each folder")
    parser.add_argument("--secrets", action="store_true", help="look for secrets only")
    parser.add_argument("--show", nargs="*", default=[], metavar="FORM", help="list what was found")
    options = parser.parse_args()
    found: Counter[str] = Counter()
    characters = suspected = count = 0
    prefilter = search = 0.0
    for block in blocks(int(options.million_characters * 1e6)):
        raw = json.dumps(block).encode()
        start = time.process_time()
        suspicion = secrets_suspected(raw)
        prefilter += time.process_time() - start
        start = time.process_time()
        kinds = (["secret"] if suspicion else []) + ([] if options.secrets else PERSONAL)
        sightings = find(block, kinds) if kinds else []
        search += time.process_time() - start
        for sighting in sightings:
            name = sighting.detector.name
            found[name] += 1
            if name in options.show:
                print(
                    name, repr(block[max(0, sighting.start - 50) : sighting.end + 20]), flush=True
                )
        characters, count, suspected = characters + len(block), count + 1, suspected + suspicion
    print(f"{characters:,} characters, {count:,} blocks; a secret suspected in {suspected:,}")
    print(
        f"prefilter {characters / prefilter / 1e6:.0f} MB/s, search {characters / search / 1e6:.1f} MB/s of CPU time"
    )
    for name, number in sorted(found.items()):
        print(f"{name:28} {number:,}")


if __name__ == "__main__":
    main()
