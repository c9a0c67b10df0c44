/* The limit of steps through the public header: nothing that a script can write runs past it, equal scripts make equal counts,
 * and the VM is as good as new for the next call. Interrupts from another thread, too. */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "runtime/api/ouro.h"
#include "tests/unit/check.h"

/* Seconds for any of these: without a limit they would take for ever; a sanitizer on a busy machine is slow with large blocks. */
enum { PATIENCE = 200 };

static const char *const endless[] = {
    "while True: pass",
    "for x in iter(int, 1): pass",
    "def f():\n    while True:\n        try: f()\n        except BaseException: pass\nf()",
    "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "while True:\n    try:\n        while True: pass\n    finally:\n        continue",
    "def f(n):\n    try: f(n + 1)\n    except BaseException:\n        try: f(n + 1)\n        except BaseException: f(n + 1)\nf(0)",
    "class A:\n    def __del__(self):\n        while True: pass\nfor x in range(3): A()\nwhile True: A()",
    "class A:\n    def __init__(self): pass\n    def __del__(self): self.x = 1\nwhile True: A()",
    "def g():\n    while True:\n        try: yield\n        except BaseException: pass\nfor x in g(): pass",
    "def g():\n    try: yield\n    finally:\n        while True: pass\ni = g(); next(i)\ntry: i.close()\nexcept BaseException: pass\nwhile True: pass",
    "import contextlib\nwhile True:\n    with contextlib.suppress(BaseException):\n        while True: pass",
    "import itertools\nsum(itertools.count())",
    "import itertools\nlist(itertools.repeat(None))",
    "import itertools\nset(itertools.cycle([1, 2]))",
    "import itertools\nany(itertools.repeat(0))",
    "import itertools\nall(itertools.repeat(1))",
    "import itertools\nmax(itertools.count())",
    "import itertools\nmin(itertools.count(), key=lambda x: x)",
    "import itertools\n-1 in itertools.count()",
    "import itertools\n''.join(itertools.repeat(''))",
    "import itertools\nb''.join(itertools.repeat(b''))",
    "import itertools\ndict.fromkeys(itertools.repeat(1))",
    "import itertools\ndict(itertools.repeat((1, 2)))",
    "import itertools\n{}.update(itertools.repeat((1, 2)))",
    "import itertools\nsorted(itertools.repeat(1))",
    "import itertools\ntuple(zip(itertools.count(), itertools.count()))",
    "import itertools\nlist(map(str, itertools.repeat(1)))",
    "import itertools\nnext(filter(None, itertools.repeat(0)))",
    "import itertools\nnext(itertools.islice(itertools.count(), 10 ** 15, None))",
    "import itertools\nnext(itertools.filterfalse(None, itertools.repeat(1)))",
    "import itertools\nnext(itertools.compress(itertools.count(), itertools.repeat(0)))",
    "import itertools\nnext(itertools.dropwhile(bool, itertools.repeat(1)))",
    "import itertools\nnext(itertools.chain.from_iterable(itertools.repeat(())))",
    "import itertools\nnext(itertools.groupby(itertools.repeat(1))), list(itertools.groupby(itertools.repeat(1)))",
    "import itertools\nlist(itertools.accumulate(itertools.repeat(0)))",
    "import itertools\na, *b = itertools.repeat(1)",
    "import itertools\n[].extend(itertools.repeat(1))",
    "import itertools\nx = []; x += itertools.repeat(1)",
    "import itertools\nx = []; x[:] = itertools.repeat(1)",
    "import itertools\nprint(*itertools.repeat(1))",
    "import itertools\nbytes(itertools.repeat(1))",
    "import itertools\nbytearray().extend(itertools.repeat(1))",
    "import itertools, collections\ncollections.deque(itertools.count(), maxlen=0)",
    "import itertools, collections\ncollections.deque(maxlen=1).extend(itertools.count())",
    "import itertools, collections\ncollections.Counter(itertools.repeat(1))",
    "import itertools, functools\nfunctools.reduce(max, itertools.repeat(1))",
    "import itertools, math\nmath.fsum(itertools.repeat(1.0))",
    "import itertools, math\nmath.prod(itertools.repeat(1))",
    "import itertools, operator\noperator.countOf(itertools.repeat(1), 1)",
    "import itertools\nset().update(itertools.repeat(1))",
    "import itertools\nset().issuperset(itertools.repeat(1)) or {1}.isdisjoint(itertools.repeat(2))",
    "import itertools\n{1}.isdisjoint(itertools.repeat(2))",
    "import itertools, io\nio.StringIO().writelines(itertools.repeat(''))",
    "range(10 ** 18).index('a')",
    "'a' in range(10 ** 18)",
    "class A:\n    def __getitem__(self, i): return i\nlist(A())",
    "class A:\n    def __getitem__(self, i): return i\n-1 in A()",
    "import sys\nsys.set_int_max_str_digits(0)\nx = 3\nwhile True: x = x * x",
    "import sys\nsys.set_int_max_str_digits(0)\nx = 3 ** 2000000\nstr(x)",
    "x = 7 ** 3000000",
    "pow(3, 3 ** 60000, 7 ** 60000)",
    "import math\nmath.factorial(2000000)",
    "import math\nmath.comb(10 ** 30, 10 ** 15)",
    "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
    "import re\nwhile True: re.match('(a|b|ab)*c', 'ab' * 15)",
    "while True: bytes(1000000)",
    "while True: 'a' * 1000000",
    "import asyncio\nasync def f():\n    while True: await asyncio.sleep(0)\nasyncio.run(f())",
    "import asyncio\nasync def f():\n    while True:\n        try: await asyncio.sleep(0)\n        except BaseException: pass\nasyncio.run(f())",
    "import asyncio\nasync def f():\n    while True: pass\nasync def main():\n    t = [asyncio.create_task(f()) for x in range(5)]\n"
    "    while True:\n        try: await asyncio.gather(*t)\n        except BaseException: pass\nasyncio.run(main())",
    "import asyncio\nloop = asyncio.new_event_loop()\ndef f(): loop.call_soon(f)\nf()\ntry: loop.run_forever()\nexcept BaseException: pass\n"
    "while True:\n    try: loop.run_forever()\n    except BaseException: pass",
    "import asyncio\nasync def f():\n    try:\n        while True: pass\n    except BaseException: raise ValueError\n"
    "async def main():\n    while True: await asyncio.gather(f(), f(), return_exceptions=True)\nasyncio.run(main())",
    "async def f():\n    while True: await g()\nasync def g(): pass\nf().send(None)",
    "def f(): return f()\nwhile True:\n    try: f()\n    except RecursionError: pass",
    "while True:\n    try: exec('while True: pass')\n    except BaseException: pass",
    "class M(type):\n    def __call__(cls):\n        while True: pass\nclass A(metaclass=M): pass\nA()",
    "import sys\ndef hook(*a):\n    while True: pass\nsys.excepthook = sys.unraisablehook = hook\nclass A:\n    def __del__(self): 1 / 0\nA()\nwhile True: A()",
    "class A:\n    def write(self, s):\n        while True: pass\n    flush = write\nimport sys\nsys.stdout = sys.stderr = A()\nprint(1)",
    "d = {}\nclass K:\n    def __hash__(self): return 1\n    def __eq__(self, o):\n        while True: pass\nd[K()] = d[K()] = 1",
    "import functools\n@functools.lru_cache\ndef f(x):\n    while True: pass\nwhile True:\n    try: f(1)\n    except BaseException: pass",
};

