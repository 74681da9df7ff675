"""Airflow's migrations and clean-ups with and without the extension attached. See migrations."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import psycopg2.extras

WORK = Path(sys.argv[1])
BUILD = Path(__file__).resolve().parents[2] / "build"
FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
# FAB 2.4.2, the provider of 3.0.6, cannot migrate the tables of 2.11.
AUTH_MANAGERS = {"3.0.6": SIMPLE}
AIRFLOW_3 = ("3.0.6", "3.1.8", "3.2.2", "3.3.2")
TOO_LONG = 300  # seconds: a command that does not end

DAG_FILE = """\
from datetime import datetime
try:
    from airflow.sdk import DAG, BaseOperator
except ImportError:
    from airflow import DAG
    from airflow.models.baseoperator import BaseOperator

for dag_id in ("held", "free", "gone"):
    with DAG(dag_id, start_date=datetime(2024, 1, 1), schedule=None, tags=[dag_id]):
        for task_id in {tasks}:
            BaseOperator(task_id=task_id)
"""

# Two DAGs with a deadline alert: migration 0101 rewrites the content of both, and commits after each.
DEADLINES_FILE = """\
from datetime import datetime, timedelta
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.definitions.deadline import AsyncCallback, DeadlineAlert, DeadlineReference

for dag_id in ("first", "second"):
    alert = DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(hours=1),
                          callback=AsyncCallback("asyncio.sleep"))
    with DAG(dag_id, start_date=datetime(2024, 1, 1), schedule=None, deadline=alert):
        BaseOperator(task_id="pinned")
"""

# A version of DAG "held" that no pin and no task instance has, whatever the columns are.
OLD_VERSION = """
DO $$
DECLARE
    latest uuid := (SELECT id FROM dag_version WHERE dag_id = 'held' ORDER BY version_number DESC LIMIT 1);
    old jsonb := jsonb_build_object('id', gen_random_uuid(), 'version_number', 9000 + (random() * 999)::int,
                                    'created_at', '2024-01-01');
    part text;
BEGIN
    INSERT INTO dag_version SELECT (jsonb_populate_record(v, old)).* FROM dag_version v WHERE id = latest;
    FOREACH part IN ARRAY ARRAY['serialized_dag', 'dag_code'] LOOP
        EXECUTE format('INSERT INTO %1$I SELECT (jsonb_populate_record(p, $1)).* FROM %1$I p WHERE dag_version_id = $2',
                       part) USING jsonb_build_object('id', gen_random_uuid(), 'dag_version_id', old -> 'id'), latest;
    END LOOP;
