"""Turns a file into a C array, for what the program carries inside: embed.py INPUT OUTPUT NAME."""
import sys


def main():
    source, target, name = sys.argv[1:4]
    with open(source, "rb") as file:
        data = file.read()
    lines = [
        ", ".join(str(byte) for byte in data[start:start + 20])
        for start in range(0, len(data), 20)
    ]
    with open(target, "w", encoding="ascii") as file:
        file.write("#include <stddef.h>\n\n")
        file.write(f"extern const unsigned char {name}[];\n")
        file.write(f"extern const size_t {name}_len;\n")
        # one NUL more than `len`, so that a text can be used as a string
        file.write(f"const unsigned char {name}[] = {{\n" + ",\n".join(lines) + ", 0};\n")
        file.write(f"const size_t {name}_len = {len(data)};\n")


main()
