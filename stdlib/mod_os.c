/* `_os`, what os and posixpath stand on: folders, paths, stat. Descriptors are in mod_os_fd.c, processes and the environment in
 * mod_os_process.c, scandir in mod_os_scandir.c. The one thing to know: every function here asks for CAP_FILES, processes for
 * CAP_PROCESS, the environment for CAP_ENV; without the capability the call fails with PermissionError. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "runtime/objects/bytes.h"
#include "stdlib/os_impl.h"
#include "vm/call.h"

OsState *ou_os_state(VM *vm) { return ou_module_record(vm, MOD__os, sizeof(OsState)); }

bool ou_os_int(VM *vm, Value v, int *out)
{
    int64_t i;
    if (!ou_require_cap(vm, CAP_ANY_FD, "using descriptors") || !ou_index_i64(vm, v, &i))
        return false;
    if (i < INT32_MIN || i > INT32_MAX) {
        ou_raise(vm, E_OVERFLOW, i > 0 ? "signed integer is greater than maximum" : "signed integer is less than minimum");
        return false;
    }
    *out = (int)i;
    return true;
}

bool ou_os_fd(VM *vm, Value v, int *out)
{
    if (is_bool(v) && !ou_warn(vm, E_RUNTIME_WARNING, 1, "bool is used as a file descriptor"))
        return false;
    if (ou_is_intlike(vm, v))
        return ou_os_int(vm, v, out);
    Value r = ou_call_method_c(vm, v, "fileno", NULL, 0);
    if (r == V_NULL) {
        if (ou_exc_matches(vm, E_ATTRIBUTE)) {
            ou_exc_clear(vm);
            ou_raise(vm, E_TYPE, "argument must be an int, or have a fileno() method.");
        }
        return false;
    }
    bool ok = ou_os_int(vm, r, out);
    release(vm, r);
    return ok;
}

static bool files(VM *vm) { return ou_require_cap(vm, CAP_FILES, "using the file system"); }
static bool reads(VM *vm) { return ou_require_cap(vm, CAP_FS_READ, "using the file system"); }

/* ---- stat ------------------------------------------------------------------------------------------------------------------ */

static const char *const stat_fields[] = {
    "st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size", "_atime_s", "_mtime_s", "_ctime_s", "st_atime",
    "st_mtime", "st_ctime", "st_atime_ns", "st_mtime_ns", "st_ctime_ns", "st_blksize", "st_blocks", "st_rdev", NULL};
static const StructSeqDef stat_def = {"os.stat_result", NULL, stat_fields, 10, false};
static const char *const size_fields[] = {"columns", "lines", NULL};
static const StructSeqDef size_def = {"os.terminal_size", NULL, size_fields, 2, false};
static const char *const vfs_fields[] = {"f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail",
                                         "f_flag", "f_namemax", "f_fsid", NULL};
static const StructSeqDef vfs_def = {"os.statvfs_result", NULL, vfs_fields, 10, false};
static const char *const times_fields[] = {"user", "system", "children_user", "children_system", "elapsed", NULL};
static const StructSeqDef times_def = {"posix.times_result", NULL, times_fields, 5, false};
static const char *const uname_fields[] = {"sysname", "nodename", "release", "version", "machine", NULL};
static const StructSeqDef uname_def = {"posix.uname_result", NULL, uname_fields, 5, false};

static Value time_ns(VM *vm, struct timespec t) { return ou_int(vm, (int64_t)t.tv_sec * 1000000000 + t.tv_nsec); }
static Value time_s(struct timespec t) { return v_float((double)t.tv_sec + 1e-9 * (double)t.tv_nsec); }

