/* libFuzzer's custom mutator for source text: most of the time it works on lines and words, so that a good part of what comes
 * out still parses; else on bytes, as libFuzzer does it. It keeps the indentation of the place where it puts something. */
#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, uint8_t *out, size_t max, unsigned seed);

static const char *const words[] = {
    "0", "1", "-1", "2", "3", "255", "256", "1 << 31", "1 << 63", "1 << 64", "10 ** 30", "-(1 << 63)", "0.0", "-0.0", "1e308", "float('nan')",
    "float('inf')", "1j", "''", "'a'", "'\\u20ac'", "'\\ud800'", "b''", "b'ab'", "[]", "()", "{}", "set()", "None", "True", "False",
    "Ellipsis", "NotImplemented", "x", "y", "self", "a", "b", "i", "f", "g", "C", "D", "int", "str", "bytes", "bytearray", "list", "tuple",
    "dict", "set", "frozenset", "range", "slice", "memoryview", "type", "object", "super", "property", "classmethod", "staticmethod", "iter",
    "next", "len", "sorted", "reversed", "enumerate", "zip", "map", "filter", "sum", "min", "max", "any", "all", "repr", "hash", "id",
    "isinstance", "issubclass", "getattr", "setattr", "delattr", "vars", "dir", "globals", "locals", "exec", "eval", "compile", "print", "format",
    "divmod", "pow", "round", "abs", "chr", "ord", "Exception", "BaseException", "ValueError", "StopIteration", "GeneratorExit", "ExceptionGroup",
    "KeyboardInterrupt", "asyncio", "re", "itertools", "functools", "collections", "json", "math", "struct", "operator", "weakref", "gc",
    "lambda", "await", "yield", "async", "for", "if", "else", "in", "not in", "is", "and", "or", "not", "return", "raise", "del", "global",
    "nonlocal", "assert", "break", "continue", "pass", "import", "from", "as", "with", "try", "except", "finally", "while", "match", "case",
    "==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "**", "/", "//", "%", "@", "<<", ">>", "&", "|", "^", "~", ":=", "=", "+=", "*=", "@=",
    "->", ".", ",", ":", ";", "(", ")", "[", "]", "{", "}", "*a", "**k", "...", "__init__", "__new__", "__del__", "__eq__", "__lt__",
    "__hash__", "__len__", "__getitem__", "__setitem__", "__iter__", "__next__", "__index__", "__int__", "__float__", "__bool__", "__call__",
    "__getattr__", "__getattribute__", "__setattr__", "__get__", "__set__", "__enter__", "__exit__", "__add__", "__radd__", "__iadd__", "__contains__",
    "__class__", "__dict__", "__slots__", "__bases__", "__mro__", "__name__", "__code__", "__defaults__", "__class_getitem__", "__init_subclass__",
    "__set_name__", "__prepare__", "__instancecheck__", "__await__", "__aiter__", "__anext__", "__aenter__", "__aexit__", "__length_hint__",
    "__format__", "__repr__", "__str__", "__bytes__", "__missing__", "__reversed__", "__copy__", "__reduce__", "__sizeof__", "__buffer__",
};
static const char *const lines[] = {
    "x = [1, 2, 3]", "x.append(x)", "x.clear()", "del x[:]", "x.sort(key=f)", "x.extend(x)", "x *= 2", "x[1:2] = y", "y = dict(a=1)", "y[x] = y",
    "y.update(y)", "y.pop(x, None)", "for i in x:", "for i in y:", "while x:", "if x:", "else:", "elif y:", "try:", "except:", "except BaseException:",
    "except* ValueError:", "finally:", "with x as y:", "async with x as y:", "async for i in x:", "await x", "yield x", "x = yield", "yield from x",
    "return x", "raise x", "raise", "raise x from y", "continue", "break", "pass", "def f(self, *a, **k):", "def g():", "async def main():",
    "class C:", "class D(C):", "class C(list):", "class C(dict):", "class C(int):", "class C(type):", "class D(metaclass=C):", "@property", "@f",
    "@classmethod", "@staticmethod", "def __init__(self, *a):", "def __del__(self):", "def __eq__(self, o):", "def __hash__(self):", "def __lt__(self, o):",
    "def __iter__(self):", "def __next__(self):", "def __len__(self):", "def __getitem__(self, i):", "def __index__(self):", "def __getattr__(self, n):",
    "def __call__(self, *a):", "def __enter__(self):", "def __exit__(self, *a):", "def __repr__(self):", "def __await__(self):", "def __get__(self, *a):",
    "def __set__(self, *a):", "def __set_name__(self, *a):", "def __init_subclass__(cls):", "def __bool__(self):", "def __add__(self, o):",
    "__slots__ = ('x', 'y')", "match x:", "case [a, *b]:", "case {'a': a, **b}:", "case C(x=a) | None:", "case _ if x:", "x = f(*a, **k)",
    "x = [i for i in y]", "x = {i: i for i in y if i}", "x = (i for i in x)", "x = f'{x!r:>{y}}{y=}'", "x = lambda *a: x", "x: int = 1",
    "type X[T] = list[T]", "a, *b = x", "a = b = x", "a, b = b, a", "del x", "global x", "nonlocal x", "assert x, y", "import asyncio",
    "from collections import *", "x = iter(x)", "next(x)", "x.send(None)", "x.throw(ValueError)", "x.close()", "x = object()", "x.__class__ = C",
    "C.__bases__ = (D,)", "C.x = y", "setattr(C, x, y)", "x.__dict__ = y", "x = C.__new__(C)", "x = type('T', (), {})", "x = super()", "x = memoryview(b)",
    "b = bytearray(b'abc')", "b += b", "b[:] = b", "x.release()", "x = re.compile('(a*)*b')", "x = re.sub('a', f, 'aba')", "x = '%s %d' % (x, y)",
    "x = '{0!r:{1}}'.format(x, y)", "x = struct.pack('<iq', 1, 2)", "x = json.dumps(y)", "x = weakref.ref(C)", "x = functools.partial(f, x)",
    "x = collections.deque(x, 3)", "x.rotate(2)", "x = itertools.tee(x)", "t = asyncio.create_task(main())", "t.cancel()", "await asyncio.sleep(0)",
    "x = await asyncio.gather(main(), t)", "async with asyncio.timeout(0):", "async with asyncio.TaskGroup() as g:", "q = asyncio.Queue(1)",
    "await q.put(x)", "await q.get()", "e = asyncio.Event()", "await e.wait()", "e.set()", "asyncio.run(main())", "gc.collect()", "exec(x)",
    "globals().clear()", "sys.setrecursionlimit(50)", "f(f, f)", "x = x, x", "print(x, y)", "x = sorted(y, reverse=True)", "x = 'a' * 10 ** 6",
};
enum { NWORDS = sizeof words / sizeof *words, NLINES = sizeof lines / sizeof *lines };

