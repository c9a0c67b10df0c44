/* The command line: ouro FILE.script, a folder, -c, -m, -, -i, --dis. Uses the public header and the C library only: what it needs,
 * every host needs. Exit status as Python's: 1 uncaught exception, 2 usage, SystemExit's own; Ctrl-C ends it by its signal. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/api/ouro.h"
#include "runtime/cli/options.h"
#include "runtime/cli/repl.h"

static char *read_all(FILE *f, size_t *n)
{
    size_t cap = 1 << 16;
    char *p = malloc(cap);
    *n = 0;
    while (p) {
        size_t got = fread(p + *n, 1, cap - *n, f);
        *n += got;
        if (got == 0)
            break;
        if (*n == cap) {
            char *q = realloc(p, cap *= 2);
            if (!q)
                free(p);
            p = q;
        }
    }
    return p;
}

static int cannot_open(const char *program, const char *path)
{
    int err = errno;
    char here[4096] = "";
    if (path[0] != '/' && !getcwd(here, sizeof here))
        here[0] = 0;
    fprintf(stderr, "%s: can't open file '%s%s%s': [Errno %d] %s\n", program, here, *here ? "/" : "", path, err, strerror(err));
    return 2;
}

static int disassemble(ouro_vm *vm, const char *program, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return cannot_open(program, path);
    size_t n;
    char *src = read_all(f, &n);
    fclose(f);
    ouro_val text;
    const char *s;
    size_t len;
    int status = 0;
    if (src && ouro_disassemble(vm, src, n, path, &text) == OURO_OK && ouro_to_str(vm, text, &s, &len) == OURO_OK)
        fwrite(s, 1, len, stdout);
    else
        status = ouro_report(vm);
    free(src);
    return status;
}

/* ---- what scripts see of the command line --------------------------------------------------------------------------------- */

static bool set_text(ouro_vm *vm, ouro_val target, const char *name, const char *text)
{
    ouro_val v;
    return ouro_str(vm, text, strlen(text), &v) == OURO_OK && ouro_set_attr(vm, target, name, v) == OURO_OK;
}

/* sys.argv[0] is the file, "-c", "-m" (replaced by the module's file), "-" or "". */
static bool set_args(ouro_vm *vm, const Options *o, int argc, char **argv)
{
    const char **args = malloc((size_t)(argc + 1) * sizeof *args);
    if (!args)
        return true;
    int n = 0;
    args[n++] = o->mode == MODE_FILE ? o->what : o->mode == MODE_CODE ? "-c" : o->mode == MODE_MODULE ? "-m" : o->dash ? "-" : "";
    for (int k = o->rest; k < argc; k++)
        args[n++] = argv[k];
    ouro_rc rc = ouro_set_args(vm, n, args);
    free(args);
    return rc == OURO_OK;
}

static bool add_warning(ouro_vm *vm, ouro_val list, ouro_val module, const char *option, size_t len)
{
    ouro_val arg, exc, text;
    const char *s;
    size_t n;
    if (ouro_str(vm, option, len, &arg) != OURO_OK) {
        ouro_exc_take(vm, &exc); /* no text: it is left out */
        return true;
    }
    if (ouro_call_method(vm, list, "append", 1, &arg, NULL) != OURO_OK)
        return false;
    if (ouro_call_method(vm, module, "_setoption", 1, &arg, NULL) != OURO_OK && ouro_exc_take(vm, &exc) == OURO_OK &&
        ouro_text(vm, exc, &text) == OURO_OK && ouro_to_str(vm, text, &s, &n) == OURO_OK)
        fprintf(stderr, "Invalid -W option ignored: %s\n", s);
    return true;
}

