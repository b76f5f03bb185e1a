#!/usr/bin/env python3
"""Prints a bill of materials (SPDX 2.3, JSON) of a binary on Debian: the packages of the libraries that it loads, with
their versions."""
import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def loaded_libraries(binary):
    return sorted(set(re.findall(r"(/\S+) \(0x", output_of("ldd", binary))))


def package_of(library):
    """Debian's package, which may know the file by the name from before /lib became a link."""
    for path in (library, os.path.realpath(library), "/usr" + library):
        found = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.split(":")[0]
    sys.exit(f"sbom: no package has {library}")


def described(package):
    version, source, architecture = output_of("dpkg-query", "-W", "-f",
                                              "${Version}\n${source:Package}\n${Architecture}\n", package).split()
    return {"SPDXID": f"SPDXRef-{re.sub('[^A-Za-z0-9.-]', '-', package)}", "name": package, "versionInfo": version,
            "supplier": "Organization: Debian", "downloadLocation": f"https://tracker.debian.org/pkg/{source}",
            "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
            "comment": f"Licences: /usr/share/doc/{package}/copyright",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": f"pkg:deb/debian/{package}@{version}?arch={architecture}"}]}


def document(binary, version):
    content = pathlib.Path(binary).read_bytes()
    packages = [described(name) for name in sorted({package_of(library) for library in loaded_libraries(binary)})]
    built = int(os.environ.get("SOURCE_DATE_EPOCH", datetime.datetime.now().timestamp()))
    ours = {"SPDXID": "SPDXRef-grpcroute", "name": "grpcroute", "versionInfo": version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False, "licenseConcluded": "MIT", "licenseDeclared": "MIT",
            "copyrightText": "Copyright (c) 2026 The grpcroute authors", "primaryPackagePurpose": "APPLICATION",
            "checksums": [{"algorithm": "SHA256", "checksumValue": hashlib.sha256(content).hexdigest()}]}
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
            "name": f"grpcroute-{version}",
            "documentNamespace": f"https://spdx.org/spdxdocs/grpcroute-{version}-{hashlib.sha256(content).hexdigest()}",
            "creationInfo": {"created": datetime.datetime.fromtimestamp(built,
                                                                        datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                             "creators": ["Tool: grpcroute-sbom"]},
            "packages": [ours, *packages],
            "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                               "relatedSpdxElement": "SPDXRef-grpcroute"},
                              *({"spdxElementId": "SPDXRef-grpcroute", "relationshipType": "DYNAMIC_LINK",
                                 "relatedSpdxElement": package["SPDXID"]} for package in packages)]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("--version", required=True)
    options = parser.parse_args()
    print(json.dumps(document(options.binary, options.version), indent=2))


if __name__ == "__main__":
    main()
