"""migration_status() asked again and again beside real migrations, and what it says checked. See watch."""

from __future__ import annotations

import os
import re
import signal
import statistics
import sys
import threading

import psycopg2
from checks import Checks
from watch_eta import check_eta
from watch_killed import check_killed
from watching import (
    PATIENCE,
    PERCENT,
    TO,
    WATCHER,
    XCOM_JSONB,
    Watch,
    airflow,
    connect,
    copy_of_template,
    execute,
    fetch,
    idle_reader,
    make_template,
    migration,
    wrong_about_left,
)

TASK_INSTANCE_UUID = "d59cbbef95eb"  # 0042: UPDATE of task_instance in batches
HISTORY_TRY_ID = "7645189f3479"  # 0060: the client's UPDATE of each row
FAB_FIRST, FAB_NEWEST = "6709f7a774b9", "02ca36b0235b"


def wrong_verdicts(looks: list[dict], allowed: set[str]) -> list[str]:
    """Verdicts that are not the truth, where it was the same before and after the look."""
    wrong = []
    for look in looks:
        truth = look["truth"]
        verdicts = {row["verdict"] for row in look["rows"]}
        if not verdicts <= allowed:
            wrong.append(f"{verdicts} {look['rows'][0]['evidence']}")
        elif truth and truth["waiting"] and verdicts != {"blocked"}:
            wrong.append(f"{verdicts} while it waits for a lock")
        elif truth and not truth["waiting"] and "blocked" in verdicts:
            wrong.append(f"{verdicts} while nobody waits: {look['rows'][0]['evidence']}")
        elif truth and truth["migrating"] == ("not running" in verdicts):
            wrong.append(f"{verdicts} while {truth}")
    return wrong[:3]


def percents_back(rows: list[dict]) -> list[str]:
    """Operations whose percent went back: of one step of one revision, on one table."""
    best: dict[tuple, float] = {}
    wrong = []
    for row in rows:
        step = re.match(r"(step \d+|)", row["evidence"] or "").group()
        key = (row["pid"], row["revision"], row["relation"], step, re.split("[,:]", row["phase"] or "")[0])
        if row["percent"] is not None:
            if row["percent"] < best.get(key, 0):
                wrong.append(f"{key}: {best[key]}, then {row['percent']}")
            best[key] = row["percent"]
    return wrong[:3]


def harmful_advice(rows: list[dict]) -> list[str]:
    return [row["next_action"] for row in rows
            if row["verdict"] == "working" and re.search("cancel|terminate|end", row["next_action"].replace("ends about", ""))][:3]  # fmt: skip


def progress_of(rows: list[dict], revision: str, phase: str) -> list[float]:
    return [row["percent"] for row in rows
            if row["revision"] == revision and (row["phase"] or "").startswith(phase) and row["percent"] is not None]  # fmt: skip


def blocked_by(
    checks: Checks, watch: Watch, database: str, pid: int, component: str | None, relation: str, *told: str
) -> None:
    """Wait until the reader is in the way, look whether the evidence has what must be told, and end that as told."""
    row = watch.wait_for(lambda row: row["verdict"] == "blocked" and row["root_blocker"] == pid)
    if row is None:
        checks.check(f"blocked at {relation}", "never seen")
        return
    wrong = [
        f"{name} is {row[name]}"
        for name, wanted in {
            "component": component, "relation": relation, "blocked_by": [pid],
            "end_sql": f"SELECT pg_terminate_backend({pid})",
        }.items() if row[name] != wanted
    ]  # fmt: skip
    for part in (f"pid {pid} (forgotten psql)", "idle in transaction", "AccessExclusiveLock on " + relation, *told):
        if part not in row["evidence"]:
            wrong.append(f"not in evidence: {part}: {row['evidence']}")
    checks.check(f"blocked at {relation} by an idle reader of it", wrong)
    execute(database, row["end_sql"])


