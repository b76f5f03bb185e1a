#!/usr/bin/env python3
"""What the objects of a build say about the structure of the program: fails when a function is exported that no other
object uses, or when files of a folder need each other in a circle. Reads the libraries with nm; takes a second."""
import collections
import pathlib
import subprocess
import sys

# Exported although no other object of the program uses it, and why.
TESTS = "what its tests look at"
REASONS = {
    "main": "the program",
    **dict.fromkeys(("h2_session_queued_bytes", "net_http_port", "net_loop_stop", "net_stream_kept_bytes",
                     "net_stream_pause", "net_stream_resume", "observe_is_misroute", "bench_report_json"), TESTS),
}


def symbols(objects):
    """Of each object: what it defines for others, and what it takes from others."""
    defined, used = collections.defaultdict(set), collections.defaultdict(set)
    text = subprocess.run(["nm", "-A", *objects], check=True, capture_output=True, text=True).stdout
    for line in text.splitlines():
        where, _, rest = line.partition(".o:")
        kind, name = rest.split()[-2:]
        if kind == "U":
            used[where].add(name)
        elif kind in "TDBR" and not name.startswith("__"):  # a sanitizer's
            defined[where].add(name)
    return defined, used


def folder_of(where):
    return pathlib.Path(where).parent.name.removesuffix(".a.p").removeprefix("lib")


def unused(defined, used):
    taken = set().union(*used.values())
    for where, names in sorted(defined.items()):
        for name in sorted(names - taken):
            if name not in REASONS and ".pb-c" not in where:
                yield f"{folder_of(where)}: {name}() is exported, but no other file uses it"
    for name in REASONS:
        if name in taken:
            yield f"{name}() needs no exception any more: remove it from {sys.argv[0]}"


def circles(defined, used):
    """Files of one folder that reach themselves."""
    owner = {name: where for where, names in defined.items() for name in names}
    needs = {where: {owner[name] for name in names if name in owner and
                     folder_of(owner[name]) == folder_of(where)} - {where}
             for where, names in used.items()}
    reach = {}
    for start in needs:
        seen, todo = set(), list(needs[start])
        while todo:
            at = todo.pop()
            if at not in seen:
                seen.add(at)
                todo.extend(needs.get(at, ()))
        reach[start] = seen
    told = set()
    for where in sorted(reach):
        if where in reach[where] and where not in told:
            ring = {other for other in reach[where] if where in reach.get(other, ())}
            told |= ring
            names = ", ".join(sorted(pathlib.Path(one).name for one in ring))
            yield f"{folder_of(where)}: these need each other: {names}"


def main():
    build = pathlib.Path(sys.argv[1])
    objects = sorted(str(path) for path in (build / "src").rglob("*.o"))
    defined, used = symbols(objects)
    complaints = [*unused(defined, used), *circles(defined, used)]
    for complaint in complaints:
        print(f"symbols: {complaint}", file=sys.stderr)
    return bool(complaints) or not objects


if __name__ == "__main__":
    sys.exit(main())
