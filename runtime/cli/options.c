/* Reading the command line. One letter options may stand together (-Bu), an argument may follow at once (-cprint(1)); -c, -m, a
 * file and - end the list. Options about what Ouro does not have (-B, -s, -S: byte code files, site-packages) are accepted. */
#include "runtime/cli/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/ouro.h"

static const char synopsis[] = "usage: %s [option] ... [-c cmd | -m mod | file | -] [arg] ...\n";
static const char help[] =
    "-c cmd  : program passed in as string (ends the option list)\n"
    "-m mod  : run a module on the search path as a script (ends the option list)\n"
    "file    : program read from a file, or from __main__ in a folder\n"
    "-       : program read from standard input (default when it is no terminal)\n"
    "-i      : go on with a prompt after running the program\n"
    "-q      : no greeting at the prompt\n"
    "-u      : standard output and error are not buffered\n"
    "-O      : leave assert statements out, __debug__ is False\n"
    "-OO     : -O, and leave docstrings out\n"
    "-P      : do not put the script's folder on sys.path\n"
    "-E      : ignore OUROPATH and the PYTHON variables\n"
    "-I      : isolated: -E and -P\n"
    "-W arg  : a filter for warnings: action:message:category:module:lineno\n"
    "-X opt  : -X dev turns on asyncio's debug mode and all warnings; others go to sys._xoptions\n"
    "-V      : print the version and exit (also --version)\n"
    "--dis file : print the bytecode of a file and exit\n"
    "-h      : print this text and exit (also -? or --help)\n"
    "-b, -B, -d, -s, -S, -v are accepted and change nothing.\n"
    "OUROPATH: folders to search for modules, separated by ':'\n"
    "PYTHONWARNINGS (as -W, separated by ','), PYTHONUNBUFFERED (as -u), PYTHONDEVMODE (as -X dev) and PYTHONASYNCIODEBUG\n"
    "are read as by Python.\n";

static bool misuse(const char *program, int *status)
{
    fprintf(stderr, synopsis, program);
    fprintf(stderr, "Try `%s -h' for more information.\n", program);
    *status = 2;
    return false;
}

static bool say_help(const char *program, int *status)
{
    printf(synopsis, program);
    fputs(help, stdout);
    *status = 0;
    return false;
}

static bool say_version(int *status)
{
    printf("Ouro %s (Python 3.13)\n", ouro_version());
    *status = 0;
    return false;
}

static void set_flag(Options *o, char letter)
{
    size_t n = strlen(o->letters);
    if (strchr("bdEiquv", letter) && n + 1 < sizeof o->letters)
        o->letters[n] = letter;
    else if (letter == 'I' && n + 2 < sizeof o->letters)
        memcpy(o->letters + n, "EI", 2);
    switch (letter) {
    case 'i': o->interactive = true; break;
    case 'q': o->quiet = true; break;
    case 'O': o->optimize++; break;
    case 'P': o->safe_path = true; break;
    case 'E': o->no_env = true; break;
    case 'I': o->isolated = o->no_env = o->safe_path = true; break;
    default: break;
    }
}

static void set_argument(Options *o, char letter, const char *arg)
{
    if (letter == 'W') {
        o->warnings[o->nwarnings++] = arg;
    } else if (letter == 'X') {
        o->xoptions[o->nxoptions++] = arg;
        if (strcmp(arg, "dev") == 0)
            o->dev_mode = true;
    } else {
        o->what = arg;
        o->mode = letter == 'c' ? MODE_CODE : letter == 'm' ? MODE_MODULE : MODE_DIS;
    }
}

static bool no_argument(const char *option, const char *program, int *status)
{
    fprintf(stderr, "Argument expected for the %s option\n", option);
    return misuse(program, status);
}

/* The letters of one word. *at moves on when an argument is the next word. */
static bool letters(Options *o, int argc, char **argv, int *at, int *status)
{
    const char *p = argv[*at] + 1;
    for (; *p; p++) {
        char option[3] = {'-', *p, 0};
        if (*p == 'h' || *p == '?')
            return say_help(argv[0], status);
        if (*p == 'V')
            return say_version(status);
        if (strchr("cmWX", *p)) {
            if (!p[1] && *at + 1 >= argc)
                return no_argument(option, argv[0], status);
            set_argument(o, *p, p[1] ? p + 1 : argv[++*at]);
            return true;
        }
        if (!strchr("bBdEiIOPqsSuv", *p)) {
            fprintf(stderr, "Unknown option: %s\n", option);
            return misuse(argv[0], status);
        }
        set_flag(o, *p);
    }
    return true;
}

static bool is_set(const char *name)
{
    const char *s = getenv(name);
    return s && *s;
}

bool options_parse(Options *o, int argc, char **argv, int *status)
{
    o->mode = MODE_STDIN;
    int at = 1;
    for (; at < argc && !o->what; at++) {
        const char *a = argv[at];
        if (strcmp(a, "-") == 0) {
            o->dash = true;
            at++;
            break;
        }
        if (a[0] != '-' || strcmp(a, "--") == 0) {
            at += a[0] == '-';
            if (at < argc) {
                o->mode = MODE_FILE;
                o->what = argv[at++];
            }
            break;
        }
        if (strcmp(a, "--help") == 0)
            return say_help(argv[0], status);
        if (strcmp(a, "--version") == 0)
            return say_version(status);
        if (strcmp(a, "--dis") == 0) {
            if (at + 1 >= argc)
                return no_argument(a, argv[0], status);
            set_argument(o, 'd', argv[++at]);
        } else if (a[1] == '-') {
            fprintf(stderr, "unknown option %s\n", a);
            return misuse(argv[0], status);
        } else if (!letters(o, argc, argv, &at, status)) {
            return false;
        }
    }
    o->rest = at;
    if (!o->no_env) {
        if (is_set("PYTHONUNBUFFERED"))
            set_flag(o, 'u');
        o->dev_mode = o->dev_mode || is_set("PYTHONDEVMODE");
    }
    return true;
}