def check_migration(checks: Checks) -> None:
    """A whole migration, with two idle readers in its way, who are ended as next_action says."""
    with copy_of_template("watch_migration") as database:
        with Watch(database) as watch:
            checks.check("not running before", not watch.wait_for(lambda row: row["verdict"] == "not running"))
            readers = [idle_reader(database, table) for table in ("task_instance", "ab_role")]
            process = migration(database, TO)
            blocked_by(checks, watch, database, readers[0][1], "core", "task_instance")
            blocked_by(checks, watch, database, readers[1][1], "fab", "ab_role")
            checks.check("the migration succeeds", process.wait(PATIENCE))
            done = watch.wait_for(lambda row: row["verdict"] == "not running", 10)
            checks.check("not running after, nothing left", not done or done["revisions_left"] != 0)
        check_watched(checks, watch)
        check_fab_alone(checks, database)
        check_downgrade(checks, database)


def check_fab_alone(checks: Checks, database: str) -> None:
    """FAB's tables have commands of their own, which do not take Airflow's lock. No revision is told of what is undone."""
    alone = "no session of this client holds Airflow's advisory lock 1: FAB alone"
    back = f"the FAB revision went back from {FAB_NEWEST} to {FAB_FIRST}"
    for arguments, component, table, told, revisions in (
        (("downgrade", "--yes", "--to-version", "1.4.0"), None, "ab_user", [alone], {None}),
        # The way forward again: it looks like one more revision back, but where a statement is a step of the plan's.
        (("migrate",), "fab", "ab_role", [alone, back, "or a migration that has only just begun"], {None, FAB_NEWEST}),
    ):
        what = f"fab-db {arguments[0]}"
        with Watch(database) as watch:
            reader, pid = idle_reader(database, table)
            process = airflow(database, TO, "fab-db", *arguments)
            blocked_by(checks, watch, database, pid, component, table, *told)
            checks.check(f"{what} succeeds", process.wait(PATIENCE))
            done = watch.wait_for(lambda row: row["verdict"] == "not running", 10)
        reader.close()
        wrong = [row for row in watch.rows() if row["revision"] not in revisions]
        checks.check(f"no wrong revision is told during {what}", wrong[:3])
        checks.check(f"what is left after {what}", wrong_about_left(database, done) if done else "still said to run")


def check_downgrade(checks: Checks, database: str) -> None:
    """What is undone is not taken for a revision, or a step, of those that follow it."""
    with Watch(database) as watch:
        process = airflow(database, TO, "db", "downgrade", "--yes", "--to-version", "3.0.6")
        checks.check("the downgrade succeeds", process.wait(PATIENCE))
        done = watch.wait_for(lambda row: row["verdict"] == "not running", 10)
    rows = [row for row in watch.rows() if row["verdict"] != "not running"]
    told = [row for row in rows if "airflow db downgrade" in row["evidence"]]
    # Before the first of them is undone nothing tells, but nothing is left, either.
    wrong = [
        row for row in rows if row["revision"] or "step" in row["evidence"] or "more revision" in row["next_action"]
    ]
    wrong += [
        row for row in rows if row["revisions_left"] and row not in told and row["phase"] != "between transactions"
    ]
    checks.check(
        "a downgrade is told as one", wrong[:3] or ("" if len(told) > 2 else f"{len(told)} of {len(rows)} rows do")
    )
    checks.check("verdicts of a downgrade are right", wrong_verdicts(watch.looks, {"not running", "working", "blocked"}))
    checks.check("what is left after it", wrong_about_left(database, done) if done else "still said to run")


def check_watched(checks: Checks, watch: Watch) -> None:
    rows = watch.rows()
    seconds = [look["seconds"] for look in watch.looks]
    checks.check("every call returns at once", watch.error)
    print(
        f"     {len(seconds)} calls, median {statistics.median(seconds) * 1000:.0f} ms, max {max(seconds) * 1000:.0f} ms"
    )
    checks.check("every verdict has its evidence", sorted({row["verdict"] for row in rows if not row["evidence"]}))
    checks.check("verdicts are right", wrong_verdicts(watch.looks, {"not running", "working", "blocked"}))
    checks.check("percent never goes back", percents_back(rows))
    checks.check("no advice to end what works", harmful_advice(rows))
    for revision, phase, samples, least in (
        (TASK_INSTANCE_UUID, "updating rows", 8, 70),
        (TASK_INSTANCE_UUID, "CREATE INDEX", 1, 1),
        (HISTORY_TRY_ID, "updating rows", 3, 30),
        # Too quick to be seen where there is little data and a fast disk.
        (XCOM_JSONB, "rewriting table", 1 if PERCENT >= 40 else 0, 0),
    ):
        seen = progress_of(rows, revision, phase)
        enough = len(seen) >= samples and max(seen, default=0) >= least
        checks.check(f"progress of {revision}, {phase}", "" if enough else f"seen: {seen}")


