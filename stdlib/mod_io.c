/* The `_io` module: open(), the types, and the standard streams. Entry points: ou_io_boot, ou_io_open, ou_io_flush_std.
 * The one thing to know: the module is made at boot because sys.stdout needs it; everything else of the library is loaded lazily. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/objects/import.h"
#include "stdlib/fspath.h"
#include "stdlib/io_impl.h"
#include "vm/call.h"

IoState *ou_io_state(VM *vm)
{
    IoState *st = vm->module_state[MOD__io];
    if (!st)
        ou_raise(vm, E_RUNTIME, "the _io module is not there");
    return st;
}

void ou_io_after_fork(VM *vm)
{
    IoState *st = vm->module_state[MOD__io];
    if (st)
        st->forks++;
}

/* ---- open() --------------------------------------------------------------------------------------------------------------- */

typedef struct Mode {
    bool creating, reading, writing, appending, updating, text, binary;
} Mode;

static bool parse_mode(VM *vm, Value v, Mode *m)
{
    *m = (Mode){0};
    if (v == V_NULL) {
        m->reading = true;
        return true;
    }
    if (!ou_is_a(vm, v, T_STR)) {
        ou_raise(vm, E_TYPE, "open() argument 'mode' must be str, not %K", v);
        return false;
    }
    for (const char *p = as_str(v)->data; *p; p++) {
        bool *flag = *p == 'x'   ? &m->creating
                     : *p == 'r' ? &m->reading
                     : *p == 'w' ? &m->writing
                     : *p == 'a' ? &m->appending
                     : *p == '+' ? &m->updating
                     : *p == 't' ? &m->text
                     : *p == 'b' ? &m->binary
                                 : NULL;
        if (!flag || *flag) {
            ou_raise(vm, E_VALUE, "invalid mode: %R", v);
            return false;
        }
        *flag = true;
    }
    int kinds = m->creating + m->reading + m->writing + m->appending;
    if (m->text && m->binary) {
        ou_raise(vm, E_VALUE, "can't have text and binary mode at once");
        return false;
    }
    if (kinds > 1)
        ou_raise(vm, E_VALUE, "must have exactly one of create/read/write/append mode");
    else if (kinds == 0)
        ou_raise(vm, E_VALUE, "Must have exactly one of create/read/write/append mode and at most one plus");
    return kinds == 1;
}

static int open_flags(const Mode *m)
{
    int flags = O_CLOEXEC | (m->updating ? O_RDWR : m->reading ? O_RDONLY : O_WRONLY);
    if (m->creating)
        flags |= O_EXCL | O_CREAT;
    if (m->writing)
        flags |= O_CREAT | O_TRUNC;
    if (m->appending)
        flags |= O_APPEND | O_CREAT;
    return flags;
}

/* The descriptor, -1 raised. */
static int open_fd(VM *vm, Value file, const Mode *m, bool closefd, Value opener)
{
    int64_t fd = -1;
    if (ou_is_intlike(vm, file)) {
        if (is_bool(file) && !ou_warn(vm, E_RUNTIME_WARNING, 1, "bool is used as a file descriptor"))
            return -1;
        if (!ou_index_i64(vm, file, &fd))
            return -1;
        if (fd < 0)
            return ou_raise(vm, E_VALUE, "negative file descriptor"), -1;
        if (vm->budget.nested && !ou_require_cap(vm, CAP_ANY_FD, "opening descriptors")) /* else it is the boot, for sys.stdout */
            return -1;
        struct stat st;
        if (fd > INT32_MAX || fstat((int)fd, &st) < 0)
            return ou_raise_errno(vm, EBADF, V_NULL), -1;
        return (int)fd;
    }
    if (!ou_require_cap(vm, m->reading && !m->updating ? CAP_FS_READ : CAP_FILES, "opening files"))
        return -1;
    FsPath path;
    if (!closefd) {
        ou_raise(vm, E_VALUE, "Cannot use closefd=False with file name");
        return -1;
    }
    if (!ou_fspath_get(vm, file, NULL, &path))
        return -1;
    if (opener != V_NULL && opener != V_NONE) {
        Value args[2] = {file, v_smallint(open_flags(m))};
        Value r = ou_call(vm, opener, args, 2, NULL);
        bool ok = r != V_NULL && ou_is_intlike(vm, r) && ou_index_i64(vm, r, &fd);
        if (r != V_NULL && !ok && vm->exc == V_NULL)
            ou_raise(vm, E_TYPE, "expected integer from opener");
        else if (ok && fd < 0)
            ou_raise(vm, E_VALUE, "opener returned %ld", fd);
        xrelease(vm, r);
        fd = ok && fd >= 0 ? fd : -1;
    } else {
        int err;
        do {
            ou_blocking_begin(vm);
            fd = open(path.p, open_flags(m), 0666);
            err = errno;
            ou_blocking_end(vm);
        } while (fd < 0 && err == EINTR && ou_safepoint(vm));
        if (fd < 0 && vm->exc == V_NULL)
            ou_raise_errno(vm, err, file);
    }
    ou_fspath_done(vm, &path);
    struct stat st;
    int known = fd >= 0 ? fstat((int)fd, &st) : 0;
    if (known < 0 && errno == EBADF) /* of an opener that gave a number */
        return ou_raise_errno(vm, errno, V_NULL), -1;
    if (fd >= 0 && known == 0 && S_ISDIR(st.st_mode)) {
        close((int)fd);
        ou_raise_errno(vm, EISDIR, file);
        return -1;
    }
    return (int)fd;
}

