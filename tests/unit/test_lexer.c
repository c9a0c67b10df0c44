/* The lexer alone: which tokens a text becomes, where they lie, and how the hand-written parts (indentation, brackets,
 * f-string nesting, the ends of numbers) meet the scanner's longest match. */
#include <stdlib.h>

#include "grammar.h"
#include "grammar/lexer.h"
#include "tests/unit/check.h"

#define T(name) [TK_##name] = #name
static const char *const names[256] = {
    T(NEWLINE), T(INDENT), T(DEDENT), T(END), T(NAME), T(NUMBER), T(STRING), T(FSTART), T(FMIDDLE), T(FEND),
    T(FLBRACE), T(FRBRACE), T(FCOLON), T(FBANG), T(LPAR), T(RPAR), T(LSQB), T(RSQB), T(LBRACE), T(RBRACE),
    T(DOT), T(ELLIPSIS), T(COMMA), T(COLON), T(WALRUS), T(SEMI), T(AT), T(ASSIGN), T(ARROW), T(PLUS), T(MINUS),
    T(STAR), T(SLASH), T(DSLASH), T(PERCENT), T(DSTAR), T(LSHIFT), T(RSHIFT), T(AMPER), T(BAR), T(CARET), T(TILDE),
    T(EQ), T(NE), T(LT), T(LE), T(GT), T(GE), T(ADDEQ), T(POWEQ), T(FLOOREQ), T(LSHEQ), T(RSHEQ), T(IF), T(NOT),
    T(IN), T(LAMBDA), T(DEF), T(PASS), T(ELSE),
    [TOK_ERROR] = "ERROR",
};

typedef struct Lexed {
    char kinds[4096];  /* names of the tokens, a space after each */
    char error[256];   /* "" or the message */
    Tok first, last;   /* last: the one before END or ERROR */
} Lexed;

static void lex(const char *src, size_t n, Lexed *out)
{
    Heap heap;
    Arena arena;
    ParseError err = {0};
    ou_heap_init(&heap, NULL, NULL);
    ou_arena_init(&arena, &heap);
    Lexer *lx = calloc(1, sizeof *lx);
    memset(out, 0, sizeof *out);
    lx->arena = &arena;
    lx->err = &err;
    bool ok = ou_source_load(lx, src, n, 0);
    size_t at = 0;
    for (int count = 0; ok; count++) {
        Tok t;
        ou_lex_next(lx, &t);
        if (count == 0) out->first = t;
        const char *name = names[t.kind] ? names[t.kind] : "?";
        if (at + strlen(name) + 2 < sizeof out->kinds)
            at += (size_t)snprintf(out->kinds + at, sizeof out->kinds - at, "%s ", name);
        if (t.kind == TK_END || t.kind == TOK_ERROR) break;
        out->last = t;
    }
    if (err.kind != PARSE_OK) snprintf(out->error, sizeof out->error, "%s", err.msg);
    ou_free(&heap, lx->text, lx->text_size);
    free(lx);
    ou_arena_fini(&arena);
    CHECK(heap.used == 0);
    ou_heap_fini(&heap);
}

static void expect(const char *src, const char *kinds)
{
    Lexed l;
    lex(src, strlen(src), &l);
    bool same = strcmp(l.kinds, kinds) == 0;
    CHECK(same);
    if (!same) printf("  %s\n  gave     %s\n  expected %s\n", src, l.kinds, kinds);
}

static void expect_error(const char *src, const char *message)
{
    Lexed l;
    lex(src, strlen(src), &l);
    bool same = strcmp(l.error, message) == 0;
    CHECK(same);
    if (!same) printf("  %s\n  gave     %s (%s)\n  expected %s\n", src, l.error, l.kinds, message);
}

static void test_longest_match(void)
{
    expect("a**=b", "NAME POWEQ NAME NEWLINE END ");
    expect("a//=b>>=c<<=d", "NAME FLOOREQ NAME RSHEQ NAME LSHEQ NAME NEWLINE END ");
    expect("a:=b->c...d", "NAME WALRUS NAME ARROW NAME ELLIPSIS NAME NEWLINE END ");
    expect("a..b", "NAME DOT DOT NAME NEWLINE END ");
    expect("not ink", "NOT NAME NEWLINE END ");
    expect("a<b<=c!=d", "NAME LT NAME LE NAME NE NAME NEWLINE END ");
    expect("1if x else.5", "NUMBER IF NAME ELSE NUMBER NEWLINE END ");
    expect("0x_ff 1_0.5e-3j 0b1 0o7 00", "NUMBER NUMBER NUMBER NUMBER NUMBER NEWLINE END ");
    expect("1..real", "NUMBER DOT NAME NEWLINE END ");
    expect("b'x' rb\"y\" u'z' '''a\nb'''", "STRING STRING STRING STRING NEWLINE END ");
    expect("", "END ");
    expect("# only a comment", "END ");
}