def in_background(connection, sql: str, ended: threading.Event | None = None) -> threading.Thread:
    """Executes it once, or again and again until that has ended."""

    def run() -> None:
        try:
            fetch(connection, sql)
            while ended and not ended.is_set():
                fetch(connection, sql)
        except psycopg2.Error:
            pass  # it was cancelled

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def check_sessions(checks: Checks) -> None:
    """What a real migration does not do by itself: a stalled process, a standby that does not answer."""
    with copy_of_template("watch_sessions") as database:
        check_stranger(checks, database)
        holder, worker = connect(database), connect(database)
        fetch(holder, "BEGIN; SELECT pg_advisory_lock(1)")
        pid = fetch(worker, "SELECT pg_backend_pid() AS pid")[0]["pid"]
        with Watch(database) as watch:
            check_stalled(checks, watch, worker, pid)
            check_synchronous_standby(checks, watch, worker, pid)
        holder.close()
        worker.close()


def check_stranger(checks: Checks, database: str) -> None:
    """Anybody can take the advisory lock: who has no rights on the tables does not migrate, but is in the way."""
    stranger, worker = connect(database, WATCHER), connect(database)
    pid = fetch(stranger, "SELECT pg_advisory_lock(1), pg_backend_pid() AS pid")[0]["pid"]
    with Watch(database) as watch:
        row = watch.wait_for(lambda row: True)
        checks.check("a stranger with the advisory lock", row["verdict"] != "not running" and row)
        thread = in_background(worker, "SELECT pg_advisory_lock(1)")
        row = watch.wait_for(lambda row: row["verdict"] == "blocked", 20)
        told = row and row["root_blocker"] == pid and row["end_sql"] == f"SELECT pg_terminate_backend({pid})"
        checks.check("blocked by a stranger", "" if told else row or "never seen")
    stranger.close()
    thread.join()
    worker.close()


def check_stalled(checks: Checks, watch: Watch, worker, pid: int) -> None:
    thread = in_background(worker, "BEGIN; LOCK TABLE xcom; SELECT pg_sleep(60)")
    row = watch.wait_for(lambda row: row["pid"] == pid and row["verdict"] == "stalled", 20)
    checks.check(
        "stalled: active, and does nothing", "" if row and "no CPU time" in row["evidence"] else row or "never seen"
    )
    os.kill(pid, signal.SIGSTOP)
    row = watch.wait_for(lambda row: row["pid"] == pid and f"kill -CONT {pid}" in row["next_action"], 20)
    os.kill(pid, signal.SIGCONT)
    checks.check("stalled: stopped by a signal", not row)
    execute(watch.connection.info.dbname, f"SELECT pg_cancel_backend({pid})")
    thread.join()
    fetch(worker, "ROLLBACK")


def check_synchronous_standby(checks: Checks, watch: Watch, worker, pid: int) -> None:
    execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
    fetch(worker, "SET synchronous_commit = on")
    ended = threading.Event()
    # The server heeds the setting when its checkpointer has read it.
    thread = in_background(worker, "BEGIN; LOCK TABLE xcom; COMMENT ON TABLE xcom IS 'x'; COMMIT", ended)
    row = watch.wait_for(lambda row: row["pid"] == pid and row["wait_event"] == "SyncRep", 20)
    ended.set()
    execute("postgres", "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
    thread.join()
    checks.check(
        "blocked by a synchronous standby",
        ""
        if row and row["verdict"] == "blocked" and "synchronous standby" in row["next_action"]
        else row or "never seen",
    )


def main() -> int:
    cases = {"migration": check_migration, "killed": check_killed, "sessions": check_sessions, "eta": check_eta}
    checks = Checks()
    make_template()
    for name in sys.argv[3:] or ("migration", "killed", "sessions"):
        cases[name](checks)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
