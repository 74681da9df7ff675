"""Exporter, Prometheus, alerts, dashboard and Nagios check beside two real databases of Airflow. See run."""

from __future__ import annotations

import json
import math
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg2
import yaml
from checks import Checks

BIN, VENV, WORK = (Path(argument) for argument in sys.argv[1:4])  # programs, Airflow 3.3.2, a directory
HERE = Path(__file__).parent
MONITORING = HERE.parents[1] / "monitoring"
MONITOR = "airflow_monitor"
PINNED, MIGRATED = "pinned", "migrated"
TIMEOUT = 60
STARTED = time.time()

# What is true of the pinned database, by fill.py.
EXPECTED = {
    'sql_airflow_pin_status{col="in_force"}': 1,
    'sql_airflow_pin_status{col="pins"}': 4,
    'sql_airflow_pin_status{col="refuses_unpinned"}': 0,
    'sql_airflow_pin_pins{col="version_missing", dag_id="lost"}': 1,
    'sql_airflow_pin_pins{col="version_missing", dag_id="rewritten"}': 0,
    'sql_airflow_pin_pins{col="changed_in_place", dag_id="rewritten"}': 0,
    'sql_airflow_pin_pins{col="unknown", dag_id="rewritten"}': 0,
    'sql_airflow_pin_pins{col="newer_version", dag_id="rewritten"}': 1,
    'sql_airflow_pin_pins{col="tasks_differ", dag_id="rewritten"}': 1,
    'sql_airflow_pin_pins{col="schedule_differs", dag_id="rewritten"}': 0,
    'sql_airflow_pin_pins{col="pinned_version", dag_id="refused", on_mismatch="reject"}': 1,
    'sql_airflow_pin_pins{col="versions_behind", dag_id="refused"}': 1,
    'sql_airflow_pin_decisions{action="rewrite", dag_id="rewritten"}': 1,
    'sql_airflow_pin_decisions{action="reject", dag_id="refused"}': 1,
    'sql_airflow_pin_decisions{action="observe", dag_id="observed"}': 1,
    'sql_airflow_pin_decisions{action="failed", dag_id="lost"}': 1,
    'sql_airflow_pin_decisions{action="override"}': 0,
    'sql_airflow_pin_in_flight{col="count", kind="dag_run", state="queued"}': 6,
    'sql_airflow_pin_in_flight{col="oldest_seconds", kind="dag_run", state="queued"} > bool 7200': 1,
    'sql_airflow_pin_locks{col="waiting"}': 0,
    'sql_airflow_pin_locks{col="idle_in_transaction"}': 0,
    'sql_airflow_pin_locks{col="prepared"}': 0,
    'sql_airflow_pin_migration{col="sessions", verdict="not running"}': 1,
    'sql_airflow_pin_migration{col="revisions_left"}': 0,
    'sql_airflow_pin_table{col="heap_bytes", relation="dag_run", fab="false"}': 8192,
    'sql_airflow_pin_table{col="index_bytes", relation="ab_user", fab="true"} > bool 0': 1,
    'sql_airflow_pin_preflight{check_name="queued_long", severity="warning"}': 1,
}


class PatientChecks(Checks):
    most_shown = 1000

    def wait(self, name: str, condition, wanted: object = True) -> None:
        """Until condition() is as wanted; else that is what is wrong."""
        end = time.monotonic() + TIMEOUT
        while (found := condition()) != wanted and time.monotonic() < end:
            time.sleep(0.1)
        self.check(name, [] if found == wanted else f"{found!r} instead of {wanted!r}")


CHECKS = PatientChecks()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url: str, **parameters: object) -> dict:
    query = urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(f"{url}?{query}", timeout=10) as answer:
        return json.load(answer)


def connect(database: str):
    connection = psycopg2.connect(dbname=database, user="postgres")
    connection.autocommit = True
    return connection


def fetch(database: str, sql: str) -> list[tuple]:
    connection = connect(database)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@contextmanager
def transaction(database: str, sql: str):
    """A session that has run this and then is idle in its transaction."""
    connection = psycopg2.connect(dbname=database, user="postgres")
    connection.cursor().execute(sql)
    try:
        yield
    finally:
        connection.close()


