/* Running source text, files, modules and interactive input; reporting what went wrong. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "grammar/parse.h"
#include "runtime/api/api.h"
#include "runtime/objects/import.h"

Value ou_main_dict(VM *vm)
{
    Value m = ou_dict_get_c(vm, vm->modules, "__main__");
    if (m == V_NULL) {
        m = ou_module_new(vm, "__main__", 8);
        if (m == V_NULL)
            return V_NULL;
        Dict *d = ((Module *)v_obj(m))->dict;
        Value b = ou_dict_get_c(vm, vm->modules, "builtins");
        bool ok = ou_dict_set_c(vm, vm->modules, "__main__", m) && (b == V_NULL || ou_dict_set_c(vm, d, "__builtins__", b));
        release(vm, m);
        if (!ok)
            return V_NULL;
    }
    if (!is_exact(m, T_MODULE))
        return ou_raise(vm, E_RUNTIME, "__main__ is not a module");
    return v_of(((Module *)v_obj(m))->dict);
}

static ouro_rc give_main(VM *vm, Value ran, ouro_val *out) /* takes what running the code returned */
{
    if (ran == V_NULL)
        return ou_api_rc(vm, false);
    release(vm, ran);
    Value m = ou_dict_get_c(vm, vm->modules, "__main__");
    return ou_api_give(vm, m == V_NULL ? V_NONE : retain(m), out);
}

static Value run_code(VM *vm, const char *src, size_t n, const char *name, const char *mode, uint32_t flags)
{
    Value file = ou_str_decode(vm, name, strlen(name), "utf-8", "surrogateescape");
    if (file == V_NULL)
        return V_NULL;
    /* Tracebacks show the lines of what came from no file (but not those of a program on standard input, as in CPython); a
     * prompt's inputs follow each other under one name. */
    bool remember = name[0] == '<' && (*mode == 's' || strcmp(name, "<stdin>") != 0);
    Value code = remember && !ou_source_remember(vm, file, src, n, *mode == 's') ? V_NULL : ou_compile(vm, src, n, file, mode, flags);
    Value v = V_NULL, ns = code == V_NULL ? V_NULL : ou_main_dict(vm);
    if (ns != V_NULL)
        v = ou_exec(vm, as_code(code), as_dict(ns), V_NULL, NULL);
    xrelease(vm, code);
    release(vm, file);
    return v;
}

ouro_rc ouro_run(ouro_vm *vm, const char *src, size_t n, const char *name, ouro_val *out)
{
    ou_api_enter(vm);
    return ou_api_leave(vm, give_main(vm, run_code(vm, src, n, name, "exec", 0), out));
}

ouro_rc ouro_run_interactive(ouro_vm *vm, const char *src, size_t n, const char *name)
{
    ou_api_enter(vm);
    Value v = run_code(vm, src, n, name, "single", 0);
    xrelease(vm, v);
    return ou_api_leave(vm, ou_api_rc(vm, v != V_NULL));
}

ouro_rc ouro_eval(ouro_vm *vm, const char *src, size_t n, const char *name, ouro_val *out)
{
    ou_api_enter(vm);
    return ou_api_leave(vm, ou_api_give(vm, run_code(vm, src, n, name, "eval", 0), out));
}

bool ouro_is_complete(ouro_vm *vm, const char *src, size_t n)
{
    Arena a;
    ParseError err;
    ou_arena_init(&a, &vm->heap);
    if (n && src[n - 1] == '\n') /* the text is lines; what ends a block is an empty one */
        n--;
    bool ok = ou_parse(&a, src, n, PARSE_SINGLE, PARSE_IS_STR | PARSE_DONT_IMPLY_DEDENT, &err) != NULL || !err.incomplete;
    ou_arena_fini(&a);
    return ok;
}

