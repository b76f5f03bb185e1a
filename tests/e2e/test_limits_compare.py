"""`limits compare`: what another path, an upgrade or another gateway changes for streams."""
import json
import re
import xml.etree.ElementTree

import jsonschema
import pytest

from testenv.grpcroute import ROOT, Proxy, Server, grpcroute

SCHEMAS = {name: jsonschema.Draft202012Validator(json.loads((ROOT / f"docs/schema/{name}.json").read_text()))
           for name in ("limits", "limits-compare")}
SHAPES = "age_stream,headers_first,streams_per_connection"


def measured(file, *args, shapes=SHAPES):
    done = grpcroute("limits", *args, "--shapes", shapes, "--within", "4s", "--json-file", file, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    SCHEMAS["limits"].validate(json.loads(file.read_text()))
    return file


@pytest.fixture(scope="module")
def results(certs, tmp_path_factory):
    """`direct`: no limit of age and 100 streams at least; `aged`: a proxy that ends streams after 2 s."""
    folder = tmp_path_factory.mktemp("limits")
    server = Server("v1", "pod-1")
    proxy = Proxy(certs, [server], None, "--max-stream-age", "2s", "--age-jitter", "0").wait_ready()
    try:
        yield {"direct": measured(folder / "direct.json", "--target", server.address, "--plaintext"),
               "aged": measured(folder / "aged.json", "--target", proxy.target, "--cacert", certs / "ca.pem"),
               "facts": measured(folder / "facts.json", "--target", server.address, "--plaintext",
                                 shapes="headers_first,streams_per_connection")}
    finally:
        proxy.stop()
        server.stop()


def compare(before, now, *args, **kwargs):
    done = grpcroute("limits", "compare", before, now, "-o", "json", *args, **kwargs)
    result = json.loads(done.stdout)
    SCHEMAS["limits-compare"].validate(result)
    assert result["exit_code"] == done.returncode and result["command"] == "limits compare"
    return result, {row["shape"]: row for row in result.get("shapes", [])}


def test_what_is_shorter_or_new_is_worse(results):
    result, rows = compare(results["direct"], results["aged"])
    assert (result["exit_code"], result["result"]) == (1, "failed")
    assert (rows["age_stream"]["change"], rows["age_stream"]["worse"]) == ("new", True)
    assert (rows["headers_first"]["change"], rows["headers_first"]["worse"]) == ("same", False)
    assert rows["streams_per_connection"]["worse"], "the proxy takes 100, the server more"
    assert "age_stream (a new limit)" in result["message"]
    assert result["before"]["file"].endswith("direct.json") and result["now"]["file"].endswith("aged.json")


def test_the_way_back_is_not_worse(results):
    result, rows = compare(results["aged"], results["direct"])
    assert (result["exit_code"], rows["age_stream"]["change"]) == (0, "gone")
    assert rows["streams_per_connection"]["change"] in ("gone", "higher")


def test_the_same_is_good(results):
    result, rows = compare(results["aged"], results["aged"])
    assert result["exit_code"] == 0 and {row["change"] for row in rows.values()} == {"same"}


def test_what_one_did_not_look_for_is_not_compared(results):
    result, rows = compare(results["direct"], results["facts"])
    assert (result["exit_code"], result["result"]) == (4, "no_evidence")
    assert (rows["age_stream"]["change"], rows["age_stream"]["missing"]) == ("not_measured", True)
    assert "age_stream (measured in one alone, not compared)" in result["message"]


def test_people_and_ci_are_told_the_same(results, tmp_path):
    done = grpcroute("limits", "compare", results["direct"], results["aged"], "--junit-file", tmp_path / "x.xml")
    assert done.returncode == 1
    assert re.search(r"^SHAPE +BEFORE +NOW +CHANGE$", done.stdout, re.M)
    assert re.search(r"^age_stream +none within \S+ +\S+s ± \S+ +a new limit, worse", done.stdout, re.M)
    assert re.search(r"^the same: headers_first$", done.stdout, re.M)
    assert re.search(r"^❌ 2 of 3 shapes are worse: age_stream \(a new limit\), streams_per_connection \(", done.stdout,
                     re.M)
    suite = xml.etree.ElementTree.parse(tmp_path / "x.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "2", "0")
    done = grpcroute("limits", "compare", results["direct"], results["aged"], "-o", "markdown")
    assert done.returncode == 1 and "| worse | age_stream | none within " in done.stdout


def test_how_long_was_looked_is_said_where_time_was_measured(results, tmp_path):
    stopped = tmp_path / "stopped.json"
    run = json.loads(results["direct"].read_text())
    stopped.write_text(json.dumps({**run, "result": "interrupted", "took_ns": 2170000000}))
    assert "looked for" not in json.loads(results["facts"].read_text())["message"]
    said = " ".join(grpcroute("limits", "compare", stopped, results["facts"]).stdout.split())
    assert "looked for 2.17s now" in said and said.count("looked for") == 1, said


def test_standard_input_is_a_file_once(results):
    done = grpcroute("limits", "compare", "-", results["aged"], stdin=results["aged"].read_bytes())
    assert done.returncode == 0, done.stderr
    done = grpcroute("limits", "compare", "-", "-", stdin=b"")
    assert done.returncode == 2 and "standard input can be read only once" in done.stderr


def test_a_file_in_utf_16_is_read(results, tmp_path):
    """As some shells write what is redirected."""
    other = tmp_path / "utf-16.json"
    other.write_text(results["aged"].read_text(), "utf-16")
    assert compare(other, results["aged"])[0]["exit_code"] == 0


@pytest.mark.parametrize(("change", "said"), [
    (lambda text: text[:len(text) // 2], "is damaged: its JSON breaks off or is changed at byte "),
    (lambda text: "", "is no JSON (at byte 0 of 0); expected what limits -o json wrote"),
    (lambda text: "SHAPE  FOUND\n", "is no JSON (at byte 0 of "),
    (lambda text: "{}", "is JSON of something else; expected what limits -o json wrote"),
    (lambda text: text.replace('"limits",', '"verify",', 1), "is a result of verify; expected one of limits -o json"),
    (lambda text: text.replace("limits-1", "limits-7"), "is of another version (grpcroute-limits-7); expected "),
    (lambda text: text.replace('"value"', '"volume"'), 'is damaged: there is no right "streams_per_connection"'),
    (lambda text: text.replace('"age_stream"', '"age_\\u001b[2J"', 1), 'knows a shape "age_\\x1b[2J" that this '),
    (lambda text: text + text, "goes on behind its result at byte "),
])
def test_damaged_and_foreign_files_are_told(change, said, results, tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text(change(results["aged"].read_text()))
    for files in ((broken, results["aged"]), (results["aged"], broken)):
        done = grpcroute("limits", "compare", *files)
        assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
        assert done.stderr.startswith(f"grpcroute limits: {broken}: {said}"), done.stderr


def test_a_run_that_did_not_connect_holds_nothing(results, tmp_path):
    lost = tmp_path / "lost.json"
    done = grpcroute("limits", "--target", "127.0.0.1:9", "--plaintext", "--json-file", lost)
    assert done.returncode == 3
    done = grpcroute("limits", "compare", results["aged"], lost)
    assert done.returncode == 2 and 'holds nothing to compare: that run says "' in done.stderr


@pytest.mark.parametrize(("args", "said"), [
    (["compare"], "compare: expected two files"),
    (["compare", "a"], "compare: expected two files"),
    (["compare", "a", "b", "c"], "compare: expected two files"),
    (["compare", "none.json", "none.json"], "none.json: No such file or directory"),
    (["compare", "a", "b", "--report-file", "x.html"], "--report-file does not go with compare, which takes --output"),
    (["compare", "a", "b", "--contract", "x.html"], "--contract does not go with compare, which takes --output, "),
    (["compare", "a", "b", "--within", "5s"], "--within does not go with compare, which takes --output, "),
    (["compare", "a", "b", "--gentle"], "--gentle does not go with compare, which takes --output, "),
    (["--shapes", "idle", "compare", "a", "b"], "--shapes does not go with compare, which takes --output, "),
    (["merge", "a"], '"merge" is not valid, expected compare BEFORE NOW, or nothing'),
])
def test_wrong_arguments_are_told(args, said, tmp_path):
    done = grpcroute("limits", *(tmp_path / arg if "." in arg else arg for arg in args))
    assert done.returncode == 2 and said in done.stderr and done.stdout == ""
    assert not (tmp_path / "x.html").exists()


def test_an_error_has_the_envelope_of_the_inner_command(tmp_path):
    done = grpcroute("limits", "compare", tmp_path / "none.json", tmp_path / "none.json", "-o", "json")
    result = json.loads(done.stdout)
    SCHEMAS["limits-compare"].validate(result)
    assert (result["command"], result["result"], result["target"]) == ("limits compare", "error", None)
