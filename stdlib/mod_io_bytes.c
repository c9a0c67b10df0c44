/* Byte files: FileIO, BufferedReader, BufferedWriter and BufferedRandom over a file descriptor, all one struct.
 * The one thing to know: the buffer holds either unread bytes (reading) or pending ones (writing), never both; going from one to
 * the other flushes or seeks back. A raw file (FileIO) has no buffer and makes one system call per request. */
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/objects/bytes.h"
#include "runtime/objects/gc.h"
#include "stdlib/fspath.h"
#include "stdlib/io_impl.h"
#include "vm/call.h"

static ByteFile *self_of(Value v) { return (ByteFile *)v_obj(v); }

/* ---- the buffer ------------------------------------------------------------------------------------------------------------ */

/* Standard streams of a host that wants the output itself. */
static bool to_host(VM *vm, ByteFile *f, const uint8_t *p, size_t n)
{
    if (!vm->write || (f->fd != 1 && f->fd != 2) || f->closefd || f->foreign)
        return false;
    vm->write(vm->write_ud, f->fd, (const char *)p, n);
    return true;
}

/* BlockingIOError of a buffered file whose raw file takes no more; taken: how much of the caller's bytes is written or kept. */
static void raise_blocked(VM *vm, int64_t taken)
{
    Value a[3] = {v_smallint(EAGAIN), ou_str_c(vm, "write could not complete without blocking"), ou_int(vm, taken)};
    if (a[1] != V_NULL && a[2] != V_NULL)
        ou_raise_args(vm, E_BLOCKING_IO, a, 3);
    xrelease(vm, a[1]);
    xrelease(vm, a[2]);
}

static bool need_buffer(VM *vm, ByteFile *f)
{
    if (f->buf)
        return true;
    if (!f->cap)
        f->cap = IO_BUFFER;
    f->buf = ou_alloc(&vm->heap, f->cap);
    if (!f->buf)
        ou_raise_memory(vm);
    return f->buf != NULL;
}

/* A thread that waits for its turn, on its stack. */
struct Turn {
    struct Turn *next;
    uint64_t thread;
};

static void leave_queue(ByteFile *f, struct Turn *t)
{
    for (struct Turn **p = &f->queue; *p; p = &(*p)->next) {
        if (*p == t) {
            *p = t->next;
            return;
        }
    }
}

/* Two threads in a system call with one buffer would mix their bytes: the second waits. They come in turn, or one that does nothing
 * but write and flush would keep the others out. A signal handler goes before the call of its thread that it interrupts. */
static bool wait_idle(VM *vm, ByteFile *f)
{
    IoState *st = vm->module_state[MOD__io];
    if ((f->flushing || f->queue) && st && f->epoch != st->forks) {
        f->flushing = false;
        f->busy = 0;
        f->queue = NULL;
        f->epoch = st->forks;
    }
    if (!f->flushing && !f->queue)
        return true;
    struct Turn me = {NULL, (uint64_t)pthread_self()}, **p = &f->queue;
    while (*p && (*p)->thread != me.thread)
        p = &(*p)->next;
    me.next = *p;
    *p = &me;
    if (st)
        f->epoch = st->forks;
    bool ok = true;
    for (useconds_t nap = 20; ok && (f->flushing || f->queue != &me); nap = nap < 400 ? nap * 2 : nap) {
        if (f->flushing && f->user == me.thread) { /* a signal handler, or the raw object itself */
            ok = ou_raise(vm, E_RUNTIME, "reentrant call inside %R", v_of(f)) != V_NULL;
        } else {
            ou_blocking_begin(vm);
            usleep(nap);
            ou_blocking_end(vm);
            ok = ou_safepoint(vm);
        }
        if (st && f->epoch != st->forks) /* a handler has forked: nobody else is left */
            break;
    }
    leave_queue(f, &me);
    return ok;
}

/* 1 all is written, 0 it would block, -1 raised. While write() runs without the VM's lock, other threads may append behind what is
 * being written; a second flush waits. */
