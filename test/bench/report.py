#!/usr/bin/env python3
"""What test/bench/health measured, as Markdown:

    report.py SCALE CALLS.tsv ROWS.txt

CALLS: database (tenth or whole), kind, name, goal, milliseconds, in the order of the calls. ROWS: table and rows.
"""

import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

# Ten times the rows may take three times as long before it counts as growing with the table.
MOST_GROWTH = 3
MOST_MS = 2000
TOGETHER_MS = 5000


class Statement:
    def __init__(self, kind, name, goal):
        self.kind = kind
        self.name = name
        self.goal = float(goal) if goal else None
        self.calls = defaultdict(list)  # by database, the first one cold

    def cold(self, database="whole"):
        return self.calls[database][0]

    def warm(self, database="whole"):
        return self.calls[database][1:]

    def median(self, database="whole"):
        return median(self.warm(database))

    def growth(self):
        return self.median() / self.median("tenth")

    def worst(self):
        return max(self.calls["whole"])

    def met(self):
        return self.median() < self.goal


def read_calls(path):
    statements = {}
    for line in Path(path).read_text().splitlines():
        database, kind, name, goal, ms = line.split("\t")
        statement = statements.setdefault(name, Statement(kind, name, goal))
        statement.calls[database].append(float(ms))
    return list(statements.values())


def number(value):
    """With at most three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values):
    return f"{number(median(values))} ({number(min(values))}–{number(max(values))})"


def table(statements):
    yield "| statement | tenth, ms | whole, ms | growth | first call, ms | of the function's time | goal, ms |"
    yield "|---|---|---|---|---|---|---|"
    function = None
    for s in statements:
        if s.kind == "function":
            function = s
        name = f"**`{s.name}`**" if s.kind == "function" else f"↳ {s.name}"
        ratio = "" if s is function else f"{number(s.median() / function.median())} ×"
        goal = "" if s.goal is None else f"{s.goal:.0f}: {'met' if s.met() else '**missed**'}"
        yield (
            f"| {name} | {spread(s.warm('tenth'))} | {spread(s.warm())} | {number(s.growth())} ×"
            f" | {number(s.cold())} | {ratio} | {goal} |"
        )


def verdict(text, holds):
    return f"- {text}: {'met' if holds else '**missed**'}"


def goals(functions, scale):
    for limit in sorted({f.goal for f in functions}):
        group = [f for f in functions if f.goal == limit]
        slowest = max(group, key=Statement.median)
        yield verdict(
            f"each of those under {limit:.0f} ms (slowest: `{slowest.name}`, {number(slowest.median())} ms)",
            all(f.met() for f in group),
        )
    slowest = max(functions, key=Statement.worst)
    yield verdict(
        f"no call at all over {MOST_MS / 1000:.0f} s, the first included (slowest: `{slowest.name}`,"
        f" {slowest.worst() / 1000:.1f} s)",
        slowest.worst() < MOST_MS,
    )
    together = sum(f.worst() for f in functions)
    yield verdict(
        f"all of them one after the other, each at its slowest, under {TOGETHER_MS / 1000:.0f} s"
        f" ({together / 1000:.1f} s)",
        together < TOGETHER_MS,
    )
    if scale < 1:
        return  # small tables are read in full
    steepest = max(functions, key=Statement.growth)
    yield verdict(
        f"not linear: ten times the rows take less than {MOST_GROWTH} times as long (most:"
        f" `{steepest.name}`, {number(steepest.growth())} ×)",
        steepest.growth() < MOST_GROWTH,
    )


def main():
    scale, calls, rows = sys.argv[1:]
    statements = read_calls(calls)
    functions = [s for s in statements if s.kind == "function"]
    tables = [line.split() for line in Path(rows).read_text().splitlines()]
    size = int(dict(tables).pop("size")) / 1024**3
    print(f"Scale {scale}: " + ", ".join(f"{int(n):,} {t}" for t, n in tables if t != "size") + f"; {size:.1f} GB.")
    print(
        "“Tenth” is a database of a tenth of that. Median (least–most) of the calls of one session; the"
        " first call is that of a new session on a server that was just restarted, with its files not in memory. Indented: what users"
        " paste today, as a multiple of the function's median. A goal is met by the median."
    )
    print()
    print("\n".join(table(statements)))
    print()
    print("\n".join(goals(functions, float(scale))))


if __name__ == "__main__":
    main()
