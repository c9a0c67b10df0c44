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

Value ou_os_stat_path(VM *vm, const char *path, bool follow, Value shown)
{
    struct stat st;
    ou_blocking_begin(vm);
    int r = follow ? stat(path, &st) : lstat(path, &st);
    int err = errno;
    ou_blocking_end(vm);
    return r < 0 ? ou_raise_errno(vm, err, shown) : stat_value(vm, &st);
}

static bool dir_fd_arg(VM *vm, Value v, int *out)
{
    *out = AT_FDCWD;
    return v == V_NULL || v == V_NONE || ou_os_int(vm, v, out);
}

static Value os_stat(VM *vm, const Value *args, int n)
{
    (void)n;
    int follow = args[2] == V_NULL ? 1 : ou_truth(vm, args[2]), dir_fd;
    if (follow < 0 || !reads(vm) || !dir_fd_arg(vm, args[1], &dir_fd))
        return V_NULL;
    struct stat st;
    if (ou_is_intlike(vm, args[0])) {
        int fd;
        if (!ou_os_int(vm, args[0], &fd))
            return V_NULL;
        return fstat(fd, &st) < 0 ? ou_raise_errno(vm, errno, args[0]) : stat_value(vm, &st);
    }
    FsPath p;
    if (!ou_is_a(vm, args[0], T_STR) && !ou_is_a(vm, args[0], T_BYTES) &&
        ou_type_lookup(vm, ou_type_of(vm, args[0]), name_of(vm, N_DU_fspath)) == V_NULL)
        return ou_raise(vm, E_TYPE, "stat: path should be string, bytes, os.PathLike or integer, not %T", args[0]);
    if (!ou_fspath_get(vm, args[0], "stat", &p))
        return V_NULL;
    Value r = fstatat(dir_fd, p.p, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0 ? ou_raise_errno(vm, errno, args[0]) : stat_value(vm, &st);
    ou_fspath_done(vm, &p);
    return r;
}

static Value os_lstat(VM *vm, const Value *args, int n)
{
    (void)n;
    FsPath p;
    if (!reads(vm) || !ou_fspath_get(vm, args[0], "lstat", &p))
        return V_NULL;
    Value r = ou_os_stat_path(vm, p.p, false, args[0]);
    ou_fspath_done(vm, &p);
    return r;
}

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
    FsPath p;
    struct statvfs s;
    OsState *os = ou_os_state(vm);
    if (!os || !reads(vm) || !ou_fspath_get(vm, args[0], "statvfs", &p))
        return V_NULL;
    int r = statvfs(p.p, &s);
    ou_fspath_done(vm, &p);
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

/* One path in, nothing out: the shape of most calls. */
typedef int (*PathCall)(const char *path, int64_t arg);
static Value path_call(VM *vm, Value path, const char *what, PathCall call, int64_t arg)
{
    FsPath p;
    if (!files(vm) || !ou_fspath_get(vm, path, what, &p))
        return V_NULL;
    ou_blocking_begin(vm);
    int r = call(p.p, arg), err = errno;
    ou_blocking_end(vm);
    ou_fspath_done(vm, &p);
    return r < 0 ? ou_raise_errno(vm, err, path) : V_NONE;
}

static int call_chdir(const char *p, int64_t a) { return (void)a, chdir(p); }
static int call_mkdir(const char *p, int64_t a) { return mkdir(p, (mode_t)a); }
static int call_rmdir(const char *p, int64_t a) { return (void)a, rmdir(p); }
static int call_unlink(const char *p, int64_t a) { return (void)a, unlink(p); }
static int call_chmod(const char *p, int64_t a) { return chmod(p, (mode_t)a); }
static int call_truncate(const char *p, int64_t a) { return truncate(p, a); }
static int call_mkfifo(const char *p, int64_t a) { return mkfifo(p, (mode_t)a); }

static Value os_chdir(VM *vm, const Value *args, int n) { return (void)n, path_call(vm, args[0], "chdir", call_chdir, 0); }
static Value os_rmdir(VM *vm, const Value *args, int n) { return (void)n, path_call(vm, args[0], "rmdir", call_rmdir, 0); }
static Value os_remove(VM *vm, const Value *args, int n) { return (void)n, path_call(vm, args[0], "remove", call_unlink, 0); }
static Value os_unlink(VM *vm, const Value *args, int n) { return (void)n, path_call(vm, args[0], "unlink", call_unlink, 0); }

static Value os_mkdir(VM *vm, const Value *args, int n)
{
    (void)n;
    int mode = 0777;
    if (args[1] != V_NULL && !ou_os_int(vm, args[1], &mode))
        return V_NULL;
    return path_call(vm, args[0], "mkdir", call_mkdir, mode);
}

static Value os_mkfifo(VM *vm, const Value *args, int n)
{
    (void)n;
    int mode = 0666;
    if (args[1] != V_NULL && !ou_os_int(vm, args[1], &mode))
        return V_NULL;
    return path_call(vm, args[0], "mkfifo", call_mkfifo, mode);
}

static Value os_chmod(VM *vm, const Value *args, int n)
{
    (void)n;
    int mode, fd;
    if (!ou_os_int(vm, args[1], &mode))
        return V_NULL;
    if (ou_is_intlike(vm, args[0])) {
        if (!files(vm) || !ou_os_int(vm, args[0], &fd))
            return V_NULL;
        return fchmod(fd, (mode_t)mode) < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
    }
    return path_call(vm, args[0], "chmod", call_chmod, mode);
}

static Value os_truncate(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t size;
    if (!ou_index_i64(vm, args[1], &size))
        return V_NULL;
    if (ou_is_intlike(vm, args[0])) {
        int fd;
        if (!ou_os_int(vm, args[0], &fd))
            return V_NULL;
        return ftruncate(fd, size) < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
    }
    return path_call(vm, args[0], "truncate", call_truncate, size);
}

static Value os_chown(VM *vm, const Value *args, int n)
{
    (void)n;
    int uid, gid;
    FsPath p;
    if (!files(vm) || !ou_os_int(vm, args[1], &uid) || !ou_os_int(vm, args[2], &gid) || !ou_fspath_get(vm, args[0], "chown", &p))
        return V_NULL;
    int r = chown(p.p, (uid_t)uid, (gid_t)gid);
    ou_fspath_done(vm, &p);
    return r < 0 ? ou_raise_errno(vm, errno, args[0]) : V_NONE;
}

static Value os_listdir(VM *vm, const Value *args, int n)
{
    (void)n;
    FsPath p = {".", V_NONE, false};
    if (!files(vm))
        return V_NULL;
    if (args[0] != V_NULL && args[0] != V_NONE && !ou_fspath_get(vm, args[0], "listdir", &p))
        return V_NULL;
    DIR *d = opendir(p.p);
    int err = errno;
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

static Value two_paths(VM *vm, Value a, Value b, const char *what, int (*call)(const char *, const char *))
{
    FsPath p, q;
    if (!files(vm) || !ou_fspath_get(vm, a, what, &p))
        return V_NULL;
    if (!ou_fspath_get(vm, b, what, &q)) {
        ou_fspath_done(vm, &p);
        return V_NULL;
    }
    ou_blocking_begin(vm);
    int r = call(p.p, q.p), err = errno;
    ou_blocking_end(vm);
    ou_fspath_done(vm, &p);
    ou_fspath_done(vm, &q);
    return r < 0 ? raise_two(vm, err, a, b) : V_NONE;
}

static Value os_rename(VM *vm, const Value *args, int n) { return (void)n, two_paths(vm, args[0], args[1], "rename", rename); }
static Value os_replace(VM *vm, const Value *args, int n) { return (void)n, two_paths(vm, args[0], args[1], "replace", rename); }
static Value os_symlink(VM *vm, const Value *args, int n) { return (void)n, two_paths(vm, args[0], args[1], "symlink", symlink); }
static Value os_link(VM *vm, const Value *args, int n) { return (void)n, two_paths(vm, args[0], args[1], "link", link); }

static Value os_readlink(VM *vm, const Value *args, int n)
{
    (void)n;
    FsPath p;
    char buf[4096];
    if (!reads(vm) || !ou_fspath_get(vm, args[0], "readlink", &p))
        return V_NULL;
    ssize_t len = readlink(p.p, buf, sizeof buf - 1);
    Value r;
    if (len < 0) {
        r = ou_raise_errno(vm, errno, args[0]);
    } else {
        buf[len] = 0;
        r = ou_fs_name(vm, &p, buf);
    }
    ou_fspath_done(vm, &p);
    return r;
}

static Value os_access(VM *vm, const Value *args, int n)
{
    (void)n;
    FsPath p;
    int mode;
    if (!reads(vm) || !ou_os_int(vm, args[1], &mode) || !ou_fspath_get(vm, args[0], "access", &p))
        return V_NULL;
    int r = access(p.p, mode);
    ou_fspath_done(vm, &p);
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
    FsPath p;
    if (!files(vm) || !ou_fspath_get(vm, args[0], "utime", &p))
        return V_NULL;
    int r = utimensat(AT_FDCWD, p.p, now ? NULL : ts, 0), err = errno;
    ou_fspath_done(vm, &p);
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
           ou_os_constants(vm, m) && ou_os_environ(vm, m) && add_seq(vm, m, &stat_def, "stat_result", &os->stat_result) &&
           add_seq(vm, m, &size_def, "terminal_size", &os->terminal_size) &&
           add_seq(vm, m, &vfs_def, "statvfs_result", &os->statvfs_result) &&
           add_seq(vm, m, &times_def, "times_result", &os->times_result) &&
           add_seq(vm, m, &uname_def, "uname_result", &os->uname_result) &&
           add_type(vm, m, &ou_os_direntry_def, "DirEntry", &os->direntry) &&
           add_type(vm, m, &ou_os_scandir_def, "_ScandirIterator", &os->scandir) &&
           ou_module_set(vm, m, "error", v_of(ou_builtin(vm, E_OS)));
}
