#!/usr/bin/env python3
"""The bytecode of every NAME.script here, as --dis prints it, against NAME.dis.

    check_bytecode.py INTERPRETER...            compare
    check_bytecode.py --record INTERPRETER...   write the .dis files anew, to be read before they are committed
"""
import difflib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main():
    command = sys.argv[1:]
    record = command[:1] == ["--record"]
    command = command[1:] if record else command
    passed = failed = 0
    for script in sorted(HERE.glob("*.script")):
        expected = script.with_suffix(".dis")
        if not record and not expected.exists():
            continue
        run = subprocess.run([*command, "--dis", script.name], cwd=HERE, capture_output=True, text=True, timeout=60)
        if record:
            expected.write_text(run.stdout)
        elif run.returncode == 0 and run.stdout == expected.read_text():
            passed += 1
        else:
            failed += 1
            print(f"{script.name}: status {run.returncode} {run.stderr[-500:]}")
            sys.stdout.writelines(difflib.unified_diff(expected.read_text().splitlines(True), run.stdout.splitlines(True),
                                                       "expected", "compiled", n=2))
    print(f"{passed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