static int flush_some(VM *vm, ByteFile *f)
{
    if (!f->writing)
        return 1;
    if (!wait_idle(vm, f))
        return -1;
    if (f->end == 0)
        return 1;
    uint32_t n = f->end, done = 0;
    IoState *st = vm->module_state[MOD__io];
    if (to_host(vm, f, f->buf, n)) {
        f->end = 0;
        return 1;
    }
    f->flushing = true;
    f->user = (uint64_t)pthread_self();
    f->epoch = st ? st->forks : 0; /* no state: the VM is being taken down */
    f->busy++;
    int rc = 1;
    while (rc == 1 && done < n) {
        ssize_t put = ou_io_raw_write(vm, f, f->buf + done, n - done);
        if (put < 0) {
            rc = put == -2 ? 0 : -1; /* what was written must not be written again */
            break;
        }
        done += (uint32_t)put;
        if (done < n && vm->attention && !ou_safepoint(vm)) /* a signal cuts a write short: its handler runs before the next one blocks */
            rc = -1;
    }
    f->flushing = false;
    f->busy--;
    memmove(f->buf, f->buf + done, f->end - done);
    f->end -= done;
    return rc;
}

bool ou_io_flush_bytes(VM *vm, ByteFile *f)
{
    int rc = flush_some(vm, f);
    if (rc == 0)
        raise_blocked(vm, 0);
    return rc == 1;
}

/* Of n bytes of a write() that would block now, what the buffer has room for is kept; done bytes are written. */
static bool keep_rest(VM *vm, ByteFile *f, const uint8_t *p, size_t n, size_t done)
{
    size_t part = f->cap - f->end;
    if (part > n)
        part = n;
    memcpy(f->buf + f->end, p, part);
    f->end += (uint32_t)part;
    if (part < n)
        raise_blocked(vm, (int64_t)(done + part));
    return part == n;
}

/* More than the buffer holds: past it. */
static bool write_all(VM *vm, ByteFile *f, const uint8_t *p, size_t n)
{
    if (to_host(vm, f, p, n))
        return true;
    size_t done = 0;
    while (done < n) {
        ssize_t put = ou_io_raw_write(vm, f, p + done, n - done);
        if (put == -2)
            return keep_rest(vm, f, p + done, n - done, done);
        if (put < 0)
            return false;
        done += (size_t)put;
        if (done < n && vm->attention && !ou_safepoint(vm))
            return false;
    }
    return true;
}

/* Gives the bytes that were read ahead back to the system's file position. */
static bool stop_reading(VM *vm, ByteFile *f)
{
    if (f->writing || f->pos == f->end) {
        f->pos = f->writing ? f->pos : 0;
        f->end = f->writing ? f->end : 0;
        return true;
    }
    int64_t ahead = (int64_t)f->end - f->pos;
    f->pos = f->end = 0;
    if (f->foreign)
        return ou_io_raw_seek(vm, f, -ahead, SEEK_CUR) >= 0;
    if (lseek(ou_io_fd(f), -ahead, SEEK_CUR) < 0 && errno != ESPIPE)
        return ou_raise_errno(vm, errno, V_NULL), false;
    return true;
}

static bool start_reading(VM *vm, ByteFile *f)
{
    if (f->writing) {
        if (!ou_io_flush_bytes(vm, f))
            return false;
        f->writing = false;
        f->pos = f->end = 0;
    }
    return true;
}

bool ou_io_write_bytes(VM *vm, ByteFile *f, const uint8_t *p, size_t n)
{
    if (!f->writing) {
        if (!stop_reading(vm, f))
            return false;
        f->writing = true;
    }
    if (!need_buffer(vm, f))
        return false;
    while (n > f->cap - f->end) { /* again if other threads have written meanwhile */
        int rc = flush_some(vm, f);
        if (rc == 0 && !f->closed)
            return keep_rest(vm, f, p, n, 0);
        if (rc != 1)
            return false;
        if (f->closed)
            return ou_io_closed(vm), false;
        if (n >= f->cap)
            return write_all(vm, f, p, n);
    }
    memcpy(f->buf + f->end, p, n);
    f->end += (uint32_t)n;
    return true;
}

int64_t ou_io_fill(VM *vm, ByteFile *f)
{
    if (!wait_idle(vm, f) || !start_reading(vm, f) || !need_buffer(vm, f))
        return -1;
    if (f->pos > 0) {
        memmove(f->buf, f->buf + f->pos, f->end - f->pos);
        f->end -= f->pos;
        f->pos = 0;
    }
    if (f->end == f->cap)
        return 0;
    IoState *st = vm->module_state[MOD__io];
    f->flushing = true;
    f->user = (uint64_t)pthread_self();
    f->epoch = st ? st->forks : 0; /* no state: the VM is being taken down */
    f->busy++;
    ssize_t got = ou_io_raw_read(vm, f, f->buf + f->end, f->cap - f->end);
    f->busy--;
    f->flushing = false;
    if (f->closed)
        return vm->exc == V_NULL ? (ou_io_closed(vm), -1) : -1;
    if (got > 0)
        f->end += (uint32_t)got;
    return got;
}

