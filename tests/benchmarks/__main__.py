"""What agentkit costs, beside a loop written by hand in the same run: `python -m tests.benchmarks`.

    --quick     small sizes and one round: whether everything runs, not how fast
    --write     put the table and the curves into docs/why/
    --details   the benchmarks of single rooms too (`bench_*.py`)

A round asks the hand-written loop, then each contender, then the hand-written loop again, each in a process of its own,
against one server on loopback. A ratio is taken against the mean of the two, and the table shows the median of rounds.
"""

from __future__ import annotations

import json
import os
import platform
import runpy
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.curves import Points, curves

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/why/performance.md"
BEGIN, END = "<!-- table -->\n", "<!-- end of the table -->"
QUICK = "--quick" in sys.argv
ROUNDS = 1 if QUICK else 3
LINES = {"by_hand": "by hand", "stock": "agentkit", "fast": "agentkit[fast]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: what is asked, of whom, and what is wanted.

    Attributes:
        goal: The largest good figure: a ratio, where the same is asked of the loop by hand.
        per_hand: The figure of the table is the ratio.
    """

    what: str
    ask: tuple[Any, ...]
    goal: dict[str, float]
    unit: str = "us"
    per_hand: bool = True


def rows() -> list[Row]:
    """The table."""
    many, pieces, live = (20, 200, 20) if QUICK else (200, 2000, 1000)
    return [
        Row(what="an agent with 10 ready tools", ask=("agent",), goal={"stock": 20}, per_hand=False),
        Row(what="one run of 10 steps, a step", ask=("steps", 10), goal={"stock": 0.8, "fast": 0.35}),
        Row(what=f"{many} runs at once, a step", ask=("runs", many), goal={"stock": 0.5, "fast": 0.10}),
        Row(
            what=f"an answer of {pieces:,} chunks, a chunk",
            ask=("chunks", pieces),
            goal={"stock": 1.3, "orjson": 0.9, "fast": 0.35},
        ),
        Row(what="50 async tools of 50 ms", ask=("batch", "nap"), goal={"stock": 60}, unit="ms", per_hand=False),
        Row(what="50 sync tools of 20 ms", ask=("batch", "block"), goal={"stock": 60}, unit="ms", per_hand=False),
        Row(what="parse, validate, call", ask=("call",), goal={"stock": 12}, per_hand=False),
        Row(
            what=f"memory of each of {live:,} live runs of 10 steps, beyond its texts and the waiting tool",
            ask=("memory", live, False),
            goal={"stock": 20},
            unit="KB",
            per_hand=False,
        ),
        Row(
            what=f"the same of {many}, with a connection each",
            ask=("memory", many, True),
            goal={"stock": 1, "fast": 1},
            unit="KB",
        ),
    ]


class Worker:
    """One contender's process."""

    def __init__(self, name: str, base: str) -> None:
        self._base = base
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.worker", name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, what: str, *sizes: Any) -> float:
        """One figure."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([what, self._base, *sizes]) + "\n")
        self.process.stdin.flush()
        return float(json.loads(self.process.stdout.readline()))


@contextmanager
def workers() -> Iterator[dict[str, Worker]]:
    """All contenders, in front of one server."""
    with ExitStack() as stack:
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.enter_context(server)
        assert server.stdout is not None
        base = f"http://127.0.0.1:{int(server.stdout.readline())}"
        found = {name: Worker(name, base) for name in ("by_hand", "stock", "orjson", "fast")}
        for worker in found.values():
            stack.enter_context(worker.process)
        yield found


def import_ms() -> float:
    """CPU milliseconds of a process that only imports agentkit, compiled before as after any first import."""
    compiles = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def once(code: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=compiles)
        after = os.times()
        return (after.children_user + after.children_system - before.children_user - before.children_system) * 1e3

    once("import agentkit")
    return statistics.median(once("import agentkit") for _ in range(ROUNDS * 2 + 1))


def measured(row: Row, all_workers: dict[str, Worker]) -> Iterator[str]:
    """The lines of a row."""
    figures: dict[str, list[float]] = {name: [] for name in row.goal}
    hands: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in row.goal}
    for _ in range(1 if row.unit == "KB" else ROUNDS):  # memory is the same each time
        hand = all_workers["by_hand"].ask(*row.ask) if row.per_hand else 1.0
        for name in row.goal:
            figures[name].append(all_workers[name].ask(*row.ask))
        again = all_workers["by_hand"].ask(*row.ask) if row.per_hand else 1.0
        hands.append((hand + again) / 2)
        for name in row.goal:
            ratios[name].append(figures[name][-1] / hands[-1])
    for name, goal in row.goal.items():
        figure = f"{statistics.median(figures[name]):.1f} {row.unit}"
        beside = f"{statistics.median(hands):.1f} {row.unit}" if row.per_hand else ""
        value = statistics.median(ratios[name])
        ratio = f"{value:.2f}x" if row.per_hand else ""
        yield line(
            row.what, name, figure, beside, ratio, f"{goal:g}{'x' if row.per_hand else f' {row.unit}'}", value <= goal
        )


def line(what: str, who: str, figure: str, hand: str, ratio: str, goal: str, good: bool) -> str:
    """One line of the table."""
    return f"| {what} | {who} | {figure} | {hand} | {ratio} | {goal} | {'yes' if good else 'no'} |"


def table(all_workers: dict[str, Worker]) -> Iterator[str]:
    """The table, line by line."""
    yield "| what | installed | agentkit | by hand | ratio | goal | met |"
    yield "|---|---|---|---|---|---|---|"
    cpu = import_ms()
    yield line("import, CPU of the whole process", "stock", f"{cpu:.0f} ms", "", "", "200 ms", cpu <= 200)
    for row in rows():
        yield from measured(row, all_workers)
    stock = all_workers["stock"]
    few, lots = (5, 20) if QUICK else (25, 200)
    growth = stock.ask("steps", lots, 1) / stock.ask("steps", few, 3)
    yield line(f"a step of {lots} over one of {few}", "stock", f"{growth:.2f}", "", "", "1.3", growth <= 1.3)
    if not QUICK:
        gain = stock.ask("early", False) - stock.ask("early", True)
        yield line("seconds that early start saves, of 1", "stock", f"{gain:.2f} s", "", "", ">= 0.9 s", gain >= 0.9)


GROWTH: dict[str, tuple[str, str, str, tuple[int, ...]]] = {
    "steps": ("CPU of a step as the run grows", "steps of one run", "microseconds a step", (25, 100, 400)),
    "runs": ("CPU of a step as runs are added", "runs at once", "microseconds a step", (1, 10, 100, 300, 1000)),
    "chunks": (
        "CPU of a chunk as the answer grows",
        "chunks of one answer",
        "microseconds a chunk",
        (100, 1000, 10_000, 100_000),
    ),
}


def drawings(all_workers: dict[str, Worker]) -> Iterator[tuple[str, str]]:
    """The growth curves: a name and an SVG each."""
    for name, (title, across, up, sizes) in GROWTH.items():
        lines: dict[str, Points] = {}
        for who, label in LINES.items():
            rest = {"steps": (1,), "runs": (2,), "chunks": (1,)}[name]
            lines[label] = [(n, all_workers[who].ask(name, n, *rest)) for n in (sizes[:2] if QUICK else sizes)]
        yield name, curves(title, across, up, lines)


def main() -> None:
    """Print the table; write it and the curves, if asked to."""
    began = time.monotonic()
    with workers() as all_workers:
        lines = []
        for text in table(all_workers):
            print(text, flush=True)
            lines.append(text)
        drawn = dict(drawings(all_workers))
        for worker in all_workers.values():
            assert worker.process.stdin is not None
            worker.process.stdin.close()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"
    print(f"\n{machine}; {time.monotonic() - began:.0f} s")
    if "--write" in sys.argv:
        head, _, rest = PAGE.read_text().partition(BEGIN)
        _, _, tail = rest.partition(END)
        today = time.strftime("%Y-%m-%d")
        PAGE.write_text(f"{head}{BEGIN}\n" + "\n".join(lines) + f"\n\nMeasured on {today}: {machine}.\n\n{END}{tail}")
        for name, svg in drawn.items():
            (PAGE.parent / f"performance-{name}.svg").write_text(svg)
    if "--details" in sys.argv:
        for path in sorted(Path(__file__).parent.glob("bench_*.py")):
            print(f"\n== {path.stem}")
            runpy.run_path(str(path), run_name="__main__")


if __name__ == "__main__":
    main()
