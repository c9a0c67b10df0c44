/* Small C stacks: recursion in C ends with RecursionError whatever thread the host runs a script in, one that was opened elsewhere
 * included. */
#include <pthread.h>

#include "runtime/api/ouro.h"
#include "tests/unit/check.h"

static const char src[] = "class A:\n"
                          "    def __add__(self, o): return o + self\n"
                          "    def __repr__(self): return repr([self])\n"
                          "    def __bool__(self): return not self\n"
                          "    def __iter__(self): return iter(self)\n"
                          "    def __lt__(self, o): return sorted([o, self])\n"
                          "    def __getattr__(self, name): return getattr(self, name + 'x')\n"
                          "    def __format__(self, spec): return f'{self:{self}}'\n"
                          "    def __eq__(self, o): return [self] == [o]\n"
                          "    def __hash__(self): return hash((self, ))\n"
                          "deep = []\n"
                          "for _ in range(100000): deep = [deep]\n"
                          "import copy, json, operator, pickle, functools\n"
                          "def nested(n): return functools.reduce(lambda f, _: lambda: f(), range(n), int)\n"
                          "tries = [lambda: A() + A(), lambda: repr(A()), lambda: bool(A()), lambda: iter(A()), lambda: sorted([A(), A()]),\n"
                          "         lambda: A().x, lambda: f'{A()}', lambda: A() == A(), lambda: hash(A()), lambda: repr(deep),\n"
                          "         lambda: deep == copy.copy(deep), lambda: json.dumps(deep), lambda: pickle.dumps(deep), lambda: copy.deepcopy(deep),\n"
                          "         lambda: json.loads('[' * 100000), lambda: compile('(' * 150 + ')' * 150, 'f', 'eval'),\n"
                          "         lambda: eval('-' * 100000 + '1'), lambda: eval('not ' * 1900 + '1'), lambda: eval('1' + '+1' * 1900),\n"
                          "         lambda: eval('a' + '.b' * 1900), lambda: exec('if 1:\\n' + ''.join(' ' * n + 'if 1:\\n' for n in range(1, 99)) + ' ' * 99 + 'x = = 1'),\n"
                          "         lambda: exec('x = ' + '[' * 190 + ' = ' + ']' * 190), lambda: nested(5000)(), lambda: isinstance(1, functools.reduce(lambda t, _: (t,), range(100000), ()))]\n"
                          "ended = 0\n"
                          "for t in tries:\n"
                          "    try: t()\n"
                          "    except (RecursionError, SyntaxError, MemoryError, NameError, TypeError): pass\n"
                          "    ended += 1\n"
                          "assert ended == len(tries)\n";

static void run(ouro_vm *vm)
{
    ouro_scope scope = ouro_scope_open(vm);
    ouro_rc rc = ouro_run(vm, src, strlen(src), "stack", NULL);
    CHECK(rc == OURO_OK);
    ouro_report(vm);
    ouro_scope_close(vm, scope);
}

static void *whole_life(void *unused)
{
    ouro_vm *vm = ouro_open(NULL);
    CHECK(vm != NULL);
    run(vm);
    CHECK(ouro_close(vm) == 0);
    return unused;
}

static void *just_run(void *vm)
{
    run(vm);
    return NULL;
}

static void in_thread(size_t stack, void *(*body)(void *), void *arg)
{
    pthread_attr_t attr;
    pthread_t t;
    pthread_attr_init(&attr);
    CHECK(pthread_attr_setstacksize(&attr, stack) == 0);
    CHECK(pthread_create(&t, &attr, body, arg) == 0);
    CHECK(pthread_join(t, NULL) == 0);
    pthread_attr_destroy(&attr);
}

int main(void)
{
    static const size_t sizes[] = {256 * 1024, 512 * 1024, 2048 * 1024};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        in_thread(sizes[k], whole_life, NULL);
        ouro_vm *vm = ouro_open(NULL);
        CHECK(vm != NULL);
        in_thread(sizes[k], just_run, vm);
        run(vm);
        CHECK(ouro_close(vm) == 0);
    }
    return finish_checks();
}
