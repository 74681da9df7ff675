"""Turn what observe.py saw into src/plan/migration_steps.inc:

    python3 steps.py DIRECTORY > migration_steps.inc

DIRECTORY has releases.json (each release's revisions), START-TARGET.json (observations of one migration
each, see observe.py) and timezone.json, the longest of them once more in a session whose TimeZone is
not UTC. DIRECTORY/names has what names.py found out; see known_names.py.
"""

import json
import re
import sys
from pathlib import Path

from known_names import KnownNames

NAME = r'"?(?:\w+\.)?(\w+)"?'
# What a statement does, in words, and to which table: the first pattern that matches.
PATTERNS = [
    (rf"ALTER TABLE (?:IF EXISTS )?{NAME} ADD COLUMN {NAME}", "ADD COLUMN {1}"),
    (rf"ALTER TABLE (?:IF EXISTS )?{NAME} DROP COLUMN (?:IF EXISTS )?{NAME}", "DROP COLUMN {1}"),
    (rf"ALTER TABLE (?:IF EXISTS )?{NAME} ALTER COLUMN {NAME} TYPE (.+?)(?: USING .*)?$",
     "ALTER COLUMN {1} TYPE {2}"),
    (rf"ALTER TABLE (?:IF EXISTS )?{NAME} ALTER COLUMN {NAME} ((?:SET|DROP) (?:NOT NULL|DEFAULT))",
     "ALTER COLUMN {1} {2}"),
    (rf"ALTER TABLE (?:IF EXISTS )?{NAME} ADD CONSTRAINT {NAME} FOREIGN KEY ?\((.*?)\) REFERENCES {NAME}",
     "ADD FOREIGN KEY ({2}) to {3}"),
    (rf"ALTER TABLE (?:IF EXISTS )?{NAME} ADD CONSTRAINT {NAME} (UNIQUE|PRIMARY KEY) \((.*?)\)",
     "ADD {2} ({3})"),
    (rf"ALTER TABLE (?:IF EXISTS )?{NAME} ADD CONSTRAINT {NAME} CHECK", "ADD CHECK {1}"),
    (rf"ALTER TABLE (?:IF EXISTS )?{NAME} DROP CONSTRAINT (?:IF EXISTS )?{NAME}", "DROP CONSTRAINT {1}"),
    (rf"ALTER TABLE (?:IF EXISTS )?{NAME} RENAME TO {NAME}", "RENAME TO {1}"),
    (rf"ALTER TABLE (?:IF EXISTS )?{NAME} RENAME (?:COLUMN )?{NAME} TO {NAME}", "RENAME COLUMN {1} TO {2}"),
    (rf"CREATE (UNIQUE )?INDEX (?:IF NOT EXISTS )?{NAME} ON {NAME} \((.*)\)", "CREATE {0}INDEX {1} ({3})"),
    (rf"CREATE TABLE (?:IF NOT EXISTS )?{NAME}", "CREATE TABLE"),
    (rf"DROP TABLE (?:IF EXISTS )?{NAME}", "DROP TABLE"),
    (rf"DROP INDEX (?:IF EXISTS )?{NAME}", "DROP INDEX {0}"),
    (rf"INSERT INTO {NAME} .*\bSELECT .* FROM {NAME}", "INSERT rows of {1}"),
    (rf"INSERT INTO {NAME} ", "INSERT"),
    (rf"UPDATE {NAME} (?:\w+ )?SET (.*)", "UPDATE"),
    (rf"DELETE FROM {NAME}", "DELETE"),
    (rf"SELECT .* FROM {NAME}", "SELECT by the client"),
]  # fmt: skip
LOCKS = {
    "AccessShareLock": "ACCESS SHARE", "RowShareLock": "ROW SHARE", "RowExclusiveLock": "ROW EXCLUSIVE",
    "ShareUpdateExclusiveLock": "SHARE UPDATE EXCLUSIVE", "ShareLock": "SHARE",
    "ShareRowExclusiveLock": "SHARE ROW EXCLUSIVE", "ExclusiveLock": "EXCLUSIVE",
    "AccessExclusiveLock": "ACCESS EXCLUSIVE",
}  # fmt: skip
STRONG = ("ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock")


