"""How often the language detector is right, on the translations that a Unix machine has.

    python benchmarks/languages.py

Every message catalog below a locale folder is labelled with its language. Messages are cut at the length
limits that the table names, repeated ones count once. Prints the table of docs/reference/quality.md.
"""

from __future__ import annotations

import argparse
import gettext
import random
from collections import Counter
from pathlib import Path

from gpt4o_tune.data.quality._languages import NAMES
from gpt4o_tune.data.quality.language import UNKNOWN, detect

FOLDERS = {"zh": ["zh_CN", "zh_TW"], "pt": ["pt", "pt_BR"], "en": ["en_GB"], "nb": ["nb", "no"]}
OTHERS = ["gl", "eo", "eu", "ms", "mk", "is", "ga", "sq", "mr", "ta", "ka"]
MESSAGES = 2_000


def messages(root: Path, folders: list[str]) -> set[str]:
    """Return the translations of a language, without repeats and without what is still English."""
    found: set[str] = set()
    for folder in folders:
        for path in sorted((root / folder).rglob("*.mo")):
            try:
                with path.open("rb") as file:
                    catalog = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]  # no public way lists it
            except (OSError, ValueError):
                continue
            english = folder.startswith("en")
            found |= {
                text
                for key, text in catalog.items()
                if isinstance(key, str) and key and (english or text != key)
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the language detector.")
    parser.add_argument("--root", type=Path, default=Path("/usr/share/locale"))
    parser.add_argument("--confusions", action="store_true")
    options = parser.parse_args()
    draw = random.Random(0)  # no secret
    print(
        "| Language | Messages | Right | Unknown | Wrong | Messages of 120+ | Right | Wrong |\n|---|--:|--:|--:|--:|--:|--:|--:|"
    )
    for code in sorted({*NAMES, *OTHERS} - {UNKNOWN}):
        known = sorted(messages(options.root, FOLDERS.get(code, [code])))
        cells: list[str] = []
        for low in (40, 120):
            texts = [
                text
                for text in known
                if len(text) >= low * (0.5 if code in ("ja", "ko", "zh") else 1)
            ]
            texts = draw.sample(texts, min(MESSAGES, len(texts)))
            told = Counter(map(detect, texts))
            count, right, unknown = len(texts), told[code], told[UNKNOWN]
            shares = [
                f"{n / count:.1%}" if count else ""
                for n in (right, unknown, count - right - unknown)
            ]
            cells += [f"{count:,}", *(shares if low == 40 else [shares[0], shares[2]])]
            if options.confusions:
                cells.append(str(told.most_common(4)))
        print(f"| {NAMES.get(code, code + ' (not known)')} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
