/* The lexer and the parser through their door: dumps of trees, errors with positions, failing allocations, hostile input. */
#include "grammar/parse.h"
#include "tests/unit/check.h"
#include <stdlib.h>

typedef struct Text {
    char p[4000];
    size_t n;
} Text;

static bool collect(void *ud, const char *s, size_t n)
{
    Text *t = ud;
    if (t->n + n >= sizeof t->p) return false;
    memcpy(t->p + t->n, s, n);
    t->n += n;
    t->p[t->n] = 0;
    return true;
}

static bool dumps(const char *src, ParseMode mode, const char *want)
{
    Heap h;
    Arena a;
    ParseError err;
    ou_heap_init(&h, NULL, NULL);
    ou_arena_init(&a, &h);
    AstMod *mod = ou_parse(&a, src, strlen(src), mode, PARSE_IS_STR, &err);
    Text t = {"", 0};
    bool good = mod != NULL && ou_ast_dump(mod, false, collect, &t) && strcmp(t.p, want) == 0;
    if (!good) printf("%s\n  gave %s\n", src, mod ? t.p : err.msg);
    ou_arena_fini(&a);
    good = good && h.used == 0;
    ou_heap_fini(&h);
    return good;
}

static bool refuses(const char *src, const char *msg, int line, int col)
{
    Heap h;
    Arena a;
    ParseError err;
    ou_heap_init(&h, NULL, NULL);
    ou_arena_init(&a, &h);
    AstMod *mod = ou_parse(&a, src, strlen(src), PARSE_EXEC, PARSE_IS_STR, &err);
    bool good = mod == NULL && strcmp(err.msg, msg) == 0 && err.line == line && err.col == col;
    if (!good) printf("%s\n  gave %s (%d, %d)\n", src, mod ? "a tree" : err.msg, err.line, err.col);
    ou_arena_fini(&a);
    ou_heap_fini(&h);
    return good;
}

static void test_trees(void)
{
    CHECK(dumps("", PARSE_EXEC, "Module()"));
    CHECK(dumps("x", PARSE_EVAL, "Expression(body=Name(id='x', ctx=Load()))"));
    CHECK(dumps("x = 1", PARSE_EXEC, "Module(body=[Assign(targets=[Name(id='x', ctx=Store())], value=Constant(value=1))])"));
    CHECK(dumps("1 + 2 * 3", PARSE_EVAL, "Expression(body=BinOp(left=Constant(value=1), op=Add(), right=BinOp(left=Constant(value=2), op=Mult(), right=Constant(value=3))))"));
    CHECK(dumps("f'{a!r:>{w}}'", PARSE_EVAL, "Expression(body=JoinedStr(values=[FormattedValue(value=Name(id='a', ctx=Load()), conversion=114, format_spec=JoinedStr(values=[Constant(value='>'), FormattedValue(value=Name(id='w', ctx=Load()), conversion=-1)]))]))"));
    CHECK(dumps("match x:\n case [1, *_]: pass", PARSE_EXEC, "Module(body=[Match(subject=Name(id='x', ctx=Load()), cases=[match_case(pattern=MatchSequence(patterns=[MatchValue(value=Constant(value=1)), MatchStar()]), body=[Pass()])])])"));
    CHECK(dumps("lambda a, /, *b, c=1, **d: 0", PARSE_EVAL, "Expression(body=Lambda(args=arguments(posonlyargs=[arg(arg='a')], vararg=arg(arg='b'), kwonlyargs=[arg(arg='c')], kw_defaults=[Constant(value=1)], kwarg=arg(arg='d')), body=Constant(value=0)))"));
    CHECK(dumps("type X[T: int] = list[T]", PARSE_EXEC, "Module(body=[TypeAlias(name=Name(id='X', ctx=Store()), type_params=[TypeVar(name='T', bound=Name(id='int', ctx=Load()))], value=Subscript(value=Name(id='list', ctx=Load()), slice=Name(id='T', ctx=Load()), ctx=Load()))])"));
    CHECK(dumps("'a' \"b\"", PARSE_EVAL, "Expression(body=Constant(value='ab'))"));
    CHECK(dumps("pass\n", PARSE_SINGLE, "Interactive(body=[Pass()])"));
}