static unsigned roll(unsigned *s, size_t n)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return n ? (unsigned)(*s % n) : 0;
}

/* data[at, at + gone) becomes text, as far as there is room. */
static size_t replace(uint8_t *data, size_t size, size_t max, size_t at, size_t gone, const void *text, size_t n)
{
    if (size - gone + n > max)
        return size;
    memmove(data + at + n, data + at + gone, size - at - gone);
    if (n)
        memcpy(data + at, text, n);
    return size - gone + n;
}

static size_t line_start(const uint8_t *data, size_t at)
{
    while (at > 0 && data[at - 1] != '\n')
        at--;
    return at;
}
static size_t line_end(const uint8_t *data, size_t size, size_t at) /* behind the newline */
{
    while (at < size && data[at] != '\n')
        at++;
    return at < size ? at + 1 : at;
}

static bool in_word(uint8_t c) { return isalnum(c) || c == '_'; }

static size_t change_word(uint8_t *data, size_t size, size_t max, unsigned *s)
{
    size_t at = roll(s, size), end;
    for (size_t k = 0; k < size && isspace(data[at]); k++)
        at = (at + 1) % size;
    if (in_word(data[at])) {
        while (at > 0 && in_word(data[at - 1]))
            at--;
        for (end = at; end < size && in_word(data[end]);)
            end++;
    } else {
        end = at + 1;
    }
    const char *w = words[roll(s, NWORDS)];
    char text[64];
    size_t n = strlen(w);
    memcpy(text, w, n);
    switch (roll(s, 4)) {
    case 0: /* insert in front */
        text[n++] = ' ';
        return replace(data, size, max, at, 0, text, n);
    case 1: /* drop */
        return replace(data, size, max, at, end - at, NULL, 0);
    default:
        return replace(data, size, max, at, end - at, text, n);
    }
}

