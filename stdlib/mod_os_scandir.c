/* os.scandir: an iterator over a folder that is a context manager, and its entries, which know their kind without a stat. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/objects/bytes.h"
#include "runtime/objects/gc.h"
#include "stdlib/os_impl.h"
#include "vm/call.h"

typedef struct Scandir {
    Obj h;
    DIR *dir;      /* NULL: exhausted or closed */
    int fd;        /* given instead of a path; else AT_FDCWD */
    Value path;    /* str or bytes, as given */
    bool is_bytes;
} Scandir;

typedef struct DirEntry {
    Obj h;
    Value name, path;
    int dir;       /* what path is relative to: AT_FDCWD, or the descriptor that scandir() was given */
    uint8_t type;  /* DT_* */
    uint64_t inode;
    Value stat[2]; /* cached: of the link itself, of what it leads to; V_NULL: not asked yet */
} DirEntry;

static Scandir *scan_of(Value v) { return (Scandir *)v_obj(v); }
static DirEntry *entry_of(Value v) { return (DirEntry *)v_obj(v); }

/* ---- the iterator ---------------------------------------------------------------------------------------------------------- */

static void scan_close(Scandir *s)
{
    if (s->dir)
        closedir(s->dir);
    s->dir = NULL;
}

static void scan_dealloc(VM *vm, Obj *o)
{
    scan_close((Scandir *)o);
    xrelease(vm, ((Scandir *)o)->path);
    ou_finish_dealloc(vm, o, 0);
}

/* Over an open folder: names only, which the entries look up in it. */
static Value scan_fd(VM *vm, Type *cls, Value number)
{
    int fd;
    if (!ou_os_int(vm, number, &fd))
        return V_NULL;
    Scandir *s = ou_new(vm, cls, 0);
    if (!s)
        return V_NULL;
    s->fd = fd;
    s->path = ou_str_c(vm, "");
    int own = s->path == V_NULL ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    s->dir = own < 0 ? NULL : fdopendir(own);
    if (!s->dir) {
        if (vm->exc == V_NULL)
            ou_raise_errno(vm, errno, number);
        if (own >= 0)
            close(own);
        obj_release(vm, s);
        return V_NULL;
    }
    rewinddir(s->dir);
    return v_of(s);
}

static Value scan_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    FsPath p;
    if (!ou_no_kw(vm, "scandir", kwnames) || !ou_arg_count(vm, "scandir", n, 1, 1))
        return V_NULL;
    if (ou_is_intlike(vm, args[0]))
        return scan_fd(vm, cls, args[0]);
    if (!ou_is_a(vm, args[0], T_STR) && !ou_is_a(vm, args[0], T_BYTES) &&
        ou_type_lookup(vm, ou_type_of(vm, args[0]), name_of(vm, N_DU_fspath)) == V_NULL)
        return ou_raise(vm, E_TYPE, "scandir: path should be string, bytes, os.PathLike, integer or None, not %T", args[0]);
    if (!ou_fspath_get(vm, args[0], "scandir", &p))
        return V_NULL;
    Scandir *s = ou_new(vm, cls, 0);
    if (s) {
        s->fd = AT_FDCWD;
        s->is_bytes = p.is_bytes;
        s->path = ou_fspath(vm, args[0]);
        s->dir = s->path == V_NULL ? NULL : opendir(p.p);
        if (!s->dir) {
            if (vm->exc == V_NULL)
                ou_raise_errno(vm, errno, args[0]);
            obj_release(vm, s);
            s = NULL;
        }
    }
    ou_fspath_done(vm, &p);
    return s ? v_of(s) : V_NULL;
}

static Value join(VM *vm, Value folder, Value name, bool bytes)
{
    if (bytes) {
        Bytes *f = as_bytes(folder), *b = as_bytes(name);
        bool slash = f->n && f->data[f->n - 1] != '/';
        Value r = ou_bytes_new(vm, NULL, f->n + slash + b->n);
        if (r != V_NULL) {
            memcpy(as_bytes(r)->data, f->data, f->n);
            if (slash)
                as_bytes(r)->data[f->n] = '/';
            memcpy(as_bytes(r)->data + f->n + slash, b->data, b->n);
        }
        return r;
    }
    Str *f = as_str(folder);
    return ou_str_format(vm, f->size && f->data[f->size - 1] != '/' ? "%U/%U" : "%U%U", folder, name);
}

static Value scan_next(VM *vm, Value self)
{
    Scandir *s = scan_of(self);
    OsState *os = ou_os_state(vm);
    while (os && s->dir) {
        errno = 0;
        struct dirent *d = readdir(s->dir);
        if (!d) {
            int err = errno;
            scan_close(s);
            return err ? ou_raise_errno(vm, err, s->path) : V_NULL;
        }
        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
            continue;
        FsPath like = {NULL, V_NONE, s->is_bytes};
        Value name = ou_fs_name(vm, &like, d->d_name), path = name == V_NULL ? V_NULL : join(vm, s->path, name, s->is_bytes);
        DirEntry *e = path == V_NULL ? NULL : ou_new(vm, (Type *)v_obj(os->direntry), 0);
        if (!e) {
            xrelease(vm, name);
            xrelease(vm, path);
            return V_NULL;
        }
        e->name = name;
        e->path = path;
        e->dir = s->fd;
        e->type = d->d_type;
        e->inode = d->d_ino;
        return v_of(e);
    }
    return V_NULL;
}

