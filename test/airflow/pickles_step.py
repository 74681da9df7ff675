"""Step 0055 of this environment's Airflow on pickles: one a line on standard input, "=" and hexadecimal digits.

Prints a line for each: "kept" and the JSON, "lost", or "fails" and the error. The function is the step's own, run by
Alembic in a real database, in a transaction that is rolled back. Those that begin with "!" are likely to fail and are
migrated one by one, the others together, as long as that does not fail.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import sys
from pathlib import Path

import sqlalchemy
from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext

STEP = "0055_3_0_0_remove_pickled_data_from_dagrun_table.py"
TOGETHER = 250


def load_step():
    airflow = importlib.util.find_spec("airflow").submodule_search_locations[0]
    spec = importlib.util.spec_from_file_location("step", Path(airflow) / "migrations" / "versions" / STEP)
    step = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(step)
    return step


def migrate(connection, upgrade, pickles: list[bytes]) -> list[str]:
    """What the step does with these runs; raises what it raises."""
    transaction = connection.begin()
    try:
        execute = connection.exec_driver_sql if hasattr(connection, "exec_driver_sql") else connection.execute
        execute("CREATE TEMPORARY TABLE dag_run (id integer PRIMARY KEY, conf bytea)")
        for number, conf in enumerate(pickles):
            execute("INSERT INTO dag_run VALUES (%s, %s)", (number, conf))
        with EnvironmentContext(Config(), None) as environment:
            environment.configure(connection=connection)
            with Operations.context(environment.get_context()), contextlib.redirect_stdout(io.StringIO()):
                upgrade()
        rows = execute("SELECT conf IS NULL, conf::text FROM dag_run ORDER BY id").fetchall()
        return ["lost" if lost else "kept " + text[:1000] for lost, text in rows]
    finally:
        transaction.rollback()


def outcomes(connection, upgrade, pickles: list[bytes]) -> list[str]:
    try:
        return migrate(connection, upgrade, pickles)
    except Exception as error:
        if len(pickles) == 1:
            return ["fails " + str(error).splitlines()[0]]
    half = len(pickles) // 2
    return outcomes(connection, upgrade, pickles[:half]) + outcomes(connection, upgrade, pickles[half:])


def main() -> None:
    lines = sys.stdin.read().split()
    together = [line for line in lines if line[0] != "!"]
    groups = [together[start : start + TOGETHER] for start in range(0, len(together), TOGETHER)]
    groups += [[line] for line in lines if line[0] == "!"]
    engine = sqlalchemy.create_engine(f"postgresql+psycopg2://{os.environ['PGUSER']}@127.0.0.1:{os.environ['PGPORT']}/pickles")
    upgrade = load_step().upgrade
    result = {}
    with engine.connect() as connection:
        for group in groups:
            pickles = [bytes.fromhex(line[1:]) for line in group]
            result.update(zip(group, outcomes(connection, upgrade, pickles)))
    for line in lines:
        print(result[line].encode("unicode_escape").decode())


main()
