"""Writes a page as a C header: styles and scripts put in, and a Content-Security-Policy that allows just these.

inline.py OUT.h NAME PAGE.html STYLE.css... SCRIPT.js...

NAME_html is the text with its NUL. A page that names @POLICY@ carries the policy itself, for it comes from no server;
else it is NAME_policy, for a header."""
import base64
import hashlib
import pathlib
import sys


def allow(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def joined(paths):
    return "".join(pathlib.Path(path).read_text("utf-8") for path in paths)


def main(out, name, page, *parts):
    style, script = (joined(part for part in parts if part.endswith(kind)) for kind in (".css", ".js"))
    page = pathlib.Path(page).read_text("utf-8")
    assert "</script" not in script and "</style" not in style
    assert page.count("@STYLE@") == 1 and page.count("@SCRIPT@") == 1
    policy = (f"default-src 'none'; script-src {allow(script)}; style-src {allow(style)}; img-src data:; "
              "base-uri 'none'; form-action 'none'")
    text = '/* Written by inline.py. */\n'
    if "@POLICY@" in page:
        page = page.replace("@POLICY@", policy)
    else:
        text += f"static const char {name}_policy[] = \"{policy}; connect-src 'self'; frame-ancestors 'none'\";\n"
    body = page.replace("@STYLE@", style).replace("@SCRIPT@", script).encode()
    lines = [", ".join(str(byte) for byte in body[at:at + 24]) for at in range(0, len(body), 24)]
    array = f"static const unsigned char {name}_html[] = {{\n    " + ",\n    ".join(lines) + ", 0};\n"
    pathlib.Path(out).write_text(text + array)


main(*sys.argv[1:])