static Value scan_iter(VM *vm, Value self)
{
    (void)vm;
    return retain(self);
}

static Value scan_enter(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return retain(args[0]);
}

static Value scan_exit(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    scan_close(scan_of(args[0]));
    return V_NONE;
}

static const NativeDef scan_methods[] = {
    {"__enter__()", scan_enter, NULL, 0}, {"__exit__(*args)", scan_exit, NULL, 0}, {"close()", scan_exit, NULL, 0}, {0}};

const TypeDef ou_os_scandir_def = {
    .name = "posix.ScandirIterator",
    .size = sizeof(Scandir),
    .slots = {.make = scan_make, .dealloc = scan_dealloc, .iter = scan_iter, .next = scan_next},
    .methods = scan_methods,
};

/* ---- entries ------------------------------------------------------------------------------------------------------------------ */

static void entry_dealloc(VM *vm, Obj *o)
{
    DirEntry *e = (DirEntry *)o;
    xrelease(vm, e->name);
    xrelease(vm, e->path);
    xrelease(vm, e->stat[0]);
    xrelease(vm, e->stat[1]);
    ou_finish_dealloc(vm, o, 0);
}

static const char *entry_path(DirEntry *e)
{
    return is_str(e->path) ? as_str(e->path)->data : (const char *)as_bytes(e->path)->data;
}

/* The system's view of the path. */
static bool raw_stat(VM *vm, DirEntry *e, bool follow, struct stat *st, int *err)
{
    FsPath p;
    if (!ou_fspath_get(vm, e->path, "stat", &p))
        return false;
    *err = fstatat(e->dir, p.p, st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;
    ou_fspath_done(vm, &p);
    return true;
}

static bool follow_arg(VM *vm, const Value *args, bool *follow)
{
    int truth = args[1] == V_NULL ? 1 : ou_truth(vm, args[1]);
    *follow = truth > 0;
    return truth >= 0;
}

static Value entry_stat(VM *vm, const Value *args, int n)
{
    (void)n;
    DirEntry *e = entry_of(args[0]);
    bool follow;
    if (!follow_arg(vm, args, &follow))
        return V_NULL;
    if (e->type != DT_LNK && e->type != DT_UNKNOWN)
        follow = false; /* one result serves both */
    if (e->stat[follow] == V_NULL) {
        Value shown = e->path;
        e->stat[follow] = ou_os_stat_path(vm, e->dir, entry_path(e), follow, shown);
    }
    return e->stat[follow] == V_NULL ? V_NULL : retain(e->stat[follow]);
}

static Value is_kind(VM *vm, const Value *args, uint8_t type, mode_t mode)
{
    DirEntry *e = entry_of(args[0]);
    bool follow;
    if (!follow_arg(vm, args, &follow))
        return V_NULL;
    if (e->type != DT_UNKNOWN && !(follow && e->type == DT_LNK))
        return v_bool(e->type == type);
    struct stat st;
    int err;
    if (!raw_stat(vm, e, follow, &st, &err))
        return V_NULL;
    if (err)
        return err == ENOENT ? V_FALSE : ou_raise_errno(vm, err, e->path);
    return v_bool((st.st_mode & S_IFMT) == mode);
}

static Value entry_is_dir(VM *vm, const Value *args, int n) { return (void)n, is_kind(vm, args, DT_DIR, S_IFDIR); }
static Value entry_is_file(VM *vm, const Value *args, int n) { return (void)n, is_kind(vm, args, DT_REG, S_IFREG); }

static Value entry_is_symlink(VM *vm, const Value *args, int n)
{
    (void)n;
    Value a[2] = {args[0], V_FALSE};
    return is_kind(vm, a, DT_LNK, S_IFLNK);
}

static Value entry_is_junction(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)args;
    (void)n;
    return V_FALSE;
}

static Value entry_inode(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_int_u64(vm, entry_of(args[0])->inode);
}

static Value entry_fspath(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return retain(entry_of(args[0])->path);
}

static Value entry_get_name(VM *vm, Value self)
{
    (void)vm;
    return retain(entry_of(self)->name);
}

static Value entry_get_path(VM *vm, Value self)
{
    (void)vm;
    return retain(entry_of(self)->path);
}

static Value entry_repr(VM *vm, Value self) { return ou_str_format(vm, "<DirEntry %R>", entry_of(self)->name); }

static const NativeDef entry_methods[] = {
    {"stat(*, follow_symlinks=True)", entry_stat, NULL, 0},
    {"is_dir(*, follow_symlinks=True)", entry_is_dir, NULL, 0},
    {"is_file(*, follow_symlinks=True)", entry_is_file, NULL, 0},
    {"is_symlink()", entry_is_symlink, NULL, 0},
    {"is_junction()", entry_is_junction, NULL, 0},
    {"inode()", entry_inode, NULL, 0},
    {"__fspath__()", entry_fspath, NULL, 0},
    {0},
};
static const GetSetDef entry_getset[] = {{"name", entry_get_name, NULL, NULL}, {"path", entry_get_path, NULL, NULL}, {0}};

const TypeDef ou_os_direntry_def = {
    .name = "posix.DirEntry",
    .size = sizeof(DirEntry),
    .flags = TF_NO_NEW,
    .slots = {.dealloc = entry_dealloc, .repr = entry_repr},
    .methods = entry_methods,
    .getset = entry_getset,
};
