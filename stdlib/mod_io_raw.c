/* What a byte file stands on: a descriptor, or (`foreign`) an object of the script whose readinto(), write(), seek() and close()
 * are called. The one thing to know: -1 means raised and -2 "would block", for both kinds. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "runtime/loop/threads.h"
#include "runtime/objects/bytes.h"
#include "stdlib/io_impl.h"
#include "vm/call.h"

static ByteFile *as_file(Value v) { return (ByteFile *)v_obj(v); }
static ByteFile *base_file(const ByteFile *f) { return (ByteFile *)v_obj(f->base); }

int ou_io_fd(const ByteFile *f) { return f->base != V_NULL && !f->foreign ? base_file(f)->fd : f->fd; }

bool ou_io_closefd(const ByteFile *f) { return f->base != V_NULL && !f->foreign ? base_file(f)->closefd : f->closefd; }

bool ou_io_attach(VM *vm, ByteFile *f, Value raw)
{
    IoState *st = ou_io_state(vm);
    if (!st)
        return false;
    f->foreign = ou_type_of(vm, raw) != st->fileio;
    f->fd = f->foreign ? -1 : ((ByteFile *)v_obj(raw))->fd;
    if (!f->foreign)
        as_file(raw)->below = true;
    set_owned(vm, &f->base, retain(raw));
    return true;
}

int ou_io_bytes_closed(VM *vm, const ByteFile *f)
{
    if (f->closed || f->base == V_NULL)
        return f->closed;
    if (!f->foreign)
        return base_file(f)->closed;
    Value c = ou_getattr_c(vm, f->base, "closed");
    int truth = c == V_NULL ? -1 : ou_truth(vm, c);
    xrelease(vm, c);
    return truth;
}

static bool length_ok(VM *vm, const char *method, int64_t got, size_t n)
{
    if (got >= 0 && (size_t)got <= n)
        return true;
    ou_raise(vm, E_OS, "raw %s() returned invalid length %ld (should have been between 0 and %ld)", method, got, (int64_t)n);
    return false;
}

static ssize_t foreign_read(VM *vm, ByteFile *f, void *p, size_t n)
{
    Value block = ou_bytearray_new(vm, NULL, n), view = V_NULL, r = V_NULL;
    int64_t got = -1;
    if (block != V_NULL) {
        memset(((ByteArray *)v_obj(block))->data, 0, n);
        view = ou_memoryview_new(vm, block);
    }
    if (view != V_NULL)
        r = ou_call_method_c(vm, f->base, "readinto", &view, 1);
    if (r == V_NONE) {
        got = -2;
    } else if (r != V_NULL) {
        if (!ou_index_i64(vm, r, &got)) {
            Value cause = ou_exc_take(vm);
            ou_raise(vm, E_OS, "raw readinto() failed");
            set_owned(vm, &as_exc(vm->exc)->cause, cause);
            as_exc(vm->exc)->suppress_context = true;
            got = -1;
        } else if (!length_ok(vm, "readinto", got, n)) {
            got = -1;
        } else {
            memcpy(p, ((ByteArray *)v_obj(block))->data, (size_t)got);
        }
    }
    xrelease(vm, r);
    xrelease(vm, view);
    xrelease(vm, block);
    return (ssize_t)got;
}

static ssize_t foreign_write(VM *vm, ByteFile *f, const void *p, size_t n)
{
    Value block = ou_bytes_new(vm, p, n), view = block == V_NULL ? V_NULL : ou_memoryview_new(vm, block), r = V_NULL;
    int64_t put = -1;
    if (view != V_NULL)
        r = ou_call_method(vm, f->base, name_of(vm, N_write), &view, 1, NULL);
    if (r == V_NONE)
        put = -2;
    else if (r != V_NULL && (!ou_index_i64(vm, r, &put) || !length_ok(vm, "write", put, n)))
        put = -1;
    xrelease(vm, r);
    xrelease(vm, view);
    xrelease(vm, block);
    return (ssize_t)put;
}

/* After an interrupted system call: handlers run; false raised. */
static bool again(VM *vm, ByteFile *f)
{
    if (!ou_safepoint(vm))
        return false;
    if (ou_io_fd(f) >= 0)
        return true;
    ou_io_closed(vm);
    return false;
}

/* read() into p or write() from it, by the descriptor. */
static ssize_t transfer(VM *vm, ByteFile *f, bool reads, void *p, size_t n)
{
    for (;;) {
        int fd = ou_io_fd(f);
        ou_blocking_begin(vm);
        ssize_t done = reads ? read(fd, p, n) : write(fd, p, n);
        int err = errno;
        ou_blocking_end(vm);
        if (done >= 0)
            return done;
        if (err == EINTR) {
            if (!again(vm, f))
                return -1;
            continue;
        }
        if (err == EAGAIN)
            return -2;
        ou_raise_errno(vm, err, V_NULL);
        return -1;
    }
}

ssize_t ou_io_raw_read(VM *vm, ByteFile *f, void *p, size_t n)
{
    return f->foreign ? foreign_read(vm, f, p, n) : transfer(vm, f, true, p, n);
}

ssize_t ou_io_raw_write(VM *vm, ByteFile *f, const void *p, size_t n)
{
    return f->foreign ? foreign_write(vm, f, p, n) : transfer(vm, f, false, (void *)(uintptr_t)p, n);
}

