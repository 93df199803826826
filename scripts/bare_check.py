"""Run in an environment without any extra: what must work there works, and the rest says what to install."""

import tempfile
from pathlib import Path

from gpt4o_tune import Dataset, MissingExtraError

ROW = {
    "messages": [
        {"role": "user", "content": "Where is my parcel?"},
        {"role": "assistant", "content": "On its way."},
    ]
}

rows = Dataset.from_records([ROW] * 12)
path = rows.to_jsonl(Path(tempfile.mkdtemp()) / "rows.jsonl")
report = Dataset.from_jsonl(path).check(model="gpt-4o-2024-08-06")
assert report.ok, report
assert rows.tokens().total > 0
assert rows.cost().usd is not None

try:
    from gpt4o_tune import LocalServer
except MissingExtraError as error:
    named = str(error)
else:
    raise SystemExit(f"{LocalServer} was there without its extra")
assert "pip install 'gpt4o-tune[local]'" in named, named

print("works without extras:", rows.tokens())