static Value stat_value(VM *vm, const struct stat *st)
{
    OsState *os = ou_os_state(vm);
    if (!os)
        return V_NULL;
    Value v[19] = {
        ou_int(vm, st->st_mode), ou_int_u64(vm, st->st_ino), ou_int_u64(vm, st->st_dev), ou_int_u64(vm, st->st_nlink),
        ou_int(vm, st->st_uid), ou_int(vm, st->st_gid), ou_int(vm, st->st_size), ou_int(vm, st->st_atim.tv_sec),
        ou_int(vm, st->st_mtim.tv_sec), ou_int(vm, st->st_ctim.tv_sec), time_s(st->st_atim), time_s(st->st_mtim),
        time_s(st->st_ctim), time_ns(vm, st->st_atim), time_ns(vm, st->st_mtim), time_ns(vm, st->st_ctim),
        ou_int(vm, st->st_blksize), ou_int(vm, st->st_blocks), ou_int_u64(vm, st->st_rdev)};
    for (int i = 0; i < 19; i++) {
        if (v[i] == V_NULL) {
            for (int k = 0; k < 19; k++)
                xrelease(vm, v[k]);
            return V_NULL;
        }
    }
    return ou_structseq_new(vm, (Type *)v_obj(os->stat_result), v);
}

Value ou_os_stat_path(VM *vm, int dir, const char *path, bool follow, Value shown)
{
    struct stat st;
    ou_blocking_begin(vm);
    int r = fstatat(dir, path, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW);
    int err = errno;
    ou_blocking_end(vm);
    return r < 0 ? ou_raise_errno(vm, err, shown) : stat_value(vm, &st);
}

/* ---- one path, perhaps in a folder that is open, or a descriptor instead of it --------------------------------------------- */

typedef struct PathAt {
    FsPath p;
    int fd;      /* the path was given as this descriptor; else -1 */
    int dir;     /* AT_FDCWD if none was given */
    Value shown; /* borrowed: what errors name */
} PathAt;

static bool dir_fd_arg(VM *vm, Value v, int *out)
{
    *out = AT_FDCWD;
    if (v == V_NULL || v == V_NONE)
        return true;
    if (!ou_is_intlike(vm, v) && !ou_type_of(vm, v)->slots.to_index)
        return ou_raise(vm, E_TYPE, "argument should be integer or None, not %T", v) != V_NULL;
    return ou_os_int(vm, v, out);
}

/* dir_fd may be V_NULL; fd_ok: a descriptor will do. */
static bool path_to_read(VM *vm, Value path, Value dir_fd, const char *what, bool fd_ok, PathAt *out)
{
    *out = (PathAt){.fd = -1, .shown = path};
    out->p.own = V_NULL;
    if (!reads(vm) || !dir_fd_arg(vm, dir_fd, &out->dir))
        return false;
    if (fd_ok && ou_is_intlike(vm, path)) {
        if (out->dir != AT_FDCWD)
            return ou_raise(vm, E_VALUE, "%s: can't specify dir_fd without matching path", what) != V_NULL;
        if (is_bool(path) && !ou_warn(vm, E_RUNTIME_WARNING, 1, "bool is used as a file descriptor"))
            return false;
        return ou_os_int(vm, path, &out->fd);
    }
    if (fd_ok && !ou_is_a(vm, path, T_STR) && !ou_is_a(vm, path, T_BYTES) &&
        ou_type_lookup(vm, ou_type_of(vm, path), name_of(vm, N_DU_fspath)) == V_NULL)
        return ou_raise(vm, E_TYPE, "%s: path should be string, bytes, os.PathLike or integer, not %T", what, path) != V_NULL;
    return ou_fspath_get(vm, path, what, &out->p);
}

static bool path_at(VM *vm, Value path, Value dir_fd, const char *what, bool fd_ok, PathAt *out)
{
    return files(vm) && path_to_read(vm, path, dir_fd, what, fd_ok, out);
}

typedef int (*PathCall)(const PathAt *at, int64_t arg);

static Value run_path_call(VM *vm, PathAt *at, PathCall call, int64_t arg)
{
    ou_blocking_begin(vm);
    int r = call(at, arg), err = errno;
    ou_blocking_end(vm);
    if (at->p.own != V_NULL)
        ou_fspath_done(vm, &at->p);
    return r < 0 ? ou_raise_errno(vm, err, at->shown) : V_NONE;
}

static Value path_call(VM *vm, Value path, Value dir_fd, const char *what, bool fd_ok, PathCall call, int64_t arg)
{
    PathAt at;
    return path_at(vm, path, dir_fd, what, fd_ok, &at) ? run_path_call(vm, &at, call, arg) : V_NULL;
}

