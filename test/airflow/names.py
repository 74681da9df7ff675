"""Each name that a migration needs, changed, and a sample of them taken to the real migration. See names."""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2

STEPS = Path(__file__).parents[2] / "src/plan/migration_steps.inc"
NAME = re.compile(r"NAME\((.*?), '(.)', \"(.*?)\", \"(.*?)\", ")
CHECKS = "('needed_names', 'repeated_keys', 'taken_names')"
TARGET = "3.3.2"

EXISTING = """
SELECT k.contype::text, c.relname::text, k.conname::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.connamespace = 'public'::regnamespace AND k.contype IN ('p', 'u', 'f', 'c')
UNION ALL
SELECT 'i', t.relname, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid WHERE c.relnamespace = 'public'::regnamespace
AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u'))
ORDER BY 1, 2, 3
"""
DEFINITION = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND conname = %s"


def database(name: str):
    connection = psycopg2.connect(dbname=name)
    connection.autocommit = True
    return connection


def run(name: str, *statements: str) -> None:
    connection = database(name)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def create(name: str, template: str = "template0") -> None:
    run("postgres", f'DROP DATABASE IF EXISTS "{name}"', f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def migrate(name: str, python: str) -> str:
    """Run "airflow db migrate". Returns "" or the error."""
    url = f"postgresql+psycopg2://{os.environ['PGUSER']}@127.0.0.1:{os.environ['PGPORT']}/{name}"
    environment = os.environ | {
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        "AIRFLOW_HOME": f"{os.environ['AIRFLOW_HOME']}-{name}",
    }
    command = [str(Path(python).parent / "airflow"), "db", "migrate"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    if done.returncode == 0:
        return ""
    output = done.stdout + done.stderr
    errors = [line for line in output.splitlines() if "psycopg2.errors" in line]
    return errors[0] if errors else output[-400:] or "failed"


def known() -> list[tuple[str, set[str], str, str, str]]:
    """(revision, flags, type, table, name) of the NAME lines of the plan, each revision in its newest form."""
    forms: dict[str, list] = {}
    revision = ""
    for line in STEPS.read_text().splitlines():
        if line.startswith("MIGRATION("):
            revision = line.split('"')[1]
            forms[revision] = []
        elif revision and (match := NAME.match(line)):
            flags, *thing = match.groups()
            forms[revision].append((revision, set(re.findall(r"NAME_(\w+)", flags)), *thing))
    return [name for form in forms.values() for name in form]


KNOWN = known()


def rename(kind: str, table: str, name: str) -> str:
    if kind == "i":
        return f'ALTER INDEX public."{name}" RENAME TO "renamed_{name[:50]}"'
    return f'ALTER TABLE public."{table}" RENAME CONSTRAINT "{name}" TO "renamed_{name[:50]}"'


def remove(kind: str, table: str, name: str) -> str:
    if kind == "i":
        return f'DROP INDEX public."{name}" CASCADE'
    return f'ALTER TABLE public."{table}" DROP CONSTRAINT "{name}" CASCADE'


def take(kind: str, table: str, name: str, tables: set[str]) -> str | None:
    if kind in "fc":
        return f'ALTER TABLE public."{table}" ADD CONSTRAINT "{name}" CHECK (true)' if table in tables else None
    return f'CREATE SEQUENCE public."{name}"'


def repeat(cursor, table: str, name: str) -> str:
    cursor.execute(DEFINITION, (f'public."{table}"', name))
    return f'ALTER TABLE public."{table}" ADD CONSTRAINT a_twin {cursor.fetchone()[0]}'


class Start:
    """A database as one release makes it, and what is tried there."""

    def __init__(self, release: str, python: str, to: str) -> None:
        self.release, self.name, self.to = release, "names_" + release.replace(".", "_"), to
        create(self.name)
        error = migrate(self.name, python)
        if error:
            sys.exit(f"no metadata of {release}: {error}")
        run(self.name, "CREATE EXTENSION airflow_pin")
        self.connection = psycopg2.connect(dbname=self.name)
        self.cursor = self.connection.cursor()
        self.cursor.execute(EXISTING)
        self.existing = self.cursor.fetchall()
        self.cursor.execute("SELECT DISTINCT revision FROM airflow_pin.migration_plan(%s)", (TARGET,))
        self.pending = {row[0] for row in self.cursor.fetchall()}
        self.attempts = self.tries()

    def tries(self) -> list[tuple[str, str, bool]]:
        """(name, SQL that changes it, whether the plan minds)"""
        flags: dict[str, set[str]] = {}
        made, given = set(), []
        for revision, bits, kind, table, name in KNOWN:
            if revision not in self.pending:
                continue
            if name not in made:  # what an earlier revision makes is there when it is needed
                flags.setdefault(name, set()).update(bits)
            made |= {name} if "MADE" in bits else set()
            given += [(kind, table, name)] if bits & {"TAKEN", "TAKEN_BY_OTHER"} else []
        found = []
        for kind, table, name in self.existing:
            bits = flags.get(name, set())
            found.append((name, rename(kind, table, name), "NEEDED" in bits))
            found.append((name, remove(kind, table, name), "THING_NEEDED" in bits))
            if "TWIN_BEFORE" in bits:
                found.append((name, repeat(self.cursor, table, name), True))
        tables = {table for _, table, _ in self.existing}
        names = {name for _, _, name in self.existing}
        for kind, table, name in given:
            sql = None if name in names else take(kind, table, name, tables)
            found += [(name, sql, True)] if sql else []
        return list(dict.fromkeys(found))

    def findings(self, statement: str) -> list[tuple[str, str, str]]:
        self.cursor.execute(statement)
        self.cursor.execute(
            f"SELECT object, message, fix_sql FROM airflow_pin.preflight('{TARGET}')"
            f" WHERE check_name IN {CHECKS} AND severity <> 'ok'"
        )
        rows = self.cursor.fetchall()
        self.connection.rollback()
        return rows

    def try_all(self) -> tuple[int, list[str]]:
        count, problems = 0, []
        for name, statement, minds in self.attempts:
            found = self.findings(statement)
            count += minds
            if minds != any(name in row[1] for row in found):
                problems.append(f"{statement}: {found or 'nothing is found'}")
        self.connection.close()
        return count, problems

    def locked(self) -> str:
        """The names are known without a lock on any table: a definition that opens one would wait here."""
        holder, reader = psycopg2.connect(dbname=self.name), database(self.name)
        tables = ", ".join(f'public."{table}"' for table in sorted({table for _, table, _ in self.existing}) if "alembic" not in table)
        holder.cursor().execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
        cursor = reader.cursor()
        cursor.execute("SET statement_timeout = '60s'")
        cursor.execute(f"SELECT check_name, severity FROM airflow_pin.preflight('{TARGET}') WHERE check_name IN {CHECKS} AND severity <> 'ok'")
        found = cursor.fetchall()
        holder.close()
        reader.close()
        return str(found) if found else ""

    def real(self, name: str, statement: str, number: int) -> str:
        """The migration fails on it, and passes after fix_sql. Returns what is not so."""
        bad, mended = f"{self.name}_{number}_bad", f"{self.name}_{number}_mended"
        create(bad, self.name)
        run(bad, statement)
        create(mended, bad)
        error = migrate(bad, self.to)
        connection = database(mended)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT fix_sql FROM airflow_pin.preflight(%s) WHERE severity = 'critical' AND fix_sql IS NOT NULL",
                (TARGET,),
            )
            for (fix,) in cursor.fetchall():
                cursor.execute(fix)
            cursor.execute("SELECT check_name, object FROM airflow_pin.preflight(%s) WHERE severity = 'critical'", (TARGET,))
            left = cursor.fetchall()
        connection.close()
        after = migrate(mended, self.to)
        run("postgres", f'DROP DATABASE "{bad}"', f'DROP DATABASE "{mended}"')
        print(f"     {self.release} {statement}: {error or 'migrates'}", flush=True)
        problems = [] if error else ["the migration passed"]
        problems += [f"after fix_sql still {left}"] if left else []
        problems += [f"after fix_sql the migration failed: {after}"] if after else []
        return "; ".join(problems)

    def all_others(self) -> str:
        """Everything renamed that is not minded: the migration passes."""
        copy = f"{self.name}_others"
        create(copy, self.name)
        needed = {name for name, _, minds in self.attempts if minds}
        run(copy, *(rename(*thing) for thing in self.existing if thing[2] not in needed))
        error = migrate(copy, self.to)
        run("postgres", f'DROP DATABASE "{copy}"')
        return error


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("to")
    parser.add_argument("starts", nargs="+")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=int, default=8)
    arguments = parser.parse_args()
    starts = [Start(*start.split("="), arguments.to) for start in arguments.starts]
    results = []
    for start in starts:
        count, problems = start.try_all()
        found = count - sum("nothing is found" in p for p in problems)
        print(f"     {start.release}: {found} of {count} found", flush=True)
        results.append((f"{start.release}: each of {count} changed names is found", "; ".join(problems)))
        results.append((f"{start.release}: while every table is locked", start.locked()))

    choice = random.Random(arguments.seed)
    print(f"     seed {arguments.seed}")
    sample = []
    for number in range(arguments.sample):
        start = starts[number % len(starts)] if number % 2 else starts[0]
        minded = [attempt for attempt in start.attempts if attempt[2]]
        sample.append((start, *choice.choice(minded)[:2], number))
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda s: s[0].real(*s[1:]), sample))
    results += [(f"{s[0].release} {s[2]}", problem) for s, problem in zip(sample, answers)]
    results += [(f"{start.release}: all others are renamed", start.all_others()) for start in starts]

    for name, problem in results:
        print(f"{'not ok' if problem else 'ok'} - {name}{': ' + problem if problem else ''}")
    failed = sum(1 for _, problem in results if problem)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
