#!/usr/bin/env python3
"""Random asyncio programs under two interpreters: every step must come in the same order, in the same iteration of the loop.

    interleaving.py [-n PROGRAMS] [-s SEED] [-b BATCH] [--reference COMMAND] COMMAND...

A program is made from its seed alone, so `-s SEED -n 1` repeats a finding; it is also written to /tmp/interleaving-SEED.script.
Its tasks sleep, wait on events, locks, semaphores, conditions, barriers, queues, futures and one another, make tasks and groups, and cancel
each other at random points. The loop's clock counts iterations, so that timeouts are exact too. A program ends by itself: its main
task cancels whatever is left after a number of iterations. Sets of tasks are never iterated (their order is that of addresses); so a task
group has one task only, as CPython cancels them in the order of its set.
"""
import argparse
import os
import random
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

PRELUDE = '''
import asyncio, sys

class Loop(asyncio.SelectorEventLoop):
    """A clock that counts iterations."""
    n = 0
    def time(self):
        return self.n * 0.001
    def _run_once(self):
        self.n += 1
        super()._run_once()

class OwnQueue(asyncio.Queue):
    def _init(self, maxsize): self._queue = []
    def _put(self, item): self._queue.insert(len(self._queue) // 2, item)
    def _get(self): return self._queue.pop()

class OwnFuture(asyncio.Future):
    def add_done_callback(self, fn, *, context=None): super().add_done_callback(fn, context=context)

quiet = False
every = []

def log(*what):
    if not quiet:
        print(asyncio.get_running_loop().n, *what)

def show(e):
    if isinstance(e, BaseExceptionGroup):
        return f"{type(e).__name__}[{', '.join(map(show, e.exceptions))}]"
    text = str(e)
    return f"{type(e).__name__}({'...' if '0x' in text or '<' in text else text})"

def look(v):
    if isinstance(v, BaseException):
        return show(v)
    if isinstance(v, (list, tuple)):
        return [look(x) for x in v]
    if v is None or isinstance(v, (int, str, bool)):
        return v
    return type(v).__name__

def state(t):
    if not t.done(): return "pending"
    if t.cancelled(): return "cancelled"
    return show(t.exception()) if t.exception() else look(t.result())

def by_hand(coro, how):
    """Drives a coroutine without a task."""
    try:
        r = coro.send(None)
        log("yielded", "Future" if isinstance(r, asyncio.Future) else r)
        if how == 0: coro.close()
        elif how == 1: coro.throw(ValueError("by hand"))
        elif how == 2: coro.throw(asyncio.CancelledError("by hand"))
        else:
            if isinstance(r, asyncio.Future): log(r.cancel(), r.done())
            coro.send(None)
    except StopIteration as e:
        log("hand returned", look(e.value))
    except BaseException as e:
        log("hand", show(e))

async def numbers(n):
    try:
        for k in range(n):
            await asyncio.sleep(0)
            yield k
    finally:
        log("numbers end")
        await asyncio.sleep(0)
        log("numbers ended")

def run(program, eager):
    global quiet, every
    quiet, every = False, []
    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda l, c: "never retrieved" in c.get("message", "") or log("report", c.get("message", "").partition(" <")[0][:40], show(c["exception"]) if c.get("exception") else ""))
        if eager: loop.set_task_factory(asyncio.eager_task_factory)
        await program()
    with asyncio.Runner(loop_factory=Loop) as r:
        try:
            r.run(main())
        except BaseException as e:
            print("main", show(e))
'''


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.out = []
        self.level = 0
        self.worker = 0

    def pick(self, *xs):
        return self.r.choice(xs)

    def line(self, text):
        self.out.append("    " * self.level + text)

    def block(self, head, *body):
        self.line(head)
        self.level += 1
        for b in body:
            b() if callable(b) else self.line(b)
        self.level -= 1

    # -- pieces of expressions

    def delay(self):
        return self.pick("0", "0", "0", "0.001", "0.002", "0.003", "0.005", "-1")

    def event(self):
        return self.pick("e0", "e1")

    def queue(self):
        return self.pick("q0", "q1", "q2", "q3", "q4")

    def future(self):
        return self.pick("f0", "f1", "f2")

    def child(self):
        """A coroutine of a later worker, so that there is no end of recursion."""
        return f"w{self.r.randint(self.worker + 1, WORKERS - 1)}()" if self.worker + 1 < WORKERS else "asyncio.sleep(0)"

    def coroutine(self):
        q = self.queue()
        return self.pick(self.child(), self.child(), self.child(), f"asyncio.sleep({self.delay()}, {self.r.randint(0, 9)})", f"{self.event()}.wait()",
                         f"{q}.get()", f"{q}.put({self.r.randint(0, 9)})", f"{q}.join()", "lock.acquire()", "sem.acquire()", "barrier.wait()")

    def awaitable(self):
        return self.pick(self.coroutine(), self.coroutine(), self.future(), "other()", f"asyncio.shield({self.pick('other()', self.future(), self.coroutine())})",
                         f"asyncio.gather({self.coroutine()}, {self.coroutine()}, return_exceptions={self.pick(True, False)})",
                         f"asyncio.gather(other(), {self.coroutine()}, {self.future()}, return_exceptions={self.pick(True, False)})",
                         f"asyncio.wait_for({self.pick(self.coroutine(), self.coroutine(), self.future(), 'other()')}, {self.pick(self.delay(), 'None')})")

    # -- statements

    def body(self, n):
        def make():
            for _ in range(n):
                self.statement()
        return make

    def few(self):
        return self.body(self.r.randint(1, 3))

    def statement(self):
        deep = self.level > 7
        q, e, f = self.queue(), self.event(), self.future()
        tag = self.r.randint(100, 999)
        simple = [
            lambda: self.line(f"log({tag}, look(await {self.awaitable()}))"),
            lambda: self.line(f"log({tag}, look(await {self.awaitable()}))"),
            lambda: self.line(f"log({tag}, look(await {self.awaitable()}))"),
            lambda: self.line(f"await asyncio.sleep({self.delay()})"),
            lambda: self.line("await asyncio.sleep(0)"),
            lambda: self.line(f"{e}.set()"), lambda: self.line(f"{e}.set(); {e}.clear()"), lambda: self.line(f"{e}.clear()"),
            lambda: self.line(f"{q}.put_nowait({tag})"), lambda: self.line(f"log({tag}, {q}.get_nowait())"), lambda: self.line(f"{q}.task_done()"),
            lambda: self.line(f"await {q}.put({tag})"), lambda: self.line(f"log({tag}, await {q}.get())"),
            lambda: self.line(f"log({tag}, {q}.qsize(), {q}.empty(), {q}.full(), str({q}))"),
            lambda: self.line(f"{f}.done() or {f}.set_result({tag})"), lambda: self.line(f"{f}.done() or {f}.set_exception(KeyError({tag}))"),
            lambda: self.line(f"log({tag}, {f}.cancel())"), lambda: self.line(f"{f} = {self.pick('loop.create_future()', 'OwnFuture()')}"),
            lambda: self.line(f"tasks.append(asyncio.create_task({self.coroutine()}))"),
            lambda: self.line(f"tasks.append(asyncio.create_task({self.coroutine()}))"),
            lambda: self.line(f"log({tag}, some().cancel({self.pick('', repr('m%d' % tag))}))"),
            lambda: self.line(f"log({tag}, some().cancel())"),
            lambda: self.line(f"log({tag}, asyncio.current_task().cancel())"),
            lambda: self.line(f"log({tag}, asyncio.current_task().cancelling(), asyncio.current_task().uncancel())"),
            lambda: self.line(f"loop.{self.pick('call_soon(', 'call_later(0.002, ')}lambda: log({tag}))"),
            lambda: self.line(f"loop.{self.pick('call_soon(', 'call_later(0.002, ')}{e}.set)"),
            lambda: self.line(f"some().add_done_callback(lambda t: log({tag}, state(t)))"),
            lambda: self.line("lock.locked() and lock.release()"), lambda: self.line("sem.release()"),
            lambda: self.line(f"by_hand({self.coroutine()}, {self.r.randint(0, 3)})"),
            lambda: self.line(f"log({tag}, [sorted(state(t) if t.done() else '-' for t in s) == 0 or len(s) for s in await asyncio.wait([other(), {f}], timeout={self.pick(self.delay(), 'None')}, return_when=asyncio.{self.pick('FIRST_COMPLETED', 'FIRST_EXCEPTION', 'ALL_COMPLETED')})])"),
        ]
        rare = [
            lambda: self.line(f"{self.pick('raise ', 'if some().done(): raise ')}{self.pick('ValueError', 'KeyError', 'asyncio.CancelledError')}({tag})"),
            lambda: self.line(f"return {tag}"), lambda: self.line(f"{q}.shutdown({self.pick('', 'True')})"), lambda: self.line(f"await barrier.{self.pick('reset', 'reset', 'abort')}()"),
        ]
        compound = [
            lambda: self.block("async with lock:", self.few()), lambda: self.block("async with sem:", self.few()),
            lambda: self.block("async with cond:", self.pick("await cond.wait()", "cond.notify()", "cond.notify_all()", f"await cond.wait_for(lambda: len(tasks) > {self.r.randint(1, 8)})", f"await asyncio.wait_for(cond.wait(), {self.delay()})"), self.few()),
            lambda: self.block("async with cond:", "await cond.wait()"), lambda: self.block("async with cond:", f"cond.notify({self.r.randint(1, 3)})"),
            lambda: self.block(f"async with asyncio.timeout({self.pick(self.delay(), self.delay(), 'None')}) as limit:", self.few(), self.pick("pass", f"limit.reschedule(loop.time() + {self.delay()})", f"log({tag}, limit.expired())", "pass"), self.pick(self.few(), "pass")),
            lambda: self.block("async with asyncio.TaskGroup() as group:", f"tasks.append(group.create_task({self.coroutine()}))", self.few()),
            lambda: self.block("async with asyncio.TaskGroup() as group:", f"group.create_task({self.child()})", self.few()),
            lambda: self.block(f"async for k in numbers({self.r.randint(0, 3)}):", f"log({tag}, k)", self.few(), self.pick("pass", "break")),
            lambda: (self.block("try:", self.few()), self.block("finally:", f"log({tag}, 'finally')", self.pick("pass", "await asyncio.sleep(0)", f"{e}.set()", f"await {e}.wait()"))),
            lambda: (self.block("try:", self.few()), self.block("except asyncio.CancelledError as exc:", f"log({tag}, 'cancelled', exc.args)", self.pick("raise", "raise", "pass", "await asyncio.sleep(0)", "raise ValueError(1)"))),
            lambda: (self.block("try:", self.few()), self.block(f"except {self.pick('Exception', 'Exception', 'BaseException')} as exc:", f"log({tag}, show(exc))")),
            lambda: (self.block("try:", self.few()), self.block("except* Exception as exc:", f"log({tag}, show(exc))")),
            lambda: self.block(f"for _ in range({self.r.randint(1, 3)}):", self.few()),
        ]
        roll = self.r.random()
        (self.pick(*rare) if roll < 0.05 else self.pick(*compound) if roll < 0.4 and not deep else self.pick(*simple))()

    def program(self, name):
        self.level = 0
        size = self.r.randint(0, 2)

        def worker(k):
            def make():
                self.worker = k
                self.line("nonlocal f0, f1, f2")
                self.line(f"every.append(asyncio.current_task()); log('w{k} starts')")

                def inner():
                    for _ in range(self.r.randint(1, 4)):
                        self.statement()
                    self.line(f"return {k}")
                self.block("try:", inner)
                self.block("except BaseException as exc:", f"log('w{k}', show(exc))", self.pick("raise", "raise", "raise", "return -1"))
                self.block("finally:", f"log('w{k} ends')")
            self.block(f"async def w{k}():", make)

        def main():
            self.line("loop = asyncio.get_running_loop()")
            self.line("tasks = []; f0, f1, f2 = loop.create_future(), loop.create_future(), OwnFuture()")
            self.line("e0, e1, lock, sem, barrier = asyncio.Event(), asyncio.Event(), asyncio.Lock(), asyncio.Semaphore(2), asyncio.Barrier(2)")
            self.line(f"cond = asyncio.Condition({self.pick('', 'lock')}); q0, q1, q2, q3, q4 = asyncio.Queue(), asyncio.Queue({size}), asyncio.LifoQueue({self.r.randint(0, 2)}), asyncio.PriorityQueue(1), OwnQueue({size})")
            self.line(f"pos = {self.r.randint(0, 5)}")
            self.block("def some():", "nonlocal pos", "pos += 3", "return tasks[pos % len(tasks)]")
            self.line("nothing = loop.create_future(); nothing.set_result(0)")
            # what is awaited is younger than who awaits it: two tasks that wait for each other cannot even be cancelled
            self.block("def other():", "me = asyncio.current_task(); younger = tasks[tasks.index(me) + 1:] if me in tasks else ()", "return younger[pos % len(younger)] if younger else nothing")
            for k in reversed(range(WORKERS)):
                worker(k)
            for k in range(WORKERS):
                if k < 2 or self.r.random() < 0.5:
                    self.line(f"tasks.append(asyncio.create_task(w{k}()))")
            self.worker = WORKERS

            def steps():
                self.line("await asyncio.sleep(0)")
                for at in sorted(self.r.sample(range(40), 8)):
                    action = self.pick(f"{self.event()}.set()", "some().cancel()", "some().cancel('outside')", f"{self.queue()}.put_nowait({at})", f"{self.future()}.cancel()", "sem.release()",
                                       f"{self.future()}.set_result({at})", f"{self.queue()}.get_nowait()", "tasks[0].cancel()")
                    self.block(f"if step == {at}:", f"try: {action}", f"except Exception as exc: log('main', {at}, show(exc))", "else: log('main')" if self.pick(0, 1) else "")
            self.block("for step in range(60):", steps)
            self.block("for _ in range(30):", "for t in every: t.done() or t.cancel()", "for t in tasks: t.done() or t.cancel()", "lock.locked() and lock.release()", "await asyncio.sleep(0.001)")
            self.line("log('end', [state(t) for t in tasks])")
            self.line("quiet_now()")
        self.block(f"async def {name}():", main)
        return "\n".join(line for line in self.out if line.strip()) + "\n"


