/* Prints the tree of a file as CPython's ast.dump() does, or the syntax error; the oracle tests use it.
 * astdump [-p] [-e | -s | -i] [-w] FILE...    -p with positions, -e eval, -s single, -i as a REPL, -w
 * warnings; FILE - is standard input. With -b N the files are parsed N times and nothing but the speed is
 * printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "grammar/parse.h"

static bool to_stdout(void *ud, const char *s, size_t n) {
    (void)ud;
    return fwrite(s, 1, n, stdout) == n;
}

static bool warn(void *ud, ParseWarning kind, const char *msg, int line, int col, int end_line, int end_col) {
    (void)ud, (void)col, (void)end_line, (void)end_col;
    printf("%s: %s (%d)\n", kind == PARSE_WARN_SYNTAX ? "SyntaxWarning" : "DeprecationWarning", msg, line);
    return true;
}

static char *read_file(const char *name, size_t *n) {
    FILE *f = strcmp(name, "-") ? fopen(name, "rb") : stdin;
    if (!f) return NULL;
    size_t cap = 1 << 16;
    char *s = malloc(cap);
    *n = 0;
    for (size_t k; s && (k = fread(s + *n, 1, cap - *n, f)) > 0;) {
        *n += k;
        if (*n == cap) s = realloc(s, cap *= 2);
    }
    if (f != stdin) fclose(f);
    return s;
}

static const char *const kinds[] = {
    "", "SyntaxError", "IndentationError", "TabError", "MemoryError", "RecursionError", "Warned"};

int main(int argc, char **argv) {
    bool positions = false, warnings = false;
    ParseMode mode = PARSE_EXEC;
    uint32_t flags = PARSE_SURROGATES;
    int repeat = 0, status = 0, i;
    size_t lines = 0, bytes = 0;
    double seconds = 0;
    for (i = 1; i < argc && argv[i][0] == '-' && argv[i][1]; i++) switch (argv[i][1]) {
        case 'p': positions = true; break;
        case 'i': mode = PARSE_SINGLE, flags |= PARSE_DONT_IMPLY_DEDENT; break;
        case 'w': warnings = true; break;
        case 'e': mode = PARSE_EVAL; break;
        case 's': mode = PARSE_SINGLE; break;
        case 'b': repeat = atoi(argv[++i]); break;
        default: return 2;
        }
    for (; i < argc; i++) {
        size_t n;
        char *s = read_file(argv[i], &n);
        if (!s) {
            fprintf(stderr, "astdump: cannot read %s\n", argv[i]);
            return 2;
        }
        for (int r = 0; r < (repeat ? repeat : 1); r++) {
            Heap h;
            Arena a;
            ParseError err;
            ou_heap_init(&h, NULL, NULL);
            ou_arena_init(&a, &h);
            clock_t t = clock();
            AstMod *m = ou_parse_warn(&a, s, n, mode, flags, warnings ? warn : NULL, NULL, &err);
            seconds += (double)(clock() - t) / CLOCKS_PER_SEC;
            if (!repeat && m)
                ou_ast_dump(m, positions, to_stdout, NULL);
            else if (!repeat)
                printf("%s: %s (%d, %d, %d, %d)%s", kinds[err.kind], err.msg, err.line, err.col, err.end_line,
                       err.end_col, err.incomplete ? " incomplete" : "");
            if (!repeat) putchar('\n');
            status |= !m;
            ou_arena_fini(&a);
            if (h.used) {
                fprintf(stderr, "astdump: %zu bytes leak\n", h.used);
                status = 3;
            }
            ou_heap_fini(&h);
        }
        for (size_t k = 0; k < n; k++) lines += s[k] == '\n';
        bytes += n;
        free(s);
    }
    if (repeat)
        printf("%.0f lines/s, %.1f MB/s\n", (double)lines * repeat / seconds,
               (double)bytes * repeat / seconds / 1e6);
    return status;
}
