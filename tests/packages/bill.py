#!/usr/bin/env python3
"""Fails on a bill of materials that leaves out a library or what SPDX 2.3 asks for."""
import json
import re
import sys
from pathlib import Path

EXPECTED = {"grpcroute", "libnghttp2-14", "libssl3", "libuv1", "libprotobuf-c1", "libcjson1", "libyaml-0-2",
            "libpcre2-8-0", "libevent-core-2.1-7", "libevent-extra-2.1-7", "libc6"}
bill = json.loads(Path(sys.argv[1]).read_text())
names = {package["name"] for package in bill["packages"]}
identifiers = {package["SPDXID"] for package in bill["packages"]} | {bill["SPDXID"]}
assert bill["spdxVersion"] == "SPDX-2.3" and bill["dataLicense"] == "CC0-1.0" and \
    bill["documentNamespace"].startswith("https://")
assert EXPECTED <= names, EXPECTED - names
for package in bill["packages"]:
    assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", package["SPDXID"]), package
    assert package["versionInfo"] and package["downloadLocation"] and package["licenseDeclared"], package
for relation in bill["relationships"]:
    assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= identifiers, relation
print(f"{len(names)} packages")