END $$
"""

# Runs and task instances that ended long ago, so that "db clean" takes them first.
AGED_RUNS = """
UPDATE dag_run SET state = 'success', start_date = '2024-01-01', end_date = '2024-01-01';
UPDATE task_instance SET state = 'success', start_date = '2024-01-01', end_date = '2024-01-01';
"""


results: list[bool] = []  # of each check: did it fail?


def report(label: str, problem: str) -> None:
    results.append(bool(problem))
    print(f"{'not ok' if problem else 'ok'} - {label}{': ' + problem if problem else ''}", flush=True)


class Metadata:
    """A metadata database and the Airflow that works on it, with the extension in it or without."""

    def __init__(self, name: str, attached: bool) -> None:
        self.name = name
        self.attached = attached
        self.steps: dict[str, tuple[str, str]] = {}  # label: outcome and schema after it
        self.repository = WORK / name / "repository"
        (self.repository / "dags").mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.connection = None
        self.commands = 0

    # --- Airflow ---------------------------------------------------------------------------------------

    def environment(self, version: str) -> dict[str, str]:
        bundle = {
            "name": "git",
            "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
            "kwargs": {"tracking_ref": "main", "subdir": "dags", "repo_url": str(self.repository)},
        }
        return {
            **os.environ,
            "AIRFLOW_HOME": str(WORK / self.name / version),
            "AIRFLOW__CORE__AUTH_MANAGER": AUTH_MANAGERS.get(version, FAB),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.repository / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(WORK / self.name / "bundles"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://{os.environ['PGUSER']}"
            f"@127.0.0.1:{os.environ['PGPORT']}/{self.name}",
            "AIRFLOW_CONN_GIT_DEFAULT": json.dumps({"conn_type": "git"}),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH": f"{BUILD / f'airflow-{version}' / 'bin'}:{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
        }

    def run(self, version: str, *arguments: str) -> tuple[str, str]:
        """An airflow command: "" or how it failed, and its output."""
        self.commands += 1
        log = WORK / self.name / f"{self.commands:02}-{version}-{'-'.join(arguments[:2])}.log"
        with open(log, "w") as output:
            try:
                status = subprocess.run(
                    ["airflow", *arguments],
                    env=self.environment(version),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=TOO_LONG,
                ).returncode
            except subprocess.TimeoutExpired:
                return "does not end", log.read_text()
        text = log.read_text()
        errors = re.findall(r"psycopg2\.errors\S*.*", text) or text.splitlines()[-1:]
        return ("" if status == 0 else f"exit status {status}: {errors[:1]}"), text

    def airflow(self, version: str, *arguments: str) -> None:
        """A command that prepares something, and must succeed."""
        failure, _ = self.run(version, *arguments)
        if failure:
            raise RuntimeError(f"airflow {' '.join(arguments)}: {failure}")

    def step(self, label: str, version: str, *arguments: str) -> str:
        """A command whose outcome is compared with the other database's; returns its output."""
        failure, text = self.run(version, *arguments)
        self.steps[label] = (failure, self.schema())
        return text

    def parse(self, version: str, *tasks: str) -> None:
        self.parse_file(version, DAG_FILE.format(tasks=tasks))

    def parse_file(self, version: str, content: str) -> None:
        (self.repository / "dags" / "dags.py").write_text(content)
        self.git("add", "-A")
        self.git("-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "--allow-empty", "-m", "dags")
        self.airflow(version, "dags", "reserialize")

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", "-C", self.repository, *arguments], check=True, stdin=subprocess.DEVNULL)

    # --- Database --------------------------------------------------------------------------------------

    def connect(self):
        if self.connection is None:
            self.connection = connect(self.name)
        return self.connection

    def query(self, sql: str, *parameters) -> list[dict]:
        with self.connect().cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql: str, *parameters):
        return next(iter(self.query(sql, *parameters)[0].values()))

    def error_of(self, sql: str) -> str:
        try:
            self.query(sql)
        except psycopg2.Error as error:
            return f"{error.pgcode} {error.diag.message_primary} {error.diag.message_hint}"
        return ""

    def schema(self) -> str:
        """pg_dump of the schema, without what the extension or the clock put there."""
        text = subprocess.run(
            ["pg_dump", "--schema-only", "--exclude-schema=airflow_pin", "--exclude-table=_airflow_deleted__*",
             self.name],
            check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        ).stdout
        ours = re.compile(r"^(CREATE|ALTER) TRIGGER airflow_pin\w+|^(CREATE|COMMENT ON) EXTENSION\b.*airflow_pin")
        lines = [line for line in text.splitlines() if line and line[:2] != "--" and not ours.match(line)]
        return "\n".join(line for line in lines if not re.match(r"\\(un)?restrict ", line))

    def check(self, label: str, holds: bool, otherwise="") -> None:
        report(f"{self.name}: {label}", "" if holds else f"it is not: {otherwise}")

    def status(self) -> dict[str, dict]:
        return {row["item"]: row for row in self.query("SELECT * FROM airflow_pin.status()")}

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()


# --- What is looked at -------------------------------------------------------------------------------


def on_airflow_2(db: Metadata) -> None:
    """The extension on 2.11: the health functions work, and pinning says what it needs."""
    if not db.attached:
        return
    db.query("CREATE EXTENSION airflow_pin")
    db.check("2.11.2: preflight() finds nothing unknown",
             not db.query("SELECT * FROM airflow_pin.preflight('3.3.2') WHERE severity = 'unknown'"))
    db.check("2.11.2: migration_plan() has steps",
             db.value("SELECT count(*) FROM airflow_pin.migration_plan('3.3.2')") > 50)
    for command in ("pin('held')", "attach()"):
        error = db.error_of(f"SELECT airflow_pin.{command}")
        db.check(f"2.11.2: {command} says what it needs", "airflow db migrate" in error, error)
    answer = db.status()["in_force"]
    db.check("2.11.2: status() says what to do",
             answer["state"] == "no" and "airflow db migrate" in answer["detail"], answer)


