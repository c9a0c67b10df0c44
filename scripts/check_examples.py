#!/usr/bin/env python3
"""Check that the example hosts print what examples/NAME.out says, and end with status 0.

    check_examples.py [BUILD]
"""
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    build = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/release").resolve()
    problems = 0
    for source in sorted((ROOT / "examples").glob("*.c")):
        expected = source.with_suffix(".out").read_text()
        done = subprocess.run([build / "examples" / f"example_{source.stem}"], capture_output=True, text=True, timeout=60)
        if done.returncode or done.stdout != expected or done.stderr:
            problems += 1
            print(f"examples/{source.name}: status {done.returncode}, printed {done.stdout!r} and {done.stderr!r}, not {expected!r}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
