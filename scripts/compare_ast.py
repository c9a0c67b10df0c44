#!/usr/bin/env python3
"""Compares the parser's trees with CPython's, positions included: compare_ast.py ASTDUMP [FILE...].

ASTDUMP is tests/unit/astdump of a build directory. Without files, every file of CPython's own library is compared. Run it
with CPython 3.13. Sources in encodings other than UTF-8, Latin-1 and ASCII are known to be refused.
"""
import ast
import os
import subprocess
import sys
import warnings


def library():
    for folder, _, names in os.walk(os.path.dirname(os.__file__)):
        for name in sorted(names):
            if name.endswith(".py"):
                yield os.path.join(folder, name)


def differs(astdump, path):
    with open(path, "rb") as f:
        source = f.read()
    run = subprocess.run([astdump, "-p", path], capture_output=True)
    try:
        want = ast.dump(ast.parse(source), include_attributes=True)
    except (SyntaxError, ValueError) as e:
        return None if run.returncode == 1 else "CPython refuses it: %s" % e
    got = run.stdout.decode("utf-8", "surrogatepass").rstrip("\n")
    if got == want:
        return None
    if run.returncode:
        return got[:200]
    at = next(i for i, (x, y) in enumerate(zip(want + "\0", got + "\0")) if x != y)
    return "want ...%s\n    got  ...%s" % (want[max(0, at - 60):at + 60], got[max(0, at - 60):at + 60])


def main():
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(100000)
    paths = sys.argv[2:] or list(library())
    bad = 0
    for path in paths:
        why = differs(sys.argv[1], path)
        if why:
            bad += 1
            print("%s\n    %s" % (path, why))
    print("%d of %d files agree" % (len(paths) - bad, len(paths)))
    return bad > 0


sys.exit(main())