static Value raw_mode(VM *vm, const Mode *m, bool buffered)
{
    const char *s = m->creating    ? (m->updating ? "xb+" : "xb")
                    : m->appending ? (m->updating ? "ab+" : "ab")
                    : m->updating  ? "rb+"
                    : m->reading   ? "rb"
                                   : "wb";
    (void)buffered;
    return ou_str_c(vm, s);
}

/* args: file, mode, buffering, encoding, errors, newline, closefd, opener; V_NULL where not given. */
Value ou_io_open(VM *vm, const Value *args, int n)
{
    (void)n;
    Mode m;
    IoState *st = ou_io_state(vm);
    int64_t buffering = -1;
    if (!st)
        return V_NULL;
    if (!ou_is_intlike(vm, args[0])) {
        Value p = ou_fspath(vm, args[0]);
        if (p == V_NULL)
            return V_NULL;
        release(vm, p);
    }
    if (!parse_mode(vm, args[1], &m) || (args[2] != V_NULL && !ou_index_i64(vm, args[2], &buffering)))
        return V_NULL;
    Value encoding = args[3] == V_NONE ? V_NULL : args[3], errors = args[4] == V_NONE ? V_NULL : args[4];
    Value newline = args[5] == V_NONE ? V_NULL : args[5];
    if (m.binary && encoding != V_NULL)
        return ou_raise(vm, E_VALUE, "binary mode doesn't take an encoding argument");
    if (m.binary && errors != V_NULL)
        return ou_raise(vm, E_VALUE, "binary mode doesn't take an errors argument");
    if (m.binary && newline != V_NULL)
        return ou_raise(vm, E_VALUE, "binary mode doesn't take a newline argument");
    int closefd = args[6] == V_NULL ? 1 : ou_truth(vm, args[6]);
    if (closefd < 0)
        return V_NULL;
    if (m.binary && buffering == 1) {
        if (!ou_warn(vm, E_RUNTIME_WARNING, 1,
                     "line buffering (buffering=1) isn't supported in binary mode, the default buffer size will be used"))
            return V_NULL;
        buffering = -1;
    }
    int fd = open_fd(vm, args[0], &m, closefd, args[7]);
    if (fd < 0)
        return V_NULL;
    bool line_buffering = false;
    if (buffering == 1 && !m.binary) {
        line_buffering = true;
        buffering = -1;
    } else if (buffering < 0 && isatty(fd)) {
        line_buffering = true;
    }
    Value mode = raw_mode(vm, &m, buffering != 0), file = V_NULL, bytes = V_NULL;
    if (mode == V_NULL)
        goto fail;
    Type *type = buffering == 0                            ? st->fileio
                 : m.updating                              ? st->random
                 : m.creating || m.writing || m.appending  ? st->writer
                                                           : st->reader;
    bytes = ou_io_bytefile_new(vm, type, fd, args[0], mode, closefd);
    release(vm, mode);
    if (bytes == V_NULL)
        goto fail;
    fd = -1; /* the file owns it now */
    ByteFile *bf = (ByteFile *)v_obj(bytes);
    bf->raw = buffering == 0;
    if (buffering > 1)
        bf->cap = (uint32_t)(buffering > (1 << 30) ? 1 << 30 : buffering);
    if (m.appending)
        lseek(bf->fd, 0, SEEK_END);
    if (m.binary)
        return bytes;
    if (buffering == 0)
        ou_raise(vm, E_VALUE, "can't have unbuffered text I/O");
    else
        file = ou_io_textfile_new(vm, st->text, bytes, encoding, errors, newline, line_buffering, false);
    if (file == V_NULL) { /* closed here, it is nobody's fault */
        Value exc = ou_exc_take(vm);
        if (!ou_io_close_bytes(vm, bf))
            ou_exc_clear(vm);
        ou_exc_restore(vm, exc);
    }
    release(vm, bytes);
    if (file != V_NULL)
        ((TextFile *)v_obj(file))->mode = args[1] == V_NULL ? ou_str_c(vm, "r") : retain(args[1]);
    return file;
fail:
    if (fd >= 0 && closefd)
        close(fd);
    return V_NULL;
}

