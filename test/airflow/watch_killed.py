"""The case "killed" of test/airflow/watch: a migrating client is killed at random moments of its course."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

from checks import Checks
from watching import (
    PATIENCE,
    TO,
    Watch,
    connect,
    copy_of_template,
    fetch,
    idle_reader,
    migration,
    wrong_about_left,
)

KILLS = 10

# The revisions to come, and how many there are from each on; "seconds" with what any of them costs the client.
COURSE = """
SELECT revision, count(*) OVER (ORDER BY max(step) DESC) AS left_from,
       0.1 + extract(epoch FROM sum(eta_low + eta_high) / 2)::float AS seconds
FROM airflow_pin.migration_plan() GROUP BY component, revision ORDER BY max(step)
"""

# Who has written something in a transaction that goes on, and does a migrating client hold Airflow's lock?
AT_WORK = """
SELECT ARRAY(SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                AND backend_xid IS NOT NULL) AS pids,
       EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND granted) AS client
"""


def random_moments(database: str) -> list[dict]:
    """Over the whole course, as long as the plan says that it is: how far into which revision."""
    connection = connect(database)
    course = fetch(connection, COURSE)
    connection.close()
    moments = []
    for at in sorted(random.uniform(0, sum(part["seconds"] for part in course)) for _ in range(KILLS)):
        for part in course:
            if at < part["seconds"]:
                break
            at -= part["seconds"]
        moments.append({**part, "seconds": at})
    return moments


def check_killed(checks: Checks) -> None:
    """The client is killed again and again; each time the next one goes on where the last one was."""
    seed = int(os.environ.get("WATCH_SEED") or random.randrange(10**6))
    random.seed(seed)
    print(f"     {KILLS} moments by WATCH_SEED={seed}")
    with copy_of_template("watch_killed") as database:
        check_killed_while_blocked(checks, database)
        for moment in random_moments(database):
            process = migration(database, TO)
            wait_for_moment(database, process, moment)
            name = f"killed {moment['seconds']:.1f} s into {moment['revision']}"
            checks.check(name, "the client had ended" if process.poll() is not None else kill(database, process))
        checks.check("the next one succeeds", migration(database, TO).wait(PATIENCE))
        row = Watch(database).look()["rows"][0]
        checks.check("nothing is left", wrong_about_left(database, row) or row["revisions_left"])


def check_killed_while_blocked(checks: Checks, database: str) -> None:
    """What the client leaves behind waits on, until whoever is in its way ends."""
    reader, pid = idle_reader(database, "task_instance")
    with Watch(database) as watch:
        process = migration(database, TO)
        row = watch.wait_for(lambda row: row["verdict"] == "blocked")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    watch = Watch(database)
    left = row and wait_for_leftover(watch, row["pid"])
    told = (
        left
        and left["verdict"] == "blocked"
        and left["root_blocker"] == pid
        and "a client that is gone" in left["evidence"]
    )
    checks.check("killed while it was blocked: what it left is blocked", "" if told else left or "never seen")
    reader.close()
    checks.check("and ends when nobody is in the way", wrong_after_kill(watch, database))


def wait_for_leftover(watch: Watch, pid: int) -> dict | None:
    """The row of that session, when the client's other one, with the advisory lock, is gone."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for row in watch.look()["rows"]:
            if row["pid"] == pid and "advisory lock" in row["evidence"]:
                return row
    return None


def wait_for_moment(database: str, process: subprocess.Popen, moment: dict) -> None:
    """So long into its revision; at the latest when that is done, so that there is something left for the next."""
    connection = connect(database)
    begun = None
    while process.poll() is None:
        left = fetch(connection, "SELECT count(DISTINCT revision) AS number FROM airflow_pin.migration_plan()")[0][
            "number"
        ]
        if begun is None and left <= moment["left_from"] and fetch(connection, AT_WORK)[0]["pids"]:
            begun = time.monotonic()
        if left < moment["left_from"] and begun or begun and time.monotonic() - begun >= moment["seconds"]:
            break
        time.sleep(0.02)
    connection.close()


def kill(database: str, process: subprocess.Popen) -> str:
    """What was wrong about what was said of it; its session may go on for a while."""
    watch = Watch(database)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return wrong_after_kill(watch, database)


def wrong_after_kill(watch: Watch, database: str) -> str:
    """Until nothing of the migration is left: first its session, for as long as that goes on, then what is to come."""
    end = time.monotonic() + PATIENCE
    leftover = 0
    while time.monotonic() < end:
        before = fetch(watch.connection, AT_WORK)[0]
        look = watch.look()
        after = fetch(watch.connection, AT_WORK)[0]
        rows = look["rows"]
        if before["pids"] and before == after and not before["client"]:
            leftover += 1
            if wrong := wrong_about_leftover(rows, before["pids"]):
                return wrong
        if rows[0]["verdict"] == "not running" and not after["pids"]:
            print(f"     {f'its session went on for {leftover} looks; ' if leftover else ''}{rows[0]['evidence']}")
            return wrong_about_left(database, rows[0])
    return f"still said to run: {rows}"


def wrong_about_leftover(rows: list[dict], pids: list[int]) -> str:
    if [row["pid"] for row in rows] != pids:
        return f"session {pids} goes on, but told is {[(row['verdict'], row['pid']) for row in rows]}"
    wrong = [row for row in rows if not row["revisions_left"] or "a client that is gone" not in row["evidence"]]
    return f"{wrong}" if wrong else ""
