"""What names.py found out, as NAME lines of migration_steps.inc: which names of constraints and indexes a revision needs,
gives and takes away.

DIRECTORY/names has START-TARGET.json, the observations of one migration each.
"""

import json

# What is tried, and the flag for what fails then; src/health/plan_names.h says what each means.
FLAGS = {
    "renamed": "NEEDED",
    "missing": "THING_NEEDED",
    "twin before": "TWIN_BEFORE",
    "twin after": "TWIN_AFTER",
    "taken": "TAKEN",
    "taken by another": "TAKEN_BY_OTHER",
}


def place(thing):
    """Constraints have names of their own on each table; those of keys are their indexes' names, too."""
    return (thing["table"] if thing["type"] in "fc" else "", thing["name"])


def failures(tries):
    """{(before or after, place): flags} of what failed."""
    found = {}
    for attempt in tries:
        flags = found.setdefault(("after" if attempt["what"].startswith("taken") else "before", place(attempt)), set())
        if attempt["error"] and not attempt["error"].startswith("not tried"):
            flags.add(FLAGS[attempt["what"]])
    return found


class KnownNames:
    def __init__(self, directory, releases):
        self.runs = {}  # (start, target) → {key: revision}
        for path in sorted((directory / "names").glob("*.json")):
            start, target = path.stem.split("-")
            revisions = json.loads(path.read_text())["revisions"]
            self.runs[start, target] = {tuple(r["key"]): r for r in revisions}
        self.order = [r["release"] for r in releases]
        # Each is migrated from the start with most revisions; the others only say what is not always so.
        self.first = min((start for start, _ in self.runs), key=lambda s: (self.length(s), self.order.index(s)))
        self.needed_later = self.find_needed_later()

    def length(self, start):
        return -max(len(run) for (s, _), run in self.runs.items() if s == start)

    def find_needed_later(self):
        """Places of what any revision needs."""
        return {
            where
            for (start, target), run in self.runs.items()
            for key in run
            for (when, where), flags in self.flags(key, target).items()
            if start == self.first and when == "before" and flags
        }

    def flags(self, key, target):
        """{(before or after, place): flags} of a revision in a release: what fails wherever it runs. A name that the
        revision does not give where it is there already may be another thing's where it is not."""
        runs = [run[key] for (_, t), run in self.runs.items() if t == target and key in run and run[key]["after"]]
        failing = [failures(run["tries"]) for run in runs]
        found = {}
        for where in {where for here in failing for where in here}:
            tried = [here[where] for here in failing if where in here]
            always = set.intersection(*tried)
            found[where] = always if len(tried) == len(failing) else always & {"TAKEN_BY_OTHER"}
        return found

    def base_lines(self):
        """What there is before the first revision and will be needed."""
        run = next(run for (start, _), run in self.runs.items() if start == self.first)
        for thing in next(iter(run.values()))["before"]:
            if place(thing) in self.needed_later:
                yield line(set(), thing, True)

    def lines(self, key, target):
        run = self.runs.get((self.first, target), {}).get(key)
        if run is None or not run["after"]:
            return
        flags = self.flags(key, target)
        given_later = self.given_after(key, target)
        before = {place(t): t for t in run["before"]}
        after = {place(t): t for t in run["after"]}
        named = {(t["oid"], t["name"]) for t in run["before"]}
        for where, thing in before.items():
            needs = flags.get(("before", where))
            if needs:
                yield line(needs, thing, False)
        for where, thing in before.items():
            if where not in after and where in given_later:
                yield line({"GONE"}, thing, False)
        for where, thing in after.items():
            old = before.get(where, {"definition": None, "table": None})
            changed = (thing["definition"], thing["table"]) != (old["definition"], old["table"])
            defined = changed and where in self.needed_later
            made = {"MADE"} if (thing["oid"], thing["name"]) not in named else set()
            taken = flags.get(("after", where), set())
            if taken or defined:
                yield line(taken | made, thing, defined)

    def given_after(self, key, target):
        """Places of the names that later revisions give."""
        run = self.runs[self.first, target]
        keys = list(run)
        return {
            where
            for later in keys[keys.index(key) + 1 :]
            for when, where in self.flags(later, target)
            if when == "after"
        }


def line(flags, thing, defined):
    bits = " | ".join(f"NAME_{flag}" for flag in [*FLAGS.values(), "MADE", "GONE"] if flag in flags) or "0"
    definition = json.dumps(thing["definition"]) if defined else "NULL"
    return f"NAME({bits}, '{thing['type']}', \"{thing['table']}\", \"{thing['name']}\", {definition})"