def status_says_attach(db: Metadata, when: str) -> None:
    answer = db.status()["in_force"]
    db.check(f"{when}: status() says attach()", answer["state"] == "no" and "attach()" in answer["detail"], answer)


def attach_and_pin(db: Metadata, version: str, *dags: str) -> None:
    """The same installed extension on Airflow 3's tables: status() says attach(), and then pins are in force."""
    if not db.attached:
        return
    status_says_attach(db, version)
    db.query("SELECT airflow_pin.attach()")
    for dag_id in dags:
        db.query("SELECT airflow_pin.pin(%s, reason => 'test')", dag_id)
    db.check(f"{version}: attached and pinned", db.status()["in_force"]["state"] == "yes", db.status())


def pins_are_in_force(db: Metadata, version: str, after: str) -> None:
    """All triggers are there, and a run that Airflow creates gets the pinned version and its tasks."""
    run_id = f"{version}_{after}"
    db.airflow(version, "dags", "trigger", "held", "--run-id", run_id)
    if not db.attached:
        return
    status = db.status()
    wrong = [row for item, row in status.items() if item.startswith("trigger ") and row["state"] != "present"]
    db.check(f"{run_id}: triggers and pins are in force", not wrong and status["in_force"]["state"] == "yes", status)
    run = db.query(
        "SELECT p.dag_version_id::text = r.created_dag_version_id::text AS version, r.bundle_version = p.bundle_version"
        " AS commit, (SELECT array_agg(task_id::text) FROM task_instance t WHERE t.dag_id = r.dag_id AND"
        " t.run_id = r.run_id) AS tasks FROM dag_run r JOIN airflow_pin.pinned_version p USING (dag_id)"
        " WHERE dag_id = 'held' AND run_id = %s", run_id)[0]
    pinned = {"version": True, "commit": True, "tasks": ["pinned"]}
    db.check(f"{run_id}: the run is the pinned version's", dict(run) == pinned, run)


def drift(db: Metadata, dag_id: str) -> list[str]:
    return db.value("SELECT drift FROM airflow_pin.pins() WHERE dag_id = %s", dag_id)


def clean(db: Metadata, version: str) -> None:
    """ "db clean" of everything: it ends, deletes the versions that it may, and leaves the pinned one whole."""
    db.query(AGED_RUNS)
    db.query(OLD_VERSION)
    everything = ["--yes", "--clean-before-timestamp", "2099-01-01", "--tables", "dag_version"]
    if version != "3.0.6":
        # It then deletes until nothing is left; without batches it may stumble over the name of its own copy.
        everything += ["--batch-size", "1000"]
    if version == "3.3.2":
        everything += ["--skip-archive"]
    text = db.step(f"{version} db clean", version, "db", "clean", *everything)
    old = db.value("SELECT count(*) FROM dag_version WHERE dag_id = 'held' AND version_number >= 9000")
    db.check(f"{version}: db clean deletes versions that are not pinned", old == 0, f"{old} are left")
    if not db.attached:
        return
    if version == "3.0.6":
        failure, text = db.run(version, "db", "clean", *everything)
        db.check(f"{version}: a second db clean succeeds", not failure, failure)
    db.check(f"{version}: db clean is told that it has nothing but pinned versions left",
             "error when attempting to clean table 'dag_version'" in text, text[-500:])
    kept = db.value(
        "SELECT count(*) FROM airflow_pin.pinned_version p JOIN dag_version v ON v.id = p.dag_version_id"
        " JOIN serialized_dag s ON s.dag_version_id = v.id AND s.dag_hash = p.dag_hash"
        " JOIN dag_code c ON c.dag_version_id = v.id")
    pins = db.value("SELECT count(*) FROM airflow_pin.pinned_version")
    db.check(f"{version}: db clean keeps the pinned versions", kept == pins == 2, f"{kept} of {pins}, {text[-500:]}")