static void test_indentation(void)
{
    expect("if a:\n  b\n  c\nd\n", "IF NAME COLON NEWLINE INDENT NAME NEWLINE NAME NEWLINE DEDENT NAME NEWLINE END ");
    expect("if a:\n if b:\n  c", "IF NAME COLON NEWLINE INDENT IF NAME COLON NEWLINE INDENT NAME NEWLINE DEDENT DEDENT END ");
    expect("if a:\n\n   # comment\n\n  b\n", "IF NAME COLON NEWLINE INDENT NAME NEWLINE DEDENT END ");
    expect("f(a,\n      b\n)\nc", "NAME LPAR NAME COMMA NAME RPAR NEWLINE NAME NEWLINE END ");
    expect("a + \\\n   b", "NAME PLUS NAME NEWLINE END ");
    expect("a\r\nb\rc", "NAME NEWLINE NAME NEWLINE NAME NEWLINE END ");
    expect_error("if a:\n    b\n  c\n", "unindent does not match any outer indentation level");
    expect_error("if a:\n\tb\n        c\n", "inconsistent use of tabs and spaces in indentation");
}

static void test_brackets(void)
{
    expect("([{}])", "LPAR LSQB LBRACE RBRACE RSQB RPAR NEWLINE END ");
    expect_error("(]", "closing parenthesis ']' does not match opening parenthesis '('");
    expect_error("(\n]", "closing parenthesis ']' does not match opening parenthesis '(' on line 1");
    expect_error(")", "unmatched ')'");
    char deep[LEX_MAX_BRACKETS + 2];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    expect_error(deep, "too many nested parentheses");
}

static void test_fstrings(void)
{
    expect("f'a{b}c'", "FSTART FMIDDLE FLBRACE NAME FRBRACE FMIDDLE FEND NEWLINE END ");
    expect("f'{a!r:>{w}}'", "FSTART FLBRACE NAME FBANG NAME FCOLON FMIDDLE FLBRACE NAME FRBRACE FRBRACE FEND NEWLINE END ");
    expect("f'{f'{f'{1}'}'}'",
           "FSTART FLBRACE FSTART FLBRACE FSTART FLBRACE NUMBER FRBRACE FEND FRBRACE FEND FRBRACE FEND NEWLINE END ");
    expect("f'{ {1: 2}[1] }'", "FSTART FLBRACE LBRACE NUMBER COLON NUMBER RBRACE LSQB NUMBER RSQB FRBRACE FEND NEWLINE END ");
    expect_error("f'{a'", "f-string: expecting '}'");
    expect_error("f'}'", "f-string: single '}' is not allowed");
}

static void test_errors(void)
{
    expect_error("'abc", "unterminated string literal (detected at line 1)");
    expect_error("'''abc\n", "unterminated triple-quoted string literal (detected at line 1)");
    expect_error("1_", "invalid decimal literal");
    expect_error("0b12", "invalid digit '2' in binary literal");
    expect_error("09", "leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal integers");
    expect_error("a \\ b", "unexpected character after line continuation character");
    Lexed l;
    lex("a\0b", 3, &l);
    CHECK(strcmp(l.error, "source code cannot contain null bytes") == 0);
    lex("\xff", 1, &l);
    CHECK(l.error[0] != 0);
}

static void test_positions(void)
{
    Lexed l;
    lex("  \n\nabc = \xc3\xa9\xc3\xa9", 14, &l);
    CHECK(l.first.pos.line == 3 && l.first.pos.col == 0 && l.first.pos.end_col == 3);
    lex("x = '''a\nbc'''", 14, &l);
    CHECK(l.last.kind == TK_NEWLINE && l.last.pos.line == 2);
    lex("\xef\xbb\xbfx", 4, &l); /* a byte order mark is not text */
    CHECK(l.first.kind == TK_NAME && l.first.pos.col == 0 && !l.first.non_ascii);
    lex("\xc3\xa9", 2, &l);
    CHECK(l.first.kind == TK_NAME && l.first.non_ascii);
}

int main(void)
{
    test_longest_match();
    test_indentation();
    test_brackets();
    test_fstrings();
    test_errors();
    test_positions();
    return finish_checks();
}
