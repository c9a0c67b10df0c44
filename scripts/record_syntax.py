#!/usr/bin/env python3
"""Writes the answers in tests/unit/syntax_cases.def anew: run it with CPython 3.13.

To add a mistake, append CASE("source", NULL, 0, 0, 0, 0) to that file and run this.
"""
import ast
import os
import re
import sys
import warnings

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "unit", "syntax_cases.def")
ROW = re.compile(r'CASE\(("(?:[^"\\]|\\.)*"),')


def from_c(literal):
    return ast.literal_eval("b" + literal.replace("\\?", "?")).decode()


def to_c(text):
    out = ""
    for byte in text.encode():
        char = chr(byte)
        if char in '"\\?':
            out += "\\" + char
        elif char in "\n\t":
            out += {"\n": "\\n", "\t": "\\t"}[char]
        else:
            out += char if 32 <= byte < 127 else "\\%03o" % byte
    return '"%s"' % out


def answer(source):
    try:
        ast.parse(source)
    except SyntaxError as e:
        where = ", ".join(str(x) for x in (e.lineno, e.offset, e.end_lineno, e.end_offset))
        return "%s, %s" % (to_c("%s: %s" % (type(e).__name__, e.msg)), where)
    return "NULL, 0, 0, 0, 0"


def main():
    if sys.version_info[:2] != (3, 13):
        sys.exit("record_syntax.py: this is Python %d.%d, not 3.13" % sys.version_info[:2])
    warnings.simplefilter("ignore")
    with open(PATH) as f:
        lines = f.readlines()
    with open(PATH, "w") as f:
        for line in lines:
            row = ROW.match(line)
            f.write("CASE(%s, %s)\n" % (row[1], answer(from_c(row[1]))) if row else line)


main()