WORKERS = 6


def source(seeds, silent=True):
    text = PRELUDE + "\ndef quiet_now():\n    global quiet\n    quiet = True\n"
    for seed in seeds:
        text += Maker(seed).program(f"p{seed}") + f"print('##', {seed}); run(p{seed}, {seed % 5 == 0}); sys.stdout.flush()\n"
    return text


def run(command, path, timeout):
    try:
        p = subprocess.run(command + [path], capture_output=True, timeout=timeout, text=True, env={**os.environ, "PYTHONHASHSEED": "0"})
        return p.stdout, p.returncode, p.stderr
    except subprocess.TimeoutExpired as e:
        out = e.stdout or b""
        return (out if isinstance(out, str) else out.decode()) + "\nTIMEOUT", -1, ""


def parts(out):
    found = {}
    for block in out.split("## ")[1:]:
        seed, _, rest = block.partition("\n")
        found[int(seed)] = rest
    return found


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("-n", type=int, default=400)
    ap.add_argument("-s", type=int, default=1)
    ap.add_argument("-b", type=int, default=50, help="programs in one process")
    ap.add_argument("-j", type=int, default=1)
    ap.add_argument("--reference", default="python3.13")
    ap.add_argument("command", nargs="+")
    a = ap.parse_args()
    reference, command = shlex.split(a.reference), a.command
    bad = []

    def batch(first):
        seeds = range(first, min(first + a.b, a.s + a.n))
        with tempfile.NamedTemporaryFile("w", suffix=".script", delete=False) as f:
            f.write(source(seeds))
        try:
            want, got = run(reference, f.name, 30), run(command, f.name, 30)
        finally:
            os.unlink(f.name)
        w, g = parts(want[0]), parts(got[0])
        wrong = [s for s in seeds if s in w and w[s] != g.get(s)]
        if not wrong and got[1] not in (0, want[1]):
            wrong = [max(g, default=first)]
        return [(s, w.get(s, ""), g.get(s, "")) for s in wrong], len(w), got

    with ThreadPoolExecutor(a.j) as pool:
        total = 0
        for wrong, n, got in pool.map(batch, range(a.s, a.s + a.n, a.b)):
            total += n
            for seed, want, have in wrong:
                with open(f"/tmp/interleaving-{seed}.script", "w") as f:
                    f.write(source([seed]))
                bad.append(seed)
                x, y = want.splitlines(), have.splitlines()
                at = next((k for k in range(min(len(x), len(y))) if x[k] != y[k]), min(len(x), len(y)))
                print(f"seed {seed} differs at line {at + 1}:", *(f"    want {v}" for v in x[at:at + 3]), *(f"    got  {v}" for v in y[at:at + 3]), sep="\n")
            if wrong and got[1]:
                print(f"    exit status {got[1]}", got[2][-600:], sep="\n")
    print(f"{total} programs, {len(bad)} differ", bad[:20] if bad else "")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
