#!/usr/bin/env python3
"""Fails on what documents say that is not so: a link or a file that is not there, an option that the command does not
have; and on tests that CONTRIBUTING.md says nothing of.

The argument is a build folder that is up to date."""

import functools
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(sys.argv[1]) / "src" / "grpcroute"
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:src|tests|docs|deploy|proto|certs)/[\w./-]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
USAGE = subprocess.run([BINARY, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout
COMMANDS = re.findall(r"^  ([a-z-]+) ", USAGE.partition("Commands:")[2].partition("Exit codes:")[0], re.MULTILINE)


def anchors(page):
    """The names that a heading has as the target of a link."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@functools.cache
def options_of(command):
    """What `grpcroute COMMAND --help` names."""
    text = subprocess.run([BINARY, command, "--help"], capture_output=True, text=True, check=True, timeout=60).stdout
    return set(OPTION.findall(text))


def wrong_links(page, text):
    for link in LINK.findall(text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            yield f"the link to {link} leads nowhere"
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            yield f"{path or page.name} has no heading #{anchor}"


def wrong_files(text):
    for name in FILE.findall(text):
        if not (ROOT / name).exists():
            yield f"there is no {name}"


def wrong_options(text):
    """Of the commands in blocks of code, lines that go on joined."""
    for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            typed = re.sub(r"\s#.*|'[^']*'", "", line)
            called = re.search(r"grpcroute (%s)\b([^|;&]*)" % "|".join(COMMANDS), typed)
            for option in OPTION.findall(called[2]) if called else []:
                if option not in options_of(called[1]):
                    yield f"grpcroute {called[1]} has no {option}"


@functools.cache
def printed_texts():
    """The sources, with strings in one piece."""
    return "\n".join(re.sub(r'"\s*\n\s*"', "", path.read_text()) for path in sorted((ROOT / "src").rglob("*.c")))


def wrong_quotes(text):
    """Of the first column of tables; "…" stands for what is filled in."""
    for quote in re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE):
        for part in quote.split("…"):
            if part.strip() and part.strip() not in printed_texts():
                yield f"nothing prints: {part.strip()}"


def untold_tests(text):
    for test in sorted((ROOT / "tests/e2e").glob("test_*.py")):
        if f"`tests/e2e/{test.name}`" not in text:
            yield f"nothing says what tests/e2e/{test.name} holds"


def tracked_pages():
    """None in a source tarball, or where there is no git."""
    if shutil.which("git") is None:
        return []
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "*.md"],
                            check=False, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.split()]


def main():
    pages = tracked_pages() or sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md"))
    wrong = 0
    for page in pages:
        text = page.read_text()
        quotes = wrong_quotes(text) if page.name == "troubleshooting.md" else []
        untold = untold_tests(text) if page.name == "CONTRIBUTING.md" else []
        for complaint in [*wrong_links(page, text), *wrong_files(text), *wrong_options(text), *quotes, *untold]:
            print(f"{page.relative_to(ROOT)}: {complaint}", file=sys.stderr)
            wrong += 1
    if len(pages) < 5:
        sys.exit(f"only {len(pages)} documents were found: is this the right folder?")
    sys.exit(1 if wrong else 0)


main()
