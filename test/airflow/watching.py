"""migration_status() beside a real migration: what the cases of test/airflow/watch are made of."""

from __future__ import annotations

import os
import re
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

XCOM_JSONB = "eed27faa34e3"  # 0049: ALTER TABLE xcom that rewrites it

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


def airflow(database: str, python: str, *arguments: str) -> subprocess.Popen:
    environment = dict(os.environ)
    environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = (
        f"postgresql+psycopg2://{os.environ['PGUSER']}@127.0.0.1:{os.environ['PGPORT']}/{database}"
    )
    log = open(Path(os.environ["AIRFLOW_HOME"]).parent / f"{database}.log", "a")
    return subprocess.Popen(
        [str(Path(python).parent / "airflow"), *arguments],
        env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip


def migration(database: str, python: str) -> subprocess.Popen:
    return airflow(database, python, "db", "migrate")


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


def running_processes() -> int:
    return int(re.search(r"^procs_running (\d+)", Path("/proc/stat").read_text(), re.M).group(1))


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
        truth = before if before == after else None
        look = {"at": at, "seconds": seconds, "rows": rows, "truth": truth, "running": running_processes()}
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


def idle_reader(database: str, table: str):
    """A session idle in transaction after it has read the table, which lives as long as it is kept, and its pid."""
    reader = connect(database, name="forgotten psql")
    fetch(reader, f"BEGIN; SELECT count(*) FROM {table}")
    return reader, fetch(reader, "SELECT pg_backend_pid() AS pid")[0]["pid"]


def wrong_about_left(database: str, row: dict) -> str:
    """Evidence and revisions_left of one that says that nobody migrates."""
    connection = connect(database)
    at = fetch(connection, "SELECT version_num FROM alembic_version")[0]["version_num"]
    plan = fetch(connection, "SELECT count(DISTINCT revision) AS left, (array_agg(revision ORDER BY step))[1] AS next"
                             " FROM airflow_pin.migration_plan()")[0]  # fmt: skip
    connection.close()
    wanted = [f"core revision {at} (", f"{plan['left']} revision"]
    if plan["next"]:
        wanted.append(f"the next is {plan['next']}")
    missing = [part for part in wanted if part not in row["evidence"]]
    return f"not in evidence: {missing}: {row['evidence']}" if missing or row["revisions_left"] != plan["left"] else ""
