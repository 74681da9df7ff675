"""migration_status() asked again and again beside real migrations, and what it says checked. See watch."""

from __future__ import annotations

import os
import random
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import psycopg2.extras

FROM, TO = sys.argv[1:3]
SEED_SQL = Path(__file__).parents[2] / "tools/migration-plan/seed.sql"
PERCENT = int(os.environ.get("WATCH_PERCENT", "8"))  # of the benchmark's rows
ROWS = {"runs": 3000 * PERCENT, "logs": 20000 * PERCENT, "users": 10000 * PERCENT}
PATIENCE = 120 + 30 * PERCENT  # seconds, for a migration on a busy machine
WATCHER = "airflow_pin_watch"
INTERVAL = 0.25

TASK_INSTANCE_UUID = "d59cbbef95eb"  # 0042: UPDATE of task_instance in batches
HISTORY_TRY_ID = "7645189f3479"  # 0060: the client's UPDATE of each row
XCOM_JSONB = "eed27faa34e3"  # 0049: ALTER TABLE xcom that rewrites it
FAB_LAST = "02ca36b0235b"

# What is true anyway: does a session hold Airflow's lock, and does one wait for any lock?
TRUTH = """
SELECT coalesce(bool_or(locktype = 'advisory' AND classid = 0 AND objid = 1 AND granted), false) AS migrating,
       coalesce(bool_or(NOT granted), false) AS waiting
FROM pg_locks WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database())
    OR database IS NULL AND NOT granted
"""


def connect(database: str, user: str = "postgres", name: str = ""):
    connection = psycopg2.connect(dbname=database, user=user, application_name=name)
    connection.autocommit = True
    return connection


def fetch(connection, sql: str) -> list[dict]:
    with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def execute(database: str, *statements: str) -> None:
    connection = connect(database)
    for statement in statements:
        fetch(connection, statement)
    connection.close()


