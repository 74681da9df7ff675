"""The case "eta" of test/airflow/watch: the predicted end of a large rewrite against the real one."""

from __future__ import annotations

import os
import signal
import statistics

from checks import Checks
from watching import TO, XCOM_JSONB, Watch, copy_of_template, execute, migration

# XComs of 1 kB, so that their table is larger than 1 GB.
LARGE_XCOM = """
SET session_replication_role = replica;
INSERT INTO xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)
SELECT dag_run_id, task_id, map_index, 'large_' || copy, dag_id, run_id,
       convert_to('{"path": "s3://bucket/' || md5(run_id) || '", "checksums": "' || repeat(md5(task_id || copy), 28) || '"}', 'UTF8'),
       timestamp
FROM xcom, generate_series(1, 1100000 / (SELECT count(*) FROM xcom)) copy;
VACUUM ANALYZE xcom;
"""
LARGE = 10**9  # bytes
MAY_BE_WRONG = 0.3  # of the time that a rewrite takes, from a third of it on
ATTEMPTS = 3  # where the load changes
LOAD_CHANGED = 2.5  # running processes more or less than before; the rewrite's parallel workers are two


def check_eta(checks: Checks) -> None:
    """The end of a rewrite of more than 1 GB, as predicted from a third of the way on; again where the load changed."""
    for attempt in range(1, ATTEMPTS + 1):
        looks, end = watched_rewrite()
        wrong = wrong_predictions(looks, end)
        third = len(looks) // 3
        change = statistics.mean(look["running"] for look in looks[third:]) - statistics.mean(
            look["running"] for look in looks[: third or 1]
        )
        print(f"     running processes after the first third: {change:+.1f}")
        if not wrong or abs(change) < LOAD_CHANGED or attempt == ATTEMPTS:
            break
        print(f"     attempt {attempt} is not judged, as the load changed: {wrong}")
    checks.check("the end of a rewrite is predicted from a third of the way on", wrong)


def watched_rewrite() -> tuple[list[dict], float]:
    """Revision 0049's ALTER TABLE xcom in a real migration: each look at it, and when it was over."""

    def rewriting(row: dict) -> bool:
        return row["revision"] == XCOM_JSONB and (row["phase"] or "").startswith("rewriting")

    with copy_of_template("watch_eta") as database:
        execute(database, *LARGE_XCOM.strip().strip(";").split(";\n"))
        with Watch(database) as watch:
            process = migration(database, TO)
            watch.wait_for(rewriting)
            watch.wait_for(lambda row: not rewriting(row))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    seen = [rewriting(look["rows"][0]) for look in watch.looks]
    begin = seen.index(True)
    over = seen.index(False, begin)
    return watch.looks[begin:over], watch.looks[over]["at"]


def wrong_predictions(looks: list[dict], end: float) -> str:
    """Shows how far off they are, as a part of the time that it took in all; of those that matter the worst must do."""
    begin = looks[0]["at"]
    size = max(look["rows"][0]["total_bytes"] for look in looks)
    off = []  # how far it was, and by how much the end was predicted too late
    for look in looks:
        eta = look["rows"][0]["eta"]
        error = (look["at"] + eta.total_seconds() - end) / (end - begin) if eta is not None else None
        off.append(((look["at"] - begin) / (end - begin), error))
    print(f"     {size / 1e9:.2f} GB in {end - begin:.1f} s; predicted too late by, in % of that time:")
    for third in (1 / 3, 1 / 2, 2 / 3, 9 / 10):
        part, error = next(one for one in off if one[0] >= third or one is off[-1])
        print(f"     {part:4.0%} of the way: {'nothing predicted' if error is None else f'{error:+.0%}'}")
    worst = max((one for one in off if one[0] >= 1 / 3), key=lambda one: 9 if one[1] is None else abs(one[1]))
    if size < LARGE:
        return f"only {size} bytes"
    if worst[1] is None:
        return f"nothing predicted at {worst[0]:.0%}"
    return f"{worst[1]:+.0%} at {worst[0]:.0%}" if abs(worst[1]) > MAY_BE_WRONG else ""
