/* Less common calls of `_os` on descriptors: reading and writing at a position or into several buffers, locks, advice, pseudo
 * terminals, event counters, memory files, extended attributes. */
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utmp.h>

#include "runtime/objects/bytes.h"
#include "stdlib/os_impl.h"
#include "vm/call.h"

static Value done(VM *vm, int64_t r) { return r < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE; }
static Value number(VM *vm, int64_t r) { return r < 0 ? ou_raise_errno(vm, errno, V_NULL) : ou_int(vm, r); }

static Value os_pread(VM *vm, const Value *args, int n) { return (void)n, ou_os_read(vm, args[0], args[1], args[2]); }

static Value os_pwrite(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd, err = 0;
    int64_t at;
    Buffer b;
    if (!ou_os_int(vm, args[0], &fd) || !ou_index_i64(vm, args[2], &at) || !ou_buffer_get(vm, args[1], &b, false))
        return V_NULL;
    ssize_t put;
    OS_BLOCKING(put, err, pwrite(fd, b.p, (size_t)b.n, at));
    ou_buffer_release(vm, &b);
    return ou_os_outcome(vm, put, err);
}

enum { VEC_MAX = 1024 };
/* readv, writev and their forms with a position (at < 0: none) and flags. */
static Value vectored(VM *vm, Value fd_arg, Value seq, bool reads, int64_t at, int flags)
{
    int fd, err = 0;
    size_t count;
    Value own = V_NULL;
    if (!ou_os_int(vm, fd_arg, &fd))
        return V_NULL;
    const Value *items = ou_seq_items(vm, seq, &count, &own, reads ? "readv() arg 2 must be a sequence" : "writev() arg 2 must be a sequence");
    if (vm->exc != V_NULL)
        return V_NULL;
    if (count > VEC_MAX) {
        xrelease(vm, own);
        return ou_raise_errno(vm, EINVAL, V_NULL);
    }
    Buffer *bufs = ou_alloc(&vm->heap, (count + 1) * sizeof *bufs);
    struct iovec *vec = ou_alloc(&vm->heap, (count + 1) * sizeof *vec);
    size_t held = 0;
    ssize_t r = -1;
    if (!bufs || !vec)
        ou_raise_memory(vm);
    while (vm->exc == V_NULL && held < count && ou_buffer_get(vm, items[held], &bufs[held], reads)) {
        vec[held] = (struct iovec){bufs[held].p, (size_t)bufs[held].n};
        held++;
    }
    if (vm->exc == V_NULL && at < 0)
        OS_BLOCKING(r, err, reads ? readv(fd, vec, (int)count) : writev(fd, vec, (int)count));
    else if (vm->exc == V_NULL)
        OS_BLOCKING(r, err, reads ? preadv2(fd, vec, (int)count, at, flags) : pwritev2(fd, vec, (int)count, at, flags));
    while (held)
        ou_buffer_release(vm, &bufs[--held]);
    ou_free(&vm->heap, bufs, (count + 1) * sizeof *bufs);
    ou_free(&vm->heap, vec, (count + 1) * sizeof *vec);
    xrelease(vm, own);
    return ou_os_outcome(vm, r, err);
}
static Value os_readv(VM *vm, const Value *args, int n) { return (void)n, vectored(vm, args[0], args[1], true, -1, 0); }
static Value os_writev(VM *vm, const Value *args, int n) { return (void)n, vectored(vm, args[0], args[1], false, -1, 0); }
static Value positioned(VM *vm, const Value *args, int n, bool reads)
{
    int64_t at;
    int flags = 0;
    if (!ou_index_i64(vm, args[2], &at) || (n > 3 && !ou_os_int(vm, args[3], &flags)))
        return V_NULL;
    return at < 0 ? ou_raise_errno(vm, EINVAL, V_NULL) : vectored(vm, args[0], args[1], reads, at, flags);
}
static Value os_preadv(VM *vm, const Value *args, int n) { return positioned(vm, args, n, true); }
static Value os_pwritev(VM *vm, const Value *args, int n) { return positioned(vm, args, n, false); }

static Value os_lockf(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd, command, r, err = 0;
    int64_t size;
    if (!ou_os_int(vm, args[0], &fd) || !ou_os_int(vm, args[1], &command) || !ou_index_i64(vm, args[2], &size))
        return V_NULL;
    OS_BLOCKING(r, err, lockf(fd, command, size));
    return r < 0 ? ou_os_outcome(vm, r, err) : V_NONE;
}