static size_t add_line(uint8_t *data, size_t size, size_t max, unsigned *s)
{
    size_t at = line_start(data, roll(s, size + 1)), n = 0;
    char text[128];
    for (size_t k = at; k < size && data[k] == ' ' && n < 40; k++)
        text[n++] = ' ';
    unsigned shift = roll(s, 6);
    if (shift == 0)
        n += 4, memset(text, ' ', n);
    else if (shift == 1 && n >= 4)
        n -= 4;
    const char *l = lines[roll(s, NLINES)];
    size_t indent = n;
    memcpy(text + n, l, strlen(l));
    n += strlen(l);
    text[n++] = '\n';
    size = replace(data, size, max, at, 0, text, n);
    if (l[strlen(l) - 1] == ':') { /* give it a body */
        const char *body = lines[roll(s, NLINES)];
        memset(text, ' ', indent + 4);
        n = indent + 4;
        memcpy(text + n, body, strlen(body));
        n += strlen(body);
        text[n++] = '\n';
        size = replace(data, size, max, line_end(data, size, at), 0, text, n);
    }
    return size;
}

static size_t move_lines(uint8_t *data, size_t size, size_t max, unsigned *s)
{
    size_t from = line_start(data, roll(s, size)), end = line_end(data, size, from);
    for (unsigned k = roll(s, 4); k > 0; k--)
        end = line_end(data, size, end);
    size_t n = end - from;
    uint8_t *copy = malloc(n + 1);
    if (!copy)
        return size;
    memcpy(copy, data + from, n);
    unsigned how = roll(s, 3);
    if (how != 0) /* else a copy stays */
        size = replace(data, size, max, from, n, NULL, 0);
    if (how != 1 && size)
        size = replace(data, size, max, line_start(data, roll(s, size)), 0, copy, n);
    free(copy);
    return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    unsigned s = seed ? seed : 1;
    if (size == 0 || roll(&s, 8) == 0)
        return LLVMFuzzerMutate(data, size, max);
    for (unsigned k = roll(&s, 4) + 1; k > 0 && size; k--) {
        switch (roll(&s, 8)) {
        case 0:
        case 1: size = add_line(data, size, max, &s); break;
        case 2: size = move_lines(data, size, max, &s); break;
        case 3: size = LLVMFuzzerMutate(data, size, max); break;
        default: size = change_word(data, size, max, &s);
        }
    }
    return size;
}

/* The first lines of one text and the last lines of the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t na, const uint8_t *b, size_t nb, uint8_t *out, size_t max, unsigned seed)
{
    unsigned s = seed ? seed : 1;
    size_t head = line_end(a, na, roll(&s, na)), tail = line_start(b, roll(&s, nb));
    if (head > max)
        head = max;
    memcpy(out, a, head);
    size_t n = nb - tail < max - head ? nb - tail : max - head;
    memcpy(out + head, b + tail, n);
    return head + n;
}
