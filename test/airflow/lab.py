"""A real Airflow for tests: scheduler, DAG processor and API server on a private cluster, with a Git bundle.

Runs in Airflow's virtual environment, beside a cluster that PGHOST, PGPORT and PGUSER point at
(test/lib/cluster.sh). Everything is in one directory; close() ends all processes.

As with most who run Airflow, it has a database and its tables of its own, and no other rights; the extension is a
superuser's, and so is the test's own session. Where POOLER_PORT is set (test/lib/pooler.sh), all of Airflow but its
migration reaches the database through there.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import psycopg2
import psycopg2.extras

BUNDLE = "git"
ROLE = "airflow"
BIN = Path(sys.executable).parent
POOLED = {
    "PYTHONPATH": str(Path(__file__).parent / "pgbouncer"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC": "airflow_local_settings.connect_args_async",
}

# Each task writes one line: which code ran, and from which checkout.
TASK_PRELUDE = """\
from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.sdk import DAG, Asset, get_current_context, task

CODE = {code!r}


def record(what=None, context=None):
    context = context or get_current_context()
    parts = Path(__file__).parts
    line = {{
        "dag_id": context["dag"].dag_id,
        "run_id": context["run_id"],
        "task_id": what or context["ti"].task_id,
        "code": CODE,
        "commit": parts[parts.index("versions") + 1] if "versions" in parts else None,
    }}
    with open(os.environ["LAB_TASK_LOG"], "a") as log:
        log.write(json.dumps(line) + "\\n")


