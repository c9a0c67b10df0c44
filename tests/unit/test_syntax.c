/* The parser's errors against CPython's: message, line, column and end of hundreds of mistakes
 * (syntax_cases.def). */
#include <stdio.h>
#include <string.h>

#include "grammar/parse.h"

typedef struct Case {
    const char *src, *error;
    int line, col, end_line, end_col;
} Case;

static const Case cases[] = {
#define CASE(src, error, line, col, end_line, end_col) {src, error, line, col, end_line, end_col},
#include "tests/unit/syntax_cases.def"
};

static const char *const kinds[] = {
    "OK", "SyntaxError", "IndentationError", "TabError", "MemoryError", "RecursionError", "warned"};

static bool agrees(const Case *c) {
    Heap heap;
    Arena arena;
    ParseError e;
    char got[320] = "OK";
    ou_heap_init(&heap, NULL, NULL);
    ou_arena_init(&arena, &heap);
    AstMod *mod = ou_parse(&arena, c->src, strlen(c->src), PARSE_EXEC, PARSE_IS_STR, &e);
    if (!mod) snprintf(got, sizeof got, "%s: %s", kinds[e.kind], e.msg);
    bool same = !strcmp(got, c->error ? c->error : "OK");
    if (same && c->error)
        same = e.line == c->line && e.col == c->col &&
               (c->end_col <= 0 || (e.end_line == c->end_line && e.end_col == c->end_col));
    if (!same)
        printf("%s\n  want %s (%d, %d, %d, %d)\n  got  %s (%d, %d, %d, %d)\n", c->src,
               c->error ? c->error : "OK", c->line, c->col, c->end_line, c->end_col, got, e.line, e.col,
               e.end_line, e.end_col);
    ou_arena_fini(&arena);
    if (heap.used) {
        printf("%s\n  leaks %zu bytes\n", c->src, heap.used);
        same = false;
    }
    ou_heap_fini(&heap);
    return same;
}

int main(void) {
    int failed = 0, n = (int)(sizeof cases / sizeof *cases);
    for (int i = 0; i < n; i++) failed += !agrees(&cases[i]);
    printf("%d of %d agree\n", n - failed, n);
    return failed != 0;
}