/* follow_symlinks=True: -1 raised */
static int follow_arg(VM *vm, Value v) { return v == V_NULL ? 1 : ou_truth(vm, v); }

static Value stat_at(VM *vm, Value path, Value dir_fd, const char *what, bool follow)
{
    PathAt at;
    struct stat st;
    if (!path_to_read(vm, path, dir_fd, what, follow, &at))
        return V_NULL;
    ou_blocking_begin(vm);
    int r = at.fd >= 0 ? fstat(at.fd, &st) : fstatat(at.dir, at.p.p, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW), err = errno;
    ou_blocking_end(vm);
    if (at.p.own != V_NULL)
        ou_fspath_done(vm, &at.p);
    return r < 0 ? ou_raise_errno(vm, err, path) : stat_value(vm, &st);
}

static Value os_stat(VM *vm, const Value *args, int n)
{
    (void)n;
    int follow = follow_arg(vm, args[2]);
    if (follow == 0 && ou_is_intlike(vm, args[0]) && args[0] != V_INT0)
        return ou_raise(vm, E_VALUE, "stat: cannot use fd and follow_symlinks together");
    return follow < 0 ? V_NULL : stat_at(vm, args[0], args[1], "stat", follow);
}

static Value os_lstat(VM *vm, const Value *args, int n) { return (void)n, stat_at(vm, args[0], args[1], "lstat", false); }

static Value os_fstat(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    struct stat st;
    if (!ou_os_int(vm, args[0], &fd))
        return V_NULL;
    return fstat(fd, &st) < 0 ? ou_raise_errno(vm, errno, V_NULL) : stat_value(vm, &st);
}

static Value os_statvfs(VM *vm, const Value *args, int n)
{
    (void)n;
    PathAt at;
    struct statvfs s;
    OsState *os = ou_os_state(vm);
    if (!os || !path_to_read(vm, args[0], V_NULL, "statvfs", true, &at))
        return V_NULL;
    int r = at.fd >= 0 ? fstatvfs(at.fd, &s) : statvfs(at.p.p, &s);
    if (at.p.own != V_NULL)
        ou_fspath_done(vm, &at.p);
    if (r < 0)
        return ou_raise_errno(vm, errno, args[0]);
    Value v[11] = {ou_int_u64(vm, s.f_bsize), ou_int_u64(vm, s.f_frsize), ou_int_u64(vm, s.f_blocks), ou_int_u64(vm, s.f_bfree),
                   ou_int_u64(vm, s.f_bavail), ou_int_u64(vm, s.f_files), ou_int_u64(vm, s.f_ffree), ou_int_u64(vm, s.f_favail),
                   ou_int_u64(vm, s.f_flag), ou_int_u64(vm, s.f_namemax), ou_int_u64(vm, s.f_fsid)};
    return ou_structseq_new(vm, (Type *)v_obj(os->statvfs_result), v);
}

/* ---- folders ------------------------------------------------------------------------------------------------------------------ */

static Value cwd(VM *vm, bool bytes)
{
    char buf[4096];
    if (!reads(vm))
        return V_NULL;
    if (!getcwd(buf, sizeof buf))
        return ou_raise_errno(vm, errno, V_NULL);
    return bytes ? ou_bytes_new(vm, buf, strlen(buf)) : ou_fs_decode(vm, buf, strlen(buf));
}
static Value os_getcwd(VM *vm, const Value *args, int n) { return (void)args, (void)n, cwd(vm, false); }
static Value os_getcwdb(VM *vm, const Value *args, int n) { return (void)args, (void)n, cwd(vm, true); }

