/* print, input, open and help. Entry point: the table ou_builtins_io.
 * The one thing to know: as long as sys.stdout is the native file that the VM made, print writes the texts straight into its
 * buffer, with no call and no intermediate str. */
#include <stdio.h>

#include "runtime/objects/import.h"
#include "stdlib/builtins.h"
#include "stdlib/io.h"
#include "vm/call.h"

static Value sys_get(VM *vm, const char *name)
{
    return vm->sysdict ? ou_dict_get_c(vm, vm->sysdict, name) : V_NULL;
}

/* Writes one str to the target; `plain` is the native file if it is one. */
static bool emit(VM *vm, TextFile *plain, Value write, Value s)
{
    if (plain)
        return ou_io_text_write(vm, plain, as_str(s)->data, as_str(s)->size);
    Value r = ou_call1(vm, write, s);
    xrelease(vm, r);
    return r != V_NULL;
}

static bool emit_value(VM *vm, TextFile *plain, Value write, Value v)
{
    if (plain && is_small(v)) {
        char buf[24];
        int n = snprintf(buf, sizeof buf, "%lld", (long long)v_small(v));
        return ou_io_text_write(vm, plain, buf, (size_t)n);
    }
    Value s = ou_str(vm, v);
    if (s == V_NULL)
        return false;
    bool ok = emit(vm, plain, write, s);
    release(vm, s);
    return ok;
}

static bool flush(VM *vm, TextFile *plain, Value file)
{
    if (plain)
        return ou_io_text_flush(vm, plain);
    Value r = ou_call_method(vm, file, name_of(vm, N_flush), NULL, 0, NULL);
    xrelease(vm, r);
    return r != V_NULL;
}

static Value builtin_print(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *items = as_tuple(args[0]);
    Value sep = args[1], end = args[2], file = args[3];
    if (file == V_NULL || file == V_NONE) {
        file = sys_get(vm, "stdout");
        if (file == V_NULL)
            return ou_raise(vm, E_RUNTIME, "lost sys.stdout");
        if (file == V_NONE)
            return V_NONE;
    }
    if (sep != V_NULL && sep != V_NONE && !ou_is_a(vm, sep, T_STR))
        return ou_raise(vm, E_TYPE, "sep must be None or a string, not %T", sep);
    if (end != V_NULL && end != V_NONE && !ou_is_a(vm, end, T_STR))
        return ou_raise(vm, E_TYPE, "end must be None or a string, not %T", end);
    int want_flush = args[4] == V_NULL ? 0 : ou_truth(vm, args[4]);
    if (want_flush < 0)
        return V_NULL;
    retain(file); /* a __str__ may replace sys.stdout */
    TextFile *plain = ou_io_plain_text(vm, file);
    Value write = plain ? V_NONE : ou_getattr(vm, file, name_of(vm, N_write));
    bool ok = write != V_NULL;
    Value space = V_NULL, newline = V_NULL;
    if (ok && !plain) {
        space = ou_str_char(vm, ' ');
        newline = ou_str_char(vm, '\n');
        ok = space != V_NULL && newline != V_NULL;
    }
    for (uint32_t i = 0; ok && i < items->n; i++) {
        if (i > 0) {
            if (sep != V_NULL && sep != V_NONE)
                ok = emit(vm, plain, write, sep);
            else
                ok = plain ? ou_io_text_write(vm, plain, " ", 1) : emit(vm, NULL, write, space);
        }
        ok = ok && emit_value(vm, plain, write, items->items[i]);
    }
    if (ok) {
        if (end != V_NULL && end != V_NONE)
            ok = emit(vm, plain, write, end);
        else
            ok = plain ? ou_io_text_write(vm, plain, "\n", 1) : emit(vm, NULL, write, newline);
    }
    if (ok && want_flush)
        ok = flush(vm, plain, file);
    xrelease(vm, space);
    xrelease(vm, newline);
    xrelease(vm, write);
    release(vm, file);
    return ok ? V_NONE : V_NULL;
}

