"""Draws a real migration from 2.11.2 to 3.3.2 as Prometheus recorded it. See run --picture."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack
from html import escape
from pathlib import Path

import psycopg2
from monitor import MIGRATED, fetch, get, migrate, start, transaction

PICTURE = Path(sys.argv[4])
WIDTH, LEFT, HEIGHT, GAP = 900, 190, 90, 50
VERDICTS = {
    "working": "#3a9d5d", "blocked": "#d04437", "stalled": "#8b1a1a", "idle in transaction": "#e0a030",
    "not running": "#c8c8c8",
}  # fmt: skip
BLOCKED_SECONDS = 15


def recorded(prometheus, expression: str, start_at: float, end: float) -> list[tuple[dict, list[tuple[float, float]]]]:
    """Series of numbers, with seconds since the start."""
    url = f"{prometheus.url}/api/v1/query_range"
    result = get(url, query=expression, start=start_at, end=end, step="1s")["data"]["result"]
    series = []
    for one in result:
        samples = [(at - start_at, float(value)) for at, value in one["values"] if value != "NaN"]
        if samples:
            series.append((one["metric"], samples))
    return series


def log_in() -> None:
    """A session that needs a role; it waits behind the migration."""
    connection = psycopg2.connect(dbname=MIGRATED, user="postgres")
    connection.cursor().execute("SELECT count(*) FROM ab_role")
    connection.close()


def wait_until_blocked() -> str:
    """By the idle session. Returns what ends it."""
    sql = """SELECT end_sql FROM airflow_pin.migration_status()
             WHERE verdict = 'blocked' AND evidence LIKE '%idle in transaction%'"""
    while not (rows := fetch(MIGRATED, sql)):
        time.sleep(0.5)
    return rows[0][0]


def watch_migration() -> None:
    """Behind an idle reader of ab_role, as in apache/airflow#65350, which is ended after a while."""
    with transaction(MIGRATED, "SELECT count(*) FROM ab_role"):
        migration = migrate()
        end_sql = wait_until_blocked()
        visitor = threading.Thread(target=log_in)
        visitor.start()
        time.sleep(BLOCKED_SECONDS)
        fetch(MIGRATED, end_sql)
        visitor.join()
    if migration.wait(300) != 0:
        sys.exit("picture: airflow db migrate failed")


class Picture:
    """Graphs one below the other, over the same seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.parts: list[str] = []
        self.top = 30

    def x(self, at: float) -> float:
        return LEFT + at / self.seconds * (WIDTH - LEFT - 20)

    def text(self, x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> None:
        self.parts.append(f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>')

    def graph(self, title: str, unit: str, series: list[tuple[str, list[tuple[float, float]]]]) -> None:
        """Lines; a gap of more than 2 s is one."""
        bottom = self.top + HEIGHT
        most = max((value for _, samples in series for _, value in samples), default=1) or 1
        self.text(10, self.top + 12, title)
        self.text(LEFT - 6, self.top + 10, f"{most:,.0f} {unit}".strip(), "end", 10)
        self.text(LEFT - 6, bottom, "0", "end", 10)
        self.parts.append(f'<path d="M{LEFT} {self.top}V{bottom}H{WIDTH - 20}" fill="none" stroke="#999"/>')
        for number, (name, samples) in enumerate(series):
            color = ("#2b6cb0", "#d04437", "#3a9d5d", "#7b4fa3", "#e0a030")[number % 5]
            path, before = "", None
            for at, value in samples:
                step = "L" if before is not None and at - before <= 2 else "M"
                path += f"{step}{self.x(at):.1f} {bottom - value / most * HEIGHT:.1f}"
                before = at
            self.parts.append(f'<path d="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
            if name:
                self.text(self.x(samples[0][0]) + 4, bottom + 13 + number % 2 * 11, name, size=10)
                self.parts[-1] = self.parts[-1].replace("<text", f'<text fill="{color}"')
        self.top = bottom + GAP

    def verdicts(self, series: list[tuple[str, list[tuple[float, float]]]]) -> None:
        self.text(10, self.top + 15, "verdict")
        for verdict, samples in series:
            for at, _ in samples:
                width = self.x(1) - self.x(0) + 0.5
                self.parts.append(
                    f'<rect x="{self.x(at):.1f}" y="{self.top}" width="{width:.1f}" height="20" fill="{VERDICTS[verdict]}"/>'
                )
        for number, (verdict, _) in enumerate(series):
            self.parts.append(f'<rect x="{LEFT + number * 150}" y="{self.top + 28}" width="10" height="10" fill="{VERDICTS[verdict]}"/>')
            self.text(LEFT + number * 150 + 15, self.top + 37, verdict, size=11)
        self.top += 70

    def svg(self) -> str:
        for seconds in range(0, int(self.seconds) + 1, 10):
            self.text(self.x(seconds), self.top - 10, f"{seconds} s", "middle", 10)
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.top}" font-family="sans-serif">'
        return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *self.parts, "</svg>\n"])


def draw(prometheus, start_at: float, end: float) -> str:
    def series(expression: str, *labels: str) -> list:
        found = recorded(prometheus, expression, start_at, end)
        return [(" ".join(metric[label] for label in labels), samples) for metric, samples in found]

    metric = "sql_airflow_pin_migration"
    picture = Picture(end - start_at)
    picture.verdicts(series(f'sum by (verdict) ({metric}{{col="sessions"}})', "verdict"))
    progress = series(f'max by (relation, revision, phase) ({metric}{{col="percent"}})', "relation")
    # short operations are drawn, but not named
    named = [(name if len(samples) >= 3 else "", samples) for name, samples in sorted(progress, key=lambda one: one[1])]
    picture.graph("operation done", "%", named)
    picture.graph("revisions left", "", series(f'max({metric}{{col="revisions_left"}})'))
    picture.graph("estimate of what is left", "s", series(f'max({metric}{{col="left_high_seconds"}})'))
    picture.graph("sessions that wait", "", series('sql_airflow_pin_locks{col="waiting"}'))
    return picture.svg()


def main() -> None:
    with ExitStack() as stack:
        prometheus, _ = start(stack, MIGRATED)
        while not prometheus.query('sql_airflow_pin_migration{col="sessions"}'):
            time.sleep(0.2)
        start_at = time.time()
        watch_migration()
        time.sleep(3)  # the end, too
        PICTURE.write_text(draw(prometheus, start_at, time.time()))


if __name__ == "__main__":
    main()