def reads(effect):
    """Read by a sequential or an index scan: on tables as small as here, which one means nothing."""
    return bool(effect.get("scans") or effect.get("index_scans"))


class Statement:
    def __init__(self, record):
        self.sql = record["sql"].rstrip(";")
        self.rows, self.executions = record.get("rows", 0), record.get("executions", 1)
        self.effects = {t: e for t, e in record.get("effects", {}).items() if not t.startswith("alembic_")}
        self.error = record.get("error")
        self.kind = self.table = self.match = None
        patterns = PATTERNS
        if any(effect.get("updated") for effect in self.effects.values()):
            # It may insert in a WITH clause, but is an UPDATE first of all.
            patterns = sorted(PATTERNS, key=lambda p: p[1] != "UPDATE")
        for pattern, words in patterns:
            anchor = "" if words.startswith(("UPDATE", "INSERT", "DELETE")) else "^"
            self.match = re.search(anchor + pattern, self.sql, re.IGNORECASE)
            if self.match:
                self.kind = words
                break
        if self.kind is None:
            # A DO block, a function: worth a row only when a table changed.
            self.table = next(iter(self.effects), None)
            self.kind = "" if self.table else None
        elif self.kind == "DROP INDEX {0}":
            self.table = next(iter(self.effects), None)
        else:
            group = 3 if "INDEX" in self.kind else 1
            self.table = self.match.group(group)
        if self.kind == "SELECT by the client" and not self.own.get("scans"):
            self.kind = None
        if self.kind == "CREATE TABLE" and not self.own.get("created") and not self.error:
            self.kind = None  # IF NOT EXISTS, and it does
        if self.sql.startswith("WITH") and self.kind:
            changed = [t for t, e in self.effects.items() if e.get("updated")]
            self.table = changed[0] if changed else self.table

    @property
    def own(self):
        return self.effects.get(self.table, {})

    def operation(self):
        words = self.kind
        if words == "":
            return "DO block"
        if words in ("UPDATE", "DELETE"):
            return self.modification()
        return words.format(*(group or "" for group in self.match.groups()))

    def set_columns(self):
        """Names of the columns that an UPDATE sets: those before a "=" outside of parentheses."""
        names, depth = [], 0
        text = re.search(r"\bSET (.*)", self.sql, re.IGNORECASE).group(1)
        for token in re.findall(r"[()]|\bWHERE\b|\bFROM\b|\"?\w+\"? ?=|.", text, re.IGNORECASE):
            depth += (token == "(") - (token == ")")
            if depth == 0 and token.upper() in ("WHERE", "FROM"):
                break
            if depth == 0 and token.endswith("=") and len(token) > 1:
                names.append(token.rstrip(" =").strip('"'))
        return ", ".join(names)

    def every_row(self):
        changed = self.own.get("updated", 0) + self.own.get("deleted", 0)
        return changed > 0 or not re.search(r"\bWHERE\b", self.sql, re.IGNORECASE)

    def modification(self):
        if self.kind == "DELETE":
            return "DELETE every row" if self.every_row() else "DELETE rows that match"
        what = f"SET {self.set_columns()}"
        if self.cost() == "UPDATE_BATCHES":
            return f"UPDATE every row in batches: {what}"
        if self.cost() == "CLIENT_PAGES":
            return f"UPDATE rows with a value by the client, one by one, read in pages by OFFSET: {what}"
        if self.cost() == "CLIENT_ROWS":
            return f"UPDATE every row by the client, one by one: {what}"
        return f"UPDATE {'every row' if self.every_row() else 'rows that match'}: {what}"

    def cost(self):
        """The cost class; src/plan/plan_cost.c says what each costs."""
        own = self.own
        if self.kind == "CREATE TABLE" or self.kind == "DROP TABLE" or own.get("created"):
            return "CATALOG"
        if own.get("rewritten"):
            return "REWRITE"
        if self.kind == "UPDATE" and self.executions > 1:
            if self.paged:
                return "CLIENT_PAGES"
            return "UPDATE_BATCHES" if self.rows > self.executions else "CLIENT_ROWS"
        if self.kind == "UPDATE" and self.every_row():
            return "UPDATE"
        if self.kind == "DELETE" and self.every_row():
            return "DELETE"
        if own.get("index_columns"):
            return "INDEX"
        if "FOREIGN KEY" in self.kind and own.get("scans"):
            return "FOREIGN_KEY" if self.validates() else "SCAN"
        if self.kind.startswith("INSERT"):
            return "CATALOG"  # what costs is to read the source: see side_cost()
        return "SCAN" if reads(own) else "CATALOG"

    def validates(self):
        """Did the new foreign key look anything up, or is its column still NULL in every row?"""
        return reads(self.effects.get(self.match.group(4), {}))

    paged = False


class Step:
    def __init__(self, table, operation, lock, cost, flags=(), index_columns=0, becomes=None):
        self.table, self.operation, self.lock, self.cost = table, operation, lock, cost
        self.flags, self.index_columns, self.becomes = tuple(flags), index_columns, becomes

    def key(self):
        return (self.table, self.operation, self.lock, self.cost, self.flags, self.index_columns, self.becomes)

    def line(self):
        text = lambda value: "NULL" if value is None else json.dumps(value)
        flags = " | ".join(f"STEP_{flag}" for flag in self.flags) or "0"
        return (
            f"STEP({text(self.table)}, {text(self.operation)}, {text(self.lock)}, COST_{self.cost}, "
            f"{flags}, {self.index_columns}, {text(self.becomes)})"
        )


def side_cost(statement, effect):
    if not reads(effect):
        return "CATALOG"
    if statement.cost() == "FOREIGN_KEY":
        return "REFERENCED"
    if statement.kind.startswith("INSERT") and statement.own.get("inserted"):
        return "INSERT"
    return "JOIN" if statement.kind == "UPDATE" else "SCAN"


def side_steps(statement):
    """Other tables that the statement locks so that writers wait, or reads in full."""
    for table, effect in sorted(statement.effects.items()):
        if table == statement.table or effect.get("created"):
            continue
        scanned = reads(effect)
        if "FOREIGN KEY" in statement.kind or statement.kind == "CREATE TABLE":
            words = f"is referenced by a new foreign key of {statement.table}"
        elif "DROP CONSTRAINT" in statement.kind or statement.kind in ("DROP TABLE",):
            words = f"is no longer referenced by {statement.table}"
        elif effect.get("new_lock") in STRONG or scanned or effect.get("inserted"):
            verb = "INSERT" if effect.get("inserted") else "is read" if scanned else "is locked"
            words = f"{verb} for the {statement.kind.split()[0]} of {statement.table}"
        else:
            continue
        cost = side_cost(statement, effect)
        yield Step(table, words, LOCKS[effect["lock"]], cost, ["SCANS"] if scanned else [])


def own_step(statement, lock, rewrites_unless_utc):
    flags, cost, own = [], statement.cost(), statement.own
    operation = statement.operation()
    if cost == "REWRITE":
        flags.append("REWRITES")
    if rewrites_unless_utc:
        flags, cost = ["REWRITES_UNLESS_UTC"], "REWRITE"
    if reads(own) and cost not in ("CATALOG", "CLIENT_ROWS") and statement.kind != "CREATE TABLE":
        flags.append("SCANS")
    if cost in ("UPDATE", "UPDATE_BATCHES", "CLIENT_ROWS", "CLIENT_PAGES", "DELETE"):
        flags.append("UPDATES_ROWS")
    if statement.error:
        operation += f" (seen to fail: {statement.error})"
    columns = own.get("index_columns", 0) if cost in ("INDEX", "REWRITE") else 0
    columns = rewrites_unless_utc or columns
    return Step(statement.table, operation, lock, cost, flags, columns, own.get("renamed_to"))


def steps_of(statements, rewritten_elsewhere, missing_elsewhere):
    """The steps of one revision, cheap ones on the same table in a row taken together."""
    statements = [s for s in map(Statement, statements) if s.kind is not None]
    paged = any(s.kind.startswith("SELECT") and "OFFSET" in s.sql for s in statements)
    held, steps = {}, []
    for statement in statements:
        statement.paged = paged
        if paged and statement.kind.startswith("SELECT"):
            continue
        for table, effect in statement.effects.items():
            if effect.get("lock"):
                held[effect.get("renamed_to", table)] = held[table] = LOCKS[effect["lock"]]
        if statement.table is None:
            continue
        lock = held.get(statement.table) or "ACCESS EXCLUSIVE"
        step = own_step(statement, lock, rewritten_elsewhere.get(statement.sql, 0))
        if statement.sql in missing_elsewhere:
            step.operation += " (unless it exists)"
        add_step(steps, step)
        for side in side_steps(statement):
            add_step(steps, side)
    return in_order(steps)


def in_order(steps):
    """Indexes of one table in the order of their names: Airflow itself makes them in any order."""
    for i in range(1, len(steps)):
        here = steps[i]
        j = i
        while j > 0 and is_swap(steps[j - 1], here):
            steps[j - 1], steps[j] = here, steps[j - 1]
            j -= 1
    return steps


def is_swap(before, after):
    return (
        before.table == after.table
        and before.cost == after.cost == "INDEX"
        and before.operation.startswith("CREATE")
        and after.operation.startswith("CREATE")
        and before.operation > after.operation
    )


def add_step(steps, step):
    last = steps[-1] if steps else None
    if any(step.key() == other.key() for other in steps):
        return
    if (
        last is not None
        and (last.table, last.lock, last.cost) == (step.table, step.lock, step.cost)
        and step.cost == "CATALOG"
        and last.becomes is None
    ):
        last.operation += "; " + step.operation
        last.becomes = step.becomes
    else:
        steps.append(step)


def revisions_of(run):
    """The statements of each revision of a run, in order; (component, revision, version) is the key."""
    found = {tuple(r[:3]): [] for r in run["revisions"]}
    for record in run["statements"]:
        if record["revision"]:
            found.setdefault(tuple(record["revision"]), []).append(record)
    return found


class Observations:
    def __init__(self, directory):
        self.releases = json.loads((directory / "releases.json").read_text())
        order = [r["release"] for r in self.releases]
        self.runs = {}  # (start, target) → statements by revision
        for path in directory.glob("*-*.json"):
            start, target = path.stem.split("-")
            self.runs[start, target] = revisions_of(json.loads(path.read_text()))
        elsewhere = revisions_of(json.loads((directory / "timezone.json").read_text()))
        self.elsewhere = elsewhere
        self.targets = [r for r in order if any(t == r for _, t in self.runs)]
        self.starts = sorted({s for s, _ in self.runs if not s.startswith("fresh")}, key=order.index)

    def form(self, key, target):
        """The statements of a revision in a release: from the latest start before it, which has most
        rows; where they failed on those rows, from an earlier one, with the error."""
        errors, found = {}, None
        for start in reversed(self.starts):
            found = self.runs.get((start, target), {}).get(key, found)
            failed = {s["sql"]: s["error"] for s in found or [] if "error" in s}
            errors.update(failed)
            if found is not None and not failed:
                break
        if found is None:
            return None
        return [dict(s, error=errors[s["sql"]]) if s["sql"] in errors else s for s in found]

    def rewritten_elsewhere(self, key):
        """Statements that rewrite only where the TimeZone is not UTC, with the index columns they build."""
        plain = {s["sql"]: s for s in self.form(key, self.targets[-1]) or []}
        found = {}
        for record in self.elsewhere.get(key, []):
            for table, effect in record.get("effects", {}).items():
                here = plain.get(record["sql"], {}).get("effects", {}).get(table, {})
                if effect.get("rewritten") and not here.get("rewritten"):
                    found[record["sql"].rstrip(";")] = effect.get("index_columns", 0)
        return found

    def missing_elsewhere(self, key, target):
        """DDL statements that some database needed and another did not."""
        sets = [
            {s["sql"] for s in run[key] if s["sql"].startswith(("CREATE", "ALTER"))}
            for (_, run_target), run in self.runs.items()
            if run_target == target and key in run
        ]
        return set.union(*sets) - set.intersection(*sets)

    def revisions(self):
        keys = []
        for target in self.targets:
            for start in self.starts:
                for key in self.runs.get((start, target), {}):
                    if key not in keys:
                        keys.append(key)
        return [k for k in keys if k[0] == "core"] + [k for k in keys if k[0] == "fab"]


def release_lines(observations):
    for r in observations.releases:
        fab = json.dumps(r["fab"]) if r["fab"] else "NULL"
        yield f'RELEASE("{r["release"]}", "{r["core"]}", {fab}, "{r["provider"]}")'


def provider_lines():
    for text in (Path(__file__).parent / "providers").read_text().splitlines():
        if not text.startswith("#"):
            release, provider, fails = text.split()
            yield f'PROVIDER("{release}", "{provider}", {fails})'


def fab_first(key, observations, target):
    """A newer FAB provider does not run its first revision on tables that exist: it writes it down."""
    return key[0] == "fab" and observations.form(key, target) is None and key[1] in {
        r["fab"] for r in observations.releases
    }  # fmt: skip


def migration_lines(observations, names):
    for key in observations.revisions():
        last = None
        for target in observations.targets:
            statements = observations.form(key, target)
            if statements is not None:
                steps = steps_of(
                    statements,
                    observations.rewritten_elsewhere(key),
                    observations.missing_elsewhere(key, target),
                )
            elif last is not None and fab_first(key, observations, target):
                steps = [Step("alembic_version_fab", "CREATE TABLE (no migration runs: the tables exist)",
                              "ACCESS EXCLUSIVE", "CATALOG")]  # fmt: skip
            else:
                continue
            # Where nothing but the order of statements differs between releases, one form is enough.
            known = list(names.lines(key, target))
            form = sorted([*map(str, (s.key() for s in steps)), *known])
            if form == last:
                continue
            last = form
            component, revision, version = key
            yield ""
            yield f'MIGRATION(COMPONENT_{component.upper()}, "{revision}", "{version}", "{target}")'
            yield from (s.line() for s in steps or [Step(None, "nothing to do", None, "CATALOG")])
            yield from known


def main():
    directory = Path(sys.argv[1])
    observations = Observations(directory)
    names = KnownNames(directory, observations.releases)
    print("/*")
    print(" * migration_steps.inc")
    print(" *\t\tWhat each revision of Airflow's migrations does. Generated: do not edit.")
    print(" *")
    print(" * Made by tools/migration-plan/generate from real migrations; src/plan/plan_steps.c and plan_names.c include it.")
    print(" *")
    print(" * RELEASE(release, core revision, FAB revision, FAB provider)")
    print(" * PROVIDER(first release, FAB provider, does it fail on the tables of Airflow 2?)")
    print(" * MIGRATION(component, revision, its Airflow or FAB version, the first release with this form)")
    print(" * STEP(relation, operation, lock mode, cost class, flags, key columns of the indexes built, new name)")
    print(" * NAME(what it needs, type of constraint or i for index, table, name, definition if it has a new one)")
    print(" *")
    print(" * The names before the first migration are what is there at the start.")
    print(" */")
    for line in release_lines(observations):
        print(line)
    for line in provider_lines():
        print(line)
    print()
    for line in names.base_lines():
        print(line)
    for line in migration_lines(observations, names):
        print(line)


if __name__ == "__main__":
    main()