bool ou_io_tell_bytes(VM *vm, ByteFile *f, int64_t *pos)
{
    int64_t p = ou_io_raw_seek(vm, f, 0, SEEK_CUR);
    if (p < 0)
        return false;
    *pos = f->writing ? p + f->end : p - (f->end - f->pos);
    if (*pos < 0) /* a device, where every position is 0 */
        *pos = 0;
    return true;
}

bool ou_io_seek_bytes(VM *vm, ByteFile *f, int64_t offset, int whence, int64_t *pos)
{
    if (f->writing) {
        if (!ou_io_flush_bytes(vm, f))
            return false;
    } else if (f->end > f->pos) {
        if (whence == SEEK_CUR)
            offset -= (int64_t)(f->end - f->pos);
    }
    int64_t p = ou_io_raw_seek(vm, f, offset, whence);
    if (p < 0)
        return false;
    f->pos = f->end = 0;
    *pos = p;
    return true;
}

bool ou_io_close_bytes(VM *vm, ByteFile *f)
{
    int gone = ou_io_bytes_closed(vm, f);
    if (gone != 0)
        return gone > 0;
    bool ok = (f->fd < 0 && !f->foreign) || ou_io_flush_bytes(vm, f);
    if (f->closed) /* by another thread, while this one was flushing */
        return ok;
    Value exc = ok ? V_NULL : ou_exc_take(vm);
    f->closed = !f->foreign;
    if (!f->busy) {
        ou_free(&vm->heap, f->buf, f->cap);
        f->buf = NULL;
    }
    f->pos = f->end = 0;
    bool closed = ou_io_raw_close(vm, f);
    if (exc == V_NULL)
        return closed;
    if (closed)
        ou_exc_restore(vm, exc);
    else
        ou_exc_set_context(vm, vm->exc, exc), release(vm, exc);
    return false;
}

/* ---- life --------------------------------------------------------------------------------------------------------------------- */

Value ou_io_bytefile_new(VM *vm, Type *type, int fd, Value name, Value mode, bool closefd)
{
    ByteFile *f = ou_new(vm, type, 0);
    if (!f)
        return V_NULL;
    f->fd = fd;
    f->made = true;
    f->closefd = closefd;
    f->name = retain(name);
    f->mode = retain(mode);
    const char *m = as_str(mode)->data;
    f->readable = strchr(m, 'r') || strchr(m, '+');
    f->writable = strchr(m, 'w') || strchr(m, 'a') || strchr(m, 'x') || strchr(m, '+');
    f->append = strchr(m, 'a') != NULL;
    return v_of(f);
}

static void byte_finalize(VM *vm, Obj *o)
{
    ByteFile *f = (ByteFile *)o;
    if ((ou_type_of(vm, v_of(o))->flags & TF_HEAP) || (f->made && !f->below && ou_io_bytes_closed(vm, f) == 0))
        ou_io_last_close(vm, v_of(o), f->made ? f : NULL);
    else
        ou_exc_clear(vm);
}

static void byte_dealloc(VM *vm, Obj *o)
{
    ByteFile *f = (ByteFile *)o;
    if (!f->closed && f->made && !f->foreign) {
        Value exc = ou_exc_take(vm);
        if (!ou_io_close_bytes(vm, f))
            ou_exc_clear(vm);
        vm->exc = exc;
    }
    ou_free(&vm->heap, f->buf, f->buf ? f->cap : 0);
    xrelease(vm, f->base);
    xrelease(vm, f->name);
    xrelease(vm, f->mode);
    ou_finish_dealloc(vm, o, 0);
}

static void byte_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ou_visit(vm, ((ByteFile *)o)->name, visit, arg);
    ou_visit(vm, ((ByteFile *)o)->base, visit, arg);
}

/* ---- checks ---------------------------------------------------------------------------------------------------------------------- */

static bool check_open(VM *vm, ByteFile *f, const char *doing)
{
    if (!f->made && !f->raw) {
        ou_raise(vm, E_VALUE, f->detached ? "raw stream has been detached" : "I/O operation on uninitialized object");
        return false;
    }
    int closed = f->made ? ou_io_bytes_closed(vm, f) : 1;
    if (closed <= 0)
        return closed == 0;
    if (doing && !f->raw)
        ou_raise(vm, E_VALUE, "%s closed file", doing);
    else
        ou_raise(vm, E_VALUE, "I/O operation on closed file%s", f->raw ? "" : ".");
    return false;
}

