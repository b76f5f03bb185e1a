"""Coverage by folder; fails for a file of the core of which the tests run less than LEAST, unless REASONS says why."""
import json
import pathlib
import sys
from collections import defaultdict

CORE = {"h2", "rpc", "relay", "route", "check"}
LEAST = 90  # percent of lines
REASONS = {
    "src/route/load.c": "ends the program when the routes built into it are broken, which no build has",
}


def share(part, whole):
    return 100 * part / whole if whole else 100


def main(path):
    with open(path, encoding="utf-8") as file:
        files = {one["filename"]: one for one in json.load(file)["files"]}
    folders = defaultdict(lambda: [0, 0, 0, 0])
    for name, one in files.items():
        keys = ("line_covered", "line_total", "branch_covered", "branch_total")
        for place in (name.split("/")[1], "all"):
            folders[place] = [had + one[key] for had, key in zip(folders[place], keys)]
    print(f"{'folder':<10} {'lines':>7} {'branches':>9}")
    for folder, (lines, all_lines, branches, all_branches) in sorted(folders.items()):
        print(f"{folder:<10} {share(lines, all_lines):6.1f}% {share(branches, all_branches):8.1f}%")
    core = {name for folder in CORE for name in map(str, pathlib.Path("src", folder).glob("*.c"))}
    low = {name: share(one["line_covered"], one["line_total"]) for name, one in files.items()
           if name.split("/")[1] in CORE and share(one["line_covered"], one["line_total"]) < LEAST}
    wrong = [f"{name}: {percent:.1f} % of lines, {LEAST} % needed" for name, percent in low.items()
             if name not in REASONS]
    wrong += [f"{name}: {LEAST} % and more, its reason can go" for name in REASONS if name not in low]
    wrong += [f"{name}: nothing is known of it" for name in core - set(files)]
    for line in sorted(wrong):
        print(f"coverage: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
