/* The prompt: reads lines until a statement is complete, runs it, shows what it gave or raised.
 * Prompts are written when input is a terminal or -i was given; sys.exit() ends it. */
#include "runtime/cli/repl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool only_blank(const char *s)
{
    for (; *s; s++)
        if (*s != ' ' && *s != '\t' && *s != '\n' && *s != '\r' && *s != '\f')
            return false;
    return true;
}

int repl_run(ouro_vm *vm)
{
    char *text = NULL, *line = NULL;
    size_t n = 0, cap = 0, line_cap = 0;
    int status = 0;
    for (;;) {
        fputs(n ? "... " : ">>> ", stdout);
        fflush(stdout);
        ssize_t got = getline(&line, &line_cap, stdin);
        if (got < 0 && n == 0)
            break;
        if (got > 0) {
            if (n + (size_t)got + 1 > cap) {
                cap = (n + (size_t)got + 1) * 2;
                char *p = realloc(text, cap);
                if (!p)
                    break;
                text = p;
            }
            memcpy(text + n, line, (size_t)got + 1);
            n += (size_t)got;
            if (only_blank(text)) {
                n = 0;
                continue;
            }
            if (!ouro_is_complete(vm, text, n))
                continue;
        }
        ouro_scope s = ouro_scope_open(vm);
        ouro_rc rc = ouro_run_interactive(vm, text, n, "<stdin>");
        n = 0;
        bool exits = false;
        if (rc != OURO_OK) {
            ouro_val exc;
            if (ouro_exc_take(vm, &exc) == OURO_OK) {
                exits = ouro_exc_is(vm, exc, "SystemExit");
                ouro_raise_val(vm, exc);
            }
            status = ouro_report(vm);
        }
        ouro_scope_close(vm, s);
        if (exits)
            goto done;
        status = 0;
    }
    fputs("\n", stdout);
done:
    free(text);
    free(line);
    return status;
}
