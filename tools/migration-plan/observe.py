"""Run "airflow db migrate" and write down what each revision does.

Run it with the Python of an Airflow's virtual environment:

    VENV/bin/python observe.py OUTPUT.json [--timing]

Every statement of a migration is followed by a look, in the same transaction, at what the transaction
now holds and has done: locks, files of tables and indexes, sequential scans, rows inserted, updated
and deleted. With --timing nothing is looked at but the clock, so that the times are those of a plain
migration.
"""

import json
import re
import sys
import time
from collections import defaultdict

from alembic.runtime.migration import RevisionStep
from sqlalchemy import event
from sqlalchemy.engine import Engine

# The relations as this transaction sees them. Statistics are those of the transaction.
STATE = """
SELECT c.oid::bigint, c.relname, c.relkind, pg_relation_filenode(c.oid)::bigint,
       i.indrelid::bigint, i.indnkeyatts,
       pg_stat_get_xact_numscans(c.oid), pg_stat_get_xact_tuples_inserted(c.oid),
       pg_stat_get_xact_tuples_updated(c.oid), pg_stat_get_xact_tuples_deleted(c.oid),
       (SELECT array_agg(l.mode) FROM pg_locks l
        WHERE l.pid = pg_backend_pid() AND l.granted AND l.relation = c.oid
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'i')
"""
FIELDS = ("name", "kind", "file", "table", "columns", "scans", "inserted", "updated", "deleted", "locks")
LOCK_ORDER = (
    "AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock",
    "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock",
)  # fmt: skip


class Observer:
    def __init__(self, timing):
        self.timing = timing
        self.revision = None  # (component, revision, airflow version) while a migration runs
        self.before = {}  # state before the statement, by oid
        self.started = None
        self.statements = []  # what was seen, in order
        self.revisions = []  # (component, revision, airflow version, seconds)

    def state(self, connection):
        with connection.cursor() as cursor:
            cursor.execute(STATE)
            return {row[0]: dict(zip(FIELDS, row[1:])) for row in cursor.fetchall()}

    def enter(self, step):
        module = step.revision.module
        component = "fab" if "/fab/" in module.__file__ else "core"
        version = getattr(module, "airflow_version", None) or getattr(module, "fab_version", None)
        self.revision = (component, step.revision.revision, version)
        self.before = None

    def before_statement(self, conn, cursor, statement, parameters, context, executemany):
        if not self.timing and (self.before is None or self.revision is None):
            self.before = self.state(cursor.connection)
        self.started = time.monotonic()

    def after_statement(self, conn, cursor, statement, parameters, context, executemany):
        seconds = time.monotonic() - self.started
        record = {
            "revision": self.revision,
            "sql": " ".join(re.sub(r"--.*", "", statement).split()),
            "rows": cursor.rowcount,
            "executions": len(parameters) if executemany else 1,
            "seconds": seconds,
        }
        if not self.timing:
            after = self.state(cursor.connection)
            record["effects"] = effects(self.before, after)
            self.before = after
        self.add(record)

    def failed_statement(self, context):
        """A migration that breaks off: what it was trying to do is worth knowing, too."""
        if self.revision and context.statement:
            sql = " ".join(context.statement.split())
            error = str(context.original_exception).strip().splitlines()[0]
            self.statements.append({"revision": self.revision, "sql": sql, "error": error})

    def add(self, record):
        """Merge it with the one before when a client sends the same statement again and again."""
        for last in self.statements[-2:]:
            if (
                last["sql"] == record["sql"]
                and last["revision"] == record["revision"]
                and "error" not in last
            ):
                for key in ("rows", "executions", "seconds"):
                    last[key] += record[key]
                merge_effects(last.get("effects", {}), record.get("effects", {}))
                return
        self.statements.append(record)


def strongest(locks):
    return max(locks or [], key=LOCK_ORDER.index, default=None)


def effects(before, after):
    """What a statement did, by table name."""
    found = defaultdict(lambda: defaultdict(int))
    files = {row["file"] for row in before.values()}
    for oid, now in after.items():
        was = before.get(oid)
        table = now["table"] or oid
        if table not in after:
            continue
        name = (before.get(table) or after[table])["name"]
        changes = {}
        if now["kind"] == "i":
            # ALTER COLUMN ... TYPE may make an index of the same name on the old file.
            if now["file"] not in files:
                changes["index_columns"] = now["columns"]
            elif was and now["scans"] > was["scans"]:
                changes["index_scans"] = now["scans"] - was["scans"]
        else:
            if was is None:
                changes["created"] = 1
            elif was["file"] != now["file"]:
                changes["rewritten"] = 1
            if was is not None and was["name"] != now["name"]:
                changes["renamed_to"] = now["name"]
            for count in ("scans", "inserted", "updated", "deleted"):
                more = now[count] - (was[count] if was else 0)
                if more > 0:
                    changes[count] = more
            new_locks = set(now["locks"] or []) - set((was or {}).get("locks") or [])
            if new_locks:
                changes["new_lock"] = strongest(new_locks)
        if changes:
            changes["lock"] = strongest(after[table]["locks"])
            for key, value in changes.items():
                if isinstance(value, int):
                    found[name][key] += value
                else:
                    found[name][key] = value
    for oid, was in before.items():
        if oid in after:
            continue
        if was["kind"] == "r":
            found[was["name"]].update(dropped=1, lock="AccessExclusiveLock")
        elif was["table"] in after:
            name = before[was["table"]]["name"]
            found[name]["indexes_dropped"] += 1
            found[name]["lock"] = strongest(after[was["table"]]["locks"])
    return {name: dict(changes) for name, changes in found.items()}


def merge_effects(into, more):
    for name, changes in more.items():
        target = into.setdefault(name, {})
        for key, value in changes.items():
            target[key] = target.get(key, 0) + value if isinstance(value, int) else value


def install(observer):
    make_step = RevisionStep.__init__

    def init(self, *args, **kwargs):
        make_step(self, *args, **kwargs)
        migrate = self.migration_fn

        def observed(*args, **kwargs):
            observer.enter(self)
            started = time.monotonic()
            try:
                return migrate(*args, **kwargs)
            finally:
                observer.revisions.append([*observer.revision, time.monotonic() - started])
                observer.revision = None

        self.migration_fn = observed

    RevisionStep.__init__ = init
    event.listen(Engine, "before_cursor_execute", observer.before_statement)
    event.listen(Engine, "after_cursor_execute", observer.after_statement)
    event.listen(Engine, "handle_error", observer.failed_statement)


def main():
    output, timing = sys.argv[1], "--timing" in sys.argv[2:]
    observer = Observer(timing)
    install(observer)
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", "db", "migrate"]
    started = time.monotonic()
    try:
        airflow()
    finally:
        with open(output, "w") as file:
            json.dump(
                {
                    "seconds": time.monotonic() - started,
                    "revisions": observer.revisions,
                    "statements": observer.statements,
                },
                file,
                indent=1,
            )


if __name__ == "__main__":
    main()
