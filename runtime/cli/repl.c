/* The prompt: reads lines until a statement is complete, runs it, shows what it gave or raised. sys.exit() ends it.
 * Prompts (sys.ps1, sys.ps2) go to the terminal, or to standard error when input or output is none. */
#include "runtime/cli/repl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool only_blank(const char *s)
{
    for (; *s; s++)
        if (*s != ' ' && *s != '\t' && *s != '\n' && *s != '\r' && *s != '\f')
            return false;
    return true;
}

/* A line that holds a comment or nothing is no statement. */
static bool only_comment(const char *s)
{
    s += strspn(s, " \t\f");
    return *s == '#' || only_blank(s);
}

static void drop_error(ouro_vm *vm)
{
    ouro_val exc;
    ouro_exc_take(vm, &exc);
}

static void set_last(ouro_vm *vm, ouro_val exc)
{
    ouro_val sys, tb, type;
    if (ouro_import(vm, "sys", &sys) != OURO_OK || ouro_set_attr(vm, sys, "last_exc", exc) != OURO_OK ||
        ouro_set_attr(vm, sys, "last_value", exc) != OURO_OK || ouro_get_attr(vm, exc, "__traceback__", &tb) != OURO_OK ||
        ouro_set_attr(vm, sys, "last_traceback", tb) != OURO_OK || ouro_get_attr(vm, exc, "__class__", &type) != OURO_OK ||
        ouro_set_attr(vm, sys, "last_type", type) != OURO_OK)
        drop_error(vm);
}

void repl_show(ouro_vm *vm, ouro_val exc)
{
    ouro_scope s = ouro_scope_open(vm);
    set_last(vm, exc);
    if (ouro_exc_is(vm, exc, "SystemExit")) { /* -i: shown, not obeyed */
        ouro_val text;
        const char *p;
        size_t n;
        if (ouro_exc_format(vm, exc, &text) == OURO_OK && ouro_to_str(vm, text, &p, &n) == OURO_OK)
            fwrite(p, 1, n, stderr);
        drop_error(vm);
    } else {
        ouro_raise_val(vm, exc);
        ouro_report(vm);
    }
    ouro_scope_close(vm, s);
}

static void flush_stdout(ouro_vm *vm)
{
    ouro_val sys, out;
    if (ouro_import(vm, "sys", &sys) != OURO_OK || ouro_get_attr(vm, sys, "stdout", &out) != OURO_OK ||
        ouro_call_method(vm, out, "flush", 0, NULL, NULL) != OURO_OK)
        drop_error(vm);
}

static void show_prompt(ouro_vm *vm, const char *name, FILE *to)
{
    ouro_scope s = ouro_scope_open(vm);
    ouro_val sys, prompt, text;
    const char *p;
    size_t n;
    flush_stdout(vm);
    if (ouro_import(vm, "sys", &sys) == OURO_OK && ouro_get_attr(vm, sys, name, &prompt) == OURO_OK &&
        ouro_text(vm, prompt, &text) == OURO_OK && ouro_to_str(vm, text, &p, &n) == OURO_OK)
        fwrite(p, 1, n, to);
    drop_error(vm);
    fflush(to);
    ouro_scope_close(vm, s);
}

static void set_prompts(ouro_vm *vm)
{
    ouro_scope s = ouro_scope_open(vm);
    ouro_val sys, old, v;
    static const char *const prompts[2][2] = {{"ps1", ">>> "}, {"ps2", "... "}};
    if (ouro_import(vm, "sys", &sys) == OURO_OK)
        for (int k = 0; k < 2; k++)
            if (ouro_get_attr(vm, sys, prompts[k][0], &old) != OURO_OK) {
                drop_error(vm);
                if (ouro_str(vm, prompts[k][1], 4, &v) != OURO_OK || ouro_set_attr(vm, sys, prompts[k][0], v) != OURO_OK)
                    drop_error(vm);
            }
    ouro_scope_close(vm, s);
}

/* True: SystemExit, whose status is *status. */
static bool run_text(ouro_vm *vm, const char *text, size_t n, int *status)
{
    ouro_scope s = ouro_scope_open(vm);
    bool exits = false;
    ouro_val exc;
    if (ouro_run_interactive(vm, text, n, "<stdin>") != OURO_OK && ouro_exc_take(vm, &exc) == OURO_OK) {
        exits = ouro_exc_is(vm, exc, "SystemExit");
        if (exits) {
            ouro_raise_val(vm, exc);
            *status = ouro_report(vm);
        } else {
            repl_show(vm, exc);
        }
    }
    ouro_scope_close(vm, s);
    return exits;
}

int repl_run(ouro_vm *vm, bool greet)
{
    char *text = NULL, *line = NULL;
    size_t n = 0, cap = 0, line_cap = 0;
    int status = 0;
    bool exits = false;
    FILE *to = isatty(0) && isatty(1) ? stdout : stderr;
    if (greet)
        fprintf(stderr, "Ouro %s (Python 3.13) on linux\n", ouro_version());
    set_prompts(vm);
    while (!exits) {
        show_prompt(vm, n ? "ps2" : "ps1", to);
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
            if (n == 0 && only_comment(text))
                continue;
            n += (size_t)got;
            if (!ouro_is_complete(vm, text, n))
                continue;
        }
        exits = run_text(vm, text, n, &status);
        n = 0;
    }
    if (!exits)
        fputs("\n", to);
    free(text);
    free(line);
    return status;
}
