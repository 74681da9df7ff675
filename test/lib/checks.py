"""Counts and prints the checks of a test in Python. PYTHONPATH leads here."""

from __future__ import annotations


class Checks:
    most_shown: int | None = None  # characters of what is wrong

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def check(self, name: str, wrong: object) -> None:
        """wrong: empty when all is well, else what is not."""
        if wrong:
            self.failed += 1
        else:
            self.passed += 1
        told = f": {wrong}"[: self.most_shown] if wrong else ""
        print(f"{'not ok' if wrong else 'ok'} - {name}{told}", flush=True)