static bool check_read(VM *vm, ByteFile *f, const char *doing)
{
    if (!check_open(vm, f, doing))
        return false;
    if (!f->readable)
        ou_io_unsupported(vm, f->raw ? "File not open for reading" : "read");
    return f->readable;
}

static bool check_write(VM *vm, ByteFile *f)
{
    if (!check_open(vm, f, "write to"))
        return false;
    if (!f->writable)
        ou_io_unsupported(vm, f->raw ? "File not open for writing" : "write");
    return f->writable;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------------------- */

typedef struct Grow {
    uint8_t *p;
    size_t n, cap;
} Grow;

static bool grow(VM *vm, Grow *g, size_t more)
{
    if (g->n + more <= g->cap)
        return true;
    size_t cap = g->cap ? g->cap * 2 : 512;
    while (cap < g->n + more)
        cap *= 2;
    uint8_t *p = ou_realloc(&vm->heap, g->p, g->cap, cap);
    if (!p) {
        ou_raise_memory(vm);
        return false;
    }
    g->p = p;
    g->cap = cap;
    return true;
}

static Value grow_take(VM *vm, Grow *g, bool ok)
{
    Value r = ok ? ou_bytes_new(vm, g->p ? g->p : (uint8_t *)"", g->n) : V_NULL;
    ou_free(&vm->heap, g->p, g->cap);
    return r;
}

static Value read_all(VM *vm, ByteFile *f)
{
    Grow g = {0};
    bool ok = start_reading(vm, f);
    struct stat st;
    if (ok && !f->foreign && fstat(ou_io_fd(f), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        off_t at = lseek(ou_io_fd(f), 0, SEEK_CUR);
        if (at >= 0 && at < st.st_size)
            ok = grow(vm, &g, (size_t)(st.st_size - at) + (f->end - f->pos) + 1);
    }
    if (ok && f->end > f->pos) {
        ok = grow(vm, &g, f->end - f->pos);
        if (ok) {
            memcpy(g.p, f->buf + f->pos, f->end - f->pos);
            g.n = f->end - f->pos;
            f->pos = f->end = 0;
        }
    }
    bool blocked = false;
    while (ok) {
        ok = grow(vm, &g, g.cap - g.n > 256 ? 1 : IO_BUFFER);
        ssize_t got = ok ? ou_io_raw_read(vm, f, g.p + g.n, g.cap - g.n) : -1;
        if (got == -1)
            ok = false;
        blocked = got == -2;
        if (got <= 0)
            break;
        g.n += (size_t)got;
    }
    if (ok && blocked && g.n == 0) {
        grow_take(vm, &g, false);
        return V_NONE;
    }
    return grow_take(vm, &g, ok);
}

static Value read_raw(VM *vm, ByteFile *f, int64_t n)
{
    if (n > 0x7ffff000)
        n = 0x7ffff000;
    Grow g = {0};
    bool ok = grow(vm, &g, (size_t)n + 1);
    ssize_t got = ok ? ou_io_raw_read(vm, f, g.p, (size_t)n) : -1;
    if (got == -2) {
        grow_take(vm, &g, false);
        return V_NONE;
    }
    if (got > 0)
        g.n = (size_t)got;
    return grow_take(vm, &g, got >= 0);
}

static Value read_n(VM *vm, ByteFile *f, int64_t n)
{
    if (!start_reading(vm, f))
        return V_NULL;
    if (f->end - f->pos >= n) {
        Value r = ou_bytes_new(vm, f->buf ? f->buf + f->pos : (uint8_t *)"", (size_t)n);
        f->pos += (uint32_t)n;
        return r;
    }
    Grow g = {0};
    bool ok = true, blocked = false;
    while (ok && (int64_t)g.n < n) {
        if (f->pos == f->end) {
            int64_t got = ou_io_fill(vm, f);
            if (got == -1)
                ok = false;
            blocked = got == -2 && g.n == 0;
            if (got <= 0)
                break;
        }
        size_t part = f->end - f->pos;
        if (part > (size_t)n - g.n)
            part = (size_t)n - g.n;
        ok = grow(vm, &g, part);
        if (ok) {
            memcpy(g.p + g.n, f->buf + f->pos, part);
            g.n += part;
            f->pos += (uint32_t)part;
        }
    }
    if (ok && blocked) {
        grow_take(vm, &g, false);
        return V_NONE;
    }
    return grow_take(vm, &g, ok);
}

static Value byte_read(VM *vm, const Value *args, int n)
{
    ByteFile *f = self_of(args[0]);
    if (!check_read(vm, f, "read of"))
        return V_NULL;
    int64_t size = -1;
    if (n > 1 && args[1] != V_NONE) {
        if (!ou_type_of(vm, args[1])->slots.to_index && !ou_is_intlike(vm, args[1]))
            return ou_raise(vm, E_TYPE, "argument should be integer or None, not '%T'", args[1]);
        if (!ou_index_i64(vm, args[1], &size))
            return V_NULL;
        if (size < -1 && !f->raw)
            return ou_raise(vm, E_VALUE, "read length must be non-negative or -1");
    }
    if (size < 0)
        return read_all(vm, f);
    return f->raw && f->pos == f->end ? read_raw(vm, f, size) : read_n(vm, f, size);
}

static Value byte_readall(VM *vm, const Value *args, int n)
{
    (void)n;
    return check_open(vm, self_of(args[0]), NULL) ? read_all(vm, self_of(args[0])) : V_NULL;
}

static Value byte_read1(VM *vm, const Value *args, int n)
{
    ByteFile *f = self_of(args[0]);
    int64_t size = -1;
    if (!check_read(vm, f, "read of") || (n > 1 && !ou_io_size(vm, args[1], &size)) || !start_reading(vm, f))
        return V_NULL;
    if (f->pos == f->end && ou_io_fill(vm, f) == -1)
        return V_NULL;
    int64_t have = f->end - f->pos;
    if (size >= 0 && size < have)
        have = size;
    Value r = ou_bytes_new(vm, f->buf + f->pos, (size_t)have);
    f->pos += (uint32_t)have;
    return r;
}

static Value byte_peek(VM *vm, const Value *args, int n)
{
    (void)n;
    ByteFile *f = self_of(args[0]);
    if (!check_read(vm, f, "peek of") || !start_reading(vm, f))
        return V_NULL;
    if (f->pos == f->end && ou_io_fill(vm, f) == -1)
        return V_NULL;
    return ou_bytes_new(vm, f->buf + f->pos, f->end - f->pos);
}

/* What does not fit into the buffer goes straight to its place. once (readinto1): one request at most, for the buffer only if that
 * gave nothing yet. */
static Value read_into(VM *vm, const Value *args, bool once)
{
    ByteFile *f = self_of(args[0]);
    Buffer b;
    if (!check_read(vm, f, "read of") || !ou_buffer_get(vm, args[1], &b, true))
        return V_NULL;
    size_t done = 0;
    bool ok = start_reading(vm, f) && (f->raw || need_buffer(vm, f)), blocked = false;
    for (bool asked = false; ok && done < (size_t)b.n;) {
        size_t part = f->end - f->pos, rest = (size_t)b.n - done;
        if (part > 0) {
            part = part < rest ? part : rest;
            memcpy(b.p + done, f->buf + f->pos, part);
            f->pos += (uint32_t)part;
            done += part;
            continue;
        }
        bool direct = f->raw || rest > f->cap;
        if (asked && (f->raw || once))
            break;
        if (once && !direct && done)
            break;
        asked = true;
        int64_t got = direct ? ou_io_raw_read(vm, f, b.p + done, rest) : ou_io_fill(vm, f);
        ok = got != -1;
        blocked = got == -2 && done == 0;
        if (got <= 0)
            break;
        if (direct)
            done += (size_t)got;
    }
    ou_buffer_release(vm, &b);
    return !ok ? V_NULL : blocked ? V_NONE : ou_int(vm, (int64_t)done);
}

static Value byte_readinto(VM *vm, const Value *args, int n) { return (void)n, read_into(vm, args, false); }
static Value byte_readinto1(VM *vm, const Value *args, int n) { return (void)n, read_into(vm, args, true); }

static Value read_line(VM *vm, ByteFile *f, int64_t limit)
{
    Grow g = {0};
    bool ok = start_reading(vm, f), found = false;
    while (ok && !found && (limit < 0 || (int64_t)g.n < limit)) {
        if (f->pos == f->end) {
            int64_t got = ou_io_fill(vm, f);
            if (got == -1)
                ok = false;
            if (got <= 0)
                break;
        }
        size_t have = f->end - f->pos;
        if (limit >= 0 && have > (size_t)limit - g.n)
            have = (size_t)limit - g.n;
        uint8_t *nl = memchr(f->buf + f->pos, '\n', have);
        if (nl) {
            have = (size_t)(nl - (f->buf + f->pos)) + 1;
            found = true;
        }
        ok = grow(vm, &g, have);
        if (ok) {
            memcpy(g.p + g.n, f->buf + f->pos, have);
            g.n += have;
            f->pos += (uint32_t)have;
        }
    }
    return grow_take(vm, &g, ok);
}

static Value byte_readline(VM *vm, const Value *args, int n)
{
    ByteFile *f = self_of(args[0]);
    int64_t limit = -1;
    if (!check_read(vm, f, "readline of") || (n > 1 && !ou_io_size(vm, args[1], &limit)))
        return V_NULL;
    return read_line(vm, f, limit);
}

static Value byte_next(VM *vm, Value self)
{
    ByteFile *f = self_of(self);
    if (!check_read(vm, f, "readline of"))
        return V_NULL;
    Value line = read_line(vm, f, -1);
    if (line != V_NULL && as_bytes(line)->n == 0) {
        release(vm, line);
        return V_NULL;
    }
    return line;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------------ */

static Value byte_write(VM *vm, const Value *args, int n)
{
    (void)n;
    ByteFile *f = self_of(args[0]);
    if (!check_write(vm, f))
        return V_NULL;
    if (ou_is_a(vm, args[1], T_STR))
        return ou_raise(vm, E_TYPE, "a bytes-like object is required, not 'str'");
    Buffer b;
    if (!ou_buffer_get(vm, args[1], &b, false))
        return V_NULL;
    int64_t done = b.n;
    bool ok = true;
    if (f->raw && !to_host(vm, f, b.p, (size_t)b.n)) {
        done = ou_io_raw_write(vm, f, b.p, (size_t)b.n);
        ok = done != -1;
    } else if (!f->raw) {
        ok = ou_io_write_bytes(vm, f, b.p, (size_t)b.n);
    }
    ou_buffer_release(vm, &b);
    return !ok ? V_NULL : done == -2 ? V_NONE : ou_int(vm, done);
}

static Value byte_flush(VM *vm, const Value *args, int n)
{
    (void)n;
    ByteFile *f = self_of(args[0]);
    return check_open(vm, f, "flush of") && ou_io_flush_bytes(vm, f) ? V_NONE : V_NULL;
}

static Value byte_close(VM *vm, const Value *args, int n)
{
    (void)n;
    ByteFile *f = self_of(args[0]);
    Value exc = V_NULL;
    if (f->made && ou_io_own_method(vm, args[0], N_flush) && ou_io_bytes_closed(vm, f) == 0) {
        Value r = ou_call_method(vm, args[0], name_of(vm, N_flush), NULL, 0, NULL);
        xrelease(vm, r);
        exc = r == V_NULL ? ou_exc_take(vm) : V_NULL;
    }
    bool ok = ou_io_close_bytes(vm, f);
    if (exc == V_NULL)
        return ok ? V_NONE : V_NULL;
    if (ok)
        ou_exc_restore(vm, exc);
    else
        ou_exc_set_context(vm, vm->exc, exc), release(vm, exc);
    return V_NULL;
}

static Value byte_seek(VM *vm, const Value *args, int n)
{
    ByteFile *f = self_of(args[0]);
    int64_t offset, whence = 0, pos;
    if (!check_open(vm, f, "seek of") || !ou_index_i64(vm, args[1], &offset) || (n > 2 && !ou_index_i64(vm, args[2], &whence)))
        return V_NULL;
    if (whence < 0 || whence > 4)
        return ou_raise(vm, E_VALUE, "whence value %ld unsupported", whence);
    return ou_io_seek_bytes(vm, f, offset, (int)whence, &pos) ? ou_int(vm, pos) : V_NULL;
}

static Value byte_tell(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t pos;
    return check_open(vm, self_of(args[0]), NULL) && ou_io_tell_bytes(vm, self_of(args[0]), &pos) ? ou_int(vm, pos) : V_NULL;
}

static Value byte_truncate(VM *vm, const Value *args, int n)
{
    ByteFile *f = self_of(args[0]);
    int64_t size;
    if (!check_write(vm, f) || !ou_io_flush_bytes(vm, f))
        return V_NULL;
    if (n > 1 && args[1] != V_NONE) {
        if (!ou_index_i64(vm, args[1], &size))
            return V_NULL;
    } else if (!ou_io_tell_bytes(vm, f, &size)) {
        return V_NULL;
    }
    if (f->foreign) {
        Value length = ou_int(vm, size), r = length == V_NULL ? V_NULL : ou_call_method_c(vm, f->base, "truncate", &length, 1);
        xrelease(vm, length);
        return r;
    }
    if (ftruncate(ou_io_fd(f), size) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    return ou_int(vm, size);
}

/* The raw file below: made when somebody asks for it, and from then on the owner of the descriptor. Borrowed; V_NULL raised. */
static Value raw_of(VM *vm, ByteFile *f)
{
    IoState *st = ou_io_state(vm);
    if (!st || f->base != V_NULL)
        return f->base;
    Value raw = ou_io_bytefile_new(vm, st->fileio, f->fd, f->name, f->mode, f->closefd);
    if (raw == V_NULL)
        return V_NULL;
    self_of(raw)->raw = self_of(raw)->below = true;
    self_of(raw)->closed = f->closed;
    f->base = raw;
    return raw;
}

static Value byte_detach(VM *vm, const Value *args, int n)
{
    (void)n;
    ByteFile *f = self_of(args[0]);
    if (!check_open(vm, f, NULL) || !ou_io_flush_bytes(vm, f) || !stop_reading(vm, f) || raw_of(vm, f) == V_NULL)
        return V_NULL;
    Value raw = f->base;
    f->base = V_NULL;
    f->fd = -1;
    if (!f->foreign)
        self_of(raw)->below = false;
    f->made = false;
    f->detached = true;
    return raw;
}

static Value byte_get_raw(VM *vm, Value self)
{
    ByteFile *f = self_of(self);
    if (!f->made)
        return V_NONE;
    Value raw = raw_of(vm, f);
    return raw == V_NULL ? V_NULL : retain(raw);
}

/* ---- queries ------------------------------------------------------------------------------------------------------------------------- */

static Value byte_fileno(VM *vm, const Value *args, int n)
{
    (void)n;
    ByteFile *f = self_of(args[0]);
    if (f->foreign && f->made)
        return ou_io_raw_ask(vm, f, "fileno");
    if (!check_open(vm, f, NULL))
        return V_NULL;
    return v_smallint(ou_io_fd(f));
}

static Value byte_isatty(VM *vm, const Value *args, int n)
{
    (void)n;
    ByteFile *f = self_of(args[0]);
    if (f->foreign && f->made)
        return ou_io_raw_ask(vm, f, "isatty");
    if (!check_open(vm, f, NULL))
        return V_NULL;
    return v_bool(isatty(ou_io_fd(f)));
}

static Value byte_readable(VM *vm, const Value *args, int n)
{
    (void)n;
    return check_open(vm, self_of(args[0]), NULL) ? v_bool(self_of(args[0])->readable) : V_NULL;
}

static Value byte_writable(VM *vm, const Value *args, int n)
{
    (void)n;
    return check_open(vm, self_of(args[0]), NULL) ? v_bool(self_of(args[0])->writable) : V_NULL;
}

static Value byte_seekable(VM *vm, const Value *args, int n)
{
    (void)n;
    ByteFile *f = self_of(args[0]);
    if (!check_open(vm, f, NULL))
        return V_NULL;
    return f->foreign ? ou_io_raw_ask(vm, f, "seekable") : v_bool(lseek(ou_io_fd(f), 0, SEEK_CUR) >= 0);
}

static Value byte_get_closed(VM *vm, Value self)
{
    ByteFile *f = self_of(self);
    if (!f->made)
        return f->raw ? V_TRUE : check_open(vm, f, NULL) ? V_FALSE : V_NULL;
    int closed = ou_io_bytes_closed(vm, f);
    return closed < 0 ? V_NULL : v_bool(closed);
}
/* Of the raw file unless somebody has set it. */
static Value byte_attr(VM *vm, ByteFile *f, Value v, NameId id)
{
    if (v != V_NULL)
        return retain(v);
    if (f->base != V_NULL)
        return ou_getattr(vm, f->base, name_of(vm, id));
    return f->made || f->raw ? ou_raise_attr(vm, v_of(f), name_of(vm, id)) : check_open(vm, f, NULL) ? V_NONE : V_NULL;
}
static Value byte_get_name(VM *vm, Value self) { return byte_attr(vm, self_of(self), self_of(self)->name, N_name); }
static bool byte_set_name(VM *vm, Value self, Value v)
{
    set_owned(vm, &self_of(self)->name, v == V_NULL ? V_NULL : retain(v));
    return true;
}
static Value byte_get_mode(VM *vm, Value self) { return byte_attr(vm, self_of(self), self_of(self)->mode, N_mode); }
static bool byte_set_mode(VM *vm, Value self, Value v)
{
    set_owned(vm, &self_of(self)->mode, v == V_NULL ? V_NULL : retain(v));
    return true;
}
static Value byte_get_closefd(VM *vm, Value self)
{
    (void)vm;
    return v_bool(self_of(self)->closefd);
}

static Value byte_repr(VM *vm, Value self)
{
    ByteFile *f = self_of(self);
    if (f->raw && (f->closed || !f->made))
        return ou_str_format(vm, "<_io.FileIO [closed]>");
    if (f->raw && f->name == V_NULL)
        return ou_str_format(vm, "<_io.FileIO fd=%d mode=%R closefd=%s>", f->fd, f->mode, f->closefd ? "True" : "False");
    if (f->raw)
        return ou_str_format(vm, "<_io.FileIO name=%R mode=%R closefd=%s>", f->name, f->mode, f->closefd ? "True" : "False");
    Type *t = ou_type_of(vm, self);
    Value module = t->flags & TF_HEAP ? ou_getattr(vm, v_of(t), name_of(vm, N_DU_module)) : ou_str_c(vm, "_io");
    Value name = module == V_NULL ? V_NULL : byte_attr(vm, f, f->name, N_name), text = V_NULL;
    if (module != V_NULL && name == V_NULL && (ou_exc_matches(vm, E_ATTRIBUTE) || ou_exc_matches(vm, E_VALUE))) {
        ou_exc_clear(vm);
        text = ou_str_format(vm, "<%S.%U>", module, v_of(t->qualname));
    } else if (name != V_NULL) {
        text = ou_str_format(vm, "<%S.%U name=%R>", module, v_of(t->qualname), name);
    }
    xrelease(vm, module);
    xrelease(vm, name);
    return text;
}

#define COMMON_METHODS                                                                                                \
    {"read(size=-1, /)", byte_read, NULL, 0}, {"readinto(buffer, /)", byte_readinto, NULL, 0},                        \
        {"readline(size=-1, /)", byte_readline, NULL, 0}, {"write(b, /)", byte_write, NULL, 0},                       \
        {"close()", byte_close, NULL, 0}, {"flush()", byte_flush, NULL, 0},                                          \
        {"seek(offset, whence=0, /)", byte_seek, NULL, 0}, {"tell()", byte_tell, NULL, 0},                            \
        {"truncate(size=None, /)", byte_truncate, NULL, 0}, {"fileno()", byte_fileno, NULL, 0},                       \
        {"isatty()", byte_isatty, NULL, 0}, {"readable()", byte_readable, NULL, 0},                                   \
        {"writable()", byte_writable, NULL, 0}, {"seekable()", byte_seekable, NULL, 0}

static const NativeDef raw_methods[] = {COMMON_METHODS, {"readall()", byte_readall, NULL, 0}, {0}};
static const NativeDef buffered_methods[] = {COMMON_METHODS,
                                             {"read1(size=-1, /)", byte_read1, NULL, 0},
                                             {"peek(size=0, /)", byte_peek, NULL, 0},
                                             {"readinto1(buffer, /)", byte_readinto1, NULL, 0},
                                             {"detach()", byte_detach, NULL, 0},
                                             {0}};
static const GetSetDef byte_getset[] = {
    {"closed", byte_get_closed, NULL, NULL}, {"name", byte_get_name, byte_set_name, NULL}, {"mode", byte_get_mode, byte_set_mode, NULL},
    {"closefd", byte_get_closefd, NULL, NULL}, {0}};
static const GetSetDef buffered_getset[] = {
    {"closed", byte_get_closed, NULL, NULL}, {"name", byte_get_name, byte_set_name, NULL}, {"mode", byte_get_mode, NULL, NULL},
    {"raw", byte_get_raw, NULL, NULL}, {0}};

#define BYTE_TYPE(cname, init_fn, methods_, getset_)                                                                  \
    {                                                                                                                 \
        .name = (cname), .size = sizeof(ByteFile), .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF,                   \
        .slots = {.make = ou_io_blank, .init = (init_fn), .dealloc = byte_dealloc, .traverse = byte_traverse,           \
                  .finalize = byte_finalize, .repr = byte_repr, .next = byte_next},                                                              \
        .methods = (methods_), .getset = (getset_),                                                                   \
    }
const TypeDef ou_io_fileio_def = BYTE_TYPE("_io.FileIO", ou_io_fileio_init, raw_methods, byte_getset);
const TypeDef ou_io_reader_def = BYTE_TYPE("_io.BufferedReader", ou_io_reader_init, buffered_methods, buffered_getset);
const TypeDef ou_io_writer_def = BYTE_TYPE("_io.BufferedWriter", ou_io_writer_init, buffered_methods, buffered_getset);
const TypeDef ou_io_random_def = BYTE_TYPE("_io.BufferedRandom", ou_io_random_init, buffered_methods, buffered_getset);
