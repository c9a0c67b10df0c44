/* Paths given by scripts: str, bytes or os.PathLike. May be included by stdlib/. */
#ifndef OU_STDLIB_FSPATH_H
#define OU_STDLIB_FSPATH_H

#include "runtime/loop/threads.h" /* ou_blocking_begin, ou_blocking_end: around system calls that may block */
#include "stdlib/stdlib.h"

typedef struct FsPath {
    const char *p;  /* NUL-terminated bytes for the system */
    Value own;      /* what keeps p alive */
    bool is_bytes;  /* the script gave bytes: names in the answer are bytes too */
} FsPath;
/* what: NULL for os.fspath's message, else "stat" etc.: "stat: path should be string, bytes or os.PathLike, not int". */
bool ou_fspath_get(VM *vm, Value v, const char *what, FsPath *out);
void ou_fspath_done(VM *vm, FsPath *p);
Value ou_fspath(VM *vm, Value v);                             /* os.fspath */
Value ou_fs_decode(VM *vm, const char *p, size_t n);          /* str by surrogateescape */
Value ou_fs_name(VM *vm, const FsPath *like, const char *p);  /* str or bytes, as the path was given */

#endif
