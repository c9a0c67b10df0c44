/* libFuzzer target: any bytes through the lexer, the grammar and the search for the error message, and the
 * tree through the dump. The first byte chooses the mode, the flags and which allocation fails. What must
 * hold: no crash, no leak, a tree or a filled error, never both; every position lies in the source. clang -g
 * -O1 -fsanitize=fuzzer,address,undefined -I. -IBUILD ... tests/fuzz/fuzz_parse.c -lutf8proc -lm */
#include <stdlib.h>

#include "grammar/parse.h"

static bool discard(void *ud, const char *s, size_t n) {
    (void)s;
    *(size_t *)ud += n;
    return true;
}

static bool warn(void *ud, ParseWarning kind, const char *msg, int line, int col, int end_line, int end_col) {
    (void)kind, (void)msg, (void)end_line, (void)end_col;
    if (line < 1 || col < 1) abort();
    return !*(bool *)ud;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Heap heap;
    Arena arena;
    ParseError err;
    if (!size) return 0;
    unsigned how = data[0];
    bool strict = how & 64;
    size_t out = 0;
    ou_heap_init(&heap, NULL, NULL);
    heap.limit = 256u << 20;
    if (how & 128 && size > 1) heap.fail_at = data[1];
    ou_arena_init(&arena, &heap);
    AstMod *m = ou_parse_warn(&arena, (const char *)data + 1, size - 1, (ParseMode)(how % 3), how >> 2 & 7,
                              warn, &strict, &err);
    if (m && !ou_ast_dump(m, how & 32, discard, &out)) abort();
    if (!m == (err.kind == PARSE_OK)) abort();
    if (!m && (err.line < 0 || err.line > (int)size + 2)) abort();
    ou_arena_fini(&arena);
    if (heap.used) abort();
    ou_heap_fini(&heap);
    return 0;
}