static Value io_open_code(VM *vm, const Value *args, int n)
{
    (void)n;
    Value mode = ou_str_c(vm, "rb");
    if (mode == V_NULL)
        return V_NULL;
    Value a[8] = {args[0], mode, V_NULL, V_NULL, V_NULL, V_NULL, V_NULL, V_NULL};
    Value f = ou_io_open(vm, a, 8);
    release(vm, mode);
    return f;
}

static Value io_text_encoding(VM *vm, const Value *args, int n)
{
    (void)n;
    return args[0] == V_NONE ? ou_str_c(vm, "locale") : retain(args[0]);
}

static const NativeDef functions[] = {
    {"open(file, mode='r', buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None)", ou_io_open,
     "Open file and return a stream.", 0},
    {"open_code(path)", io_open_code, NULL, 0},
    {"text_encoding(encoding, stacklevel=2, /)", io_text_encoding, NULL, 0},
    {0},
};

/* ---- the module ---------------------------------------------------------------------------------------------------------------- */

static Type *make_unsupported(VM *vm, Module *m)
{
    Value bases[2] = {v_of(ou_builtin(vm, E_OS)), v_of(ou_builtin(vm, E_VALUE))};
    Value args[3] = {ou_str_c(vm, "UnsupportedOperation"), ou_tuple_of(vm, bases, 2), ou_dict_new(vm)}, t = V_NULL;
    Value module = ou_str_c(vm, "io");
    if (args[0] != V_NULL && args[1] != V_NULL && args[2] != V_NULL && module != V_NULL &&
        ou_dict_set_str(vm, as_dict(args[2]), name_of(vm, N_DU_module), module))
        t = ou_call(vm, v_of(ou_builtin(vm, T_TYPE)), args, 3, NULL);
    for (int i = 0; i < 3; i++)
        xrelease(vm, args[i]);
    xrelease(vm, module);
    if (t == V_NULL || !ou_module_take(vm, m, "UnsupportedOperation", t))
        return NULL;
    return (Type *)v_obj(t);
}

bool ou_mod__io(VM *vm, Module *m)
{
    IoState *st = ou_module_record(vm, MOD__io, sizeof(IoState));
    if (!st)
        return false;
    if (st->module != V_NULL && st->module != v_of(m)) { /* imported again after `del sys.modules["_io"]` */
        return ou_dict_merge(vm, m->dict, v_of(((Module *)v_obj(st->module))->dict), true);
    }
    if (!(st->iobase = ou_module_type(vm, m, &ou_io_iobase_def, NULL)) ||
        !(st->rawbase = ou_module_type(vm, m, &ou_io_rawbase_def, st->iobase)) ||
        !(st->bufbase = ou_module_type(vm, m, &ou_io_bufbase_def, st->iobase)) ||
        !(st->textbase = ou_module_type(vm, m, &ou_io_textbase_def, st->iobase)) ||
        !(st->fileio = ou_module_type(vm, m, &ou_io_fileio_def, st->rawbase)) ||
        !(st->reader = ou_module_type(vm, m, &ou_io_reader_def, st->bufbase)) ||
        !(st->writer = ou_module_type(vm, m, &ou_io_writer_def, st->bufbase)) ||
        !(st->random = ou_module_type(vm, m, &ou_io_random_def, st->bufbase)) ||
        !(st->text = ou_module_type(vm, m, &ou_io_text_def, st->textbase)) ||
        !(st->stringio = ou_module_type(vm, m, &ou_io_stringio_def, st->textbase)) ||
        !(st->bytesio = ou_module_type(vm, m, &ou_io_bytesio_def, st->bufbase)) ||
        !(st->view = ou_module_type(vm, m, &ou_io_view_def, NULL)) ||
        !(st->unsupported = make_unsupported(vm, m)))
        return false;
    st->module = retain(v_of(m));
    return ou_module_add(vm, m, functions) && ou_module_int(vm, m, "DEFAULT_BUFFER_SIZE", IO_BUFFER) &&
           ou_module_set(vm, m, "BlockingIOError", v_of(ou_builtin(vm, E_BLOCKING_IO)));
}

/* ---- standard streams ------------------------------------------------------------------------------------------------------------ */