static char *read_file(VM *vm, const char *path, size_t *n, size_t *cap)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    char *p = NULL;
    *n = *cap = 0;
    for (;;) {
        if (*n + 65536 > *cap) {
            size_t more = *cap ? *cap * 2 : 1 << 17;
            char *q = ou_realloc(&vm->heap, p, *cap, more);
            if (!q)
                break;
            p = q;
            *cap = more;
        }
        size_t got = fread(p + *n, 1, 65536, f);
        *n += got;
        if (got == 0) {
            fclose(f);
            return p;
        }
    }
    fclose(f);
    ou_free(&vm->heap, p, *cap);
    ou_raise_memory(vm);
    return NULL;
}

ouro_rc ouro_add_path(ouro_vm *vm, const char *folder, bool first)
{
    Value path = ou_dict_get_str(vm, vm->sysdict, name_of(vm, N_path));
    Value s = ou_str_decode(vm, folder, strlen(folder), "utf-8", "surrogateescape");
    bool ok = s != V_NULL && path != V_NULL && is_exact(path, T_LIST) &&
              ou_list_insert(vm, as_list(path), first ? 0 : as_list(path)->n, s);
    xrelease(vm, s);
    return ou_api_rc(vm, ok);
}

/* The absolute form of a path that is not cleaned up: "./a" in /b is /b/./a. False: too long, or no working directory. */
static bool absolute(const char *path, char *out, size_t size)
{
    char here[4096] = "";
    if (path[0] != '/' && !getcwd(here, sizeof here))
        return false;
    int n = snprintf(out, size, "%s%s%s", strcmp(here, "/") ? here : "", path[0] == '/' ? "" : "/", path);
    return n >= 0 && (size_t)n < size;
}

/* Runs the code of `-m` or of a folder as __main__; without a folder, sys.argv[0] becomes its file. */
static ouro_rc run_main_module(ouro_vm *vm, const char *dotted, Value folder, ouro_val *out)
{
    ou_api_enter(vm);
    Value ns = ou_main_dict(vm), file = V_NULL, v = V_NULL;
    Value code = ns == V_NULL ? V_NULL : ou_import_main(vm, dotted, folder, as_dict(ns), &file);
    if (code != V_NULL) {
        Value argv = ou_dict_get_str(vm, vm->sysdict, name_of(vm, N_argv));
        bool ok = folder != V_NONE || argv == V_NULL || !is_exact(argv, T_LIST) || !as_list(argv)->n ||
                  ou_setitem(vm, argv, v_smallint(0), file);
        if (ok)
            v = ou_exec(vm, as_code(code), as_dict(ns), V_NULL, NULL);
        release(vm, code);
        release(vm, file);
    }
    return ou_api_leave(vm, give_main(vm, v, out));
}

static ouro_rc run_folder(ouro_vm *vm, const char *path, ouro_val *out)
{
    char full[8192];
    Value s = V_NULL, list = V_NULL;
    ouro_rc rc = OURO_EXC;
    if (!absolute(path, full, sizeof full)) {
        ou_raise(vm, E_OS, "the folder's path is too long");
    } else if (ouro_add_path(vm, full, true) == OURO_OK) {
        s = ou_str_decode(vm, full, strlen(full), "utf-8", "surrogateescape");
        list = s == V_NULL ? V_NULL : ou_list_of(vm, &s, 1);
        if (list != V_NULL)
            rc = run_main_module(vm, "__main__", list, out);
    }
    xrelease(vm, s);
    xrelease(vm, list);
    return rc;
}

/* sys.path[0] is where the script really is: links are followed. */
static ouro_rc add_script_path(ouro_vm *vm, const char *path)
{
    if (vm->safe_path)
        return OURO_OK;
    char *real = realpath(path, NULL);
    char *slash = real ? strrchr(real, '/') : NULL;
    if (slash)
        slash[slash == real] = 0;
    ouro_rc rc = ouro_add_path(vm, slash ? real : "", true);
    free(real);
    return rc;
}