static void test_errors(void)
{
    CHECK(refuses("x = (1,\n", "'(' was never closed", 1, 5));
    CHECK(refuses("x = )", "unmatched ')'", 1, 5));
    CHECK(refuses("x = (]", "closing parenthesis ']' does not match opening parenthesis '('", 1, 6));
    CHECK(refuses("if x\n  pass", "expected ':'", 1, 5));
    CHECK(refuses("if x:\npass", "expected an indented block after 'if' statement on line 1", 2, 1));
    CHECK(refuses("  x", "unexpected indent", 1, 2));
    CHECK(refuses("x = 'abc", "unterminated string literal (detected at line 1)", 1, 5));
    CHECK(refuses("1 = x", "cannot assign to literal here. Maybe you meant '==' instead of '='?", 1, 1));
    CHECK(refuses("f() += 1", "'function call' is an illegal expression for augmented assignment", 1, 1));
    CHECK(refuses("x = 0777", "leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal integers", 1, 5));
    CHECK(refuses("\xc3\xa9 = $", "invalid syntax", 1, 5));
}

/* Every allocation fails in turn: NULL with a memory error, and nothing is left over. */
static void test_failing_allocations(void)
{
    static const char src[] = "@d\nasync def f(a, *b, c=1, **k) -> int:\n    'doc'\n    async with x as y: await z\n    try: return [i async for i in y if i]\n"
                              "    except* E as e: raise\nclass C[T](B, k=f'{x:{y}}'): x: int = {1: [2, *a], **b}\nmatch p:\n    case {'k': [1, *_], **r} | C(a=None) if q: pass\n";
    bool done = false;
    for (uint64_t n = 1; !done && n < 5000; n++) {
        Heap h;
        Arena a;
        ParseError err;
        ou_heap_init(&h, NULL, NULL);
        ou_arena_init(&a, &h);
        h.fail_at = h.count + n;
        AstMod *mod = ou_parse(&a, src, sizeof src - 1, PARSE_EXEC, 0, &err);
        done = mod != NULL;
        CHECK(done || err.kind == PARSE_MEMORY);
        ou_arena_fini(&a);
        CHECK(h.used == 0);
        ou_heap_fini(&h);
    }
    CHECK(done);
}

/* Bytes flipped and sources cut: an error or a tree, never more. Sanitizers look on. */
static void test_hostile(void)
{
    static const char src[] = "# \xc3\xa9\ndef f(a, b=1, *c, **d) -> int:\n\tx = f'{a!r:>{w}}' 'b' if rb'\\x00' else b''\n\treturn (lambda: (yield))[1:2, ...]\n"
                              "while not x <= y is not z: break\nelse: import a.b as c\nfrom . import (d as e)\nx: int = 0x_1F + 1.5e-3j\n'''\n\\x41'''\n";
    static const unsigned char bytes[] = {0, '\n', '\t', '\'', '"', '\\', '{', '}', '(', ']', ':', '#', 'f', '0', 0x80, 0xC3, 0xFF};
    char buf[sizeof src];
    Heap h;
    ou_heap_init(&h, NULL, NULL);
    int trees = 0;
    for (size_t at = 0; at < sizeof src - 1; at++)
        for (size_t i = 0; i <= sizeof bytes; i++) {
            Arena a;
            ParseError err;
            size_t n = sizeof src - 1;
            memcpy(buf, src, n);
            if (i == sizeof bytes) n = at;
            else buf[at] = (char)bytes[i];
            ou_arena_init(&a, &h);
            trees += ou_parse(&a, buf, n, PARSE_EXEC, 0, &err) != NULL;
            ou_arena_fini(&a);
        }
    CHECK(trees > 100);
    CHECK(h.used == 0);
    ou_heap_fini(&h);
}

int main(void)
{
    test_trees();
    test_errors();
    test_failing_allocations();
    test_hostile();
    return finish_checks();
}
