#!/usr/bin/env python3
"""Check the order of the layers: each file includes only what stands before its folder, by paths from the root.

A test (`run_tests.py --suite checks`). The one upward door is vm/call.h.
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASE, GRAMMAR, OBJECTS, VM, LOOP, STDLIB, API = ("runtime/base", "grammar", "runtime/objects", "vm", "runtime/loop", "stdlib", "runtime/api")
DOOR = {"vm/call.h"}
PUBLIC = {"runtime/api/ouro.h"}
# folder -> (folders it may include beside itself, single headers it may include)
RULES = {
    BASE: (set(), set()),
    GRAMMAR: ({BASE}, set()),
    OBJECTS: ({BASE, GRAMMAR}, DOOR),
    VM: ({BASE, GRAMMAR, OBJECTS}, set()),
    LOOP: ({BASE, OBJECTS}, DOOR | {"vm/coro.h"}),
    STDLIB: ({BASE, OBJECTS, LOOP}, DOOR | {"vm/coro.h"}),
    API: ({BASE, GRAMMAR, OBJECTS, VM, LOOP, STDLIB}, set()),
    "runtime/cli": (set(), PUBLIC),
    "examples": (set(), {"ouro.h"}), # as where the library is installed
    "tests/embed": (set(), PUBLIC | {"tests/unit/check.h"}),
}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
GENERATED = {"ou_config.h", "grammar.h", "lexer_gen.h"}


def folder_of(path):
    return next((f for f in sorted(RULES, key=len, reverse=True) if path.startswith(f + "/")), None)


def main():
    problems = []
    for source in sorted(p for f in RULES for p in (ROOT / f).rglob("*") if p.suffix in (".c", ".h", ".re", ".y", ".def", ".inc")):
        name = str(source.relative_to(ROOT))
        folder = folder_of(name)
        folders, singles = RULES[folder]
        for target in INCLUDE.findall(source.read_text()):
            if target in GENERATED or target in singles:
                continue
            to = folder_of(target)
            if "/" not in target:
                problems.append(f'{name}: "{target}" is not a path from the root')
            elif to is None:
                problems.append(f'{name}: "{target}" is in no layer')
            elif to != folder and to not in folders:
                problems.append(f'{name}: {folder} may not include "{target}"')
    print("\n".join(problems))
    return 1 if problems else 0


sys.exit(main())
