/* The command line: ouro FILE.script, -c, -m, -, -i, -V, --dis. Uses the public header and the C library only: what it needs,
 * every host needs. Exit status as Python's: 1 uncaught exception, 2 usage, SystemExit's own, 130 Ctrl-C. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/api/ouro.h"
#include "runtime/cli/repl.h"

static const char usage[] =
    "usage: ouro [option] ... [-c cmd | -m mod | file | -] [arg] ...\n"
    "  -c cmd     program passed in as string (ends the option list)\n"
    "  -m mod     run a module on the search path as a script (ends the option list)\n"
    "  -          program read from standard input (default when it is no terminal)\n"
    "  -i         go on with a prompt after running the program\n"
    "  -I folder  search modules there first\n"
    "  -V         print the version and exit\n"
    "  --dis file print the bytecode of a file and exit\n"
    "  -h         print this text and exit\n"
    "OUROPATH: folders to search for modules, separated by ':'\n";

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

static int disassemble(ouro_vm *vm, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        fprintf(stderr, "ouro: can't open file '%s': [Errno %d] %s\n", path, errno, strerror(errno));
        return 2;
    }
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

typedef enum Mode { MODE_FILE, MODE_CODE, MODE_MODULE, MODE_STDIN, MODE_DIS } Mode;

int main(int argc, char **argv)
{
    Mode mode = MODE_STDIN;
    const char *what = NULL, *folders[64];
    int nfolders = 0, at = 1;
    bool interactive = false, have = false;
    for (; at < argc && !have; at++) {
        const char *a = argv[at];
        if (strcmp(a, "-") == 0) {
            mode = MODE_STDIN;
            have = true;
        } else if (a[0] != '-') {
            mode = MODE_FILE;
            what = a;
            have = true;
        } else if (strcmp(a, "-V") == 0 || strcmp(a, "--version") == 0) {
            printf("Ouro %s (Python 3.13)\n", ouro_version());
            return 0;
        } else if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        } else if (strcmp(a, "-i") == 0) {
            interactive = true;
        } else if (strcmp(a, "-c") == 0 || strcmp(a, "-m") == 0 || strcmp(a, "--dis") == 0 || strcmp(a, "-I") == 0) {
            if (at + 1 >= argc) {
                fprintf(stderr, "Argument expected for the %s option\n%s", a, usage);
                return 2;
            }
            what = argv[++at];
            if (a[1] == 'I') {
                if (nfolders < 64)
                    folders[nfolders++] = what;
                continue;
            }
            mode = a[1] == 'c' ? MODE_CODE : a[1] == 'm' ? MODE_MODULE : MODE_DIS;
            have = true;
        } else {
            fprintf(stderr, "unknown option %s\n%s", a, usage);
            return 2;
        }
    }
    ouro_config cfg;
    ouro_config_init(&cfg);
    cfg.caps = OURO_CAP_ALL;
    ouro_vm *vm = ouro_open(&cfg);
    if (!vm) {
        fputs("ouro: out of memory\n", stderr);
        return 1;
    }

    /* sys.argv[0] is the file, "-c", "-m" (replaced by the module's file), "-" or "" */
    const char *first = mode == MODE_FILE ? what : mode == MODE_CODE ? "-c" : mode == MODE_MODULE ? "-m" : have && mode == MODE_STDIN ? "-" : "";
    int status = 0;
    const char **args = malloc((size_t)(argc + 1) * sizeof *args);
    int nargs = 0;
    if (args) {
        args[nargs++] = first;
        for (int k = at; k < argc; k++)
            args[nargs++] = argv[k];
        if (ouro_set_args(vm, nargs, args) != OURO_OK)
            status = ouro_report(vm);
        free(args);
    }
    for (int k = nfolders; k-- > 0;)
        ouro_add_path(vm, folders[k], true);
    if (mode != MODE_FILE)
        ouro_add_path(vm, "", true);

    ouro_rc rc = OURO_OK;
    bool prompt = interactive;
    switch (mode) {
    case MODE_FILE: {
        FILE *f = fopen(what, "rb");
        if (!f) {
            fprintf(stderr, "ouro: can't open file '%s': [Errno %d] %s\n", what, errno, strerror(errno));
            ouro_close(vm);
            return 2;
        }
        fclose(f);
        rc = ouro_run_file(vm, what, NULL);
        break;
    }
    case MODE_CODE:
        rc = ouro_run(vm, what, strlen(what), "<string>", NULL);
        break;
    case MODE_MODULE:
        rc = ouro_run_module(vm, what, NULL);
        break;
    case MODE_DIS:
        status = disassemble(vm, what);
        break;
    case MODE_STDIN:
        if (isatty(0) || interactive) {
            prompt = true;
        } else {
            size_t n;
            char *src = read_all(stdin, &n);
            if (src)
                rc = ouro_run(vm, src, n, "<stdin>", NULL);
            free(src);
        }
        break;
    }
    if (rc != OURO_OK)
        status = ouro_report(vm);
    if (prompt)
        status = repl_run(vm);
    uint64_t left = ouro_close(vm);
    if (left && getenv("OURO_LEAKCHECK")) {
        fprintf(stderr, "ouro: leaked %llu objects\n", (unsigned long long)left);
        return 99;
    }
    return status;
}