@contextmanager
def service(name: str, *command: object, **environment: str):
    with open(WORK / f"{name}.log", "w") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | environment,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def dsn(database: str) -> str:
    return f"postgres://{MONITOR}@127.0.0.1:{os.environ['PGPORT']}/{database}?sslmode=disable"


# --- The files, as they are shipped but for the times


def exporter_config(databases: int) -> Path:
    """With every job run each second, for so many databases: AIRFLOW_PIN_DSN_0, ..."""
    text = (MONITORING / "sql_exporter.yml").read_text()
    text = re.sub(r'(interval: |"@every )\d+[sm]', r"\g<1>1s", text)
    one = re.search(r'"\{\{AIRFLOW_PIN_DSN\}\}.*?"', text)[0]
    text = text.replace(one, ", ".join(one.replace("DSN", f"DSN_{number}") for number in range(databases)))
    (WORK / "exporter.yml").write_text(text)
    return WORK / "exporter.yml"


def prometheus_config(exporter_port: int) -> Path:
    """Alerts fire without delay."""
    rules = re.sub(r"for: \d+m", "for: 1s", (MONITORING / "alerts.yml").read_text())
    (WORK / "alerts.yml").write_text(rules)
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [
            {"job_name": "airflow_pin", "static_configs": [{"targets": [f"127.0.0.1:{exporter_port}"]}]}
        ],
    }
    (WORK / "prometheus.yml").write_text(yaml.safe_dump(config))
    return WORK / "prometheus.yml"


class Prometheus:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=10):
                return True
        except OSError:
            return False

    def query(self, expression: str) -> list[dict]:
        return get(f"{self.url}/api/v1/query", query=expression)["data"]["result"]

    def value(self, expression: str, database: str = PINNED) -> float | None:
        """Of the one series of a database that the expression selects; None when there is none."""
        found = self.query(expression.replace("{", f'{{database="{database}", ', 1))
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def has_data(self, expression: str) -> bool:
        """Since this test began: any number."""
        result = get(
            f"{self.url}/api/v1/query_range", query=expression, start=STARTED, end=time.time(), step="1s"
        )
        return any(value != "NaN" for series in result["data"]["result"] for _, value in series["values"])

    def labels(self, metric: str, label: str) -> set[str]:
        series = get(f"{self.url}/api/v1/series", **{"match[]": metric})["data"]
        return {one[label] for one in series if label in one}

    def alerts(self) -> set[tuple]:
        alerts = get(f"{self.url}/api/v1/alerts")["data"]["alerts"]
        return {
            (alert["labels"]["alertname"], alert["labels"].get("dag_id") or alert["labels"].get("database"))
            for alert in alerts
            if alert["state"] == "firing"
        }


# --- Alert rules by themselves