/* sys.warnoptions: of -X dev, PYTHONWARNINGS, -W. Each becomes a filter, the last the strongest. */
static bool set_warnings(ouro_vm *vm, const Options *o, ouro_val sys)
{
    ouro_val list, module;
    const char *env = o->no_env ? NULL : getenv("PYTHONWARNINGS");
    if (o->nwarnings == 0 && !o->dev_mode && !(env && *env))
        return true;
    if (ouro_get_attr(vm, sys, "warnoptions", &list) != OURO_OK || ouro_import(vm, "warnings", &module) != OURO_OK ||
        (o->dev_mode && !add_warning(vm, list, module, "default", 7)))
        return false;
    while (env && *env) {
        size_t n = strcspn(env, ",");
        if (n > 0 && !add_warning(vm, list, module, env, n))
            return false;
        env += n + (env[n] == ',');
    }
    for (int k = 0; k < o->nwarnings; k++) {
        if (!add_warning(vm, list, module, o->warnings[k], strlen(o->warnings[k])))
            return false;
    }
    return true;
}

static bool set_xoptions(ouro_vm *vm, const Options *o, ouro_val sys)
{
    ouro_val dict, key, value;
    if (o->nxoptions && ouro_get_attr(vm, sys, "_xoptions", &dict) != OURO_OK)
        return false;
    for (int k = 0; k < o->nxoptions; k++) {
        const char *s = o->xoptions[k], *eq = strchr(s, '=');
        value = ouro_bool(vm, true);
        if ((eq && ouro_str(vm, eq + 1, strlen(eq + 1), &value) != OURO_OK) ||
            ouro_str(vm, s, eq ? (size_t)(eq - s) : strlen(s), &key) != OURO_OK || ouro_set_item(vm, dict, key, value) != OURO_OK)
            return false;
    }
    return true;
}

static bool set_sys(ouro_vm *vm, const Options *o, int argc, char **argv)
{
    ouro_val sys, list;
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    if (!set_args(vm, o, argc, argv) || ouro_import(vm, "sys", &sys) != OURO_OK || !set_text(vm, sys, "executable", self) ||
        ouro_list(vm, 0, NULL, &list) != OURO_OK)
        return false;
    for (int k = 0; k < argc; k++) {
        ouro_val v;
        if (ouro_str(vm, argv[k], strlen(argv[k]), &v) != OURO_OK) {
            ouro_exc_take(vm, &v); /* no text: it is left out */
            continue;
        }
        if (ouro_call_method(vm, list, "append", 1, &v, NULL) != OURO_OK)
            return false;
    }
    return ouro_set_attr(vm, sys, "orig_argv", list) == OURO_OK && set_warnings(vm, o, sys) && set_xoptions(vm, o, sys);
}

/* ---- running ---------------------------------------------------------------------------------------------------------------- */

static ouro_rc run_stdin(ouro_vm *vm)
{
    size_t n;
    char *src = read_all(stdin, &n);
    ouro_val module;
    ouro_rc rc = ouro_run(vm, "", 0, "<stdin>", &module); /* makes it */
    if (rc == OURO_OK && !set_text(vm, module, "__file__", "<stdin>"))
        rc = OURO_EXC;
    if (src && rc == OURO_OK)
        rc = ouro_run(vm, src, n, "<stdin>", NULL);
    free(src);
    return rc;
}

/* What could not be found or run: an ImportError that has seen no code. */
static bool nothing_ran(ouro_vm *vm, ouro_val exc)
{
    ouro_val tb;
    return ouro_exc_is(vm, exc, "ImportError") && ouro_get_attr(vm, exc, "__traceback__", &tb) == OURO_OK && ouro_is_none(vm, tb);
}