def migration(database: str, python: str) -> subprocess.Popen:
    environment = dict(os.environ)
    environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = (
        f"postgresql+psycopg2://{os.environ['PGUSER']}@127.0.0.1:{os.environ['PGPORT']}/{database}"
    )
    log = open(Path(os.environ["AIRFLOW_HOME"]).parent / f"{database}.log", "a")
    return subprocess.Popen(
        [str(Path(python).parent / "airflow"), "db", "migrate"],
        env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip


def make_template() -> None:
    execute("postgres", f"CREATE ROLE {WATCHER} LOGIN IN ROLE pg_monitor", "CREATE DATABASE watch_template")
    if migration("watch_template", FROM).wait(PATIENCE) != 0:
        sys.exit("no metadata of 2.11.2")
    variables = [option for name, value in ROWS.items() for option in ("-v", f"{name}={value}")]
    subprocess.run(
        ["psql", "-Xq", *variables, "-f", str(SEED_SQL), "watch_template"], check=True, stdout=subprocess.DEVNULL
    )
    execute("watch_template", "VACUUM ANALYZE", "CREATE EXTENSION airflow_pin")


@contextmanager
def copy_of_template(name: str):
    execute("postgres", f"CREATE DATABASE {name} TEMPLATE watch_template")
    yield name
    execute("postgres", f"DROP DATABASE {name} WITH (FORCE)")


class Checks:
    """Counts what is as it should be, and prints what is not."""

    passed = failed = 0

    def check(self, name: str, wrong: object) -> None:
        """wrong: empty when all is well, else what is not."""
        if wrong:
            self.failed += 1
        else:
            self.passed += 1
        print(f"{'not ok' if wrong else 'ok'} - {name}{f': {wrong}' if wrong else ''}", flush=True)


class Watch:
    """Asks in a session of its own, as somebody who may only monitor; a call that waits is an error."""

    def __init__(self, database: str) -> None:
        self.connection = connect(database, WATCHER, "watch")
        fetch(self.connection, "SET statement_timeout = '1s'")
        self.looks: list[dict] = []
        self.error = None
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def look(self) -> dict:
        before = fetch(self.connection, TRUTH)[0]
        at = time.monotonic()
        rows = fetch(self.connection, "SELECT * FROM airflow_pin.migration_status()")
        seconds = time.monotonic() - at
        after = fetch(self.connection, TRUTH)[0]
        look = {"at": at, "seconds": seconds, "rows": rows, "truth": before if before == after else None}
        self.looks.append(look)
        return look

    def run(self) -> None:
        try:
            while not self.ended.wait(INTERVAL):
                self.look()
        except Exception as error:  # noqa: BLE001: told by the check of the calls
            self.error = error

    def __enter__(self) -> Watch:
        self.thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.ended.set()
        self.thread.join()
        self.connection.close()

    def wait_for(self, condition, seconds: float = PATIENCE) -> dict | None:
        """The first row, of a look from now on, for which it holds."""
        start = len(self.looks)
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.error:
            for look in self.looks[start:]:
                for row in look["rows"]:
                    if condition(row):
                        return row
            time.sleep(0.05)
        return None

    def rows(self) -> list[dict]:
        return [row for look in self.looks for row in look["rows"]]


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


def idle_reader(database: str, table: str):
    """A session idle in transaction after it has read the table, which lives as long as it is kept, and its pid."""
    reader = connect(database, name="forgotten psql")
    fetch(reader, f"BEGIN; SELECT count(*) FROM {table}")
    return reader, fetch(reader, "SELECT pg_backend_pid() AS pid")[0]["pid"]


def blocked_by(checks: Checks, watch: Watch, database: str, pid: int, component: str, relation: str) -> None:
    """Wait until the reader is in the way, and do what is told to end that."""
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
    for part in (f"pid {pid} (forgotten psql)", "idle in transaction", "AccessExclusiveLock on " + relation):
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


def check_watched(checks: Checks, watch: Watch) -> None:
    rows = watch.rows()
    seconds = [look["seconds"] for look in watch.looks]
    checks.check("every call returns at once", watch.error)
    print(f"     {len(seconds)} calls, median {statistics.median(seconds) * 1000:.0f} ms, max {max(seconds) * 1000:.0f} ms")
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


def check_killed(checks: Checks) -> None:
    """The client is killed three times; each time the next one goes on where the last one was."""
    moments = [random.uniform(0.1, 4), random.uniform(2, 9), random.uniform(4, 12)]
    with copy_of_template("watch_killed") as database:
        for moment in moments:
            with Watch(database) as watch:
                process = migration(database, TO)
                watch.wait_for(lambda row: row["verdict"] == "working")
                time.sleep(moment)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                row = watch.wait_for(lambda row: row["verdict"] == "not running")
            checks.check(f"killed after {moment:.1f} s", wrong_about_left(database, row))
        checks.check("the next one succeeds", migration(database, TO).wait(PATIENCE))
        with Watch(database) as watch:
            row = watch.wait_for(lambda row: True)
        checks.check("nothing is left", wrong_about_left(database, row) or row["revisions_left"])


def wrong_about_left(database: str, row: dict | None) -> str:
    if row is None:
        return "still said to run"
    connection = connect(database)
    at = fetch(connection, "SELECT version_num FROM alembic_version")[0]["version_num"]
    plan = fetch(connection, "SELECT count(DISTINCT revision) AS left, (array_agg(revision ORDER BY step))[1] AS next"
                             " FROM airflow_pin.migration_plan()")[0]  # fmt: skip
    connection.close()
    wanted = [f"core revision {at} (", f"{plan['left']} revision"]
    if plan["next"]:
        wanted.append(f"the next is {plan['next']}")
    missing = [part for part in wanted if part not in row["evidence"]]
    print(f"     {row['evidence']}")
    return f"not in evidence: {missing}: {row['evidence']}" if missing or row["revisions_left"] != plan["left"] else ""


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
    checks.check("stalled: active, and does nothing", "" if row and "no CPU time" in row["evidence"] else row or "never seen")
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
        "" if row and row["verdict"] == "blocked" and "synchronous standby" in row["next_action"] else row or "never seen",
    )


def main() -> int:
    cases = {"migration": check_migration, "killed": check_killed, "sessions": check_sessions}
    checks = Checks()
    make_template()
    for name in sys.argv[3:] or cases:
        cases[name](checks)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