static int call_chdir(const PathAt *at, int64_t a) { return (void)a, at->fd >= 0 ? fchdir(at->fd) : chdir(at->p.p); }
static int call_chroot(const PathAt *at, int64_t a) { return (void)a, chroot(at->p.p); }
static int call_mkdir(const PathAt *at, int64_t a) { return mkdirat(at->dir, at->p.p, (mode_t)a); }
static int call_rmdir(const PathAt *at, int64_t a) { return (void)a, unlinkat(at->dir, at->p.p, AT_REMOVEDIR); }
static int call_unlink(const PathAt *at, int64_t a) { return (void)a, unlinkat(at->dir, at->p.p, 0); }
static int call_chmod(const PathAt *at, int64_t a)
{
    return at->fd >= 0 ? fchmod(at->fd, (mode_t)a) : fchmodat(at->dir, at->p.p, (mode_t)a, 0);
}
static int call_lchmod(const PathAt *at, int64_t a) { return fchmodat(at->dir, at->p.p, (mode_t)a, AT_SYMLINK_NOFOLLOW); }
static int call_truncate(const PathAt *at, int64_t a) { return at->fd >= 0 ? ftruncate(at->fd, a) : truncate(at->p.p, a); }
static int call_mkfifo(const PathAt *at, int64_t a) { return mkfifoat(at->dir, at->p.p, (mode_t)a); }
/* arg: uid in the lower half, gid in the upper; -1 leaves one as it is */
static int call_chown(const PathAt *at, int64_t a)
{
    uid_t uid = (uid_t)(a & 0xffffffff);
    gid_t gid = (gid_t)((uint64_t)a >> 32);
    return at->fd >= 0 ? fchown(at->fd, uid, gid) : fchownat(at->dir, at->p.p, uid, gid, 0);
}
static int call_lchown(const PathAt *at, int64_t a)
{
    return fchownat(at->dir, at->p.p, (uid_t)(a & 0xffffffff), (gid_t)((uint64_t)a >> 32), AT_SYMLINK_NOFOLLOW);
}

static Value os_chdir(VM *vm, const Value *args, int n) { return (void)n, path_call(vm, args[0], V_NULL, "chdir", true, call_chdir, 0); }
static Value os_chroot(VM *vm, const Value *args, int n) { return (void)n, path_call(vm, args[0], V_NULL, "chroot", false, call_chroot, 0); }
static Value os_rmdir(VM *vm, const Value *args, int n) { return (void)n, path_call(vm, args[0], args[1], "rmdir", false, call_rmdir, 0); }
static Value os_remove(VM *vm, const Value *args, int n) { return (void)n, path_call(vm, args[0], args[1], "remove", false, call_unlink, 0); }
static Value os_unlink(VM *vm, const Value *args, int n) { return (void)n, path_call(vm, args[0], args[1], "unlink", false, call_unlink, 0); }

static Value os_mkdir(VM *vm, const Value *args, int n)
{
    (void)n;
    int mode = 0777;
    if (args[1] != V_NULL && !ou_os_int(vm, args[1], &mode))
        return V_NULL;
    return path_call(vm, args[0], args[2], "mkdir", false, call_mkdir, mode);
}

static Value os_mkfifo(VM *vm, const Value *args, int n)
{
    (void)n;
    int mode = 0666;
    if (args[1] != V_NULL && !ou_os_int(vm, args[1], &mode))
        return V_NULL;
    return path_call(vm, args[0], args[2], "mkfifo", false, call_mkfifo, mode);
}

static Value os_mknod(VM *vm, const Value *args, int n)
{
    (void)n;
    int mode = 0600;
    int64_t device = 0;
    PathAt at;
    if ((args[1] != V_NULL && !ou_os_int(vm, args[1], &mode)) || (args[2] != V_NULL && !ou_index_i64(vm, args[2], &device)) ||
        !path_at(vm, args[0], args[3], "mknod", false, &at))
        return V_NULL;
    int r = mknodat(at.dir, at.p.p, (mode_t)mode, (dev_t)device), err = errno;
    ou_fspath_done(vm, &at.p);
    return r < 0 ? ou_raise_errno(vm, err, args[0]) : V_NONE;
}

static Value os_chmod(VM *vm, const Value *args, int n)
{
    (void)n;
    int mode, follow = follow_arg(vm, args[3]);
    if (follow < 0 || !ou_os_int(vm, args[1], &mode))
        return V_NULL;
    return path_call(vm, args[0], args[2], "chmod", follow, follow ? call_chmod : call_lchmod, mode);
}