ouro_rc ouro_run_file(ouro_vm *vm, const char *path, ouro_val *out)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return run_folder(vm, path, out);
    size_t n, cap;
    char *src = read_file(vm, path, &n, &cap);
    if (!src) {
        if (vm->exc == V_NULL) {
            Value file = ou_str_decode(vm, path, strlen(path), "utf-8", "surrogateescape");
            ou_raise_errno(vm, errno, file);
            xrelease(vm, file);
        }
        return OURO_EXC;
    }
    char full[8192]; /* __file__ is absolute, as Python's; sys.argv[0] is not */
    if (absolute(path, full, sizeof full))
        path = full;
    ou_api_enter(vm);
    Value ns = add_script_path(vm, path) == OURO_OK ? ou_main_dict(vm) : V_NULL, file = V_NULL, v = V_NULL;
    if (ns != V_NULL) {
        file = ou_str_decode(vm, path, strlen(path), "utf-8", "surrogateescape");
        if (file != V_NULL && ou_dict_set_c(vm, as_dict(ns), "__file__", file) && ou_dict_set_c(vm, as_dict(ns), "__cached__", V_NONE))
            v = run_code(vm, src, n, path, "exec", COMPILE_FROM_FILE);
        xrelease(vm, file);
    }
    ou_free(&vm->heap, src, cap);
    return ou_api_leave(vm, give_main(vm, v, out));
}

ouro_rc ouro_run_module(ouro_vm *vm, const char *dotted, ouro_val *out) { return run_main_module(vm, dotted, V_NONE, out); }

ouro_rc ouro_import(ouro_vm *vm, const char *name, ouro_val *out)
{
    ou_api_enter(vm);
    return ou_api_leave(vm, ou_api_give(vm, ou_import_module(vm, name), out));
}

ouro_rc ouro_call(ouro_vm *vm, ouro_val fn, int argc, const ouro_val *argv, ouro_val *out)
{
    Value f = ou_api_get(vm, fn), fixed[16];
    if (f == V_NULL || argc < 0)
        return OURO_MISUSE;
    Value *in = argc <= 16 ? fixed : ou_alloc(&vm->heap, (size_t)argc * sizeof(Value));
    if (!in) {
        ou_raise_memory(vm);
        return OURO_EXC;
    }
    bool ok = true;
    ou_api_enter(vm);
    for (int k = 0; k < argc; k++) {
        in[k] = ou_api_get(vm, argv[k]);
        ok = ok && in[k] != V_NULL;
    }
    Value v = V_NULL;
    if (ok) {
        retain(f);
        for (int k = 0; k < argc; k++)
            retain(in[k]);
        v = ou_call(vm, f, in, argc, NULL);
        for (int k = 0; k < argc; k++)
            release(vm, in[k]);
        release(vm, f);
    }
    if (in != fixed)
        ou_free(&vm->heap, in, (size_t)argc * sizeof(Value));
    return ou_api_leave(vm, ok ? ou_api_give(vm, v, out) : OURO_MISUSE);
}

ouro_rc ouro_call_method(ouro_vm *vm, ouro_val self, const char *name, int argc, const ouro_val *argv, ouro_val *out)
{
    ou_api_enter(vm);
    ouro_scope s = ouro_scope_open(vm);
    ouro_val f, r = {0};
    ouro_rc rc = ouro_get_attr(vm, self, name, &f);
    if (rc == OURO_OK)
        rc = ouro_call(vm, f, argc, argv, &r);
    r = ouro_scope_escape(vm, s, r);
    if (out)
        *out = r;
    return ou_api_leave(vm, rc);
}

ouro_rc ouro_set_args(ouro_vm *vm, int argc, const char *const *argv)
{
    Value l = ou_list_new(vm, (size_t)(argc > 0 ? argc : 0));
    bool ok = l != V_NULL;
    for (int k = 0; ok && k < argc; k++) {
        Value s = ou_str_decode(vm, argv[k], strlen(argv[k]), "utf-8", "surrogateescape");
        ok = s != V_NULL && ou_list_append_take(vm, as_list(l), s);
    }
    ok = ok && ou_dict_set_str(vm, vm->sysdict, name_of(vm, N_argv), l);
    xrelease(vm, l);
    return ou_api_rc(vm, ok);
}

