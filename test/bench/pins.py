"""The Python part of test/bench/pins: runs in Airflow's virtual environment, for its psycopg2.

    pins.py DIRECTORY      the section; DIRECTORY has pgbench's log of update, pin, move and rollback
    pins.py guard          "ok" or "not ok", for make check: do 200 sessions obey a pin at once?
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from statistics import median

import psycopg2
from figures import judged, number, ratios, spread, table, verdict
from transactions import read_logs

COMMANDS = ("update", "pin", "move", "rollback")
NAMES = {"update": "UPDATE of one row of dag", "pin": "pin()", "move": "pin() that moves a pin", "rollback": "rollback()"}
SESSIONS = 200
MOST_MS = 5
BATCH = 100  # runs a transaction; a scheduler creates tens in one
MOST_MEMORY = 16 * 1024**2
INSERT = """INSERT INTO dag_run (dag_id, run_id, run_type, state, creating_job_id, run_after, clear_number, span_status,
                                 bundle_version, created_dag_version_id)
            SELECT dag_id, %s || dag_id, 'scheduled', 'queued', 1, now(), 0, 'not_started', bundle_version, id
            FROM dag_version WHERE version_number = 2 AND """


def connect():
    connection = psycopg2.connect(f"dbname={database()}")
    connection.autocommit = True
    return connection


def database() -> str:
    return os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].rsplit("/", 1)[1]


def query(connection, sql: str, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchall() if cursor.description else []


def report_commands(folder: Path) -> None:
    ((pins, _), rounds), *_ = read_logs(folder, list(COMMANDS)).items()
    rows = [
        [NAMES[name], spread([value / 1000 for value in rounds[name]]),
         "" if name == "update" else spread(ratios(rounds[name], rounds["update"])) + " ×"]
        for name in COMMANDS
    ]  # fmt: skip
    print(f"With {pins:,} pins; pgbench draws one of the commands for every transaction. Median (95 % interval) of the"
          " seconds' means, without the slowest 2 % of the transactions.\n")  # fmt: skip
    print(table(["command", "ms", "of the UPDATE"], rows) + "\n")
    slowest = max(COMMANDS[1:], key=lambda name: median(rounds[name]))
    milliseconds = [value / 1000 for value in rounds[slowest]]
    print(judged("pin, move and rollback take at most 5 ms", milliseconds, MOST_MS, number, f" ms, {NAMES[slowest]}"))


def measure_obedience() -> tuple[bool, str]:
    """Every session knows the DAG as not pinned; the first insert after the commit of the pin must obey it."""
    [(dag_id,)] = query(connect(), "SELECT dag_id FROM dag WHERE dag_id LIKE 'free_%' AND NOT EXISTS (SELECT"
                                   " FROM airflow_pin.pinned_version p WHERE p.dag_id = dag.dag_id) LIMIT 1")  # fmt: skip
    connections = [connect() for _ in range(SESSIONS)]
    for position, connection in enumerate(connections):
        query(connection, INSERT + "dag_id = %s", f"before_{position}_", dag_id)
    query(connect(), "SELECT airflow_pin.pin(%s, 1)", dag_id)
    for position, connection in enumerate(connections):
        query(connection, INSERT + "dag_id = %s", f"after_{position}_", dag_id)
    [[before, held]] = query(
        connections[0],
        "SELECT count(*) FILTER (WHERE run_id LIKE 'before%%' AND version_number = 2),"
        " count(*) FILTER (WHERE run_id LIKE 'after%%' AND version_number = 1)"
        " FROM dag_run JOIN dag_version v ON v.id = created_dag_version_id WHERE dag_run.dag_id = %s",
        dag_id,
    )
    for connection in connections:
        connection.close()
    return (before, held) == (SESSIONS, SESSIONS), f"{held} of {SESSIONS} runs held, {before} before it not"


def report_obedience() -> None:
    goal = f"{SESSIONS} sessions, each with the DAG in its cache, obey a pin with the very next insert"
    met, found = measure_obedience()
    print(verdict(goal, found, met))


def private_memory(connection) -> int:
    """Anonymous memory only: shared buffers that no other process has touched yet would count as private."""
    [[pid]] = query(connection, "SELECT pg_backend_pid()")
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return int(status["RssAnon"].split()[0]) * 1024


def insert_all(kind: str, enabled: bool) -> tuple[int, int]:
    """Private memory that a backend has gained, and what is in the cache of pins, after a run of every DAG.

    As runs that have ended: a pin is looked up for them, and they are let pass.
    """
    connection = connect()
    query(connection, f"SET airflow_pin.enabled = {'on' if enabled else 'off'}")
    dag_ids = [dag_id for (dag_id,) in query(connection, "SELECT dag_id FROM dag WHERE dag_id LIKE %s", f"{kind}%")]
    connection.autocommit = False
    before = 0
    for first in range(0, len(dag_ids), BATCH):
        query(connection, INSERT.replace("queued", "success") + "dag_id = ANY (%s)", "run_", dag_ids[first : first + BATCH])
        connection.rollback()
        before = before or private_memory(connection)
    [[used]] = query(connection, "SELECT coalesce(sum(total_bytes), 0)::bigint FROM pg_backend_memory_contexts"
                                 " WHERE name = 'airflow_pin pins'")  # fmt: skip
    gained = private_memory(connection) - before
    connection.close()
    return gained, int(used)


def megabytes(size: float) -> str:
    return f"{size / 1024**2:.1f} MiB"


def idle_backend() -> tuple[bool, int]:
    """Of a backend that reads all of dag and updates a row of it: is the library loaded, is there a context of its own?"""
    connection = connect()
    query(connection, "SELECT count(*) FROM dag")
    query(connection, "UPDATE dag SET is_stale = is_stale WHERE dag_id = 'dag_1'")
    [[pid]] = query(connection, "SELECT pg_backend_pid()")
    [[contexts]] = query(connection, "SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'airflow_pin%'")
    loaded = "airflow_pin.so" in Path(f"/proc/{pid}/maps").read_text()
    connection.close()
    return loaded, contexts


def report_memory() -> None:
    worst = 0
    for kind, what in (("free_", "unpinned"), ("dag_", "pinned")):
        with_pins, context = insert_all(kind, True)
        without, _ = insert_all(kind, False)
        worst = max(worst, with_pins - without, context)
        print(f"\nA backend that has inserted a run of each of the {what} DAGs: {megabytes(context)} in the cache of pins;"
              f" {megabytes(with_pins)} of private memory gained, {megabytes(without)} without the extension.")  # fmt: skip
    print()
    print(verdict("a backend takes under 16 MiB", megabytes(worst), worst < MOST_MEMORY))
    loaded, contexts = idle_backend()
    found = "the library is " + ("loaded" if loaded else "not loaded") + f", {contexts} memory contexts of its own"
    print(verdict("nothing in a backend that never inserts runs", found, not loaded and contexts == 0))


def main() -> int:
    if sys.argv[1] == "guard":
        met, found = measure_obedience()
        print(f"{'ok' if met else 'not ok'}: {SESSIONS} sessions obey a pin with the next insert: {found}")
        return 0 if met else 1
    report_commands(Path(sys.argv[1]))
    report_obedience()
    report_memory()
    return 0


if __name__ == "__main__":
    sys.exit(main())