static Value os_fchmod(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd, mode;
    if (!files(vm) || !ou_os_int(vm, args[0], &fd) || !ou_os_int(vm, args[1], &mode))
        return V_NULL;
    return fchmod(fd, (mode_t)mode) < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
}

static Value os_truncate(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t size;
    return ou_index_i64(vm, args[1], &size) ? path_call(vm, args[0], V_NULL, "truncate", true, call_truncate, size) : V_NULL;
}

/* uid and gid as one number, as call_chown takes them. */
static bool owner_args(VM *vm, const Value *args, int64_t *out)
{
    static const char *const kinds[] = {"uid", "gid"};
    uint64_t half[2];
    for (int i = 0; i < 2; i++) {
        int64_t v;
        if (!ou_is_intlike(vm, args[i]) && !ou_type_of(vm, args[i])->slots.to_index)
            return ou_raise(vm, E_TYPE, "%s should be integer, not %T", kinds[i], args[i]) != V_NULL;
        if (!ou_index_i64(vm, args[i], &v))
            return false;
        if (v < -1 || v > UINT32_MAX)
            return ou_raise(vm, E_OVERFLOW, v < 0 ? "%s is less than minimum" : "%s is greater than maximum", kinds[i]) != V_NULL;
        half[i] = (uint64_t)v & 0xffffffff;
    }
    *out = (int64_t)(half[1] << 32 | half[0]);
    return true;
}

static Value os_chown(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t owner;
    int follow = follow_arg(vm, args[4]);
    if (follow < 0 || !owner_args(vm, args + 1, &owner))
        return V_NULL;
    return path_call(vm, args[0], args[3], "chown", follow, follow ? call_chown : call_lchown, owner);
}

static Value os_lchown(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t owner;
    return owner_args(vm, args + 1, &owner) ? path_call(vm, args[0], V_NULL, "lchown", false, call_lchown, owner) : V_NULL;
}

static Value os_fchown(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    int64_t owner;
    if (!ou_os_int(vm, args[0], &fd) || !owner_args(vm, args + 1, &owner))
        return V_NULL;
    return path_call(vm, args[0], V_NULL, "fchown", true, call_chown, owner);
}

