"""doc/migration-runbook.md, followed word for word on a real Airflow. See runbook."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

WORK = Path(sys.argv[1])
VENVS = {"2.11.2": sys.argv[2], "3.3.2": sys.argv[3]}
PAGE = Path(__file__).resolve().parents[2] / "doc" / "migration-runbook.md"
ROLES = {"superuser": "postgres", "owner": "airflow", "operator": "airflow_dba"}
PATIENCE = 300  # seconds

# What a reader puts in for what is only an example, or does not want to wait for.
INSTEAD = {
    "localhost:5432": f"127.0.0.1:{os.environ['PGPORT']}",
    "timeout => '30 min', poll => '15 s'": "timeout => '1 s', poll => '1 s'",
}

DAGS = """\
from datetime import datetime
from airflow.decorators import dag, task

TAGS = {"billing": ["critical"], "finance_daily": ["finance"], "finance_weekly": ["finance"], "nightly": []}
for dag_id, tags in TAGS.items():
    @dag(dag_id, start_date=datetime(2024, 1, 1), schedule="@daily", catchup=False, tags=tags)
    def pipeline():
        @task
        def extract():
            return {"rows": 3}

        @task
        def load(what):
            print(what)

        load(extract())

    pipeline()
"""

# Rows that stop the migration, in core and in FAB, as no foreign key lets in.
DEFECTS = """
SET session_replication_role = replica;
INSERT INTO ab_user_role (id, user_id, role_id) VALUES (9001, 4711, 1);
INSERT INTO ab_register_user (id, first_name, last_name, username, email)
    SELECT i, 'a', 'b', 'u' || i, 'twice@example.org' FROM generate_series(1, 2) i;
INSERT INTO task_reschedule (task_id, dag_id, run_id, map_index, try_number, start_date, end_date, duration, reschedule_date)
    VALUES ('load', 'billing', 'gone', -1, 1, now(), now(), 1, now());
UPDATE dag SET is_paused = false;
"""

# A run like the one that there is, whose second task is still at work.
STUCK = """
INSERT INTO dag_run SELECT (jsonb_populate_record(r, '{"id": 2, "run_id": "stuck", "state": "running", "execution_date":
    "2026-11-02", "end_date": null}')).* FROM dag_run r WHERE dag_id = 'billing' LIMIT 1;
INSERT INTO task_instance SELECT (jsonb_populate_record(t, jsonb_build_object('run_id', 'stuck', 'start_date',
    '2026-11-02', 'end_date', NULL, 'state', CASE task_id WHEN 'load' THEN 'running' ELSE 'success' END))).*
    FROM task_instance t WHERE run_id <> 'stuck';
"""

# What Airflow 3 has done after the migration.
RUN_AFTER = """
INSERT INTO dag_run SELECT (jsonb_populate_record(r, jsonb_build_object('id', 3, 'dag_id', 'nightly', 'run_id', 'after',
    'logical_date', '2026-11-03', 'state', 'success', 'start_date', now(), 'end_date', now(), 'updated_at', now()))).*
    FROM dag_run r WHERE id = 1;
INSERT INTO task_instance SELECT (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), 'dag_id', 'nightly',
    'run_id', 'after', 'start_date', now(), 'end_date', now(), 'updated_at', now()))).*
    FROM task_instance t WHERE dag_id = 'billing' AND run_id <> 'stuck';
