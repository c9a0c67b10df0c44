#!/usr/bin/env python3
"""Check that every header compiles alone as C11, and the public one as C++17 too.

    check_headers.py [BUILD]

A header meant to be included several times (an X-macro list) is named *.def, and a generated table says so at its top; they are not checked.
"""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("grammar", "vm", "runtime", "stdlib")
WARN = ["-fsyntax-only", "-Wall", "-Wextra", "-Wshadow", "-Wundef", "-Werror", "-D_GNU_SOURCE"]


def compiles(job):
    command, header = job
    text = f'#include "{header}"\n'
    done = subprocess.run(command + ["-"], input=text, capture_output=True, text=True, cwd=ROOT)
    return None if done.returncode == 0 else f"{' '.join(command[:4])} {header}:\n{done.stderr[:1500]}"


def main():
    build = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release").resolve()
    cc, cxx = os.environ.get("CC", "cc"), os.environ.get("CXX", "c++")
    include = ["-I", str(ROOT), "-I", str(build)]
    # An unused static inline function of a header is no fault of the header.
    jobs = [([cc, "-std=c11", "-x", "c"] + WARN + ["-Wno-unused-function"] + include, str(p.relative_to(ROOT)))
            for f in FOLDERS for p in sorted((ROOT / f).rglob("*.h")) if "enerated" not in p.read_text()[:300]]
    public = "runtime/api/ouro.h"
    if (ROOT / public).exists():
        jobs.append(([cxx, "-std=c++17", "-x", "c++"] + WARN + ["-pedantic"] + include, public))
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        problems = [p for p in pool.map(compiles, jobs) if p]
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
