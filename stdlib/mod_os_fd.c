/* The part of `_os` about file descriptors: open, read, write, pipes, terminals. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "runtime/objects/bytes.h"
#include "stdlib/os_impl.h"
#include "vm/call.h"

static Value os_open(VM *vm, const Value *args, int n)
{
    (void)n;
    int flags, mode = 0777, fd, err, dir = AT_FDCWD;
    FsPath p;
    if (!ou_os_int(vm, args[1], &flags))
        return V_NULL;
    bool reads = !(flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND));
    if (!ou_require_cap(vm, reads ? CAP_FS_READ : CAP_FILES, "opening files") ||
        (args[2] != V_NULL && !ou_os_int(vm, args[2], &mode)) ||
        (args[3] != V_NULL && args[3] != V_NONE && !ou_os_int(vm, args[3], &dir)) || !ou_fspath_get(vm, args[0], "open", &p))
        return V_NULL;
    OS_BLOCKING(fd, err, openat(dir, p.p, flags | O_CLOEXEC, mode));
    ou_fspath_done(vm, &p);
    if (fd < 0)
        return vm->exc != V_NULL ? V_NULL : ou_raise_errno(vm, err, args[0]);
    return v_smallint(fd);
}

static Value os_close(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    if (!ou_os_int(vm, args[0], &fd))
        return V_NULL;
    return close(fd) < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
}

static Value os_closerange(VM *vm, const Value *args, int n)
{
    (void)n;
    int lo, hi;
    if (!ou_os_int(vm, args[0], &lo) || !ou_os_int(vm, args[1], &hi))
        return V_NULL;
    for (int fd = lo < 0 ? 0 : lo; fd < hi; fd++)
        close(fd);
    return V_NONE;
}

Value ou_os_outcome(VM *vm, int64_t r, int err)
{
    if (r >= 0)
        return ou_int(vm, r);
    return vm->exc != V_NULL ? V_NULL : ou_raise_errno(vm, err, V_NULL);
}

Value ou_os_read(VM *vm, Value fd_arg, Value size_arg, Value at_arg)
{
    int fd, err = 0;
    int64_t size, at = 0;
    if (!ou_os_int(vm, fd_arg, &fd) || !ou_index_i64(vm, size_arg, &size) || (at_arg != V_NULL && !ou_index_i64(vm, at_arg, &at)))
        return V_NULL;
    if (size < 0)
        return ou_raise_errno(vm, EINVAL, V_NULL);
    if (size > 0x7ffff000)
        size = 0x7ffff000;
    void *p = ou_alloc(&vm->heap, (size_t)size + 1);
    if (!p)
        return ou_raise_memory(vm);
    ssize_t got;
    OS_BLOCKING(got, err, at_arg != V_NULL ? pread(fd, p, (size_t)size, at) : read(fd, p, (size_t)size));
    Value r = got >= 0 ? ou_bytes_new(vm, p, (size_t)got) : ou_os_outcome(vm, got, err);
    ou_free(&vm->heap, p, (size_t)size + 1);
    return r;
}

static Value os_read(VM *vm, const Value *args, int n) { return (void)n, ou_os_read(vm, args[0], args[1], V_NULL); }

static Value os_write(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd, err = 0;
    Buffer b;
    if (!ou_os_int(vm, args[0], &fd) || !ou_buffer_get(vm, args[1], &b, false))
        return V_NULL;
    ssize_t put;
    OS_BLOCKING(put, err, write(fd, b.p, (size_t)b.n));
    ou_buffer_release(vm, &b);
    return ou_os_outcome(vm, put, err);
}

static Value pipe_with(VM *vm, int flags)
{
    int fds[2];
    if (!ou_require_cap(vm, CAP_ANY_FD, "using descriptors"))
        return V_NULL;
    if (pipe2(fds, flags) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    Value v[2] = {v_smallint(fds[0]), v_smallint(fds[1])};
    return ou_tuple_take(vm, v, 2);
}

static Value os_pipe(VM *vm, const Value *args, int n) { return (void)args, (void)n, pipe_with(vm, O_CLOEXEC); }

static Value os_pipe2(VM *vm, const Value *args, int n)
{
    (void)n;
    int flags;
    return ou_os_int(vm, args[0], &flags) ? pipe_with(vm, flags) : V_NULL;
}

static Value os_dup(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    if (!ou_os_int(vm, args[0], &fd))
        return V_NULL;
    int r = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return r < 0 ? ou_raise_errno(vm, errno, V_NULL) : v_smallint(r);
}

static Value os_dup2(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd, to, inheritable = args[2] == V_NULL ? 1 : ou_truth(vm, args[2]);
    if (inheritable < 0 || !ou_os_int(vm, args[0], &fd) || !ou_os_int(vm, args[1], &to))
        return V_NULL;
    int r = inheritable || fd == to ? dup2(fd, to) : dup3(fd, to, O_CLOEXEC);
    return r < 0 ? ou_raise_errno(vm, errno, V_NULL) : v_smallint(r);
}

static Value os_lseek(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd, whence;
    int64_t pos;
    if (!ou_os_int(vm, args[0], &fd) || !ou_index_i64(vm, args[1], &pos) || !ou_os_int(vm, args[2], &whence))
        return V_NULL;
    off_t r = lseek(fd, pos, whence);
    return r < 0 ? ou_raise_errno(vm, errno, V_NULL) : ou_int(vm, r);
}

static Value os_isatty(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    return ou_os_int(vm, args[0], &fd) ? v_bool(isatty(fd)) : V_NULL;
}

static Value fd_call(VM *vm, Value v, int (*call)(int))
{
    int fd;
    if (!ou_os_fd(vm, v, &fd))
        return V_NULL;
    ou_blocking_begin(vm);
    int r = call(fd), err = errno;
    ou_blocking_end(vm);
    return r < 0 ? ou_raise_errno(vm, err, V_NULL) : V_NONE;
}

static Value os_fsync(VM *vm, const Value *args, int n) { return (void)n, fd_call(vm, args[0], fsync); }
static Value os_fdatasync(VM *vm, const Value *args, int n) { return (void)n, fd_call(vm, args[0], fdatasync); }
static Value os_fchdir(VM *vm, const Value *args, int n) { return (void)n, fd_call(vm, args[0], fchdir); }

static Value os_ftruncate(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    int64_t size;
    if (!ou_os_int(vm, args[0], &fd) || !ou_index_i64(vm, args[1], &size))
        return V_NULL;
    return ftruncate(fd, size) < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
}

static Value os_get_blocking(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    if (!ou_os_int(vm, args[0], &fd))
        return V_NULL;
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? ou_raise_errno(vm, errno, V_NULL) : v_bool(!(flags & O_NONBLOCK));
}

static Value os_set_blocking(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd, on = ou_truth(vm, args[1]);
    if (on < 0 || !ou_os_int(vm, args[0], &fd))
        return V_NULL;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, on ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    return V_NONE;
}

static Value os_get_inheritable(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    if (!ou_os_int(vm, args[0], &fd))
        return V_NULL;
    int flags = fcntl(fd, F_GETFD);
    return flags < 0 ? ou_raise_errno(vm, errno, V_NULL) : v_bool(!(flags & FD_CLOEXEC));
}

static Value os_set_inheritable(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd, on = ou_truth(vm, args[1]);
    if (on < 0 || !ou_os_int(vm, args[0], &fd))
        return V_NULL;
    int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || fcntl(fd, F_SETFD, on ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    return V_NONE;
}

static Value os_get_terminal_size(VM *vm, const Value *args, int n)
{
    int fd = 1;
    struct winsize w;
    OsState *os = ou_os_state(vm);
    if (!os || (n > 0 && !ou_os_int(vm, args[0], &fd)))
        return V_NULL;
    if (ioctl(fd, TIOCGWINSZ, &w) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    Value v[2] = {v_smallint(w.ws_col), v_smallint(w.ws_row)};
    return ou_structseq_new(vm, (Type *)v_obj(os->terminal_size), v);
}

static Value os_sendfile(VM *vm, const Value *args, int n)
{
    (void)n;
    int out, in;
    int64_t offset = 0, count;
    bool has = args[2] != V_NONE;
    if (!ou_os_int(vm, args[0], &out) || !ou_os_int(vm, args[1], &in) || (has && !ou_index_i64(vm, args[2], &offset)) ||
        !ou_index_i64(vm, args[3], &count))
        return V_NULL;
    off_t at = offset;
    ou_blocking_begin(vm);
    ssize_t r = sendfile(out, in, has ? &at : NULL, (size_t)count);
    int err = errno;
    ou_blocking_end(vm);
    return r < 0 ? ou_raise_errno(vm, err, V_NULL) : ou_int(vm, r);
}

const NativeDef ou_os_fds[] = {
    {"open(path, flags, mode=0o777, *, dir_fd=None)", os_open, NULL, 0},
    {"close(fd)", os_close, NULL, 0},
    {"closerange(fd_low, fd_high, /)", os_closerange, NULL, 0},
    {"read(fd, length, /)", os_read, NULL, 0},
    {"write(fd, data, /)", os_write, NULL, 0},
    {"pipe()", os_pipe, NULL, 0},
    {"pipe2(flags, /)", os_pipe2, NULL, 0},
    {"dup(fd, /)", os_dup, NULL, 0},
    {"dup2(fd, fd2, inheritable=True)", os_dup2, NULL, 0},
    {"lseek(fd, position, whence, /)", os_lseek, NULL, 0},
    {"isatty(fd, /)", os_isatty, NULL, 0},
    {"fsync(fd)", os_fsync, NULL, 0},
    {"fdatasync(fd)", os_fdatasync, NULL, 0},
    {"fchdir(fd)", os_fchdir, NULL, 0},
    {"ftruncate(fd, length, /)", os_ftruncate, NULL, 0},
    {"get_blocking(fd, /)", os_get_blocking, NULL, 0},
    {"set_blocking(fd, blocking, /)", os_set_blocking, NULL, 0},
    {"get_inheritable(fd, /)", os_get_inheritable, NULL, 0},
    {"set_inheritable(fd, inheritable, /)", os_set_inheritable, NULL, 0},
    {"get_terminal_size(fd=1, /)", os_get_terminal_size, NULL, 0},
    {"sendfile(out_fd, in_fd, offset, count)", os_sendfile, NULL, 0},
    {0},
};