"""

# Everything that a backup must bring back.
CONTENT = """
SELECT 'dag', md5(string_agg(d::text, ' ' ORDER BY dag_id)) FROM dag d
UNION ALL SELECT 'dag_run', md5(string_agg(r::text, ' ' ORDER BY id)) FROM dag_run r
UNION ALL SELECT 'task_instance', md5(string_agg(t::text, ' ' ORDER BY run_id, task_id)) FROM task_instance t
UNION ALL SELECT 'paused_dag', md5(string_agg(p::text, ' ' ORDER BY dag_id)) FROM airflow_pin.paused_dag p
UNION ALL SELECT 'foreign keys', count(*)::text FROM pg_constraint WHERE contype = 'f'
UNION ALL SELECT 'revision', string_agg(version_num, ' ') FROM alembic_version
"""

results: list[bool] = []  # of each check: did it hold?


def report(label: str, problem: object = "") -> None:
    results.append(not problem)
    print(f"{'not ok' if problem else 'ok'} - {label}{f': {problem}' if problem else ''}", flush=True)


# --- The page ------------------------------------------------------------------------------------------


@dataclass
class Block:
    language: str
    line: int
    lines: list[str]
    printed: list[str] = field(default_factory=list)  # what the page says that it prints

    @property
    def text(self) -> str:
        text = "\n".join(self.lines) + "\n"
        for example, real in INSTEAD.items():
            text = text.replace(example, real)
        return text

    @property
    def role(self) -> str | None:
        found = re.match(r"(?:--|#) (\w+)", self.lines[0])
        return found[1] if found and found[1] in ROLES else None

    def __str__(self) -> str:
        return f"line {self.line}: {self.lines[0]}: {' '.join(self.lines[1].split())[:60]}"


def read_page() -> list[Block]:
    """Its blocks up to the recorded migration; a block of text belongs to the one before it."""
    blocks: list[Block] = []
    text, _, _ = PAGE.read_text().partition("## A watched migration")
    inside: Block | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("```"):
            if inside:
                inside.lines.append(line)
        elif inside is None:
            inside = Block(line[3:], number, [])
        else:
            if inside.language == "text":
                blocks[-1].printed += inside.lines
            else:
                blocks.append(inside)
            inside = None
    return blocks


def missing_output(block: Block, output: str) -> list[str]:
    """Lines of the page that were not printed. Spaces do not count; "…" is anything."""
    printed = [" ".join(re.sub(r"^psql:\S+: ", "", line).split()) for line in output.splitlines()]

    def was_printed(line: str) -> bool:
        pattern = ".*".join(map(re.escape, " ".join(line.split()).split("…")))
        return any(re.fullmatch(pattern, other) for other in printed)

    return [line for line in block.printed if line.strip("-+ ") and not was_printed(line)]


# --- The world -----------------------------------------------------------------------------------------


class World:
    """A server, an Airflow on its PATH, and what was called of it."""

    def __init__(self) -> None:
        self.here = WORK / "reader"
        self.bin = WORK / "bin"
        self.calls = WORK / "calls"
        self.metadata_db = ""
        for folder in (self.here, self.bin, WORK / "dags"):
            folder.mkdir()
        (WORK / "dags" / "dags.py").write_text(DAGS)
        self.install("2.11.2")

    def install(self, version: str) -> None:
        """The "airflow" on the PATH: it says that it was called, and does it."""
        self.write_command("airflow", f'echo "$*" >>{self.calls}\nexport AIRFLOW_HOME={WORK}/home-{version}\n'
                                      f'exec {VENVS[version]}/bin/airflow "$@"\n')

    def write_command(self, name: str, script: str, folder: Path | None = None) -> None:
        file = (folder or self.bin) / name
        file.write_text("#!/bin/sh\n" + script)
        file.chmod(0o755)

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("PGUSER", "PGDATABASE")}
        return {
            **kept,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "METADATA_DB": self.metadata_db,
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "AIRFLOW__CORE__DAGS_FOLDER": str(WORK / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"postgresql+psycopg2://airflow@127.0.0.1:{os.environ['PGPORT']}/airflow",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
        }

    def run(self, *command: str, **settings: str) -> tuple[int, str]:
        done = subprocess.run(command, cwd=self.here, env=self.environment() | settings, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout

    def sql(self, text: str, database: str = "airflow", role: str = "postgres") -> str:
        status, output = self.run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-U", role, "-d", database, "-c", text)
        if status != 0:
            raise RuntimeError(f"{text}: {output}")
        return output.strip()

    def airflow(self, *arguments: str) -> None:
        status, output = self.run("airflow", *arguments)
        if status != 0:
            raise RuntimeError(f"airflow {' '.join(arguments)}: {output[-2000:]}")

    def prepare(self) -> None:
        """Airflow 2.11.2 with four DAGs and a run, as Airflow makes them, in a database that its role owns."""
        self.sql("CREATE ROLE airflow LOGIN", "postgres")
        self.sql("CREATE DATABASE airflow OWNER airflow", "postgres")
        self.airflow("db", "migrate")
        self.airflow("dags", "reserialize")
        self.airflow("dags", "test", "billing", "2026-11-01")
        self.sql(DEFECTS)


# --- Following it --------------------------------------------------------------------------------------


def run_block(world: World, block: Block) -> tuple[int, str]:
    if block.language == "sql":
        file = world.here / "block.sql"
        file.write_text(block.text)
        return world.run("psql", "-X", "-v", "ON_ERROR_STOP=1", "-U", ROLES[block.role], "-d", "airflow", "-f", "block.sql")
    (world.here / "block.sh").write_text(block.text)
    return world.run("bash", "block.sh")


def follow(world: World, block: Block) -> str:
    """Run a block as the page says, and look at what it prints."""
    status, output = run_block(world, block)
    with open(WORK / "printed", "a") as file:
        file.write(f"{block}\n{output}\n")
    wrong = re.findall(r"(?m)^.*(?:\berror\b|ERROR|FATAL|Traceback|command not found).*", output)
    missing = missing_output(block, output)
    if status != 0 or wrong:
        report(str(block), f"exit status {status}: {output[-1500:]}")
    else:
        report(str(block), missing and f"not printed: {missing} but {output[:3000]}")
    return output


def check_form(blocks: list[Block]) -> None:
    """What a reader has to know of each block is in it."""
    code = [block for block in blocks if block.language in ("sql", "sh")]
    report("every block names its role", [str(block) for block in code if not block.role])
    report("what only psql understands is marked",
           [str(block) for block in code if block.language == "sql"
            and any(line.startswith("\\") for line in block.lines) != block.lines[0].endswith("in psql")])
    text = PAGE.read_text()
    report("what is replaced is on the page", [example for example in INSTEAD if example not in text])


# --- The gate ------------------------------------------------------------------------------------------


def pasted(world: World, text: str, **settings: str) -> str:
    """What an interactive shell prints when the text is pasted into it."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(world.here)
        os.execvpe("bash", ["bash", "--norc", "-i"], world.environment() | settings | {"TERM": "dumb", "PAGER": "cat"})
    os.write(terminal, (text + "echo pasted=$((6 * 7))\nexit\n").encode())
    output = b""
    end = time.monotonic() + PATIENCE
    with contextlib.suppress(OSError):  # that is how a terminal ends
        while time.monotonic() < end and (select.select([terminal], [], [], 1)[0] or True):
            output += os.read(terminal, 65536)
    os.close(terminal)
    os.waitpid(pid, 0)
    return output.decode(errors="replace")