ouro_rc ouro_disassemble(ouro_vm *vm, const char *src, size_t n, const char *name, ouro_val *text)
{
    Value file = ou_str_c(vm, name);
    Value code = file == V_NULL ? V_NULL : ou_compile(vm, src, n, file, "exec", 0);
    Value t = code == V_NULL ? V_NULL : ou_code_disassemble(vm, as_code(code));
    xrelease(vm, code);
    xrelease(vm, file);
    return ou_api_give(vm, t, text);
}

/* ---- the end of a program ---- */

/* sys.stderr None: shows nothing, except what exit(text) says. */
static void write_err(VM *vm, Value text, bool always)
{
    Value err = ou_dict_get_str(vm, vm->sysdict, name_of(vm, N_stderr));
    if (err == V_NONE && !always)
        return;
    if (err != V_NULL && err != V_NONE) {
        Value v = ou_call_method(vm, err, name_of(vm, N_write), &text, 1, NULL);
        if (v != V_NULL)
            release(vm, v);
        else
            ou_exc_clear(vm);
        return;
    }
    fwrite(as_str(text)->data, 1, as_str(text)->size, stderr);
}

static int exit_status(VM *vm, Value exc)
{
    Value code = ((ExcSysExit *)v_obj(exc))->code;
    int64_t i;
    if (code == V_NULL || code == V_NONE)
        return 0;
    if (ou_is_intlike(vm, code))
        return ou_int_fits_i64(vm, code, &i) ? (int)(i & 0xFF) : 255;
    Value s = ou_str(vm, code);
    if (s == V_NULL) {
        ou_exc_clear(vm);
        return 1;
    }
    Value line = ou_str_format(vm, "%U\n", s);
    release(vm, s);
    if (line != V_NULL)
        write_err(vm, line, true);
    xrelease(vm, line);
    return 1;
}

static void show(VM *vm, const char *before, Value exc)
{
    Value text = ou_exc_format(vm, exc, true);
    Value all = text == V_NULL ? V_NULL : ou_str_format(vm, "%s%U", before, text);
    if (all != V_NULL)
        write_err(vm, all, false);
    xrelease(vm, text);
    xrelease(vm, all);
    ou_exc_clear(vm);
}

int ouro_report(ouro_vm *vm)
{
    if (vm->exc == V_NULL)
        return 0;
    ou_api_enter(vm);
    Value exc = ou_exc_take(vm);
    int status = 1;
    Value out = ou_dict_get_str(vm, vm->sysdict, name_of(vm, N_stdout));
    if (out != V_NULL && out != V_NONE) { /* what was printed before comes before the traceback */
        Value v = ou_call_method(vm, out, name_of(vm, N_flush), NULL, 0, NULL);
        xrelease(vm, v);
        ou_exc_clear(vm);
    }
    if (ou_is_a(vm, exc, E_SYSTEM_EXIT)) {
        status = exit_status(vm, exc);
    } else {
        if (ou_is_a(vm, exc, E_KEYBOARD_INTERRUPT))
            status = 130;
        Value hook = ou_dict_get_str(vm, vm->sysdict, name_of(vm, N_excepthook)), v = V_NULL;
        if (hook == V_NULL) {
            ou_exc_clear(vm);
            show(vm, "sys.excepthook is missing\n", exc);
        } else {
            retain(hook);
            v = ou_call3(vm, hook, v_of(ou_type_of(vm, exc)), exc, as_exc(exc)->traceback);
            release(vm, hook);
        }
        if (vm->exc != V_NULL) {
            Value again = ou_exc_take(vm);
            if (ou_is_a(vm, again, E_SYSTEM_EXIT)) {
                status = exit_status(vm, again);
            } else {
                show(vm, "Error in sys.excepthook:\n", again);
                show(vm, "\nOriginal exception was:\n", exc);
            }
            release(vm, again);
        }
        xrelease(vm, v);
    }
    ou_exc_clear(vm);
    release(vm, exc);
    ou_api_leave_quiet(vm);
    return status;
}
