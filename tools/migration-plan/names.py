"""Run "airflow db migrate" and find out which names of constraints and indexes each revision relies on.

Run it with the Python of an Airflow's virtual environment, on a database without rows:

    VENV/bin/python names.py OUTPUT.json

Before a revision runs for good, it is run in a savepoint again and again, each time with one thing changed: a
constraint or index that it takes away has another name or is missing, a foreign key is there twice, a name that it
gives is taken. What makes the revision fail is written down, with the statement that failed. So it does not matter
whether a script knows a name, looks for it first, or says IF EXISTS.
"""

import functools
import json
import sys
import time

from alembic import op
from alembic.runtime.migration import RevisionStep
from known_names import place

# Constraints, and indexes that belong to none, with their definitions, where the schema is "{schema}"; of a foreign key
# the key that it refers to.
SNAPSHOT = """
SELECT 'constraint', k.contype::text, k.oid::bigint, c.relname::text, k.conname::text, pg_get_constraintdef(k.oid),
 CASE k.contype WHEN 'f' THEN coalesce((SELECT u.oid FROM pg_constraint u WHERE u.conindid = k.conindid
  AND u.contype IN ('p', 'u')), k.conindid)::bigint END
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.connamespace = 'public'::regnamespace AND k.contype IN ('p', 'u', 'f', 'c')
UNION ALL
SELECT 'index', 'i', i.indexrelid::bigint, t.relname::text, c.relname::text, pg_get_indexdef(i.indexrelid), NULL
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT EXISTS (SELECT FROM pg_constraint k
 WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY 1, 4, 5
"""
NOT_TRIED = "not tried: "
FIELDS = ("kind", "type", "oid", "table", "name", "definition", "key")


def sql(text):
    return op.get_bind().exec_driver_sql(text.replace("%", "%%"))


def snapshot():
    path = sql("SELECT current_setting('search_path')").fetchone()[0]
    sql("SELECT set_config('search_path', 'pg_catalog', true)")
    rows = [dict(zip(FIELDS, row)) for row in sql(SNAPSHOT).fetchall()]
    sql(f"SELECT set_config('search_path', '{path}', true)")
    for row in rows:
        row["definition"] = row["definition"].replace(" public.", " {schema}.")
    return rows


def on_table(thing, action):
    return f'ALTER TABLE public."{thing["table"]}" {action}'


def rename(thing):
    if thing["kind"] == "index":
        return [f'ALTER INDEX public."{thing["name"]}" RENAME TO renamed_away']
    return [on_table(thing, f'RENAME CONSTRAINT "{thing["name"]}" TO renamed_away')]


def remove(thing):
    if thing["kind"] == "index":
        return [f'DROP INDEX public."{thing["name"]}" CASCADE']
    return [on_table(thing, f'DROP CONSTRAINT "{thing["name"]}" CASCADE')]


def twin(thing, name):
    return [on_table(thing, f"ADD CONSTRAINT {name} " + thing["definition"].replace("{schema}", "public"))]


def same_thing(thing):
    if thing["kind"] == "index":
        return [thing["definition"].replace("{schema}", "public")]
    return twin(thing, f'"{thing["name"]}"')


def other_thing(thing, tables):
    """Something else that has the name: only on the same table it can be that of a foreign key."""
    if thing["type"] not in ("f", "c"):
        return [f'CREATE SEQUENCE public."{thing["name"]}"']
    if thing["table"] in tables:
        return [on_table(thing, f'ADD CONSTRAINT "{thing["name"]}" CHECK (true)')]
    return None


class Names:
    def __init__(self):
        self.revisions = []

    def attempt(self, run, changes, look=None):
        """Run a revision in a savepoint, after the changes. Returns what "look" sees then, and the error or None."""
        sql("SAVEPOINT attempt")
        seen = error = None
        tried = False
        try:
            for change in changes:
                sql(change)
            tried = True
            run()
            seen = look() if look else None
        except Exception as failure:
            error = " ".join(str(failure).split("[parameters:")[0].split())[:300]
        sql("ROLLBACK TO SAVEPOINT attempt")
        sql("RELEASE SAVEPOINT attempt")
        return seen, error if tried else NOT_TRIED + error

    def explore(self, key, run):
        before = snapshot()
        tables = {row[0] for row in sql("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")}
        after, error = self.attempt(run, [], snapshot)
        found = {"key": key, "before": before, "after": after, "error": error, "tries": []}
        self.revisions.append(found)
        for what, thing, *changes in attempts(before, after or [], tables):
            for change in changes:
                _, error = self.attempt(run, change)
                if not (error or "").startswith(NOT_TRIED):
                    break
            found["tries"].append({"what": what, "error": error, **thing})


def attempts(before, after, tables):
    """(what is tried, on which thing, changes that do it: the first that are possible)"""
    same = {(t["oid"], t["table"], t["name"]) for t in after}
    old = {t["oid"] for t in before}
    new_keys = {t["key"] for t in after if t["key"] and t["oid"] not in old}
    for thing in before if after else []:
        if (thing["oid"], thing["table"], thing["name"]) in same:
            if thing["oid"] in new_keys:
                yield "missing", thing, remove(thing)
            continue
        yield "renamed", thing, rename(thing)
        yield "missing", thing, remove(thing)
        if thing["type"] == "f":
            yield "twin before", thing, twin(thing, "a_twin")
            yield "twin after", thing, twin(thing, "z_twin")
    given = {place(t) for t in before}
    for thing in after:
        other = other_thing(thing, tables)
        if place(thing) not in given and other:
            yield "taken", thing, same_thing(thing), other
            yield "taken by another", thing, other


def install(names):
    make_step = RevisionStep.__init__

    def init(self, *args, **kwargs):
        make_step(self, *args, **kwargs)
        migrate = self.migration_fn
        module = self.revision.module

        def explored(*arguments, **keywords):
            run = functools.partial(migrate, *arguments, **keywords)
            component = "fab" if "/fab/" in module.__file__ else "core"
            version = getattr(module, "airflow_version", None) or getattr(module, "fab_version", None)
            names.explore((component, self.revision.revision, version), run)
            return run()

        self.migration_fn = explored

    RevisionStep.__init__ = init


def main():
    output = sys.argv[1]
    names = Names()
    install(names)
    from airflow.__main__ import main as airflow

    sys.argv = ["airflow", "db", "migrate"]
    started = time.monotonic()
    try:
        airflow()
    finally:
        with open(output, "w") as file:
            json.dump({"seconds": time.monotonic() - started, "revisions": names.revisions}, file, indent=1)


if __name__ == "__main__":
    main()