def check_gate_stops(world: World, block: Block) -> None:
    """Whatever is wrong, no migration starts. A stand-in for "airflow" only says that it was called."""
    stand_in, no_psql, mute = WORK / "stand-in", WORK / "no-psql", WORK / "mute"
    for folder in (stand_in, no_psql, mute):
        folder.mkdir()
        world.write_command("airflow", f'echo "$*" >>{world.calls}\n', folder)
    world.write_command("psql", "exit 0\n", mute)
    for tool in ("bash", "sh", "cat"):
        (no_psql / tool).symlink_to(subprocess.check_output(["which", tool], text=True).strip())
    world.sql("CREATE ROLE nobody LOGIN")
    path = f"{stand_in}:{world.environment()['PATH']}"
    orphan = "SET session_replication_role = replica; {} ab_user_role {}"
    cases = {
        "with an orphan": ({}, r"fab_orphans"),
        "with Airflow's own URL": ({"METADATA_DB": world.environment()["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]}, r"FATAL"),
        "without the right to ask": ({"METADATA_DB": world.metadata_db.replace("airflow_dba", "nobody")}, r"permission denied"),
        "without the database": ({"METADATA_DB": re.sub("airflow$", "other", world.metadata_db)}, r'"other" does not exist'),
        "without the server": ({"METADATA_DB": "postgresql://127.0.0.1:1/airflow"}, r"refused"),
        "without METADATA_DB": ({"METADATA_DB": ""}, r"METADATA_DB: is not set"),
        "without psql": ({"PATH": str(no_psql)}, r"psql: command not found"),
        "without an answer": ({"PATH": f"{mute}:{path}"}, r"NOT started"),
    }
    (world.here / "block.sh").write_text(block.text)
    world.sql(orphan.format("INSERT INTO", "(id, user_id, role_id) VALUES (9002, 4711, 1)"))
    for name, (settings, told) in cases.items():
        world.calls.write_text("")
        status, output = world.run("bash", "block.sh", **{"PATH": path} | settings)
        called = world.calls.read_text()
        report(f"the gate stops a script {name}",
               (called or status == 0 or not re.search(told, output)) and f"{called!r}, exit status {status}: {output}")
        world.calls.write_text("")
        output = pasted(world, block.text, **{"PATH": path} | settings)
        called = world.calls.read_text()
        report(f"the gate stops what is pasted {name}",
               (called or not re.search(told, output) or "pasted=42" not in output) and f"{called!r}: {output}")
    world.sql(orphan.format("DELETE FROM", "WHERE id = 9002"))
    world.run("bash", "block.sh", PATH=path)
    report("the gate opens when the answer is yes", world.calls.read_text() != "db migrate\n" and world.calls.read_text())


class Migration:
    """The gate with the real Airflow, and a session in the migration's way."""

    def __init__(self, world: World, block: Block) -> None:
        self.block = block
        self.reader = subprocess.Popen(
            ["psql", "-XAtq", "-U", "airflow", "-d", "airflow"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=world.environment() | {"PGAPPNAME": "BI tool"})
        self.reader.stdin.write("BEGIN;\nSELECT 'reads' FROM (SELECT count(*) FROM ab_role) r;\n")
        self.reader.stdin.flush()
        self.reader.stdout.readline()
        self.log = open(WORK / "migration.log", "w+")
        (world.here / "gate.sh").write_text(block.text)
        self.process = subprocess.Popen(["bash", "gate.sh"], cwd=world.here, env=world.environment(),
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)

    def end(self) -> None:
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            status = "none: it does not end"
        self.reader.kill()
        self.reader.wait()
        self.log.seek(0)
        output = self.log.read()
        missing = missing_output(self.block, output)
        report(str(self.block), (status or missing) and f"exit status {status}, not printed {missing}: {output[-2000:]}")


def watch(world: World, block: Block) -> None:
    """Until it says that the migration is blocked, and by whom; what it says ends that."""
    world.sql("CREATE ROLE monitor LOGIN IN ROLE pg_monitor")
    end = time.monotonic() + PATIENCE
    output = ""
    while not re.search(r"(?m)^ blocked +\|", output) and time.monotonic() < end:
        status, output = run_block(world, block)
        if status:
            break
        time.sleep(0.5)
    answer = "SELECT {} FROM airflow_pin.migration_status() WHERE verdict = 'blocked'"
    report(str(block), not re.search(r"(?m)^ blocked .*BI tool.*pg_terminate_backend", output) and output)
    told = world.sql(answer.format("next_action"), role="monitor")
    report("who may not end the session is told who may",
           not told.endswith("which needs a member of pg_signal_backend or of airflow") and told)
    told = world.sql(answer.format("next_action"), role="airflow_dba")
    report("who may is not", "needs" in told and told)
    end_sql = world.sql(answer.format("end_sql"), role="airflow_dba")
    report("the operator may run end_sql", world.sql(end_sql, role="airflow_dba") != "t" and end_sql)


def check_python(world: World, block: Block) -> None:
    (world.here / "block.py").write_text(block.text)
    status, output = world.run(VENVS["2.11.2"] + "/bin/python", "block.py", AIRFLOW_HOME=f"{WORK}/home-2.11.2")
    report(f"line {block.line}: the task can be made", status and output[-1500:])


# --- What happens around the blocks ------------------------------------------------------------------------


class Story:
    def __init__(self, world: World, blocks: list[Block]) -> None:
        self.world = world
        self.blocks = blocks
        self.migration: Migration | None = None
        self.content = ""
        self.seen: set[str] = set()

    def once(self, block: Block, part: str) -> bool:
        """Is this the block with that part? Each must come once."""
        if part in self.seen or part not in block.text:
            return False
        self.seen.add(part)
        return True

    def tell(self) -> None:
        for block in self.blocks:
            if block.language == "python":
                check_python(self.world, block)
            elif self.once(block, "then\n    airflow db migrate"):
                check_gate_stops(self.world, block)
                self.world.install("3.3.2")
                self.migration = Migration(self.world, block)
            elif self.once(block, "FROM airflow_pin.migration_status()"):
                watch(self.world, block)
            else:
                self.before(block)
                self.after(block, follow(self.world, block))
        parts = ["airflow db migrate", "migration_status()", "METADATA_DB=", "pause_all('upgrade'", "pg_dump -Fc",
                 "AS steps_left", "throttle('upgrade'", "lost_on_rollback(", "airflow db check-migrations", "resume('upgrade');"]
        report("what the story needs is on the page", [part for part in parts if not any(part in seen for seen in self.seen)])

    def before(self, block: Block) -> None:
        world = self.world
        if self.once(block, "pause_all('upgrade'"):
            world.sql(STUCK)
        elif self.once(block, "pg_dump -Fc"):
            self.content = world.sql(CONTENT)
        elif self.once(block, "AS steps_left") and self.migration:
            self.migration.end()
        elif self.once(block, "lost_on_rollback("):
            world.sql(RUN_AFTER)
        elif self.once(block, "airflow db check-migrations"):
            world.install("2.11.2")

    def after(self, block: Block, output: str) -> None:
        world = self.world
        if self.once(block, "METADATA_DB="):
            world.metadata_db = re.search("METADATA_DB='(.*)'", block.text)[1]
        elif self.once(block, ".throttle('upgrade'"):
            found = world.sql("SELECT severity, fix_sql FROM airflow_pin.postflight('upgrade') WHERE check_name = 'throttle'",
                              role="airflow_dba")
            report("postflight() remembers the throttle", found != "info|SELECT airflow_pin.unthrottle('upgrade');" and found)
        elif self.once(block, "airflow db check-migrations"):
            pass
        elif "pg_restore" in block.text:
            content = world.sql(CONTENT)
            report("the restored database is the one that was dumped", content != self.content and f"{content} {self.content}")
        elif self.once(block, "resume('upgrade');"):
            paused = world.sql("SELECT count(*) FROM dag WHERE is_paused")
            report("all DAGs are back", paused != "0" and paused)


def main() -> int:
    world = World()
    blocks = read_page()
    check_form(blocks)
    world.prepare()
    Story(world, blocks).tell()
    failed = results.count(False)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