int64_t ou_io_raw_seek(VM *vm, ByteFile *f, int64_t offset, int whence)
{
    int64_t pos = -1;
    if (!f->foreign) {
        pos = lseek(ou_io_fd(f), offset, whence);
        if (pos < 0)
            ou_raise_errno(vm, errno, V_NULL);
        return pos;
    }
    Value a[2] = {ou_int(vm, offset), v_smallint(whence)};
    Value r = a[0] == V_NULL ? V_NULL : ou_call_method_c(vm, f->base, "seek", a, 2);
    if (r != V_NULL && ou_index_i64(vm, r, &pos) && pos < 0)
        ou_raise(vm, E_OS, "Raw stream returned invalid position %ld", pos);
    xrelease(vm, r);
    xrelease(vm, a[0]);
    return vm->exc == V_NULL ? pos : -1;
}

bool ou_io_raw_close(VM *vm, ByteFile *f)
{
    if (f->base != V_NULL) {
        Value r = ou_call_method(vm, f->base, name_of(vm, N_close), NULL, 0, NULL);
        xrelease(vm, r);
        return r != V_NULL;
    }
    int fd = f->fd;
    f->fd = -1;
    if (fd < 0 || !f->closefd || close(fd) == 0)
        return true;
    ou_raise_errno(vm, errno, V_NULL);
    return false;
}

Value ou_io_raw_ask(VM *vm, ByteFile *f, const char *method) { return ou_call_method_c(vm, f->base, method, NULL, 0); }

/* ---- constructors ---------------------------------------------------------------------------------------------------- */

Value ou_io_blank(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    ByteFile *f = ou_new(vm, cls, 0);
    if (!f)
        return V_NULL;
    f->fd = -1;
    IoState *st = ou_io_state(vm);
    f->raw = st && ou_is_subtype(cls, st->fileio);
    return v_of(f);
}

/* FileIO(file, mode='r', closefd=True, opener=None): open() without a buffer. */
int ou_io_fileio_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[4];
    ByteFile *f = as_file(self);
    if (!ou_bind(vm, "FileIO(file, mode='r', closefd=True, opener=None)", args, n, kwnames, a))
        return -1;
    if (a[1] != V_NULL && !ou_is_a(vm, a[1], T_STR))
        return ou_raise(vm, E_TYPE, "FileIO() argument 'mode' must be str, not %T", a[1]), -1;
    if (a[1] != V_NULL && strchr(as_str(a[1])->data, 't'))
        return ou_raise(vm, E_VALUE, "invalid mode: %.200s", as_str(a[1])->data), -1;
    Value mode = a[1] == V_NULL ? ou_str_c(vm, "rb") : ou_str_format(vm, strchr(as_str(a[1])->data, 'b') ? "%S" : "%Sb", a[1]);
    if (mode == V_NULL)
        return -1;
    if (f->made && !f->closed && !ou_io_close_bytes(vm, f)) {
        release(vm, mode);
        return -1;
    }
    Value open_args[8] = {a[0], mode, V_INT0, V_NULL, V_NULL, V_NULL, a[2], a[3]};
    Value opened = ou_io_open(vm, open_args, 8);
    release(vm, mode);
    if (opened == V_NULL)
        return -1;
    ByteFile *from = as_file(opened); /* this object takes the descriptor over */
    f->fd = from->fd;
    f->closefd = from->closefd;
    f->readable = from->readable;
    f->writable = from->writable;
    f->append = from->append;
    f->closed = false;
    f->made = true;
    from->fd = -1;
    from->closed = true;
    set_owned(vm, &f->name, retain(from->name));
    set_owned(vm, &f->mode, retain(from->mode));
    release(vm, opened);
    return 0;
}

static bool raw_can(VM *vm, Value raw, const char *method, const char *message)
{
    Value r = ou_call_method_c(vm, raw, method, NULL, 0);
    bool yes = r == V_TRUE;
    if (r != V_NULL && !yes)
        ou_io_unsupported(vm, message);
    xrelease(vm, r);
    return yes;
}

static bool buffered_set(VM *vm, Value self, const char *sig, bool reads, bool writes, const Value *args, int n, Tuple *kwnames)
{
    Value a[2];
    int64_t size = IO_BUFFER;
    ByteFile *f = as_file(self);
    if (!ou_bind(vm, sig, args, n, kwnames, a) || (a[1] != V_NULL && !ou_index_i64(vm, a[1], &size)))
        return false;
    f->made = false;
    if ((reads && writes && !raw_can(vm, a[0], "seekable", "File or stream is not seekable.")) ||
        (reads && !raw_can(vm, a[0], "readable", "File or stream is not readable.")) ||
        (writes && !raw_can(vm, a[0], "writable", "File or stream is not writable.")))
        return false;
    if (size <= 0)
        return ou_raise(vm, E_VALUE, "buffer size must be strictly positive") != V_NULL;
    if (!ou_io_attach(vm, f, a[0]))
        return false;
    if (f->buf && !f->busy) {
        ou_free(&vm->heap, f->buf, f->cap);
        f->buf = NULL;
    }
    if (!f->buf)
        f->cap = (uint32_t)(size > (1 << 30) ? 1 << 30 : size);
    f->pos = f->end = 0;
    f->readable = reads;
    f->writable = writes;
    f->writing = f->closed = f->detached = false;
    f->made = true;
    return true;
}

#define BUFFERED_INIT(fn, sig, reads, writes)                                                                         \
    int fn(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)                                              \
    {                                                                                                                 \
        return buffered_set(vm, self, sig, reads, writes, args, n, kwnames) ? 0 : -1;                                 \
    }
BUFFERED_INIT(ou_io_reader_init, "BufferedReader(raw, buffer_size=8192)", true, false)
BUFFERED_INIT(ou_io_writer_init, "BufferedWriter(raw, buffer_size=8192)", false, true)
BUFFERED_INIT(ou_io_random_init, "BufferedRandom(raw, buffer_size=8192)", true, true)