static bool std_stream(VM *vm, IoState *st, int fd, const char *sys_name, const char *dunder, const char *name, bool out)
{
    Value stream = V_NONE;
    struct stat s;
    if (fstat(fd, &s) == 0 || (out && vm->write)) {
        Value n = ou_str_c(vm, name), mode = ou_str_c(vm, out ? "wb" : "rb"), enc = ou_str_c(vm, "utf-8");
        Value err = ou_str_c(vm, fd == 2 ? "backslashreplace" : "strict"), nl = ou_str_c(vm, "\n"), bytes = V_NULL;
        if (n != V_NULL && mode != V_NULL && enc != V_NULL && err != V_NULL && nl != V_NULL)
            bytes = ou_io_bytefile_new(vm, out ? st->writer : st->reader, fd, n, mode, false);
        stream = bytes == V_NULL ? V_NULL
                                 : ou_io_textfile_new(vm, st->text, bytes, enc, err, out ? nl : V_NONE, out && (fd == 2 || isatty(fd)),
                                                      false);
        if (stream != V_NULL)
            ((TextFile *)v_obj(stream))->mode = ou_str_c(vm, out ? "w" : "r");
        xrelease(vm, n);
        xrelease(vm, mode);
        xrelease(vm, enc);
        xrelease(vm, err);
        xrelease(vm, nl);
        xrelease(vm, bytes);
        if (stream == V_NULL)
            return false;
    }
    bool ok = ou_dict_set_c(vm, vm->sysdict, sys_name, stream) && ou_dict_set_c(vm, vm->sysdict, dunder, stream);
    release(vm, stream);
    return ok;
}

bool ou_io_boot(VM *vm)
{
    Value m = ou_import_module(vm, "_io");
    if (m == V_NULL)
        return false;
    release(vm, m);
    IoState *st = ou_io_state(vm);
    return st && std_stream(vm, st, 0, "stdin", "__stdin__", "<stdin>", false) &&
           std_stream(vm, st, 1, "stdout", "__stdout__", "<stdout>", true) &&
           std_stream(vm, st, 2, "stderr", "__stderr__", "<stderr>", true);
}

static const char *const outputs[] = {"stdout", "stderr"};

void ou_io_unbuffered(VM *vm)
{
    for (int i = 0; i < 2; i++) {
        Value f = ou_dict_get_c(vm, vm->sysdict, outputs[i]);
        TextFile *plain = f == V_NULL || f == V_NONE ? NULL : ou_io_plain_text(vm, f);
        if (plain)
            plain->write_through = true;
    }
}

static void flush_std(VM *vm, bool tell)
{
    Value exc = ou_exc_take(vm);
    for (int i = 0; i < 2; i++) {
        Value f = vm->sysdict ? ou_dict_get_c(vm, vm->sysdict, outputs[i]) : V_NULL;
        if (f == V_NULL || f == V_NONE)
            continue;
        retain(f);
        TextFile *plain = ou_io_plain_text(vm, f);
        bool ok = true;
        if (plain) {
            ok = ou_io_text_flush(vm, plain);
        } else if (!tell) {
            Value r = ou_call_method(vm, f, name_of(vm, N_flush), NULL, 0, NULL);
            ok = r != V_NULL;
            xrelease(vm, r);
        }
        if (!ok && tell && vm->lost_output)
            *vm->lost_output = true;
        if (!ok && tell && i == 0)
            ou_unraisable(vm, "Exception ignored on flushing sys.stdout", V_NONE);
        else if (!ok)
            ou_exc_clear(vm);
        release(vm, f);
    }
    vm->exc = exc;
}

void ou_io_flush_std(VM *vm) { flush_std(vm, false); }
void ou_io_flush_last(VM *vm) { flush_std(vm, true); }

static bool write_to(VM *vm, const char *stream, const char *s, size_t n)
{
    Value f = vm->sysdict ? ou_dict_get_c(vm, vm->sysdict, stream) : V_NULL;
    if (f == V_NULL || f == V_NONE)
        return false;
    retain(f);
    bool ok;
    TextFile *plain = ou_io_plain_text(vm, f);
    if (plain) {
        ok = ou_io_text_write(vm, plain, s, n);
    } else {
        Value str = ou_str_new(vm, s, n);
        Value r = str == V_NULL ? V_NULL : ou_call_method(vm, f, name_of(vm, N_write), &str, 1, NULL);
        ok = r != V_NULL;
        xrelease(vm, r);
        xrelease(vm, str);
    }
    release(vm, f);
    return ok;
}

bool ou_stdout_write(VM *vm, const char *s, size_t n)
{
    if (write_to(vm, "stdout", s, n))
        return true;
    if (vm->exc == V_NULL)
        ou_raise(vm, E_RUNTIME, "lost sys.stdout");
    return false;
}

void ou_stderr_write(VM *vm, const char *s, size_t n)
{
    if (vm->sysdict && ou_dict_get_c(vm, vm->sysdict, "stderr") == V_NONE)
        return;
    Value exc = ou_exc_take(vm);
    if (!write_to(vm, "stderr", s, n)) {
        ou_exc_clear(vm);
        if (vm->write) {
            vm->write(vm->write_ud, 2, s, n);
        } else {
            while (n) {
                ssize_t put = write(2, s, n);
                if (put <= 0)
                    break;
                s += put;
                n -= (size_t)put;
            }
        }
    }
    vm->exc = exc;
}