def clean_dags(db: Metadata, version: str) -> None:
    """ "db clean" of DAGs that are parsed no more: not with a pinned version in them."""
    if not db.attached:
        return
    db.airflow(version, "db", "clean", "--yes", "--clean-before-timestamp", "2099-01-01", "--tables", "dag")
    found = drift(db, "held")
    db.check(f"{version}: db clean keeps the DAGs of pinned versions", found != ["version_missing"], found)


def delete(db: Metadata, version: str) -> None:
    db.step(f"{version} dags delete", version, "dags", "delete", "--yes", "gone")
    left = db.value("SELECT count(*) FROM (SELECT dag_id FROM dag UNION ALL SELECT dag_id FROM dag_version UNION ALL"
                    " SELECT dag_id FROM serialized_dag UNION ALL SELECT dag_id FROM dag_code) d WHERE dag_id = 'gone'")
    db.check(f"{version}: dags delete deletes", left == 0, f"{left} rows are left")
    if db.attached:
        found = drift(db, "gone")
        db.check(f"{version}: dags delete leaves the drift version_missing", found == ["version_missing"], found)


def reset(db: Metadata, version: str) -> None:
    """ "db reset": pins stay, status() says what is missing, and what is pinned does not come back by itself."""
    db.step(f"{version} db reset", version, "db", "reset", "--yes")
    if not db.attached:
        return
    status_says_attach(db, f"{version} after db reset")
    db.query("SELECT airflow_pin.attach()")
    found = drift(db, "held")
    db.check(f"{version}: after db reset pins are of missing versions", found == ["version_missing"], found)


# --- The two ways --------------------------------------------------------------------------------------


def stepwise(db: Metadata) -> None:
    on_airflow_2(db)
    for version in AIRFLOW_3:
        db.step(f"{version} db migrate", version, "db", "migrate")
        if version == AIRFLOW_3[0]:
            db.parse(version, "pinned")
            attach_and_pin(db, version, "held")
        # With the pinned task: Airflow 3.0 cannot start one that the latest version does not have.
        db.parse(version, "pinned", "latest", version.replace(".", "_"))
        if db.attached:
            db.query("SELECT airflow_pin.pin('gone', on_mismatch => 'reject')")
        pins_are_in_force(db, version, "migrated")
        clean(db, version)
        delete(db, version)
    db.parse(version, "pinned", "latest")
    db.step("3.3.2 db downgrade", "3.3.2", "db", "downgrade", "--yes", "--to-version", "3.0.6")
    db.parse("3.0.6", "pinned", "latest", "downgraded")
    pins_are_in_force(db, "3.0.6", "downgraded")
    reset(db, "3.0.6")


def directly(db: Metadata) -> None:
    on_airflow_2(db)
    db.step("3.3.2 db migrate", "3.3.2", "db", "migrate")
    db.parse("3.3.2", "pinned")
    attach_and_pin(db, "3.3.2", "held")
    db.parse("3.3.2", "latest")
    pins_are_in_force(db, "3.3.2", "migrated")
    clean_dags(db, "3.3.2")
    reset(db, "3.3.2")


