"""Figures of interleaved rounds, and how they are told: medians of paired ratios with an interval."""

from __future__ import annotations

from math import comb
from statistics import median


def interval(values: list[float], confidence: float = 0.95) -> tuple[float, float]:
    """Where the true median is, whatever the distribution: order statistics, as in the sign test.

    With too few values for that confidence, the least and the most of them.
    """
    ordered = sorted(values)
    count = len(ordered)
    outside, cut = 0.0, 0
    while cut < count // 2:
        outside += comb(count, cut) / 2**count
        if 2 * outside > 1 - confidence:
            break
        cut += 1
    cut = max(cut - 1, 0)
    return ordered[cut], ordered[count - 1 - cut]


def ratios(values: list[float], base: list[float]) -> list[float]:
    """Round by round: what drifts between rounds is in both."""
    return [value / other for value, other in zip(values, base, strict=True)]


def number(value: float) -> str:
    """With at most three digits that count."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values: list[float], form=number) -> str:
    low, high = interval(values)
    return f"{form(median(values))} ({form(low)}–{form(high)})"


def change(ratio: float) -> str:
    """A ratio as what it is more than 1, in percent."""
    return f"{(ratio - 1) * 100:+.2f} %"


def percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.1 else f"{share * 100:.1f} %"


def verdict(goal: str, found: str, met: bool) -> str:
    return f"- {goal}: {found}: {'met' if met else '**missed**'}"


def judged(goal: str, values: list[float], most: float, form=number, where: str = "") -> str:
    """Met or missed where the interval says so; else the noise is larger than what was to be found out."""
    low, high = interval(values)
    found = f"{spread(values, form)}{where}"
    if low <= most < high:
        return f"- {goal}: {found}: not to be told from noise"
    return verdict(goal, found, high <= most)


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