static Value os_posix_fallocate(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    int64_t at, size;
    if (!ou_os_int(vm, args[0], &fd) || !ou_index_i64(vm, args[1], &at) || !ou_index_i64(vm, args[2], &size))
        return V_NULL;
    ou_blocking_begin(vm);
    int err = posix_fallocate(fd, at, size);
    ou_blocking_end(vm);
    return err ? ou_raise_errno(vm, err, V_NULL) : V_NONE;
}

static Value os_posix_fadvise(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd, advice;
    int64_t at, size;
    if (!ou_os_int(vm, args[0], &fd) || !ou_index_i64(vm, args[1], &at) || !ou_index_i64(vm, args[2], &size) ||
        !ou_os_int(vm, args[3], &advice))
        return V_NULL;
    int err = posix_fadvise(fd, at, size, advice);
    return err ? ou_raise_errno(vm, err, V_NULL) : V_NONE;
}

static Value os_copy_file_range(VM *vm, const Value *args, int n)
{
    (void)n;
    int in, out, err = 0;
    int64_t count, from = 0, to = 0;
    bool has_from = args[3] != V_NULL && args[3] != V_NONE, has_to = args[4] != V_NULL && args[4] != V_NONE;
    if (!ou_os_int(vm, args[0], &in) || !ou_os_int(vm, args[1], &out) || !ou_index_i64(vm, args[2], &count) ||
        (has_from && !ou_index_i64(vm, args[3], &from)) || (has_to && !ou_index_i64(vm, args[4], &to)))
        return V_NULL;
    if (count < 0)
        return ou_raise(vm, E_VALUE, "negative value for 'count' not allowed");
    loff_t a = from, b = to;
    ssize_t r;
    OS_BLOCKING(r, err, copy_file_range(in, has_from ? &a : NULL, out, has_to ? &b : NULL, (size_t)count, 0));
    return ou_os_outcome(vm, r, err);
}

static Value os_sync(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    ou_blocking_begin(vm);
    sync();
    ou_blocking_end(vm);
    return V_NONE;
}

/* ---- terminals ----------------------------------------------------------------------------------------------------------------- */

