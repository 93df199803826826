"""`CustomModel.map` beside a plain AsyncOpenAI loop and single calls, against a service that takes 50 ms.

    python benchmarks/map_throughput.py --rows 1000 --at-once 64 256 --repeats 5
    python benchmarks/map_throughput.py --rows 20000 --at-once 64 256 --repeats 3 --ways map loop
    python benchmarks/map_throughput.py --rows 1000 --at-once 256 --requests-per-minute 12000

The service is a process of its own (`tests/inference/limited_service.py`), and so is each measurement,
imports left out of its time. The ways alternate, so that a busy machine hits them alike; medians are
printed, and each way's ratio to the loop is the median of the ratios within one round. Install the extra
`throughput` for the figures with aiohttp; `--python` names the interpreter of another environment, measured
in the same rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODEL = "ft:gpt-4o-2024-08-06:acme::abc123"
TEXT = "Where is my parcel? It was sent last week and the tracking page says nothing. Order {}."
CLIENT_RETRIES = 20
"""Of the loop, whose own two would leave rows without an answer where the rate is limited."""


def mapped(base_url: str, rows: int, at_once: int) -> int:
    from gpt4o_tune import CustomModel, Provider

    provider = Provider(kind="openai", base_url=base_url, api_key="key")
    model = CustomModel(MODEL, provider=provider)
    return len(model.map([TEXT.format(n) for n in range(rows)], at_once=at_once).errors)


def looped(base_url: str, rows: int, at_once: int) -> int:
    import openai

    async def every() -> int:
        gate = asyncio.Semaphore(at_once)

        async def ask(client: openai.AsyncOpenAI, number: int) -> str | None:
            async with gate:
                messages = [{"role": "user", "content": TEXT.format(number)}]
                answer = await client.chat.completions.create(model=MODEL, messages=messages)  # type: ignore[arg-type]  # a literal to pyright only
                return answer.choices[0].message.content

        async with openai.AsyncOpenAI(
            base_url=base_url, api_key="key", max_retries=CLIENT_RETRIES
        ) as client:
            texts = await asyncio.gather(
                *(ask(client, number) for number in range(rows)), return_exceptions=True
            )
        return sum(not isinstance(text, str) for text in texts)

    return asyncio.run(every())


def one_by_one(base_url: str, rows: int, at_once: int) -> int:
    import openai

    with openai.OpenAI(base_url=base_url, api_key="key", max_retries=CLIENT_RETRIES) as client:
        for number in range(rows):
            messages = [{"role": "user", "content": TEXT.format(number)}]
            client.chat.completions.create(model=MODEL, messages=messages)  # type: ignore[arg-type]  # as above
    return 0


WAYS = {"map": mapped, "loop": looped, "one by one": one_by_one}


def measure(way: str, base_url: str, rows: int, at_once: int) -> None:
    """Run one way and print what it took, as JSON."""
    import openai

    import gpt4o_tune.inference  # noqa: F401  # imports are no part of the time

    openai.AsyncOpenAI(api_key="key").chat.completions  # noqa: B018  # as above
    started, cpu = time.perf_counter(), time.process_time()
    failed = WAYS[way](base_url, rows, at_once)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {"per_s": rows / seconds, "cpu_us": cpu / rows * 1e6, "peak_mb": peak, "failed": failed}
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--at-once", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--requests-per-minute", type=float, default=0)
    parser.add_argument("--ways", nargs="+", default=["map", "loop"], choices=WAYS)
    parser.add_argument("--python", help="an interpreter with the extra, measured as `map+`")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure(*options.measure, options.rows, options.at_once[0])
    sys.path.insert(0, str(ROOT))
    from tests.inference.limited_service import LimitedService

    names = [*options.ways, *(["map+"] if options.python else [])]
    print(
        f"{'at once':>8} {'way':>12} {'calls/s':>9} {'x loop':>7} {'CPU us':>8} {'peak MB':>8} {'429':>6}"
    )
    for at_once in options.at_once:
        found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        for _ in range(options.repeats):
            for name in names:
                limits = {"requests_per_minute": options.requests_per_minute, "burst_seconds": 1}
                with LimitedService(latency=0.05, **limits) as service:
                    python = options.python if name == "map+" else sys.executable
                    rows = min(options.rows, 200) if name == "one by one" else options.rows
                    shown = subprocess.run(
                        [
                            *[python, __file__, f"--rows={rows}", f"--at-once={at_once}"],
                            *["--measure", name.rstrip("+"), service.base_url],
                        ],
                        check=True,
                        stdout=subprocess.PIPE,
                    ).stdout
                    refused = service.stats()["refused"]
                found[name].append({**json.loads(shown), "refused": refused})  # type: ignore[dict-item]  # a count
        for name in names:
            middle = {
                key: statistics.median(run[key] for run in found[name]) for key in found[name][0]
            }
            ratio = statistics.median(
                run["per_s"] / loop["per_s"]
                for run, loop in zip(found[name], found.get("loop", found[name]), strict=True)
            )
            failed = f"  {middle['failed']:.0f} failed" if middle["failed"] else ""
            print(
                f"{at_once:8} {name:>12} {middle['per_s']:9.0f} {ratio:7.2f} {middle['cpu_us']:8.0f} "
                f"{middle['peak_mb']:8.0f} {middle['refused']:6.0f}{failed}",
                flush=True,
            )
    return None


if __name__ == "__main__":
    main()
