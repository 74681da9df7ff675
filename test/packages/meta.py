"""Is META.json of an unpacked distribution what version 1.0.0 of PGXN's specification asks for, and true?"""

import json
import re
import sys
from pathlib import Path

SEMANTIC_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$")
REQUIRED = {"name": str, "version": str, "abstract": str, "maintainer": list, "license": str, "provides": dict,
            "meta-spec": dict}


def problems(meta, root):
    for field, kind in REQUIRED.items():
        if not isinstance(meta.get(field), kind) or not meta[field]:
            yield f"{field} is missing or not a {kind.__name__}"
            return
    if meta["meta-spec"].get("version") != "1.0.0":
        yield "meta-spec is not version 1.0.0"
    if not all(isinstance(person, str) and person for person in meta["maintainer"]):
        yield "a maintainer is no name"
    if root.name != f"{meta['name']}-{meta['version']}":
        yield f"the directory {root.name} is not named after name and version"
    versions = [meta["version"], *(extension.get("version", "") for extension in meta["provides"].values()),
                *meta["prereqs"]["runtime"]["requires"].values()]
    yield from (f"{version} is no semantic version" for version in versions if not SEMANTIC_VERSION.match(version))
    for name, extension in meta["provides"].items():
        control = (root / f"{name}.control").read_text()
        default = re.search(r"default_version = '(.*)'", control)[1]
        if extension["version"] != f"{default}.0":
            yield f"version {extension['version']} is not that of {name}.control, {default}"
        if not extension["file"].endswith(f"--{default}.sql"):
            yield f"{extension['file']} is not the install script of {default}"
        yield from (f"{extension[key]} is not there" for key in ("file", "docfile") if not (root / extension[key]).exists())


def main():
    root = Path(sys.argv[1])
    found = list(problems(json.loads((root / "META.json").read_text()), root))
    sys.exit("\n".join(found) if found else 0)


if __name__ == "__main__":
    main()