static Value os_openpty(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    int a, b;
    if (openpty(&a, &b, NULL, NULL, NULL) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    fcntl(a, F_SETFD, FD_CLOEXEC);
    fcntl(b, F_SETFD, FD_CLOEXEC);
    Value v[2] = {v_smallint(a), v_smallint(b)};
    return ou_tuple_take(vm, v, 2);
}
static Value os_login_tty(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    return ou_os_int(vm, args[0], &fd) ? done(vm, login_tty(fd)) : V_NULL;
}
static Value os_ttyname(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    char name[256];
    if (!ou_os_int(vm, args[0], &fd))
        return V_NULL;
    int err = ttyname_r(fd, name, sizeof name);
    return err ? ou_raise_errno(vm, err, V_NULL) : ou_fs_decode(vm, name, strlen(name));
}
static Value os_ctermid(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return ou_str_c(vm, "/dev/tty");
}
static Value os_device_encoding(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    if (!ou_os_int(vm, args[0], &fd))
        return V_NULL;
    return isatty(fd) ? ou_str_c(vm, "utf-8") : V_NONE;
}

/* ---- counters, memory files, random numbers, device numbers ----------------------------------------------------------------------- */

static Value os_eventfd(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t initial;
    int flags = EFD_CLOEXEC;
    if (!ou_index_i64(vm, args[0], &initial) || (args[1] != V_NULL && !ou_os_int(vm, args[1], &flags)))
        return V_NULL;
    return number(vm, eventfd((unsigned)initial, flags));
}
static Value os_eventfd_read(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd, r, err = 0;
    eventfd_t value;
    if (!ou_os_int(vm, args[0], &fd))
        return V_NULL;
    OS_BLOCKING(r, err, eventfd_read(fd, &value));
    return r < 0 ? ou_os_outcome(vm, r, err) : ou_int_u64(vm, value);
}
static Value os_eventfd_write(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd, r, err = 0;
    int64_t value;
    if (!ou_os_int(vm, args[0], &fd) || !ou_index_i64(vm, args[1], &value))
        return V_NULL;
    OS_BLOCKING(r, err, eventfd_write(fd, (eventfd_t)value));
    return r < 0 ? ou_os_outcome(vm, r, err) : V_NONE;
}
static Value os_memfd_create(VM *vm, const Value *args, int n)
{
    (void)n;
    unsigned flags = MFD_CLOEXEC;
    int given;
    FsPath p;
    if (args[1] != V_NULL) {
        if (!ou_os_int(vm, args[1], &given))
            return V_NULL;
        flags = (unsigned)given;
    }
    if (!ou_fspath_get(vm, args[0], NULL, &p))
        return V_NULL;
    int fd = memfd_create(p.p, flags), err = errno;
    ou_fspath_done(vm, &p);
    return fd < 0 ? ou_raise_errno(vm, err, V_NULL) : v_smallint(fd);
}
static Value os_getrandom(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t size;
    int flags = 0;
    if (!ou_index_i64(vm, args[0], &size) || (args[1] != V_NULL && !ou_os_int(vm, args[1], &flags)))
        return V_NULL;
    if (size < 0)
        return ou_raise_errno(vm, EINVAL, V_NULL);
    Value b = ou_bytes_new(vm, NULL, (size_t)size);
    ssize_t got = b == V_NULL ? -1 : getrandom(as_bytes(b)->data, (size_t)size, (unsigned)flags);
    if (b != V_NULL && got < 0) {
        release(vm, b);
        return ou_raise_errno(vm, errno, V_NULL);
    }
    if (b != V_NULL && got < size) {
        Value shorter = ou_bytes_new(vm, as_bytes(b)->data, (size_t)got);
        release(vm, b);
        return shorter;
    }
    return b;
}
static Value os_major(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t device;
    return ou_index_i64(vm, args[0], &device) ? ou_int(vm, major((dev_t)device)) : V_NULL;
}
static Value os_minor(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t device;
    return ou_index_i64(vm, args[0], &device) ? ou_int(vm, minor((dev_t)device)) : V_NULL;
}
static Value os_makedev(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t a, b;
    return ou_index_i64(vm, args[0], &a) && ou_index_i64(vm, args[1], &b) ? ou_int_u64(vm, makedev((unsigned)a, (unsigned)b)) : V_NULL;
}

/* ---- extended attributes ------------------------------------------------------------------------------------------------------------ */

typedef struct XPath {
    FsPath p;
    int fd; /* -1: by name */
    int follow;
} XPath;
static bool xattr_path(VM *vm, Value path, Value follow, const char *what, XPath *out)
{
    out->fd = -1;
    out->p.own = V_NULL;
    out->follow = follow == V_NULL ? 1 : ou_truth(vm, follow);
    if (out->follow < 0 || !ou_require_cap(vm, CAP_FILES, "using the file system"))
        return false;
    return ou_is_intlike(vm, path) ? ou_os_int(vm, path, &out->fd) : ou_fspath_get(vm, path, what, &out->p);
}
static void xattr_done(VM *vm, XPath *x)
{
    if (x->p.own != V_NULL)
        ou_fspath_done(vm, &x->p);
}

static Value os_getxattr(VM *vm, const Value *args, int n)
{
    (void)n;
    XPath x;
    FsPath name;
    if (!xattr_path(vm, args[0], args[2], "getxattr", &x))
        return V_NULL;
    Value r = V_NULL;
    if (ou_fspath_get(vm, args[1], NULL, &name)) {
        size_t cap = 65536;
        void *p = ou_alloc(&vm->heap, cap);
        ssize_t got = !p ? -1 : x.fd >= 0 ? fgetxattr(x.fd, name.p, p, cap)
                      : x.follow           ? getxattr(x.p.p, name.p, p, cap)
                                           : lgetxattr(x.p.p, name.p, p, cap);
        r = !p ? ou_raise_memory(vm) : got < 0 ? ou_raise_errno(vm, errno, args[0]) : ou_bytes_new(vm, p, (size_t)got);
        ou_free(&vm->heap, p, cap);
        ou_fspath_done(vm, &name);
    }
    xattr_done(vm, &x);
    return r;
}
static Value os_setxattr(VM *vm, const Value *args, int n)
{
    (void)n;
    XPath x;
    FsPath name;
    Buffer b;
    int flags = 0;
    if ((args[3] != V_NULL && !ou_os_int(vm, args[3], &flags)) || !xattr_path(vm, args[0], args[4], "setxattr", &x))
        return V_NULL;
    Value r = V_NULL;
    if (ou_fspath_get(vm, args[1], NULL, &name)) {
        if (ou_buffer_get(vm, args[2], &b, false)) {
            int e = x.fd >= 0    ? fsetxattr(x.fd, name.p, b.p, (size_t)b.n, flags)
                    : x.follow ? setxattr(x.p.p, name.p, b.p, (size_t)b.n, flags)
                               : lsetxattr(x.p.p, name.p, b.p, (size_t)b.n, flags);
            r = e < 0 ? ou_raise_errno(vm, errno, args[0]) : V_NONE;
            ou_buffer_release(vm, &b);
        }
        ou_fspath_done(vm, &name);
    }
    xattr_done(vm, &x);
    return r;
}
static Value os_removexattr(VM *vm, const Value *args, int n)
{
    (void)n;
    XPath x;
    FsPath name;
    if (!xattr_path(vm, args[0], args[2], "removexattr", &x))
        return V_NULL;
    Value r = V_NULL;
    if (ou_fspath_get(vm, args[1], NULL, &name)) {
        int e = x.fd >= 0 ? fremovexattr(x.fd, name.p) : x.follow ? removexattr(x.p.p, name.p) : lremovexattr(x.p.p, name.p);
        r = e < 0 ? ou_raise_errno(vm, errno, args[0]) : V_NONE;
        ou_fspath_done(vm, &name);
    }
    xattr_done(vm, &x);
    return r;
}
static Value os_listxattr(VM *vm, const Value *args, int n)
{
    (void)n;
    XPath x;
    Value path = args[0] == V_NULL || args[0] == V_NONE ? ou_str_c(vm, ".") : retain(args[0]);
    if (path == V_NULL || !xattr_path(vm, path, args[1], "listxattr", &x)) {
        xrelease(vm, path);
        return V_NULL;
    }
    size_t cap = 65536;
    char *p = ou_alloc(&vm->heap, cap);
    ssize_t got = !p ? -1 : x.fd >= 0 ? flistxattr(x.fd, p, cap) : x.follow ? listxattr(x.p.p, p, cap) : llistxattr(x.p.p, p, cap);
    Value list = !p ? ou_raise_memory(vm) : got < 0 ? ou_raise_errno(vm, errno, path) : ou_list_new(vm, 0);
    for (ssize_t at = 0; list != V_NULL && at < got; at += (ssize_t)strlen(p + at) + 1) {
        if (!ou_list_append_take(vm, as_list(list), ou_fs_decode(vm, p + at, strlen(p + at)))) {
            release(vm, list);
            list = V_NULL;
        }
    }
    ou_free(&vm->heap, p, cap);
    xattr_done(vm, &x);
    release(vm, path);
    return list;
}

const NativeDef ou_os_fd_more[] = {
    {"pread(fd, length, offset, /)", os_pread, NULL, 0},
    {"pwrite(fd, buffer, offset, /)", os_pwrite, NULL, 0},
    {"readv(fd, buffers, /)", os_readv, NULL, 0},
    {"writev(fd, buffers, /)", os_writev, NULL, 0},
    {"preadv(fd, buffers, offset, flags=0, /)", os_preadv, NULL, 0},
    {"pwritev(fd, buffers, offset, flags=0, /)", os_pwritev, NULL, 0},
    {"lockf(fd, command, length, /)", os_lockf, NULL, 0},
    {"posix_fallocate(fd, offset, length, /)", os_posix_fallocate, NULL, 0},
    {"posix_fadvise(fd, offset, length, advice, /)", os_posix_fadvise, NULL, 0},
    {"copy_file_range(src, dst, count, offset_src=None, offset_dst=None)", os_copy_file_range, NULL, 0},
    {"sync()", os_sync, NULL, 0},
    {"openpty()", os_openpty, NULL, 0},
    {"login_tty(fd, /)", os_login_tty, NULL, 0},
    {"ttyname(fd, /)", os_ttyname, NULL, 0},
    {"ctermid()", os_ctermid, NULL, 0},
    {"device_encoding(fd)", os_device_encoding, NULL, 0},
    {"eventfd(initval, flags=524288)", os_eventfd, NULL, 0},
    {"eventfd_read(fd)", os_eventfd_read, NULL, 0},
    {"eventfd_write(fd, value)", os_eventfd_write, NULL, 0},
    {"memfd_create(name, flags=1)", os_memfd_create, NULL, 0},
    {"getrandom(size, flags=0)", os_getrandom, NULL, 0},
    {"major(device, /)", os_major, NULL, 0},
    {"minor(device, /)", os_minor, NULL, 0},
    {"makedev(major, minor, /)", os_makedev, NULL, 0},
    {"getxattr(path, attribute, *, follow_symlinks=True)", os_getxattr, NULL, 0},
    {"setxattr(path, attribute, value, flags=0, *, follow_symlinks=True)", os_setxattr, NULL, 0},
    {"removexattr(path, attribute, *, follow_symlinks=True)", os_removexattr, NULL, 0},
    {"listxattr(path=None, *, follow_symlinks=True)", os_listxattr, NULL, 0},
    {0},
};