static Value os_listdir(VM *vm, const Value *args, int n)
{
    (void)n;
    FsPath p = {".", V_NONE, false};
    int fd = -1;
    if (!files(vm))
        return V_NULL;
    bool given = args[0] != V_NULL && args[0] != V_NONE, numbered = given && ou_is_intlike(vm, args[0]);
    if (given && !numbered && !ou_is_a(vm, args[0], T_STR) && !ou_is_a(vm, args[0], T_BYTES) &&
        ou_type_lookup(vm, ou_type_of(vm, args[0]), name_of(vm, N_DU_fspath)) == V_NULL)
        return ou_raise(vm, E_TYPE, "listdir: path should be string, bytes, os.PathLike, integer or None, not %T", args[0]);
    if (numbered ? !ou_os_int(vm, args[0], &fd) : given && !ou_fspath_get(vm, args[0], "listdir", &p))
        return V_NULL;
    if (numbered && (fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
        return ou_raise_errno(vm, errno, args[0]);
    DIR *d = numbered ? fdopendir(fd) : opendir(p.p);
    int err = errno;
    if (numbered && d)
        rewinddir(d);
    else if (numbered)
        close(fd);
    Value list = V_NULL;
    if (!d) {
        ou_raise_errno(vm, err, args[0] == V_NULL ? V_NONE : args[0]);
    } else if ((list = ou_list_new(vm, 0)) != V_NULL) {
        struct dirent *e;
        while ((e = readdir(d))) {
            if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
                continue;
            Value name = ou_fs_name(vm, &p, e->d_name);
            if (name == V_NULL || !ou_list_append_take(vm, as_list(list), name)) {
                release(vm, list);
                list = V_NULL;
                break;
            }
        }
    }
    if (d)
        closedir(d);
    ou_fspath_done(vm, &p);
    return list;
}

/* ---- two paths ------------------------------------------------------------------------------------------------------------------ */

static Value raise_two(VM *vm, int err, Value a, Value b)
{
    Value text = ou_fs_decode(vm, strerror(err), strlen(strerror(err)));
    if (text == V_NULL)
        return V_NULL;
    Value args[5] = {v_smallint(err), text, a, V_NONE, b};
    Value e = ou_exc_new(vm, ou_builtin(vm, E_OS), args, 5);
    release(vm, text);
    if (e != V_NULL) {
        ou_raise_value(vm, e);
        release(vm, e);
    }
    return V_NULL;
}

enum { TWO_RENAME, TWO_LINK, TWO_LINK_ITSELF };

static Value two_paths(VM *vm, Value a, Value b, Value a_dir, Value b_dir, const char *what, int kind)
{
    FsPath p, q;
    int from, to;
    if (!files(vm) || !dir_fd_arg(vm, a_dir, &from) || !dir_fd_arg(vm, b_dir, &to) || !ou_fspath_get(vm, a, what, &p))
        return V_NULL;
    if (!ou_fspath_get(vm, b, what, &q)) {
        ou_fspath_done(vm, &p);
        return V_NULL;
    }
    ou_blocking_begin(vm);
    int r = kind == TWO_RENAME ? renameat(from, p.p, to, q.p) : linkat(from, p.p, to, q.p, kind == TWO_LINK ? AT_SYMLINK_FOLLOW : 0);
    int err = errno;
    ou_blocking_end(vm);
    ou_fspath_done(vm, &p);
    ou_fspath_done(vm, &q);
    return r < 0 ? raise_two(vm, err, a, b) : V_NONE;
}

static Value os_rename(VM *vm, const Value *args, int n)
{
    return (void)n, two_paths(vm, args[0], args[1], args[2], args[3], "rename", TWO_RENAME);
}
static Value os_replace(VM *vm, const Value *args, int n)
{
    return (void)n, two_paths(vm, args[0], args[1], args[2], args[3], "replace", TWO_RENAME);
}
static Value os_link(VM *vm, const Value *args, int n)
{
    (void)n;
    /* without folders this is link(), which on Linux never follows */
    bool folders = (args[2] != V_NULL && args[2] != V_NONE) || (args[3] != V_NULL && args[3] != V_NONE);
    int follow = follow_arg(vm, args[4]);
    if (follow < 0)
        return V_NULL;
    return two_paths(vm, args[0], args[1], args[2], args[3], "link", folders && follow ? TWO_LINK : TWO_LINK_ITSELF);
}

static Value os_symlink(VM *vm, const Value *args, int n)
{
    (void)n;
    FsPath p, q;
    int dir;
    if (!files(vm) || !dir_fd_arg(vm, args[3], &dir) || !ou_fspath_get(vm, args[0], "symlink", &p))
        return V_NULL;
    if (!ou_fspath_get(vm, args[1], "symlink", &q)) {
        ou_fspath_done(vm, &p);
        return V_NULL;
    }
    int r = symlinkat(p.p, dir, q.p), err = errno;
    ou_fspath_done(vm, &p);
    ou_fspath_done(vm, &q);
    return r < 0 ? raise_two(vm, err, args[0], args[1]) : V_NONE;
}

static Value os_readlink(VM *vm, const Value *args, int n)
{
    (void)n;
    PathAt at;
    char buf[4096];
    if (!path_to_read(vm, args[0], args[1], "readlink", false, &at))
        return V_NULL;
    ssize_t len = readlinkat(at.dir, at.p.p, buf, sizeof buf - 1);
    Value r;
    if (len < 0) {
        r = ou_raise_errno(vm, errno, args[0]);
    } else {
        buf[len] = 0;
        r = ou_fs_name(vm, &at.p, buf);
    }
    ou_fspath_done(vm, &at.p);
    return r;
}

static Value os_access(VM *vm, const Value *args, int n)
{
    (void)n;
    PathAt at;
    int mode, effective = args[3] == V_NULL ? 0 : ou_truth(vm, args[3]), follow = follow_arg(vm, args[4]);
    if (effective < 0 || follow < 0 || !ou_os_int(vm, args[1], &mode) || !path_to_read(vm, args[0], args[2], "access", false, &at))
        return V_NULL;
    int r = faccessat(at.dir, at.p.p, mode, (effective ? AT_EACCESS : 0) | (follow ? 0 : AT_SYMLINK_NOFOLLOW));
    ou_fspath_done(vm, &at.p);
    return v_bool(r == 0);
}

/* utime(path, times=None, *, ns=None): (atime, mtime) in seconds or nanoseconds; nothing: now. */
static Value os_utime(VM *vm, const Value *args, int n)
{
    (void)n;
    struct timespec ts[2];
    bool now = false;
    Value times = args[1] == V_NULL ? V_NONE : args[1], ns = args[2];
    if (ns != V_NULL && times != V_NONE)
        return ou_raise(vm, E_VALUE, "utime: you may specify either 'times' or 'ns' but not both");
    Value given = ns != V_NULL ? ns : times;
    if (given == V_NONE) {
        now = true;
    } else {
        if (!is_exact(given, T_TUPLE) || as_tuple(given)->n != 2)
            return ou_raise(vm, E_TYPE, "utime: '%s' must be %sa tuple of two ints", ns != V_NULL ? "ns" : "times",
                            ns != V_NULL ? "" : "either None or ");
        for (int i = 0; i < 2; i++) {
            double d;
            int64_t t;
            if (ns != V_NULL) {
                if (!ou_index_i64(vm, as_tuple(given)->items[i], &t))
                    return V_NULL;
                ts[i].tv_sec = (time_t)(t / 1000000000 - (t % 1000000000 < 0));
                ts[i].tv_nsec = (long)((t % 1000000000 + 1000000000) % 1000000000);
            } else {
                if (!ou_to_double(vm, as_tuple(given)->items[i], &d))
                    return V_NULL;
                ts[i].tv_sec = (time_t)floor(d);
                ts[i].tv_nsec = (long)((d - floor(d)) * 1e9);
            }
        }
    }
    PathAt at;
    int follow = follow_arg(vm, args[4]);
    if (follow < 0 || !path_at(vm, args[0], args[3], "utime", follow, &at))
        return V_NULL;
    int r = at.fd >= 0 ? futimens(at.fd, now ? NULL : ts)
                       : utimensat(at.dir, at.p.p, now ? NULL : ts, follow ? 0 : AT_SYMLINK_NOFOLLOW);
    int err = errno;
    if (at.p.own != V_NULL)
        ou_fspath_done(vm, &at.p);
    return r < 0 ? ou_raise_errno(vm, err, args[0]) : V_NONE;
}

static Value os_umask(VM *vm, const Value *args, int n)
{
    (void)n;
    int mask;
    return files(vm) && ou_os_int(vm, args[0], &mask) ? v_smallint(umask((mode_t)mask)) : V_NULL;
}

static Value os_fspath(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_fspath(vm, args[0]);
}

/* The scandir object itself is made by its type, given the path. */
static Value os_scandir(VM *vm, const Value *args, int n)
{
    (void)n;
    OsState *os = ou_os_state(vm);
    if (!os || !files(vm))
        return V_NULL;
    Value path = args[0] == V_NULL || args[0] == V_NONE ? ou_str_c(vm, ".") : retain(args[0]);
    Value r = path == V_NULL ? V_NULL : ou_call1(vm, os->scandir, path);
    xrelease(vm, path);
    return r;
}

const NativeDef ou_os_files[] = {
    {"stat(path, *, dir_fd=None, follow_symlinks=True)", os_stat, NULL, 0},
    {"lstat(path, *, dir_fd=None)", os_lstat, NULL, 0},
    {"fstat(fd)", os_fstat, NULL, 0},
    {"statvfs(path)", os_statvfs, NULL, 0},
    {"getcwd()", os_getcwd, NULL, 0},
    {"getcwdb()", os_getcwdb, NULL, 0},
    {"chdir(path)", os_chdir, NULL, 0},
    {"mkdir(path, mode=0o777, *, dir_fd=None)", os_mkdir, NULL, 0},
    {"mkfifo(path, mode=0o666, *, dir_fd=None)", os_mkfifo, NULL, 0},
    {"rmdir(path, *, dir_fd=None)", os_rmdir, NULL, 0},
    {"remove(path, *, dir_fd=None)", os_remove, NULL, 0},
    {"unlink(path, *, dir_fd=None)", os_unlink, NULL, 0},
    {"rename(src, dst, *, src_dir_fd=None, dst_dir_fd=None)", os_rename, NULL, 0},
    {"replace(src, dst, *, src_dir_fd=None, dst_dir_fd=None)", os_replace, NULL, 0},
    {"symlink(src, dst, target_is_directory=False, *, dir_fd=None)", os_symlink, NULL, 0},
    {"link(src, dst, *, src_dir_fd=None, dst_dir_fd=None, follow_symlinks=True)", os_link, NULL, 0},
    {"readlink(path, *, dir_fd=None)", os_readlink, NULL, 0},
    {"chmod(path, mode, *, dir_fd=None, follow_symlinks=True)", os_chmod, NULL, 0},
    {"mknod(path, mode=0o600, device=0, *, dir_fd=None)", os_mknod, NULL, 0},
    {"fchmod(fd, mode)", os_fchmod, NULL, 0},
    {"fchown(fd, uid, gid)", os_fchown, NULL, 0},
    {"lchown(path, uid, gid)", os_lchown, NULL, 0},
    {"chroot(path)", os_chroot, NULL, 0},
    {"fstatvfs(fd, /)", os_statvfs, NULL, 0},
    {"chown(path, uid, gid, *, dir_fd=None, follow_symlinks=True)", os_chown, NULL, 0},
    {"truncate(path, length)", os_truncate, NULL, 0},
    {"access(path, mode, *, dir_fd=None, effective_ids=False, follow_symlinks=True)", os_access, NULL, 0},
    {"utime(path, times=None, *, ns=None, dir_fd=None, follow_symlinks=True)", os_utime, NULL, 0},
    {"umask(mask, /)", os_umask, NULL, 0},
    {"listdir(path=None)", os_listdir, NULL, 0},
    {"scandir(path=None)", os_scandir, NULL, 0},
    {"fspath(path)", os_fspath, "Return the file system path representation of the object.", 0},
    {0},
};

static bool add_seq(VM *vm, Module *m, const StructSeqDef *def, const char *name, Value *place)
{
    if (*place == V_NULL) {
        Type *t = ou_structseq_type(vm, def);
        if (!t)
            return false;
        *place = v_of(t);
    }
    return ou_module_set(vm, m, name, *place);
}

static bool add_type(VM *vm, Module *m, const TypeDef *def, const char *name, Value *place)
{
    if (*place == V_NULL) {
        Type *t = ou_type_from_def(vm, def, NULL);
        if (!t)
            return false;
        *place = v_of(t);
    }
    return ou_module_set(vm, m, name, *place);
}

bool ou_mod__os(VM *vm, Module *m)
{
    OsState *os = ou_os_state(vm);
    return os && ou_module_add(vm, m, ou_os_files) && ou_module_add(vm, m, ou_os_fds) && ou_module_add(vm, m, ou_os_process) &&
           ou_module_add(vm, m, ou_os_unix) && ou_module_add(vm, m, ou_os_fd_more) && ou_module_add(vm, m, ou_os_paths) &&
           ou_os_unix_types(vm, m) && ou_os_constants(vm, m) && ou_os_environ(vm, m) && add_seq(vm, m, &stat_def, "stat_result", &os->stat_result) &&
           add_seq(vm, m, &size_def, "terminal_size", &os->terminal_size) &&
           add_seq(vm, m, &vfs_def, "statvfs_result", &os->statvfs_result) &&
           add_seq(vm, m, &times_def, "times_result", &os->times_result) &&
           add_seq(vm, m, &uname_def, "uname_result", &os->uname_result) &&
           add_type(vm, m, &ou_os_direntry_def, "DirEntry", &os->direntry) &&
           add_type(vm, m, &ou_os_scandir_def, "_ScandirIterator", &os->scandir) &&
           ou_module_set(vm, m, "error", v_of(ou_builtin(vm, E_OS)));
}
