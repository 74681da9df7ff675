"""Reads what a run left in the database, in a form in which equal runs are equal."""

from __future__ import annotations

import json
import pickle
import re
from enum import Enum

import psycopg2
import psycopg2.extras

# Set from the clock: only whether they are set is compared.
CLOCKS = {"created_at", "updated_at", "queued_at"}


class Database:
    """A session of its own: it sees only what has been committed."""

    def __init__(self, sqlalchemy_url: str) -> None:
        url = sqlalchemy_url.replace("+psycopg2", "")
        self.connection = psycopg2.connect(url, cursor_factory=psycopg2.extras.RealDictCursor)
        self.connection.autocommit = True

    def query(self, sql: str, *parameters) -> list[dict]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql: str, *parameters):
        rows = self.query(sql, *parameters)
        return next(iter(rows[0].values())) if rows else None

    def read_run(self, dag_id: str, run_id: str) -> dict[str, dict[str, str]]:
        """The rows of a run, by a name: "dag_run" and "task_instance ID[MAP INDEX]"."""
        [run] = self.query("SELECT * FROM dag_run WHERE dag_id = %s AND run_id = %s", dag_id, run_id)
        instances = self.query(
            "SELECT * FROM task_instance WHERE dag_id = %s AND run_id = %s ORDER BY task_id, map_index",
            dag_id,
            run_id,
        )
        trace = trace_id(run["context_carrier"])
        rows = {"dag_run": comparable(run, trace)}
        for instance in instances:
            name = f"task_instance {instance['task_id']}[{instance['map_index']}]"
            rows[name] = comparable(instance, trace)
        return rows


def trace_id(carrier: dict | None) -> str | None:
    found = re.search(r'"traceparent": "[0-9a-f]{2}-([0-9a-f]{32})-', json.dumps(carrier))
    return found and found[1]


def comparable(row: dict, trace: str | None) -> dict[str, str]:
    """The row's values as text, without what is different in every run."""
    result = {}
    for column, value in row.items():
        if column == "id":
            continue
        if value is None:
            result[column] = "NULL"
        elif column in CLOCKS:
            result[column] = "set"
        elif column == "context_carrier":
            shape = json.dumps(value, sort_keys=True).replace(trace or "no trace", "TRACE OF THE RUN")
            result[column] = re.sub(r"-[0-9a-f]{16}-", "-SPAN-", shape)
        elif column == "executor_config":
            result[column] = exact(pickle.loads(bytes(value)))
        else:
            result[column] = str(value)
    return result


def exact(value) -> str:
    """Like repr, but it tells all types apart and does not depend on the order of a dict or a set.

    Airflow's own Encoding and DagAttributeTypes in a pod_override are strings to whoever reads them.
    """
    if isinstance(value, str):
        return f"str {str.__str__(value.value if isinstance(value, Enum) else value)!r}"
    kind = type(value).__name__
    if isinstance(value, dict):
        return f"{kind}{{{', '.join(sorted(f'{exact(key)}: {exact(item)}' for key, item in value.items()))}}}"
    if isinstance(value, (set, frozenset)):
        return f"{kind}({', '.join(sorted(map(exact, value)))})"
    if isinstance(value, (list, tuple)):
        return f"{kind}({', '.join(map(exact, value))})"
    return f"{kind} {value!r}"


def differences(expected: dict[str, dict], actual: dict[str, dict]) -> list[str]:
    """One line for each row that is missing or too many, and for each value that is not the same."""
    lines = []
    for name in sorted(expected.keys() | actual.keys()):
        if name not in actual:
            lines.append(f"{name}: missing")
        elif name not in expected:
            lines.append(f"{name}: should not be there")
        else:
            for column, wanted in expected[name].items():
                got = actual[name][column]
                if wanted != got:
                    lines.append(
                        f"{name}.{column}: expected {excerpt(wanted, got)}, got {excerpt(got, wanted)}"
                    )
    return lines


def excerpt(text: str, other: str, limit: int = 200) -> str:
    """The text; of a long one, the part around the first character that differs."""
    if len(text) <= limit:
        return text
    equal = next(
        (n for n, pair in enumerate(zip(text, other)) if pair[0] != pair[1]), min(len(text), len(other))
    )
    start = max(0, equal - 60)
    return f"({len(text)} characters) …{text[start : start + limit]}…"
