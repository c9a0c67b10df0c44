/* What the files of `_os` share. May be included by stdlib/mod_os*.c only. */
#ifndef OU_STDLIB_OS_IMPL_H
#define OU_STDLIB_OS_IMPL_H

#include <errno.h>

#include "stdlib/fspath.h"

extern const NativeDef ou_os_files[];   /* mod_os.c: folders, paths, stat */
extern const NativeDef ou_os_fds[];     /* mod_os_fd.c: descriptors */
extern const NativeDef ou_os_process[]; /* mod_os_process.c: processes, environment, the machine */
extern const NativeDef ou_os_unix[];    /* mod_os_unix.c: users, groups, priorities, limits of the system */
extern const NativeDef ou_os_fd_more[]; /* mod_os_fd_more.c: positioned and vectored input and output, terminals */
extern const NativeDef ou_os_paths[];   /* mod_os_path.c: paths as text */
bool ou_os_unix_types(VM *vm, Module *m);
bool ou_os_constants(VM *vm, Module *m);
bool ou_os_environ(VM *vm, Module *m);
extern const TypeDef ou_os_direntry_def, ou_os_scandir_def;

typedef struct OsState {
    Value stat_result, terminal_size, statvfs_result, times_result, uname_result; /* owned types */
    Value direntry, scandir, waitid_result, sched_param;
} OsState;
OsState *ou_os_state(VM *vm);
bool ou_os_fd(VM *vm, Value v, int *out); /* an int, or an object with fileno() */
Value ou_os_stat_path(VM *vm, int dir, const char *path, bool follow, Value shown);
bool ou_os_int(VM *vm, Value v, int *out);

/* Evaluates `call` without the VM's lock until it is not interrupted; r and err say how it went. */
#define OS_BLOCKING(r, err, call)                                                                                     \
    do {                                                                                                              \
        ou_blocking_begin(vm);                                                                                        \
        (r) = (call);                                                                                                 \
        (err) = errno;                                                                                                \
        ou_blocking_end(vm);                                                                                          \
    } while ((r) < 0 && (err) == EINTR && ou_safepoint(vm))
/* mod_os_fd.c */
Value ou_os_outcome(VM *vm, int64_t r, int err); /* what such a call returns: r, or the error is raised */
Value ou_os_read(VM *vm, Value fd, Value size, Value at); /* os.read, os.pread; at V_NULL: where the descriptor stands */

#endif