"""


class Lab:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.repository = directory / "repository"
        self.logs = directory / "logs"
        self.task_log = directory / "tasks.jsonl"
        self.api_port = free_port()
        self.token: str | None = None
        self.processes: dict[str, subprocess.Popen] = {}
        self.connection = None

        for folder in (self.repository / "dags", self.logs):
            folder.mkdir(parents=True)
        self.task_log.touch()
        self.environment = {**os.environ, **self.settings()}
        if "POOLER_PORT" in os.environ:
            self.environment |= POOLED

    def settings(self) -> dict[str, str]:
        home = self.directory / "home"
        bundle = {
            "name": BUNDLE,
            "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
            "kwargs": {
                "tracking_ref": "main",
                "subdir": "dags",
                "repo_url": str(self.repository),
                "refresh_interval": 1,
            },
        }
        return {
            "AIRFLOW_HOME": str(home),
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "LAB_TASK_LOG": str(self.task_log),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": sqlalchemy_url(os.environ.get("POOLER_PORT", os.environ["PGPORT"])),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            # The API server of Airflow 3.0 would create runs from the version before for so long.
            "AIRFLOW__CORE__MIN_SERIALIZED_DAG_FETCH_INTERVAL": "0",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.api_port}/execution/",
            # A busy machine takes more than the five seconds that tasks have to be told to start.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
            "AIRFLOW__API__PORT": str(self.api_port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
            # Without one, Airflow 3.0 does not get on with a newer PyJWT.
            "AIRFLOW__API_AUTH__JWT_ISSUER": "lab",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "4",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(self.directory / "bundles"),
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
            # The bundle looks for this connection, and logs a traceback when there is none.
            "AIRFLOW_CONN_GIT_DEFAULT": json.dumps({"conn_type": "git"}),
            # The repository may belong to another user.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }

    # --- Start and end ---------------------------------------------------------------------------------

    def migrate(self) -> None:
        """The metadata database "airflow", as Airflow itself makes it."""
        with closing(connect(self.dsn("postgres"))) as connection:
            connection.cursor().execute(f"CREATE ROLE {ROLE} LOGIN")
            connection.cursor().execute(f"CREATE DATABASE airflow OWNER {ROLE}")
            # As MIN_SERIALIZED_DAG_UPDATE_INTERVAL above.
            connection.cursor().execute(
                "ALTER DATABASE airflow SET airflow_pin.min_serialized_dag_update_interval = 0"
            )
        # Not through a pooler: the advisory lock of a migration is its session's.
        done = subprocess.run(
            [Path(__file__).parent / "metadata", version("apache-airflow"), "airflow", ROLE],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise LabError(done.stdout[-3000:])
        self.connection = connect(self.dsn("airflow"))

    def dsn(self, database: str) -> str:
        return f"host=127.0.0.1 port={os.environ['PGPORT']} user={os.environ['PGUSER']} dbname={database}"

    def start(self, triggerer: bool = False) -> None:
        self.start_process("dag-processor", "dag-processor")
        self.start_process("api-server", "api-server", "--host", "127.0.0.1")
        self.wait_for("the API server to answer", lambda: self.api("GET", "/api/v2/version")[0] == 200)
        self.token = json.loads(self.api("GET", "/auth/token")[1])["access_token"]
        # Not before: tasks that find no API server fail.
        if triggerer:
            self.start_process("triggerer", "triggerer", "--skip-serve-logs")
        self.start_scheduler("scheduler")

    def start_scheduler(self, name: str) -> None:
        self.start_process(name, "scheduler", "--skip-serve-logs")

    def start_process(self, name: str, *arguments: str) -> None:
        with open(self.logs / f"{name}.log", "w") as log:
            self.processes[name] = subprocess.Popen(
                [BIN / "airflow", *arguments],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def close(self) -> None:
        """Ends every process of this lab, and only those."""
        if self.connection is not None:
            self.connection.close()
        self.end(*self.processes)
        for pid in self.leftovers():
            os.kill(pid, signal.SIGKILL)

    def end(self, *names: str) -> None:
        """Ends the processes of these names, in ten seconds at most."""
        processes = [self.processes.pop(name) for name in names]
        for process in processes:
            signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + 10
        for process in processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
            signal_group(process.pid, signal.SIGKILL)
            process.wait()

    def leftovers(self) -> list[int]:
        """Processes that left their group (a task has a session of its own): known by their AIRFLOW_HOME."""
        mark = f"AIRFLOW_HOME={self.environment['AIRFLOW_HOME']}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
            except OSError:
                continue
        return [pid for pid in found if pid != os.getpid()]

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text(errors="replace")

    # --- Things to do ----------------------------------------------------------------------------------

    def commit(self, message: str, files: dict[str, str]) -> str:
        """Writes DAG files into the repository; returns the commit."""
        for name, text in files.items():
            (self.repository / "dags" / name).write_text(text)
        if not (self.repository / ".git").exists():
            self.git("init", "-q", "-b", "main")
        self.git("add", "-A")
        self.git("-c", "user.name=lab", "-c", "user.email=lab@localhost", "commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", self.repository, *arguments],
            check=True,
            env=self.environment,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def airflow(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess:
        """The command line client; its two outputs are in stdout."""
        try:
            return subprocess.run(
                [BIN / "airflow", *arguments],
                env=self.environment | settings,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=240,
            )
        except subprocess.TimeoutExpired as error:
            raise LabError(f"airflow {' '.join(arguments)} does not end") from error

    def api(self, method: str, path: str, body: dict | None = None) -> tuple[int, str]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api_port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError as error:
            return 0, str(error)

    def trigger(self, dag_id: str, run_id: str, logical_date: str | None = None) -> tuple[int, str]:
        """What the button in the web interface does."""
        return self.api(
            "POST", f"/api/v2/dags/{dag_id}/dagRuns", {"dag_run_id": run_id, "logical_date": logical_date}
        )

    # --- Things to see ---------------------------------------------------------------------------------

    def query(self, sql: str, *parameters) -> list[dict]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql: str, *parameters):
        rows = self.query(sql, *parameters)
        return next(iter(rows[0].values())) if rows else None

    def run(self, dag_id: str, run_id: str) -> dict | None:
        """A run, with its version number and what was decided about it."""
        rows = self.query(
            """SELECT r.*, v.version_number, d.action, d.requested_version, d.detail
                 FROM dag_run r
                 LEFT JOIN dag_version v ON v.id = r.created_dag_version_id
                 LEFT JOIN LATERAL (SELECT * FROM airflow_pin.run_decision d
                                     WHERE d.dag_id = r.dag_id AND d.run_id = r.run_id
                                     ORDER BY d.id DESC LIMIT 1) d ON true
                WHERE r.dag_id = %s AND r.run_id = %s""",
            dag_id,
            run_id,
        )
        return rows[0] if rows else None

    def tasks_that_ran(self, dag_id: str, run_id: str) -> dict[str, dict]:
        """What the tasks themselves wrote down, by task id or what else they call it."""
        lines = map(json.loads, self.task_log.read_text().splitlines())
        return {
            line["task_id"]: line for line in lines if (line["dag_id"], line["run_id"]) == (dag_id, run_id)
        }

    def latest_version(self, dag_id: str) -> int:
        return self.value("SELECT max(version_number) FROM dag_version WHERE dag_id = %s", dag_id) or 0

    # --- Waiting ---------------------------------------------------------------------------------------

    def wait_for(self, what: str, condition, timeout: float = 180):
        """The first true value of condition(); LabError after so many seconds or when a process has died."""
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise LabError(f"{name} ended while waiting for {what}:\n{self.log(name)[-3000:]}")
            if time.monotonic() > deadline:
                raise LabError(f"waited {timeout:.0f} s in vain for {what}")
            time.sleep(0.25)
        return value

    def wait_for_version(self, dag_id: str, version: int) -> None:
        self.wait_for(f'version {version} of DAG "{dag_id}"', lambda: self.latest_version(dag_id) >= version)

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 180) -> dict:
        """The run, when it has finished."""

        def finished():
            run = self.run(dag_id, run_id)
            return run if run and run["state"] in ("success", "failed") else None

        return self.wait_for(f'run "{run_id}" of DAG "{dag_id}" to finish', finished, timeout)


class LabError(Exception):
    pass


def sqlalchemy_url(port: str) -> str:
    return f"postgresql+psycopg2://{ROLE}@127.0.0.1:{port}/airflow"


def wrong_values(run: dict, expected: dict) -> list[str]:
    return [
        f"run {run['run_id']}: {column} is {run[column]!r}, expected {value!r}"
        for column, value in expected.items()
        if run[column] != value
    ]


def connect(dsn: str):
    connection = psycopg2.connect(dsn, cursor_factory=psycopg2.extras.RealDictCursor)
    connection.autocommit = True
    return connection


def exit_on_signals() -> None:
    """Ctrl-C and an end by make become SystemExit, so that "finally" ends Airflow."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass
