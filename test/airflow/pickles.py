"""What bad_rows() says of pickled confs beside what step 0055 of Airflow does with them. See pickles."""

from __future__ import annotations

import argparse
import io
import pickle
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psycopg2

from pickles_made import WELL_KNOWN, make

HERE = Path(__file__).resolve().parent

# What bad_rows() says, and what it means: the outcome before 3.3, and from 3.3 on.
VERDICTS = {
    "half a surrogate pair": ("surrogate", "fails", "fails"),  # with a deque, it is lost before 3.3
    "more than 256 MB": ("huge", "fails", "fails"),
    "U\\+0000": ("nul", "fails", "kept"),
    "NaN": ("nan", "fails", "kept"),
    "that JSON cannot have": ("lost", "lost", "lost"),
    "a deque": ("sequence", "lost", "kept"),
    "nested in more than": ("deep", "kept", "lost"),
    "only Python can judge": ("unknown", None, None),
}
PLAIN = ("plain", "kept", "kept")

# The step leaves these out: NULL is an empty conf to Airflow, too.
EMPTY = b"\x80\x05}\x94."

# Larger ones are not for the table of test/sql.
MAX_BYTES_IN_TABLE = 4500

# Of the pickles that name no class but those of WELL_KNOWN, so many may be said to be known to Python only.
MAX_UNKNOWN_SHARE = 0.03


def ask(pickles: list[bytes]) -> list[tuple[str, str | None, str | None]]:
    """What bad_rows() says of each, alone in the table."""
    connection = psycopg2.connect(dbname="pickles", host="127.0.0.1")
    connection.autocommit = True
    answers = []
    with connection.cursor() as cursor:
        for conf in pickles:
            cursor.execute("UPDATE dag_run SET conf = %s", (conf,))
            cursor.execute("SELECT message FROM airflow_pin.bad_rows(NULL, NULL) WHERE check_name = 'dag_run_conf'")
            found = [row[0] for row in cursor.fetchall()]
            matches = [verdict for text, verdict in VERDICTS.items() for message in found if re.search(text, message)]
            if len(matches) != len(found) or len(found) > 1:
                raise SystemExit(f"unexpected findings: {found}")
            answers.append(matches[0] if matches else PLAIN)
    connection.close()
    return answers


class Names(pickle.Unpickler):
    """Notes the classes that a pickle names, and has none."""

    def find_class(self, module, name):
        self.found.add((module, name))
        return super().find_class(module, name)


def names_of(conf: bytes) -> set[tuple[str, str]]:
    names = Names(io.BytesIO(conf))
    names.found = set()
    try:
        names.load()
    except Exception:
        pass
    return names.found


def steps(python: str, pickles: list[bytes], answers) -> list[str]:
    lines = [("!" if "fails" in answer else "=") + conf.hex() for conf, answer in zip(pickles, answers)]
    run = subprocess.run([python, str(HERE / "pickles_step.py")], input="\n".join(lines), capture_output=True, text=True)
    if run.returncode != 0:
        raise SystemExit(run.stdout[-1000:] + run.stderr[-4000:])
    return run.stdout.splitlines()


def difference(answer, newest: bool, outcome: str, conf: bytes) -> str | None:
    verdict, before, since = answer
    expected = "lost" if conf == EMPTY else since if newest else before
    if expected is None:
        return None if names_of(conf) - WELL_KNOWN else "unknown without a class that is"
    if verdict == "surrogate" and not newest and ("collections", "deque") in names_of(conf):
        expected = "lost"
    return None if outcome.split()[0] == expected else f"said {verdict}, so {expected}; it is {outcome}"


def compare(version: str, made, answers, outcomes: list[str]) -> int:
    newest = tuple(int(part) for part in version.split(".")) >= (3, 3)
    different = 0
    unknown = []
    for (kind, conf), answer, outcome in zip(made, answers, outcomes):
        what = difference(answer, newest, outcome, conf)
        if what is not None and answer[0] == "unknown":
            unknown.append(conf)
        elif what is not None:
            different += 1
            shown = conf.hex() if len(conf) < 2000 else conf.hex()[:2000] + "..."
            print(f"DIFFERENT {version} {kind}: {what}: {shown}")
    for verdict, count in sorted(Counter((a[0], o.split()[0]) for a, o in zip(answers, outcomes)).items()):
        print(f"    {version} {verdict[0]}: {verdict[1]} {count}")
    if len(unknown) > MAX_UNKNOWN_SHARE * len(made):
        print(f"DIFFERENT {version}: {len(unknown)} with well-known classes only are said to be unknown")
        different += len(unknown)
    for conf in unknown[:20]:
        print("    unknown", conf.hex()[:300])
    print(f"{len(made) - different} of {len(made)} equal")
    return different


def write(path: Path, made, outcomes: dict[str, list[str]]) -> None:
    """The hand-written pickles and what becomes of them before 3.3 and since, for test/sql/rows_confs.sql."""
    before, since = (outcomes[version] for version in sorted(outcomes))
    with path.open("w") as file:
        for (kind, conf), old, new in zip(made, before, since):
            if kind == "by hand" and len(conf) <= MAX_BYTES_IN_TABLE and conf != EMPTY:
                print(conf.hex(), old.split()[0], new.split()[0], sep=",", file=file)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=55)
    parser.add_argument("--count", type=int, default=2500)
    parser.add_argument("--write", type=Path, help="write test/fixtures/pickled_confs.csv, of two versions")
    parser.add_argument("versions", nargs="+", help="VERSION=PYTHON")
    arguments = parser.parse_args()

    made = make(arguments.seed, arguments.count)
    pickles = [conf for _, conf in made]
    answers = ask(pickles)
    print(f"    seed {arguments.seed}:", ", ".join(f"{n} {kind}" for kind, n in Counter(k for k, _ in made).items()))
    outcomes = {}
    different = 0
    for version, python in (version.split("=", 1) for version in arguments.versions):
        outcomes[version] = steps(python, pickles, answers)
        different += compare(version, made, answers, outcomes[version])
    if arguments.write:
        write(arguments.write, made, outcomes)
    sys.exit(1 if different else 0)


main()
