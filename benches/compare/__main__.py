"""Compares zerohop with what else answers chats from one model file on this machine.

    python benches/compare MODEL.gguf [--rounds N] [--engines A,B] [--workloads A,B] [--json FILE]

or `make compare`. Each measurement runs in a process of its own, the engines in turn; the figures
are medians, to be read as ratios within one run. `load` is the time from the start of the process
to the first token.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from engines import ENGINES, installed
from workloads import WORKLOADS, first_token, story

LOAD = "load"
TITLES = {name: f"{work.title} ({work.unit})" for name, work in WORKLOADS.items()}
TITLES[LOAD] = "start of the process to the first token (s)"


def measure(engine: str, workload: str, model: str) -> float:
    """Runs in the child."""
    work = WORKLOADS["stream" if workload == LOAD else workload]
    made = ENGINES[engine](work.setup(model))
    try:
        if workload == LOAD:
            first_token(made, story(0, 4))
            return time.time() - float(os.environ["ZEROHOP_BENCH_STARTED"])
        return work.measure(made)
    finally:
        made.close()


def measured(engine: str, workload: str, model: str) -> float | None:
    """The figure of one child; `None` where the engine cannot do it."""
    command = [sys.executable, __file__, "--measure", engine, workload, model]
    environment = {**os.environ, "ZEROHOP_BENCH_STARTED": str(time.time())}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    try:
        return float(done.stdout.split()[-1])
    except (IndexError, ValueError):
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"{engine} {workload}: {reason}", file=sys.stderr)
        return None


def report(model: str, rounds: int, engines: list[str], workloads: list[str]) -> dict[str, Any]:
    """Measures, prints a table, and returns the figures."""
    figures: dict[str, dict[str, float]] = {}
    print(f"{Path(model).name}, {platform.machine()}, {len(os.sched_getaffinity(0))} processors,")
    print(f"median of {rounds}; in brackets, times zerohop's\n")
    print("| |", " | ".join(engines), "|")
    print("|", " | ".join(["---"] * (len(engines) + 1)), "|")
    for workload in workloads:
        series: dict[str, list[float]] = {engine: [] for engine in engines}
        for _ in range(rounds):
            for engine in engines:
                figure = measured(engine, workload, model)
                if figure is not None:
                    series[engine].append(figure)
        medians = {name: statistics.median(values) for name, values in series.items() if values}
        figures[workload] = medians
        base = medians.get(engines[0])
        cells = []
        for engine in engines:
            if engine not in medians:
                cells.append("no")
            elif engine == engines[0] or not base:
                cells.append(f"{medians[engine]:.3g}")
            else:
                cells.append(f"{medians[engine]:.3g} ({medians[engine] / base:.2f})")
        print(f"| {TITLES[workload]} |", " | ".join(cells), "|", flush=True)
    return {"model": Path(model).name, "rounds": rounds, "figures": figures}


def main() -> int:
    if sys.argv[1:2] == ["--measure"]:
        engine, workload, model = sys.argv[2:]
        # What engines write themselves comes before.
        print("\n", measure(engine, workload, model), flush=True)
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", type=lambda names: names.split(","), default=installed())
    parser.add_argument("--workloads", type=lambda names: names.split(","), default=list(TITLES))
    parser.add_argument("--json", type=Path, help="where to write the figures too")
    given = parser.parse_args()
    figures = report(given.model, given.rounds, given.engines, given.workloads)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
