#!/usr/bin/env python3
"""Runs lemon for meson: lemon.py GRAMMAR.y OUT.c OUT.h. Fails on any conflict.

lemon writes beside its template's name into a directory, so it runs in one of its own and the results are copied.
"""
import os
import shutil
import subprocess
import sys
import tempfile

TEMPLATES = ["/usr/share/lemon/lempar.c", "/usr/local/share/lemon/lempar.c", "/usr/share/lemon-parser/lempar.c"]


def main():
    grammar, out_c, out_h = sys.argv[1:4]
    template = next((t for t in TEMPLATES if os.path.exists(t)), None)
    if not template:
        sys.exit("lemon.py: lempar.c not found; is the package lemon installed?")
    stem = os.path.splitext(os.path.basename(grammar))[0]
    with tempfile.TemporaryDirectory() as work:
        shutil.copy(template, os.path.join(work, "lempar.c"))
        run = subprocess.run(["lemon", "-l", "-s", "-T" + os.path.join(work, "lempar.c"), "-d" + work, grammar],
                             capture_output=True, text=True)
        if run.returncode or "conflicts..........................     0" not in run.stdout:
            sys.stderr.write(run.stdout + run.stderr)
            sys.exit("lemon.py: %s has conflicts or errors" % grammar)
        shutil.copy(os.path.join(work, stem + ".c"), out_c)
        shutil.copy(os.path.join(work, stem + ".h"), out_h)


main()
