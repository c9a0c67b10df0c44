/* The command line's options, as Python's. For main.c only. */
#ifndef OU_CLI_OPTIONS_H
#define OU_CLI_OPTIONS_H

#include <stdbool.h>

typedef enum Mode { MODE_FILE, MODE_CODE, MODE_MODULE, MODE_STDIN, MODE_DIS } Mode;
typedef struct Options {
    Mode mode;
    bool dash;              /* "-" was given */
    const char *what;       /* file, code or module */
    int rest;               /* index of the program's first argument */
    bool interactive, quiet, isolated, no_env, safe_path, dev_mode;
    int optimize;
    char letters[32];       /* those that sys.flags shows, as often as they were given */
    const char **warnings;  /* of -W; room for argc entries */
    const char **xoptions;  /* of -X */
    int nwarnings, nxoptions;
} Options;

/* False: *status is the exit status; what there was to say has been said. */
bool options_parse(Options *o, int argc, char **argv, int *status);

#endif
