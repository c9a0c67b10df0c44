#!/usr/bin/env python3
"""Write docs/opcodes.md from vm/opcodes.def and vm/special.def, the places where instructions are declared.

    gen_opcodes.py            rewrite the page
    gen_opcodes.py --check    exit status 1 when the page is not what would be written
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/opcodes.md"
ROW = re.compile(r'^OP\((\w+), (\d), "(.{4})", "((?:[^"\\]|\\.)*)"\)')
SECTION = re.compile(r"^/\* (?:---- )?(.*?)(?: ----)? \*/$")

INTRO = """# Instructions

Generated from `vm/opcodes.def` and `vm/special.def` by `scripts/gen_opcodes.py`; do not edit.

An instruction is one 64-bit word, `op:8 A:8 B:8 C:8 D:32` with D signed; an instruction of two words has a cache or a
constant behind it. Registers 0 .. nlocals-1 are locals and own their value for the whole activation; the others are
temporaries, which own a value from their one definition to their one use.

Operands are given for A, B, C, D in turn: `w` a register that is written, `r` read (a temporary is consumed), `k` read and
kept, `x` the first of a run of temporaries, `u` and `i` unsigned and signed numbers, `j` a jump distance from the next
instruction, `c` a constant, `f` a free variable, `$` an inline cache, `-` nothing. "name" means that the instruction has a
name in the code's table of sites.
"""


def rows(path):
    """-> section titles and (name, words, operands, doc) tuples in the order of the file"""
    for line in path.read_text().splitlines():
        if m := ROW.match(line):
            yield m.groups()
        elif (m := SECTION.match(line)) and not line.startswith("/* Every"):
            yield m[1].split(". ORDER")[0]


def page():
    out = [INTRO]
    for title, path in (("What the compiler emits", "vm/opcodes.def"), ("What the evaluator makes of it", "vm/special.def")):
        out.append(f"## {title}\n")
        in_table = False
        for row in rows(ROOT / path):
            if isinstance(row, str):
                out.append(("\n" if in_table else "") + f"### {row[0].upper() + row[1:]}\n")
                in_table = False
                continue
            if not in_table:
                out.append("| name | words | operands | effect |\n|---|---|---|---|")
                in_table = True
            name, words, operands, doc = row
            doc = doc.replace('\\"', '"').replace("|", "\\|").replace("*", "\\*")
            out.append(f"| {name} | {words} | `{operands}` | {doc} |")
        out.append("")
    return "\n".join(out)


def main():
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != text:
            print("docs/opcodes.md is not what scripts/gen_opcodes.py would write", file=sys.stderr)
            return 1
        return 0
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
