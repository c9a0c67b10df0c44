#!/usr/bin/env python3
"""Run modules of CPython's own test suite under Ouro (or another interpreter) and print one line for each failure.

    run.py --lib CPYTHON_LIB [--interpreter 'COMMAND'] [--timeout SECONDS] [-k TEXT] [-v] MODULE...

MODULE is a name below `test`: `test_heapq`, `test_asyncio.test_locks`; `test_asyncio.test_tasks:WaitTests` is one class of it.
Each runs in a process of its own. A test that is over its time gets TimeoutError; one that dies, or does not answer the alarm, is noted
as `crash` or `hang`, and a new process goes on with the next test. The last line of a module counts.
"""
import argparse
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KINDS = ("ok", "fail", "error", "hang", "crash", "skip")


def summary(text):
    """The last line of a traceback, and where the test itself was."""
    lines = text.rstrip().splitlines()
    return lines[-1][:200] if lines else ""


class Module:
    def __init__(self, name, options):
        self.name, self.options = name, options
        self.log = Path(tempfile.mkdtemp(prefix="ouro_suite_")) / "log"
        self.done, self.counts, self.leaks = [], dict.fromkeys(KINDS, 0), 0

    def note(self, kind, test, text=""):
        self.counts[kind] += 1
        if kind not in ("ok", "skip") or (kind == "skip" and self.options.verbose):
            print(f"{kind:5} {test}: {summary(text)}", flush=True)
            if self.options.verbose and kind != "skip":
                print(text)

    def start(self):
        options = self.options
        path = [str(HERE / "standin"), str(options.lib)]
        env = dict(os.environ, OUROPATH=os.pathsep.join(path), OURO_LEAKCHECK="1", PYTHONPATH=path[1])
        self.log.write_text("")
        skip = self.log.with_name("skip")
        skip.write_text("\n".join(self.done))
        words = shlex.split(options.interpreter) + [str(HERE / "worker.script"), str(self.log), str(skip), str(options.timeout), options.k, self.name]
        output = open(self.log.with_name("output"), "wb")
        return subprocess.Popen(words, env=env, cwd=self.log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                start_new_session=True)

    def run(self):
        while self.round():
            pass
        counts = ", ".join(f"{n} {kind}" for kind, n in self.counts.items() if n)
        print(f"== {self.name}: {counts or 'nothing ran'}{', objects left at exit' if self.leaks else ''}", flush=True)
        return not any(self.counts[kind] for kind in ("fail", "error", "hang", "crash"))

    def round(self):
        """One process; true if another has to go on where this one ended."""
        process, seen, current, last, bad = self.start(), 0, None, time.monotonic(), {}
        try:
            while True:
                ended = process.poll() is not None
                with open(self.log, encoding="utf-8", errors="backslashreplace") as file:
                    file.seek(seen)
                    text = file.read()
                entries = text.split("\0\n")
                seen += len(text.encode("utf-8", "backslashreplace")) - len(entries[-1].encode("utf-8", "backslashreplace"))
                for entry in entries[:-1]:
                    last = time.monotonic()
                    word, test, text = entry.split("\0", 2)
                    if word == "start":
                        current = test
                    elif word == "end":
                        self.done.append(test)
                        current = None
                        if test not in bad:
                            self.note("ok", test)
                    else:
                        bad[test] = word
                        self.note(word, test, text)
                if ended:
                    break
                if time.monotonic() - last > 3 * self.options.timeout + 10:
                    os.killpg(process.pid, 9)
                    process.wait()
                    self.note("hang", current or "(outside of a test)")
                    break
                time.sleep(0.05)
        finally:
            try:
                os.killpg(process.pid, 9)
            except ProcessLookupError:
                pass
        output = self.log.with_name("output").read_text("utf-8", "replace")
        status = process.returncode
        if status == 99:
            self.leaks += 1
        elif status not in (0, -9) :
            self.note("crash", current or "(outside of a test)", f"status {status}: {summary(output)}")
            if self.options.verbose:
                print(output)
        if status not in (0, 99) and current:
            self.done.append(current)
            return True
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lib", required=True, type=Path, help="CPython 3.13's library, the folder that has test/ in it")
    parser.add_argument("--interpreter", default=str(ROOT / "build" / "release" / "ouro"))
    parser.add_argument("--timeout", type=float, default=20, help="seconds for each test")
    parser.add_argument("-k", default="", help="only tests that have this in their names")
    parser.add_argument("-v", "--verbose", action="store_true", help="whole tracebacks, and what is skipped")
    parser.add_argument("modules", nargs="+", metavar="MODULE")
    options = parser.parse_args()
    if not (options.lib / "test" / "support").is_dir():
        parser.error(f"{options.lib} has no test/support")
    return 0 if all([Module(name, options).run() for name in options.modules]) else 1


if __name__ == "__main__":
    sys.exit(main())