static void discard(void *ud, int stream, const char *s, size_t n) { (void)ud, (void)stream, (void)s, (void)n; }

static ouro_vm *open_quiet(uint64_t steps)
{
    ouro_config cfg;
    ouro_config_init(&cfg);
    cfg.limits.max_heap = 64 << 20;
    cfg.limits.max_steps = steps;
    cfg.write = discard;
    return ouro_open(&cfg);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static ouro_rc run(ouro_vm *vm, const char *src, ouro_val *out) { return ouro_run(vm, src, strlen(src), "test", out); }

static void check_endless(void)
{
    for (size_t k = 0; k < sizeof endless / sizeof *endless; k++) {
        ouro_vm *vm = open_quiet(300000);
        double began = now();
        ouro_rc rc = run(vm, endless[k], NULL);
        bool pending = ouro_exc_pending(vm);
        ouro_stats s;
        ouro_get_stats(vm, &s);
        ouro_report(vm);
        bool again = run(vm, "x = sum(range(100))", NULL) == OURO_OK;
        uint64_t left = ouro_close(vm);
        double took = now() - began;
        CHECK(rc == OURO_LIMIT && pending && s.steps == 300000 && again && left == 0 && took < PATIENCE);
        if (rc != OURO_LIMIT || !pending || s.steps != 300000 || !again || left || took >= PATIENCE)
            printf("rc %d, pending %d, %llu steps, again %d, left %llu, %.1f s:\n%s\n", (int)rc, pending, (unsigned long long)s.steps, again,
                   (unsigned long long)left, took, endless[k]);
    }
}

static uint64_t count(const char *src, ouro_rc *rc)
{
    ouro_vm *vm = open_quiet(1000000);
    ouro_stats s;
    *rc = run(vm, src, NULL);
    ouro_get_stats(vm, &s);
    ouro_report(vm);
    CHECK(ouro_close(vm) == 0);
    return s.steps;
}

static void check_counts(void)
{
    static const char src[] = "import asyncio, re\nclass A:\n    def __init__(self, n): self.n = n\n    def __eq__(self, o): return self.n == o.n\n"
                              "xs = [A(n) for n in range(200)]\nassert xs.index(A(150)) == 150\n"
                              "async def f(n):\n    for x in range(n): await asyncio.sleep(0)\n    return sum(range(n))\n"
                              "async def main(): return await asyncio.gather(*(f(n) for n in range(20)))\nasyncio.run(main())\n"
                              "re.sub('a+', lambda m: m[0].upper(), 'baab' * 50)\n";
    ouro_rc rc;
    CHECK(count("pass", &rc) < 100 && rc == OURO_OK);
    uint64_t one = count("for x in range(1000): pass", &rc), two = count("for x in range(2000): pass", &rc);
    CHECK(two - one == 1000);
    one = count(src, &rc);
    CHECK(rc == OURO_OK);
    two = count(src, &rc);
    CHECK(one == two && one > 1000);
}

static void check_values(void)
{
    ouro_vm *vm = open_quiet(10000);
    ouro_scope scope = ouro_scope_open(vm);
    ouro_val m, a, v;
    double d;
    int64_t i;
    bool done;
    CHECK(run(vm,
              "class A:\n    def loop(self, *a):\n        while True: pass\n"
              "    __str__ = __len__ = __getattr__ = __getitem__ = __iter__ = __index__ = __float__ = __bool__ = __del__ = loop\n"
              "class B:\n    def __next__(self):\n        while True: pass\n    def __iter__(self): return self\n"
              "    def __setattr__(self, k, v):\n        while True: pass\n    def __setitem__(self, k, v):\n        while True: pass\n"
              "a = A(); b = B()",
              &m) == OURO_OK);
    CHECK(ouro_get_attr(vm, m, "a", &a) == OURO_OK);
    CHECK(ouro_text(vm, a, &v) == OURO_LIMIT && ouro_report(vm) == 130);
    CHECK(ouro_get_attr(vm, a, "nothing", &v) == OURO_LIMIT && ouro_report(vm) == 130);
    CHECK(ouro_get_item(vm, a, a, &v) == OURO_LIMIT && ouro_report(vm) == 130);
    CHECK(ouro_iter(vm, a, &v) == OURO_LIMIT && ouro_report(vm) == 130);
    CHECK(ouro_to_int(vm, a, &i) == OURO_LIMIT && ouro_report(vm) == 130);
    CHECK(ouro_to_float(vm, a, &d) == OURO_LIMIT && ouro_report(vm) == 130);
    CHECK(!ouro_truthy(vm, a) && !ouro_exc_pending(vm));
    CHECK(ouro_call_method(vm, a, "loop", 0, NULL, &v) == OURO_LIMIT && ouro_report(vm) == 130);
    CHECK(ouro_get_attr(vm, m, "b", &a) == OURO_OK);
    CHECK(ouro_set_attr(vm, a, "x", a) == OURO_LIMIT && ouro_report(vm) == 130);
    CHECK(ouro_set_item(vm, a, a, a) == OURO_LIMIT && ouro_report(vm) == 130);
    CHECK(ouro_next(vm, a, &v, &done) == OURO_LIMIT && ouro_report(vm) == 130);
    CHECK(run(vm, "del a", NULL) == OURO_OK);
    ouro_scope_close(vm, scope); /* runs __del__ */
    CHECK(!ouro_exc_pending(vm));
    ouro_limits more = {.max_steps = 1000000};
    ouro_set_limits(vm, &more);
    CHECK(run(vm, "for x in range(100000): pass", NULL) == OURO_OK);
    more.max_steps = 0;
    ouro_set_limits(vm, &more);
    CHECK(run(vm, "for x in range(3000000): pass", NULL) == OURO_OK);
    CHECK(ouro_close(vm) == 0);
}

/* A host that polls: every call has the steps for itself. */
static void check_loop(void)
{
    ouro_vm *vm = open_quiet(100000);
    ouro_scope scope = ouro_scope_open(vm);
    ouro_val m = {0}, f = {0}, coro = {0}, task = {0}, v = {0};
    ouro_loop_info info;
    bool done;
    CHECK(run(vm,
              "import asyncio\nasync def short():\n    for x in range(500): await asyncio.sleep(0)\n    return 1\n"
              "async def long():\n    while True: pass\n",
              &m) == OURO_OK);
    CHECK(ouro_get_attr(vm, m, "short", &f) == OURO_OK && ouro_call(vm, f, 0, NULL, &coro) == OURO_OK);
    CHECK(ouro_spawn(vm, coro, NULL, &task) == OURO_OK);
    for (int k = 0; k < 600; k++)
        CHECK(ouro_loop_poll(vm, 0, &info) == OURO_OK);
    CHECK(ouro_result(vm, task, &done, &v) == OURO_OK && done);
    CHECK(ouro_get_attr(vm, m, "long", &f) == OURO_OK && ouro_call(vm, f, 0, NULL, &coro) == OURO_OK);
    CHECK(ouro_spawn(vm, coro, NULL, &task) == OURO_OK);
    CHECK(ouro_loop_poll(vm, 0, &info) == OURO_LIMIT && ouro_report(vm) == 130);
    CHECK(ouro_loop_poll(vm, 0, &info) == OURO_OK);
    ouro_scope_close(vm, scope);
    CHECK(ouro_close(vm) == 0);
}

static ouro_rc call_back(ouro_vm *vm, const ouro_args *a, ouro_val *ret) { return ouro_call(vm, a->argv[0], 0, NULL, ret); }
static const ouro_def host_rows[] = {{.sig = "call(f, /)", .fn = call_back}, {0}};

/* Calls from natives have no budget of their own: a script cannot get a new one by going through the host. */
static void check_nested(void)
{
    ouro_vm *vm = open_quiet(20000);
    CHECK(ouro_module(vm, "host", host_rows) == OURO_OK);
    CHECK(run(vm,
              "import host\ndef f():\n    for x in range(100): pass\n"
              "while True:\n    try: host.call(f)\n    except BaseException: pass\n",
              NULL) == OURO_LIMIT);
    CHECK(ouro_report(vm) == 130);
    CHECK(run(vm, "host.call(f)", NULL) == OURO_OK);
    CHECK(ouro_close(vm) == 0);
}

/* What runs at the end is limited as well, in steps and in bytes. */
static void check_close(void)
{
    static const char *const last[] = {
        "import atexit\n@atexit.register\ndef f():\n    while True: pass\n",
        "import atexit\n@atexit.register\ndef f():\n    x = []\n    while True: x.append(bytes(1000000))\n",
        "class A:\n    def __del__(self):\n        while True: pass\na = A(); b = [A()]; b.append(b)",
        "import asyncio\nasync def f():\n    try: await asyncio.Event().wait()\n    finally:\n        while True: pass\nt = f()\nt.send(None)",
    };
    for (size_t k = 0; k < sizeof last / sizeof *last; k++) {
        ouro_vm *vm = open_quiet(100000);
        run(vm, last[k], NULL);
        ouro_report(vm);
        CHECK(ouro_close(vm) == 0);
    }
}

static void check_depth(void)
{
    ouro_config cfg;
    ouro_config_init(&cfg);
    cfg.limits.max_depth = 100;
    ouro_vm *vm = ouro_open(&cfg);
    CHECK(run(vm,
              "import sys\ndef f(n): return n if n == 0 else f(n - 1)\nf(90)\n"
              "try: f(200)\nexcept RecursionError: pass\nelse: raise SystemError\n"
              "try: sys.setrecursionlimit(1000)\nexcept ValueError: pass\nelse: raise SystemError\n"
              "sys.setrecursionlimit(100)",
              NULL) == OURO_OK);
    ouro_report(vm);
    CHECK(ouro_close(vm) == 0);
}

static void *interrupter(void *p)
{
    struct timespec t = {.tv_nsec = 200 * 1000 * 1000};
    nanosleep(&t, NULL);
    ouro_interrupt(p);
    return NULL;
}

static void check_interrupt(void)
{
    static const char *const waits[] = {
        "while True: pass",
        "import itertools\nsum(itertools.count())",
        "import time\ntime.sleep(1000)",
        "import asyncio\nasyncio.run(asyncio.sleep(1000))",
        "import asyncio\nasync def f(): await asyncio.Event().wait()\nasyncio.run(f())",
        "import math\nmath.comb(10 ** 30, 10 ** 15)",
    };
    for (int limited = 0; limited < 2; limited++) {
        for (size_t k = 0; k < sizeof waits / sizeof *waits; k++) {
            ouro_vm *vm = open_quiet(limited ? UINT64_MAX : 0);
            pthread_t t;
            double began = now();
            pthread_create(&t, NULL, interrupter, vm);
            ouro_rc rc = run(vm, waits[k], NULL);
            pthread_join(t, NULL);
            CHECK(rc == OURO_LIMIT && now() - began < 10);
            CHECK(ouro_report(vm) == 130);
            CHECK(ouro_close(vm) == 0);
        }
    }
}

/* A process that ignores SIGINT (one in the background), and a script that does, can be interrupted all the same. */
static void check_interrupt_ignored(void)
{
    static const char *const waits[] = {
        "while True: pass",
        "import asyncio\nasyncio.run(asyncio.sleep(1000))",
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
    };
    void (*before)(int) = signal(SIGINT, SIG_IGN);
    for (size_t k = 0; k < sizeof waits / sizeof *waits; k++) {
        ouro_config cfg;
        ouro_config_init(&cfg);
        cfg.caps = OURO_CAP_ALL;
        cfg.write = discard;
        ouro_vm *vm = ouro_open(&cfg);
        pthread_t t;
        pthread_create(&t, NULL, interrupter, vm);
        CHECK(run(vm, waits[k], NULL) == OURO_LIMIT);
        pthread_join(t, NULL);
        CHECK(ouro_close(vm) == 0);
    }
    signal(SIGINT, before);
}

/* A limit does not make waiting busy, and threads get their turns. */
static void check_waiting(void)
{
    ouro_config cfg;
    ouro_config_init(&cfg);
    cfg.limits.max_steps = 10000000;
    cfg.caps = OURO_CAP_THREADS;
    ouro_vm *vm = ouro_open(&cfg);
    clock_t before = clock();
    CHECK(run(vm, "import asyncio\nasyncio.run(asyncio.sleep(0.5))", NULL) == OURO_OK);
    CHECK((double)(clock() - before) / CLOCKS_PER_SEC < 0.3);
    CHECK(run(vm,
              "import threading\nstop = False\ndef f():\n    while not stop: pass\n"
              "t = threading.Thread(target=f); t.start()\nfor x in range(1000): pass\nstop = True\nt.join()",
              NULL) == OURO_OK);
    CHECK(ouro_close(vm) == 0);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    check_counts();
    check_values();
    check_loop();
    check_nested();
    check_close();
    check_depth();
    check_waiting();
    check_interrupt();
    check_interrupt_ignored();
    check_endless();
    return finish_checks();
}
