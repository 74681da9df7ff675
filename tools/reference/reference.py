"""Print the extension's catalogue as Markdown into doc/reference.md; --check only compares."""

import difflib
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).parent
REFERENCE = HERE.parent.parent / "doc" / "reference.md"
WIDTH = 120
WHO = {"superuser": "superuser", "user": "everybody"}

HEAD = """\
# Reference

Written by `tools/reference/generate` from the comments in the catalogue, which psql shows, too: `\\df+ airflow_pin.*`,
`\\d+ airflow_pin.*`, `\\dd airflow_pin.*`. Everything is in schema `airflow_pin`. Codes like 55P03 are SQLSTATEs. Nothing
here can be called or read by everybody: a function or table says so where members of `pg_monitor` may; all else is for
the roles that it is granted to.
"""


def psql(*arguments):
    command = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *arguments]
    return subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout


def escape(text):
    """Markdown takes stars, what looks like a tag, and a word's first underscore for its own."""
    return re.sub(r"([*<]|\b_)", r"\\\1", text)


def wrap(text, indent=""):
    return textwrap.fill(text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def link(name, kind=""):
    return f"[{name}](#{kind}{name})"


def short(declaration):
    """As one writes it: no casts of the defaults."""
    return re.sub(r"::[a-z ]+(\[\])?$", "", declaration).replace("timestamp with time zone", "timestamptz")


def packed(lines, close):
    """Arguments or columns, on one line where they fit."""
    one = ", ".join(lines) + close
    return one if len(one) < 80 else "\n    " + ",\n    ".join(lines) + close


def columns_of(function):
    return [short(f"{column['name']} {column['type']}") for column in function["out"] or []]


def signature(function):
    text = f"{function['name']}({packed(list(map(short, function['arguments'])), ')')}"
    if function["kind"] == "p":
        return f"CALL {text}"
    many = "SETOF " if function["returns_set"] else ""
    if function["out"]:
        return f"{text}\n→ {many}({packed(columns_of(function), ')')}"
    return f"{text}\n→ {function['result']}"


def function_section(function):
    text = f"```\n{signature(function)}\n```\n\n" + wrap(
        escape(function["comment"]) + (" Members of `pg_monitor` may call it." if function["monitor"] else "")
    )
    return f"### {function['name']}\n\n{text}\n"


def trigger_item(function):
    return wrap(f"- `{function['name']}()`: {escape(function['comment'])}", "  ") + "\n"


def columns_section(relation, kind):
    rows = [f"| `{c['name']}` | {short(c['type'])} | {escape(c['comment'])} |" for c in relation["columns"]]
    comment = escape(relation["comment"]) + (" Members of `pg_monitor` may read it." if relation.get("monitor") else "")
    head = [f"### {kind} {relation['name']}", "", wrap(comment), "", "| column | type | |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def setting_row(setting):
    default = f"`{setting['default']}`" if setting["default"] else "empty"
    others = [value for value in setting["values"] or [] if value != setting["default"]]
    comment = escape(setting["comment"]) + "".join(f" Or `{value}`." for value in others)
    return f"| `{setting['name']}` | {default} | {WHO[setting['context']]} | {comment} |"


def markdown(catalogue):
    callable_ones = [f for f in catalogue["functions"] if f["result"] != "trigger"]
    triggers = [f for f in catalogue["functions"] if f["result"] == "trigger"]
    relations = [link(table["name"], "table-") for table in catalogue["tables"]]
    relations += [link(composite["name"], "type-") for composite in catalogue["types"]]
    settings = ["| setting | default | may be set by | |", "|---|---|---|---|", *map(setting_row, catalogue["settings"]), ""]
    return "\n".join([
        HEAD,
        wrap("Functions: " + ", ".join(link(f["name"]) for f in callable_ones) + ".") + "\n",
        wrap("Tables and types: " + ", ".join(relations) + ".") + "\n",
        "## Settings\n",
        *settings,
        "## Functions\n",
        *map(function_section, callable_ones),
        "## Tables\n",
        *(columns_section(table, "Table") for table in catalogue["tables"]),
        "## Types\n",
        *(columns_section(composite, "Type") for composite in catalogue["types"]),
        "## Trigger functions\n",
        "".join(map(trigger_item, triggers)),
    ]).rstrip() + "\n"


def undocumented(catalogue):
    things = [(thing["name"], thing) for kind in catalogue.values() for thing in kind]
    things += [(f"{name}.{column['name']}", column) for name, thing in things for column in thing.get("columns", [])]
    return [name for name, thing in things if not thing["comment"]]


def main():
    psql("-c", "CREATE EXTENSION airflow_pin")
    # The settings are those of the library, which this loads.
    catalogue = json.loads(psql("-c", "LOAD 'airflow_pin'", "-f", str(HERE / "catalogue.sql")))
    if missing := undocumented(catalogue):
        sys.exit(f"reference: no comment on {', '.join(missing)}")
    text = markdown(catalogue)
    if "--check" not in sys.argv[1:]:
        REFERENCE.write_text(text)
        return
    old = REFERENCE.read_text() if REFERENCE.exists() else ""
    if old != text:
        lines = old.splitlines(True), text.splitlines(True)
        sys.stdout.writelines(difflib.unified_diff(*lines, "doc/reference.md", "the catalogue"))
        sys.exit("reference: doc/reference.md is not up to date: run tools/reference/generate")


if __name__ == "__main__":
    main()
