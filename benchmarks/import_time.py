"""How long `import gpt4o_tune` takes, beside an interpreter that does nothing, in one run.

    python benchmarks/import_time.py

Runs alternate, each in a fresh process; medians and their difference are printed in milliseconds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

RUNS = 30
PROGRAMS = {
    "pass": "pass",
    "import gpt4o_tune": "import gpt4o_tune",
    "from gpt4o_tune import Dataset": "from gpt4o_tune import Dataset",
    "from gpt4o_tune import FineTuneJob": "from gpt4o_tune import FineTuneJob",
    "import openai": "import openai",
}


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for run in range(RUNS + 1):
        for name, code in PROGRAMS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            if run:  # the first round only warms the disk cache
                seconds[name].append(time.perf_counter() - started)
    bare = statistics.median(seconds["pass"])
    print(f"{'program':40} {'median ms':>10} {'above bare':>11}   (of {RUNS} runs)")
    for name, times in seconds.items():
        median = statistics.median(times)
        print(f"{name:40} {median * 1000:10.0f} {(median - bare) * 1000:11.0f}")


if __name__ == "__main__":
    main()