def promtool(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [BIN / "promtool", *(str(word) for word in arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def unit_tests(rules: dict) -> subprocess.CompletedProcess:
    directory = WORK / "rules"
    directory.mkdir(exist_ok=True)
    (directory / "alerts.yml").write_text(yaml.safe_dump(rules))
    tests = (HERE / "alerts_test.yml").read_text().replace("../../monitoring/alerts.yml", "alerts.yml")
    (directory / "alerts_test.yml").write_text(tests)
    return promtool("test", "rules", directory / "alerts_test.yml")


def check_rules() -> None:
    text = (MONITORING / "alerts.yml").read_text()
    result = promtool("check", "rules", MONITORING / "alerts.yml")
    CHECKS.check("promtool takes the alert rules", result.returncode and result.stderr + result.stdout)
    result = unit_tests(yaml.safe_load(text))
    CHECKS.check("the alerts' unit tests pass", result.returncode and result.stderr + result.stdout)
    # The unit tests know each alert, firing and not: they fail when it always fires, or never.
    for index, rule in enumerate(yaml.safe_load(text)["groups"][0]["rules"]):
        for what, expression in (("never fires", "vector(0) > 1"), ("always fires", "vector(1)")):
            rules = yaml.safe_load(text)
            rules["groups"][0]["rules"][index].update(expr=expression)
            unnoticed = unit_tests(rules).returncode == 0
            CHECKS.check(f"the unit tests notice that {rule['alert']} {what}", unnoticed and "they pass")


# --- Metrics


def collected() -> dict[str, list[str]]:
    """Metrics and their values, by the exporter's configuration."""
    jobs = yaml.safe_load((MONITORING / "sql_exporter.yml").read_text())["jobs"]
    return {f"sql_{query['name']}": query["values"] for job in jobs for query in job["queries"]}


def missing_series(prometheus: Prometheus) -> list[str]:
    series = (f'{metric}{{database="{PINNED}", col="{col}"}}' for metric, cols in collected().items() for col in cols)
    return [one for one in series if not prometheus.query(one)]


def failed_queries(prometheus: Prometheus) -> list[str]:
    found = prometheus.query("sql_exporter_last_scrape_failed == 1")
    return sorted(f"{one['metric']['database']} {one['metric']['query']}" for one in found)


def check_metrics(prometheus: Prometheus) -> None:
    CHECKS.wait("every value of every query is a series", lambda: missing_series(prometheus), [])
    CHECKS.wait("no query fails", lambda: failed_queries(prometheus), [])
    for expression, value in EXPECTED.items():
        if expression.startswith("sql_airflow_pin_decisions"):
            expression = expression.replace("{", '{col="last_15_minutes", ')
        CHECKS.wait(expression, lambda expression=expression: prometheus.value(expression), value)
    beat = 'sql_airflow_pin_heartbeat{sql_job="airflow_pin_fast"}'
    began = prometheus.value(beat)
    CHECKS.wait("the jobs go on", lambda: prometheus.value(beat) > began + 4)
    # the other jobs' sessions live for two of their intervals
    stay = f"""SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = '{MONITOR}'
               AND backend_start < to_timestamp({began})"""
    [(staying,)] = fetch(PINNED, stay)
    CHECKS.check("the session that asks migration_status() stays", staying != 1 and f"{staying} sessions stay")


def check_alerts(prometheus: Prometheus) -> None:
    expected = {
        ("AirflowRunsFailedByPin", "lost"),
        ("AirflowPinnedVersionMissing", "lost"),
        ("AirflowQueuedLong", PINNED),
    }
    CHECKS.wait("alerts fire for what is wrong, and no other does", prometheus.alerts, expected)


# --- Nagios


def nagios(*arguments: str, database: str = PINNED) -> tuple[int, str]:
    result = subprocess.run(
        [MONITORING / "check_airflow_pin", "-d", f"dbname={database} user={MONITOR}", *arguments],
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return result.returncode, result.stdout


def check_nagios(name: str, status: int, contains: str, *arguments: str, database: str = PINNED) -> None:
    found, text = nagios(*arguments, database=database)
    word = ("OK", "WARNING", "CRITICAL", "UNKNOWN")[status]
    right = found == status and text.startswith(f"AIRFLOW_PIN {word} - ") and contains in text
    CHECKS.check(f"check_airflow_pin: {name}", not right and (found, text))


def check_nagios_statuses() -> None:
    check_nagios("OK", 0, "| critical=0 warning=0 unknown=0", "fab_report")
    check_nagios("OK: no migration", 0, "migration: 0 critical", "migration")
    check_nagios("WARNING", 1, 'WARNING queued_long rewritten: 2 dag_run of DAG "rewritten"', "preflight")
    check_nagios("OK without what is left out", 0, "0 warning", "-x", "in_flight,queued_long", "preflight")
    check_nagios("CRITICAL", 2, "CRITICAL pin lost: pinned version 1 version_missing")
    check_nagios("CRITICAL by a failed run", 2, "CRITICAL decision lost: 1 runs failed: The pinned version 1", "pins")
    check_nagios("UNKNOWN: a target that is none", 3, '"3.x" is not a version', "-t", "3.x", "preflight")
    check_nagios("WARNING by postflight()", 1, "WARNING heartbeats SchedulerJob: ", "-l", "before", "postflight")
    check_nagios("UNKNOWN: no baseline", 3, 'no baseline "none"', "-l", "none", "postflight")
    check_nagios("UNKNOWN: no extension", 3, "airflow_pin", database="postgres")
    check_nagios("UNKNOWN: no database", 3, 'database "nowhere" does not exist', database="nowhere")
    check_nagios("UNKNOWN: bad option", 3, "bad option -z", "-z")
    check_nagios("UNKNOWN: bad check", 3, 'no check "pin"', "pin")


# --- Locks and a migration


def waits_of_monitoring() -> set[str]:
    waits = f"SELECT query FROM pg_stat_activity WHERE usename = '{MONITOR}' AND wait_event_type = 'Lock'"
    return {query for (query,) in fetch("postgres", waits)}


def check_everything_locked(prometheus: Prometheus) -> None:
    """Nothing waits, nothing fails, and what cannot be known is not made up."""
    tables = "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public'"
    [(tables,)] = fetch(PINNED, tables)
    beat = 'min(sql_airflow_pin_heartbeat{col="at"})'
    waits = set()
    with transaction(PINNED, f"LOCK TABLE {tables}"):
        locked_at = time.time()

        def three_rounds() -> bool:
            waits.update(waits_of_monitoring())
            return (prometheus.value(beat) or 0) > locked_at + 3

        CHECKS.wait("while all tables are locked, every job runs", three_rounds)
        CHECKS.check("no query waits for a lock", waits)
        CHECKS.check("no query fails", failed_queries(prometheus))
        told = prometheus.value(f'count(sql_airflow_pin_pins{{database="{PINNED}", col="unknown"}} == 1)')
        CHECKS.check("the pins are told, and that their drift is not known", told != 4 and told)
        drift = prometheus.value(f'sql_airflow_pin_pins{{database="{PINNED}", col="version_missing", dag_id="lost"}}')
        CHECKS.check("no drift is made up", drift is None or not math.isnan(drift))
        in_flight = prometheus.value('sql_airflow_pin_in_flight{kind="dag_run", state="unknown", col="count"}')
        CHECKS.check("what is in flight is not known", in_flight is None or not math.isnan(in_flight))
        check_nagios("UNKNOWN: the tables are locked", 3, "0 warning, ", "fab_report")
        # what is CRITICAL is the run that failed
        check_nagios("pins are UNKNOWN", 2, "pins: 1 critical, 1 warning, 4 unknown", "pins")
    CHECKS.wait("afterwards pins are there again", lambda: prometheus.value(next(iter(EXPECTED))), 1)


def migrate() -> subprocess.Popen:
    connection = f"postgresql+psycopg2://postgres@127.0.0.1:{os.environ['PGPORT']}/{MIGRATED}"
    with open(WORK / "migrate.log", "w") as log:
        return subprocess.Popen(
            [VENV / "bin/airflow", "db", "migrate"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=os.environ | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": connection},
        )  # fmt: skip


def check_migration(prometheus: Prometheus) -> None:
    alert = ("AirflowMigrationBlocked", MIGRATED)

    def migrated(expression: str) -> float | None:
        return prometheus.value(expression, MIGRATED)

    CHECKS.check("revisions are left", not migrated('sql_airflow_pin_migration{col="revisions_left"}'))
    with transaction(MIGRATED, "SELECT count(*) FROM serialized_dag"):
        migration = migrate()
        blocked = 'sql_airflow_pin_migration{col="sessions", verdict="blocked"}'
        CHECKS.wait("a migration behind an idle reader is blocked", lambda: migrated(blocked), 1)
        CHECKS.wait("one session waits", lambda: migrated('sql_airflow_pin_locks{col="waiting"}'), 1)
        idle = 'sql_airflow_pin_locks{col="idle_in_transaction"} > bool 0'
        CHECKS.wait("one is idle in transaction", lambda: migrated(idle), 1)
        CHECKS.wait("AirflowMigrationBlocked fires", lambda: alert in prometheus.alerts())
        preflight = f'sql_airflow_pin_preflight{{database="{MIGRATED}"}}'
        CHECKS.wait("preflight() is left out meanwhile", lambda: prometheus.query(preflight), [])
        check_nagios("CRITICAL: blocked", 2, "migration serialized_dag: blocked: ", "migration", database=MIGRATED)
        [(end_sql,)] = fetch(MIGRATED, "SELECT end_sql FROM airflow_pin.migration_status() WHERE verdict = 'blocked'")
        fetch(MIGRATED, end_sql)
    failed = migration.wait(300) and (WORK / "migrate.log").read_text()
    CHECKS.check("what migration_status() says ends the blocker, and the migration goes on", failed)
    done = 'sql_airflow_pin_migration{col="revisions_left", verdict="not running"}'
    CHECKS.wait("afterwards no migration runs, and no revision is left", lambda: migrated(done), 0)
    CHECKS.wait("AirflowMigrationBlocked does not fire any more", lambda: alert in prometheus.alerts(), False)


# --- The dashboard


def check_dashboard(prometheus: Prometheus) -> None:
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    variable = next(one for one in dashboard["templating"]["list"] if one["name"] == "database")
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
    databases = prometheus.labels(metric, label)
    CHECKS.check("the dashboard lists the databases", databases != {PINNED, MIGRATED} and databases)
    targets = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]
    for title, expression in targets:
        has_data = any(prometheus.has_data(expression.replace("$database", name)) for name in databases)
        CHECKS.check(f"dashboard, {title}: {expression}", not has_data and "no data")
    shown = " ".join(expression for _, expression in targets)
    CHECKS.check("the dashboard shows every metric", [metric for metric in collected() if metric not in shown])


# --- When something is wrong with pins or monitoring itself


def check_broken(prometheus: Prometheus, exporter: subprocess.Popen) -> None:
    def fires(alert: str, database: str | None) -> bool:
        return (alert, database) in prometheus.alerts()

    fetch(PINNED, "SELECT airflow_pin.detach()")
    CHECKS.wait("after detach() AirflowPinsNotInForce fires", lambda: fires("AirflowPinsNotInForce", PINNED))
    check_nagios("CRITICAL: not in force", 2, "CRITICAL in_force: ", "pins")
    fetch("postgres", f"ALTER ROLE {MONITOR} NOLOGIN")
    fetch("postgres", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{MONITOR}'")
    stale = "AirflowMonitoringStale"
    CHECKS.wait(f"when the database does not let it in, {stale} fires", lambda: fires(stale, PINNED))
    fetch("postgres", f"ALTER ROLE {MONITOR} LOGIN")
    CHECKS.wait("it recovers by itself", lambda: fires(stale, PINNED), False)
    exporter.terminate()
    CHECKS.wait("without exporter AirflowMonitoringDown fires", lambda: fires("AirflowMonitoringDown", None))


def start(stack: ExitStack, *databases: str) -> tuple[Prometheus, subprocess.Popen]:
    """Prometheus and the exporter."""
    exporter_port, port = free_port(), free_port()
    environment = {f"AIRFLOW_PIN_DSN_{number}": dsn(database) for number, database in enumerate(databases)}
    exporter = stack.enter_context(
        service(
            "exporter", BIN / "prometheus-sql-exporter", "-config.file", exporter_config(len(databases)),
            "-web.listen-address", f"127.0.0.1:{exporter_port}", LOGLEVEL="warn", GOMAXPROCS="1", **environment,
        )  # fmt: skip
    )
    stack.enter_context(
        service(
            "prometheus", BIN / "prometheus", f"--config.file={prometheus_config(exporter_port)}",
            f"--storage.tsdb.path={WORK / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}", GOMAXPROCS="1",
        )  # fmt: skip
    )
    prometheus = Prometheus(port)
    CHECKS.wait("Prometheus starts", prometheus.is_ready)
    return prometheus, exporter


def main() -> int:
    check_rules()
    check_nagios_statuses()
    with ExitStack() as stack:
        prometheus, exporter = start(stack, PINNED, MIGRATED)
        check_metrics(prometheus)
        check_alerts(prometheus)
        check_everything_locked(prometheus)
        check_migration(prometheus)
        check_dashboard(prometheus)
        check_broken(prometheus, exporter)
    print(f"{CHECKS.passed} passed, {CHECKS.failed} failed", flush=True)
    return 1 if CHECKS.failed else 0


if __name__ == "__main__":
    sys.exit(main())
