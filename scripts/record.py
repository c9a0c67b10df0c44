#!/usr/bin/env python3
"""Record the expected outputs anew from CPython 3.13.

    record.py [--python 'COMMAND'] [--check] [FILE.script | SUITE]...

Without files: every test of the suites below. A test's .out is written, its .err where one exists already (or
with --err), and its .exit where the status is not 0. An interpreter that is not 3.13 is refused; OURO_CPYTHON names
another command than python3.13 or python3. Outputs that were written by hand are kept: `tests/*/HAND` lists their names.
"""
import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run_tests import IN_FOLDER, TESTS, environment, execute, normalise  # noqa: E402

RECORDED = ("lang", "types", "errors", "stdlib", "asyncio")


def find_python(given):
    for command in [given] if given else [os.environ.get("OURO_CPYTHON"), "python3.13", "python3"]:
        if not command:
            continue
        words = shlex.split(command)
        try:
            done = subprocess.run(words + ["-c", "import sys; print(sys.version_info[:2], sys.implementation.name)"], capture_output=True, text=True)
        except OSError:
            continue
        if done.stdout.strip() == "(3, 13) cpython":
            return words
    sys.exit("record: no CPython 3.13 (name one with --python or OURO_CPYTHON)")


def hand_written(folder):
    path = folder / "HAND"
    return {line.split()[0] for line in path.read_text().splitlines() if line.strip() and line[0] != "#"} if path.exists() else set()


def collect(names):
    """-> [(suite, path)] of the tests; a script without any expectation is recorded only when named itself."""
    found = []
    for name in names or [n for n in RECORDED if (TESTS / n).is_dir()]:
        folder = TESTS / name
        if folder.is_dir():
            paths = [p for p in sorted(folder.rglob("*.script")) if any(p.with_suffix(s).exists() for s in (".out", ".err", ".exit"))]
        else:
            paths = [Path(name).resolve()]
        for path in paths:
            suite = path.relative_to(TESTS).parts[0]
            stem = str(path.relative_to(TESTS / suite).with_suffix(""))
            if stem not in hand_written(TESTS / suite) and not path.with_suffix(".re").exists():
                found.append((suite, path))
    return found


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--python")
    parser.add_argument("--err", action="store_true", help="record stderr for the named files")
    parser.add_argument("--check", action="store_true", help="write nothing, name what would change")
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    given.sanitized = False
    python = find_python(given.python)

    def record(item):
        suite, path = item
        args = path.with_suffix(".args")
        stdin = path.with_suffix(".in")
        with tempfile.TemporaryDirectory() as folder:
            in_folder = suite in IN_FOLDER
            code, out, err = execute(python + [path.name if in_folder else str(path)] + (shlex.split(args.read_text()) if args.exists() else []),
                                     path.parent if in_folder else folder, environment(given),
                                     stdin.read_bytes() if stdin.exists() else None, 60)
        out, err = (normalise(data, path.parent).encode() for data in (out, err))
        problems, changed = [], []
        files = {".out": out}
        if given.err or path.with_suffix(".err").exists():
            files[".err"] = err
        elif code != 0:
            problems.append(err.decode("utf-8", "replace")[-1500:])
        if code != 0:
            files[".exit"] = b"%d\n" % code
        elif path.with_suffix(".exit").exists() and not given.check:
            path.with_suffix(".exit").unlink()
        for suffix, data in files.items():
            target = path.with_suffix(suffix)
            if not target.exists() or target.read_bytes() != data:
                changed.append(target)
                if not given.check:
                    target.write_bytes(data)
        return path, changed, problems

    status = 0
    with ThreadPoolExecutor(2) as pool:
        for path, changed, problems in pool.map(record, collect(given.names)):
            for target in changed:
                print(("would change " if given.check else "recorded ") + str(target.relative_to(TESTS)))
                status |= given.check
            for problem in problems:
                print(f"--- {path.relative_to(TESTS)} did not end well:\n{problem}")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