/* The pending exception ends the program. *killed: by Ctrl-C, which is told by the signal. */
static int report(ouro_vm *vm, const Options *o, const char *program, bool *killed)
{
    ouro_scope s = ouro_scope_open(vm);
    ouro_val exc, text;
    const char *p;
    size_t n;
    int status = 1;
    if (ouro_exc_take(vm, &exc) != OURO_OK) {
        fputs("ouro: out of memory\n", stderr);
    } else if (o->mode != MODE_CODE && nothing_ran(vm, exc) && ouro_text(vm, exc, &text) == OURO_OK &&
               ouro_to_str(vm, text, &p, &n) == OURO_OK) {
        fprintf(stderr, "%s: %s\n", program, p);
    } else if (o->interactive) {
        repl_show(vm, exc);
    } else {
        *killed = ouro_exc_is(vm, exc, "KeyboardInterrupt");
        ouro_raise_val(vm, exc);
        status = ouro_report(vm);
        *killed = *killed && status == 130;
    }
    ouro_scope_close(vm, s);
    return status;
}

static int run(ouro_vm *vm, const Options *o, const char *program, bool *killed)
{
    ouro_rc rc = OURO_OK;
    bool prompt = o->interactive;
    int status = 0;
    switch (o->mode) {
    case MODE_FILE: {
        FILE *f = fopen(o->what, "rb");
        if (!f)
            return cannot_open(program, o->what);
        fclose(f);
        rc = ouro_run_file(vm, o->what, NULL);
        break;
    }
    case MODE_CODE: rc = ouro_run(vm, o->what, strlen(o->what), "<string>", NULL); break;
    case MODE_MODULE: rc = ouro_run_module(vm, o->what, NULL); break;
    case MODE_DIS: return disassemble(vm, program, o->what);
    case MODE_STDIN:
        if (isatty(0) || o->interactive)
            prompt = true;
        else
            rc = run_stdin(vm);
        break;
    }
    if (rc != OURO_OK)
        status = report(vm, o, program, killed);
    if (prompt)
        status = repl_run(vm, o->mode == MODE_STDIN && !o->quiet);
    return status;
}

static ouro_vm *open_vm(const Options *o, bool *lost_output)
{
    ouro_config cfg;
    ouro_config_init(&cfg);
    cfg.caps = OURO_CAP_ALL;
    cfg.optimize = o->optimize;
    cfg.safe_path = o->safe_path;
    cfg.dev_mode = o->dev_mode;
    cfg.options = o->letters;
    cfg.lost_output = lost_output;
    char *path = o->no_env ? getenv("OUROPATH") : NULL; /* read when the VM is opened; the program's children see it again */
    path = path ? strdup(path) : NULL;
    if (path)
        unsetenv("OUROPATH");
    ouro_vm *vm = ouro_open(&cfg);
    if (path)
        setenv("OUROPATH", path, 1);
    free(path);
    return vm;
}

int main(int argc, char **argv)
{
    int status = 1;
    bool killed = false, lost_output = false;
    Options o = {.warnings = calloc((size_t)argc + 1, sizeof(char *)), .xoptions = calloc((size_t)argc + 1, sizeof(char *))};
    ouro_vm *vm = NULL;
    if (!o.warnings || !o.xoptions || (options_parse(&o, argc, argv, &status) && !(vm = open_vm(&o, &lost_output))))
        fputs("ouro: out of memory\n", stderr);
    if (vm) {
        char here[4096] = "";
        bool ok = set_sys(vm, &o, argc, argv);
        if (o.mode == MODE_MODULE && !getcwd(here, sizeof here))
            here[0] = 0;
        if (ok && o.mode != MODE_FILE && !o.safe_path)
            ok = ouro_add_path(vm, here, true) == OURO_OK;
        status = ok ? run(vm, &o, argv[0], &killed) : ouro_report(vm);
        uint64_t left = 0;
        const char *check = getenv("OURO_LEAKCHECK");
        if (check && *check)
            left = ouro_close(vm);
        else
            ouro_close_at_exit(vm);
        if (lost_output)
            status = 120;
        if (left) {
            fprintf(stderr, "ouro: leaked %llu objects\n", (unsigned long long)left);
            status = 99;
            killed = false;
        }
    }
    free(o.warnings);
    free(o.xoptions);
    if (killed) {
        fflush(NULL);
        signal(SIGINT, SIG_DFL);
        raise(SIGINT);
    }
    return status;
}