def deadlines(seen: bool) -> None:
    """Pins follow what the migration from 3.1.8 does to their content, whether the triggers see it or are off."""
    name = f"deadlines_{'seen' if seen else 'unseen'}"
    create(name)
    db = Metadata(name, attached=True)
    try:
        db.airflow("3.1.8", "db", "migrate")
        db.parse_file("3.1.8", DEADLINES_FILE)
        for dag_id in ("first", "second"):
            db.airflow("3.1.8", "dags", "trigger", dag_id)  # so that the next parse makes another version
        db.query("CREATE EXTENSION airflow_pin")
        db.query("SELECT airflow_pin.attach()")
        db.query("SELECT airflow_pin.pin(dag_id, 1) FROM dag")
        if not seen:
            db.query("SELECT airflow_pin.detach()")
        hashes = "SELECT string_agg(dag_hash, ' ' ORDER BY dag_id) FROM serialized_dag"
        before = db.value(hashes)
        db.airflow("3.3.2", "db", "migrate")
        db.query("SELECT airflow_pin.attach()")
        db.check("the migration changes both hashes", not set(before.split()) & set(db.value(hashes).split()))
        pins = db.query("SELECT * FROM airflow_pin.pins() JOIN airflow_pin.pinned_version USING (dag_id)")
        db.check("no pin has changed", [pin["drift"] for pin in pins] == [[], []], pins)
        followed = db.value("SELECT bool_and(p.dag_hash = s.dag_hash) FROM airflow_pin.pinned_version p"
                            " JOIN serialized_dag s USING (dag_version_id)")
        db.check("the pins followed at once" if seen else "the pins are as they were made", followed == seen, pins)
        # 3.3.2 cannot read the alerts of migrated versions: it creates runs of what it has parsed itself
        db.parse_file("3.3.2", DEADLINES_FILE)
        for dag_id in ("first", "second"):
            db.airflow("3.3.2", "dags", "trigger", dag_id, "--run-id", "migrated")
        runs = db.query("SELECT r.dag_id, state, version_number FROM dag_run r JOIN dag_version v"
                        " ON v.id = r.created_dag_version_id WHERE run_id = 'migrated' ORDER BY r.dag_id")
        right = [{"dag_id": dag_id, "state": "queued", "version_number": 1} for dag_id in ("first", "second")]
        db.check("runs are of the pinned version", [dict(run) for run in runs] == right, runs)
        db.airflow("3.3.2", "db", "downgrade", "--yes", "--to-version", "3.1.8")
        pins = db.query("SELECT * FROM airflow_pin.pins() JOIN airflow_pin.pinned_version USING (dag_id)")
        db.check("nor has one after the way back",
                 len(pins) == 2 and not any("changed_in_place" in pin["drift"] for pin in pins), pins)
    except Exception as error:
        db.check("goes on to the end", False, repr(error))
    db.close()


WAYS = {"stepwise": stepwise, "directly": directly}


def connect(database: str):
    connection = psycopg2.connect(dbname=database, cursor_factory=psycopg2.extras.RealDictCursor)
    connection.autocommit = True
    return connection


def create(database: str, template: str = "template0") -> None:
    connection = connect("postgres")
    connection.cursor().execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
    connection.close()


def make_airflow_2() -> None:
    """DAGs and runs of 2.11.2, from which all set out."""
    create("airflow2")
    db = Metadata("airflow2", attached=False)
    db.airflow("2.11.2", "db", "migrate")
    db.parse("2.11.2", "old")
    for dag_id in ("held", "free"):
        db.airflow("2.11.2", "dags", "trigger", dag_id)
    db.query(AGED_RUNS)
    db.close()


def go(way: str, attached: bool) -> Metadata:
    name = f"{way}_{'attached' if attached else 'without'}"
    create(name, "airflow2")
    db = Metadata(name, attached)
    try:
        WAYS[way](db)
    except Exception as error:
        db.check("goes on to the end", False, repr(error))
    db.close()
    return db


def compare(way: str, with_it: Metadata, without: Metadata) -> None:
    for label, (outcome, schema) in without.steps.items():
        other_outcome, other_schema = with_it.steps.get(label, ("was not reached", ""))
        report(f"{way}: {label} succeeds without the extension", outcome)
        report(f"{way}: {label} has the same outcome",
               "" if outcome == other_outcome else f"{other_outcome or 'success'}, not {outcome or 'success'}")
        for name, text in (("without", schema), ("attached", other_schema)):
            (WORK / f"{way} {label} {name}.sql").write_text(text)
        report(f"{way}: {label} gives the same schema",
               "" if schema == other_schema else difference(schema, other_schema))


def difference(expected: str, found: str) -> str:
    lost = set(expected.splitlines()) - set(found.splitlines())
    more = set(found.splitlines()) - set(expected.splitlines())
    return f"without it also {sorted(lost)[:5]}, with it also {sorted(more)[:5]}"


def main() -> int:
    for seen in (True, False):
        deadlines(seen)
    make_airflow_2()
    with ThreadPoolExecutor(2) as pool:
        databases = {
            way: [pool.submit(go, way, attached) for attached in (True, False)] for way in WAYS
        }
    for way, (with_it, without) in databases.items():
        compare(way, with_it.result(), without.result())
    failed = sum(results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
