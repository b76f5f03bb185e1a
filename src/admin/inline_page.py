"""Writes a page as a C header: style and script put in, and a Content-Security-Policy that allows just these two.

inline_page.py PAGE.html STYLE.css SCRIPT.js OUT.h"""
import base64
import hashlib
import pathlib
import sys


def allow(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def main(page, style, script, out):
    page, style, script = (pathlib.Path(path).read_text("utf-8") for path in (page, style, script))
    assert "</script" not in script and "</style" not in style
    assert page.count("@STYLE@") == 1 and page.count("@SCRIPT@") == 1
    body = page.replace("@STYLE@", style).replace("@SCRIPT@", script).encode()
    policy = ("default-src 'none'; script-src " + allow(script) + "; style-src " + allow(style) +
              "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    lines = [", ".join(str(byte) for byte in body[at:at + 24]) for at in range(0, len(body), 24)]
    pathlib.Path(out).write_text(
        "/* Written by inline_page.py. */\n"
        f'static const char page_policy[] = "{policy}";\n'
        "static const unsigned char page_bytes[] = {\n    " + ",\n    ".join(lines) + "};\n")


main(*sys.argv[1:])
