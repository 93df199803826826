"""Chat rows of real text for benchmarks, made of what a Unix machine has: code, manuals, docs, translations.

    python benchmarks/corpus.py --rows 100000 --to /tmp/rows.jsonl

Nothing is downloaded and nothing is invented: every message is a passage of a file. The same machine gives
the same rows again. 2 % of the rows repeat another, 2 % repeat one with a few words changed, three of four
lines escape non-ASCII characters, and most rows open with one of a few system prompts.
"""

from __future__ import annotations

import argparse
import gettext
import gzip
import json
import random
import re
import sysconfig
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOTS = [
    Path(sysconfig.get_path("stdlib")),
    *map(Path, ["/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/include"]),
]
TEXT_SUFFIXES = {".py", ".md", ".rst", ".txt", ".h", ".html", ".js", ".c", ".pm", ".pl", ".vim"}
MAX_FILE_BYTES = 4_000_000
PASSAGE_CHARS = (180, 1_200)

ASKS = [
    "Explain this passage.",
    "Summarise the following for a new colleague.",
    "What comes next?",
    "Review this and say what could go wrong.",
    "Continue the text in the same style.",
    "Which parts of this matter to a user?",
]
SYSTEMS = [
    "You are a careful assistant for software engineers. Answer from the text that you are given, say so "
    "when it does not hold the answer, and never make up names of functions, options or files. "
    * 3,
    "You translate and explain technical documentation. Keep terms that have no good translation. "
    * 4,
    "You are a support agent of a small software company. Be friendly, be brief, and ask back once if a "
    "question cannot be answered as it stands. " * 2,
    "Answer in the language of the question.",
]


def texts(root: Path) -> Iterator[str]:
    """Yield the text of every readable file below a folder, in a fixed order."""
    for path in sorted(root.rglob("*")):
        suffix = path.suffix
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            continue
        try:
            if suffix == ".mo":
                with path.open("rb") as file:
                    catalog = gettext.GNUTranslations(file)
                yield "\n\n".join(text for text in catalog._catalog.values() if len(text) > 40)  # type: ignore[attr-defined]  # no public way lists it
            elif suffix == ".gz":
                yield re.sub(
                    r"^\.[A-Za-z\\].{0,3} ?",
                    "",
                    gzip.decompress(path.read_bytes()).decode(),
                    flags=re.M,
                )
            elif suffix in TEXT_SUFFIXES:
                yield path.read_text("utf-8")
        except (OSError, ValueError, EOFError, IndexError):
            continue


def passages(roots: list[Path]) -> Iterator[str]:
    """Cut the files below some folders into passages at blank lines, taking the folders in turn."""
    waiting = [_cut(texts(root)) for root in roots if root.is_dir()]
    while waiting:
        for source in list(waiting):
            if chunk := list(islice(source, 50)):
                yield from chunk
            else:
                waiting.remove(source)


def _cut(files: Iterator[str]) -> Iterator[str]:
    shortest, longest = PASSAGE_CHARS
    for text in files:
        held = ""
        for block in re.split(r"\n\s*\n", text):
            held = f"{held}\n\n{block}" if held else block
            if len(held) >= shortest:
                yield from (
                    held[at : at + longest]
                    for at in range(0, min(len(held), 20 * longest), longest)
                )
                held = ""


def rows(count: int, *, roots: list[Path], seed: int = 0) -> Iterator[dict[str, object]]:
    """Yield chat rows; passages are used again from the start where a machine has too few."""
    draw = random.Random(seed)
    supply = passages(roots)
    recent: list[list[dict[str, object]]] = []

    def passage() -> str:
        nonlocal supply
        text = next(supply, None)
        if text is None:
            supply = passages(roots)
            text = next(supply)
        return text

    for number in range(count):
        kind = number % 50
        if recent and kind == 17:
            yield {"messages": draw.choice(recent)}
            continue
        if recent and kind == 33:
            yield {"messages": [_changed(message, draw) for message in draw.choice(recent)]}
            continue
        messages: list[dict[str, object]] = []
        if draw.random() < 0.75:
            messages.append({"role": "system", "content": draw.choice(SYSTEMS).strip()})
        for _ in range(draw.choice([1, 1, 1, 2])):
            messages.append({"role": "user", "content": f"{draw.choice(ASKS)}\n\n{passage()}"})
            messages.append({"role": "assistant", "content": passage()})
        if draw.random() < 0.02:
            messages[-1]["weight"] = 1
        if number % 7 == 0:
            recent = [*recent[-200:], messages]
        yield {"messages": messages}


def _changed(message: dict[str, object], draw: random.Random) -> dict[str, object]:
    """Change one word in about thirty."""
    words = str(message["content"]).split(" ")
    for _ in range(len(words) // 30):
        words[draw.randrange(len(words))] = draw.choice(["perhaps", "other", "value", "2027"])
    return {**message, "content": " ".join(words)}


def write(path: Path, count: int, *, roots: list[Path], seed: int = 0) -> Path:
    """Write rows as JSON Lines; three of four lines escape non-ASCII characters."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for number, row in enumerate(rows(count, roots=roots, seed=seed)):
            file.write(json.dumps(row, ensure_ascii=number % 4 != 0) + "\n")
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description="Write chat rows of real text.")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--roots", type=Path, nargs="*", default=ROOTS)
    options = parser.parse_args()
    path = write(options.to, options.rows, roots=options.roots, seed=options.seed)
    print(f"{path}: {options.rows:,} rows, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
