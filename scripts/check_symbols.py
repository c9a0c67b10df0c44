#!/usr/bin/env python3
"""Check the built libraries: no mutable process-wide data, no names a host could clash with, nothing exported but ouro_*.

    check_symbols.py [BUILD]
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Constant tables that hold addresses sit in .data.rel.ro: written by the linker, never by the program.
WRITABLE = re.compile(r"^\.(data|bss|tdata|tbss)(?!\.rel\.ro)(\.|$)|^COMMON$")
# The one exception: a signal handler gets nothing but a number, so it has to find the VMs that asked for it in a process-wide
# table (lock-free, at most 64 of them; see stdlib/mod_signal.c).
ALLOWED = {"stdlib_mod_signal.c.o": 1024}


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def writable_sections(library):
    """Sections of size > 0 that the program may write, per object file (from `objdump -h`)."""
    member, found = "?", []
    for line in output("objdump", "-h", str(library)).splitlines():
        words = line.split()
        if line.endswith("elf64-x86-64") or "file format" in line:
            member = line.split(":")[0]
        elif len(words) >= 7 and words[0].isdigit() and WRITABLE.search(words[1]) and int(words[2], 16) > 0:
            if int(words[2], 16) <= ALLOWED.get(member, 0):
                continue
            found.append(f"{member}: {words[1]} holds {int(words[2], 16)} bytes of mutable data")
    return found


def main():
    build = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release")
    static = build / "libouro.a"
    problems = writable_sections(static)
    for line in output("nm", "-A", "--defined-only", "-g", str(static)).splitlines():
        where, name = line.rsplit(None, 1)
        if not re.match(r"ouro_|ou_", name):
            problems.append(f"{where.split(':')[1]}: global symbol {name} is neither ouro_ nor ou_")
    shared = build / "libouro.so"
    if shared.exists():
        for line in output("nm", "-D", "--defined-only", str(shared)).splitlines():
            name = line.split()[-1]
            if not name.startswith("ouro_") and name not in ("_init", "_fini"):
                problems.append(f"libouro.so exports {name}")
    else:
        problems.append("no libouro.so")
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