static Value builtin_input(VM *vm, const Value *args, int n)
{
    Value in = sys_get(vm, "stdin"), out = sys_get(vm, "stdout");
    if (in == V_NULL || in == V_NONE)
        return ou_raise(vm, E_RUNTIME, "input(): lost sys.stdin");
    if (out == V_NULL || out == V_NONE)
        return ou_raise(vm, E_RUNTIME, "input(): lost sys.stdout");
    retain(in);
    retain(out);
    TextFile *plain = ou_io_plain_text(vm, out);
    bool ok = true;
    if (n > 0) {
        Value write = plain ? V_NONE : ou_getattr(vm, out, name_of(vm, N_write));
        ok = write != V_NULL && emit_value(vm, plain, write, args[0]);
        xrelease(vm, write);
    }
    ok = ok && flush(vm, plain, out);
    Value line = V_NULL;
    if (ok) {
        line = ou_call_method(vm, in, name_of(vm, N_readline), NULL, 0, NULL);
        if (line != V_NULL && !ou_is_a(vm, line, T_STR)) {
            release(vm, line);
            line = ou_raise(vm, E_TYPE, "object.readline() returned non-string");
        } else if (line != V_NULL) {
            Str *s = as_str(line);
            if (s->size == 0) {
                release(vm, line);
                line = ou_raise(vm, E_EOF, "EOF when reading a line");
            } else if (s->data[s->size - 1] == '\n') {
                Value cut = ou_str_sub(vm, s, 0, s->size - 1);
                release(vm, line);
                line = cut;
            }
        }
    }
    release(vm, in);
    release(vm, out);
    return line;
}

/* The docstring and, for classes and modules, the names: what a script without a pager can use. */
static Value builtin_help(VM *vm, const Value *args, int n)
{
    if (n == 0)
        return ou_stdout_write(vm, "Type help(object) for help about object.\n", 41) ? V_NONE : V_NULL;
    bool missing = false;
    Value doc = ou_getattr_opt(vm, args[0], name_of(vm, N_DU_doc), &missing);
    if (doc == V_NULL && !missing)
        return V_NULL;
    Value text = doc == V_NULL || doc == V_NONE ? ou_str_format(vm, "Help on %T object:\n\n%R\n", args[0], args[0])
                                                : ou_str_format(vm, "Help on %T object:\n\n%R\n\n%S\n", args[0], args[0], doc);
    xrelease(vm, doc);
    if (text == V_NULL)
        return V_NULL;
    bool ok = ou_stdout_write(vm, as_str(text)->data, as_str(text)->size);
    release(vm, text);
    return ok ? V_NONE : V_NULL;
}

static Value builtin_breakpoint(VM *vm, const Value *args, int n)
{
    (void)n;
    Value sys = ou_import_module(vm, "sys");
    if (sys == V_NULL)
        return V_NULL;
    Value hook = ou_getattr_c(vm, sys, "breakpointhook");
    release(vm, sys);
    if (hook == V_NULL) {
        if (!ou_exc_matches(vm, E_ATTRIBUTE))
            return V_NULL;
        ou_exc_clear(vm);
        return ou_raise(vm, E_RUNTIME, "lost sys.breakpointhook");
    }
    Value r = ou_call_ex(vm, hook, as_tuple(args[0]), as_dict(args[1]));
    release(vm, hook);
    return r;
}

const NativeDef ou_builtins_io[] = {
    {"breakpoint(*args, **kws)", builtin_breakpoint, "Call sys.breakpointhook(*args, **kws).", 0},
    {"print(*args, sep=' ', end='\\n', file=None, flush=False)", builtin_print,
     "Prints the values to a stream, or to sys.stdout by default.", 0},
    {"input(prompt='', /)", builtin_input, "Read a string from standard input. The trailing newline is stripped.", 0},
    {"open(file, mode='r', buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None)", ou_io_open,
     "Open file and return a stream.", 0},
    {"help(object=None, /)", builtin_help, "Print the documentation of an object.", 0},
    {0},
};
