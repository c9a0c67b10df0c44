/* _asyncio.SocketTransport: the transport of connected stream sockets (TCP, Unix). asyncio's order of events to the entry:
 * connection_made, the start of reading and the waiter are three entries; data_received runs in the entry that the poll found;
 * connection_lost is an entry of its own, after which the socket is closed.
 * The one thing to know: write() tries send() at once; only the rest is kept, in one block, until the descriptor is writable. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/loop/io.h"
#include "runtime/objects/bytes.h"
#include "runtime/objects/import.h"
#include "runtime/objects/numbers.h"

typedef struct Transport {
    Obj h;
    Loop *loop;     /* owned; NULL once the connection is lost */
    int fd;
    Value sock, protocol, extra, server, empty_waiter; /* owned, V_NONE */
    uint8_t *buf;   /* what waits to be written: [start, end) */
    size_t start, end, cap;
    size_t high, low;
    uint32_t conn_lost;
    bool made, connected, closing, paused, eof, protocol_paused, buffered;
} Transport;

static Transport *as_transport(Value v) { return (Transport *)v_obj(v); }
static size_t pending(const Transport *t) { return t->end - t->start; }

static Value text(VM *vm, const char *s) { return ou_str_c(vm, s); }

/* ---- reports ---- */

static void call_handler(VM *vm, Transport *t, const char *message, Value exc)
{
    Value ctx = ou_dict_new(vm), msg = text(vm, message), r = V_NULL;
    if (ctx != V_NULL && msg != V_NULL && ou_dict_set_c(vm, as_dict(ctx), "message", msg) &&
        ou_dict_set_c(vm, as_dict(ctx), "exception", exc) && ou_dict_set_c(vm, as_dict(ctx), "transport", v_of(t)) &&
        ou_dict_set_c(vm, as_dict(ctx), "protocol", t->protocol) && t->loop)
        r = ou_call_method_c(vm, v_of(t->loop), "call_exception_handler", &ctx, 1);
    xrelease(vm, r);
    xrelease(vm, ctx);
    xrelease(vm, msg);
}

/* ---- the end ---- */

static void drop_buffer(VM *vm, Transport *t)
{
    ou_free(&vm->heap, t->buf, t->cap);
    t->buf = NULL;
    t->start = t->end = t->cap = 0;
}

static void lost(VM *vm, Handle *h)
{
    Transport *t = as_transport(h->cb);
    Value exc = h->args;
    h->h.refs++; /* closing the socket may drop what leads here */
    t->h.refs++;
    if (t->connected) {
        Value r = ou_call_method_c(vm, t->protocol, "connection_lost", &exc, 1);
        xrelease(vm, r);
    }
    Value raised = ou_exc_take(vm);
    if (t->fd >= 0 && t->loop) {
        ou_io_unwatch(vm, t->loop, t->fd, false);
        ou_io_unwatch(vm, t->loop, t->fd, true);
        ou_io_set_transport(t->loop, t->fd, NULL);
    }
    t->fd = -1;
    Value r = ou_call_method_c(vm, t->sock, "close", NULL, 0);
    if (r == V_NULL)
        ou_exc_clear(vm);
    xrelease(vm, r);
    set_owned(vm, &t->sock, V_NONE);
    set_owned(vm, &t->protocol, V_NONE);
    Value server = t->server;
    t->server = V_NONE;
    if (server != V_NONE) {
        Value self = v_of(t);
        r = ou_call_method_c(vm, server, "_detach", &self, 1);
        if (r == V_NULL)
            ou_exc_clear(vm);
        xrelease(vm, r);
        release(vm, server);
    }
    if (t->empty_waiter != V_NONE) {
        Value w = t->empty_waiter;
        t->empty_waiter = V_NONE;
        ou_raise(vm, E_CONNECTION, "Connection is closed by peer");
        Value e = ou_exc_take(vm);
        if (!future_done(as_future(w)))
            ou_future_set_exception(vm, as_future(w), e);
        release(vm, e);
        release(vm, w);
        ou_exc_clear(vm);
    }
    Loop *l = t->loop;
    t->loop = NULL;
    drop_buffer(vm, t);
    release(vm, v_of(t));
    if (raised != V_NULL)
        ou_exc_restore(vm, raised);
    release(vm, v_of(h));
    if (l)
        release(vm, v_of(l));
}

static bool soon_lost(VM *vm, Transport *t, Value exc)
{
    Value h = ou_call_soon_native(vm, t->loop, lost, v_of(t), exc);
    xrelease(vm, h);
    return h != V_NULL;
}

static bool force_close(VM *vm, Transport *t, Value exc)
{
    if (t->conn_lost || !t->loop)
        return true;
    if (pending(t)) {
        drop_buffer(vm, t);
        ou_io_unwatch(vm, t->loop, t->fd, true);
    }
    if (!t->closing) {
        t->closing = true;
        ou_io_unwatch(vm, t->loop, t->fd, false);
    }
    t->conn_lost++;
    return soon_lost(vm, t, exc);
}

/* Deals with the pending exception; leaves only KeyboardInterrupt and SystemExit pending. */
static void fatal(VM *vm, Transport *t, const char *message)
{
    if (ou_exc_matches(vm, E_KEYBOARD_INTERRUPT) || ou_exc_matches(vm, E_SYSTEM_EXIT))
        return;
    bool os = ou_exc_matches(vm, E_OS);
    Value exc = ou_exc_take(vm);
    if (!os && t->loop)
        call_handler(vm, t, message, exc);
    if (vm->exc == V_NULL)
        force_close(vm, t, exc);
    release(vm, exc);
}

static bool close_transport(VM *vm, Transport *t)
{
    if (t->closing || !t->loop)
        return true;
    t->closing = true;
    ou_io_unwatch(vm, t->loop, t->fd, false);
    if (pending(t))
        return true;
    t->conn_lost++;
    ou_io_unwatch(vm, t->loop, t->fd, true);
    t->loop->io_dirty = true;
    return soon_lost(vm, t, V_NONE);
}

/* ---- reading ---- */

static void got_eof(VM *vm, Transport *t)
{
    Value r = ou_call_method_c(vm, t->protocol, "eof_received", NULL, 0);
    int keep = r == V_NULL ? -1 : ou_truth(vm, r);
    xrelease(vm, r);
    if (keep < 0)
        fatal(vm, t, "Fatal error: protocol.eof_received() call failed.");
    else if (keep && t->loop)
        ou_io_unwatch(vm, t->loop, t->fd, false);
    else
        close_transport(vm, t);
}

static void read_buffered(VM *vm, Transport *t)
{
    Value hint = v_smallint(-1);
    Value b = ou_call_method_c(vm, t->protocol, "get_buffer", &hint, 1);
    Buffer buf;
    bool have = b != V_NULL && ou_buffer_get(vm, b, &buf, true);
    if (have && buf.n == 0) {
        ou_buffer_release(vm, &buf);
        have = ou_raise(vm, E_RUNTIME, "get_buffer() returned an empty buffer") != V_NULL;
    }
    if (!have) {
        xrelease(vm, b);
        fatal(vm, t, "Fatal error: protocol.get_buffer() call failed.");
        return;
    }
    ssize_t n = recv(t->fd, buf.p, (size_t)buf.n, 0);
    int err = errno;
    ou_buffer_release(vm, &buf);
    release(vm, b);
    if (n < 0) {
        if (err == EAGAIN || err == EWOULDBLOCK || err == EINTR)
            return;
        ou_raise_errno(vm, err, V_NULL);
        fatal(vm, t, "Fatal read error on socket transport");
    } else if (n == 0) {
        got_eof(vm, t);
    } else {
        Value count = v_smallint(n), r = ou_call_method_c(vm, t->protocol, "buffer_updated", &count, 1);
        if (r == V_NULL)
            fatal(vm, t, "Fatal error: protocol.buffer_updated() call failed.");
        xrelease(vm, r);
    }
}

static void read_ready(VM *vm, Handle *h)
{
    Transport *t = as_transport(h->cb);
    if (t->conn_lost || !t->loop)
        return;
    Loop *l = t->loop;
    if (!l->scratch && !(l->scratch = ou_alloc(&vm->heap, OU_SCRATCH))) {
        ou_raise_memory(vm);
        return;
    }
    t->h.refs++;
    if (t->buffered) {
        read_buffered(vm, t);
        release(vm, v_of(t));
        return;
    }
    ssize_t n = recv(t->fd, l->scratch, OU_SCRATCH, 0);
    if (n > 0) {
        Value data = ou_bytes_new(vm, l->scratch, (size_t)n);
        Value r = data == V_NULL ? V_NULL : ou_call_method_c(vm, t->protocol, "data_received", &data, 1);
        xrelease(vm, data);
        if (r == V_NULL)
            fatal(vm, t, "Fatal error: protocol.data_received() call failed.");
        xrelease(vm, r);
    } else if (n == 0) {
        got_eof(vm, t);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        ou_raise_errno(vm, errno, V_NULL);
        fatal(vm, t, "Fatal read error on socket transport");
    }
    release(vm, v_of(t));
}

static bool start_reading(VM *vm, Transport *t)
{
    if (t->closing || t->paused || !t->loop)
        return true;
    Value h = ou_io_handle(vm, t->loop, read_ready, v_of(t), V_NONE, V_NONE);
    bool ok = h != V_NULL && ou_io_watch(vm, t->loop, t->fd, false, h);
    xrelease(vm, h);
    return ok;
}
static void first_reading(VM *vm, Handle *h) { start_reading(vm, as_transport(h->cb)); }

static void wake_waiter(VM *vm, Handle *h)
{
    if (!future_done(as_future(h->args)))
        ou_future_set_result(vm, as_future(h->args), V_NONE);
}

/* ---- writing ---- */

static bool flow(VM *vm, Transport *t, bool pause)
{
    if (pause ? pending(t) <= t->high || t->protocol_paused : !t->protocol_paused || pending(t) > t->low)
        return true;
    t->protocol_paused = pause;
    Value r = ou_call_method_c(vm, t->protocol, pause ? "pause_writing" : "resume_writing", NULL, 0);
    xrelease(vm, r);
    if (r != V_NULL)
        return true;
    if (ou_exc_matches(vm, E_KEYBOARD_INTERRUPT) || ou_exc_matches(vm, E_SYSTEM_EXIT))
        return false;
    Value exc = ou_exc_take(vm);
    call_handler(vm, t, pause ? "protocol.pause_writing() failed" : "protocol.resume_writing() failed", exc);
    release(vm, exc);
    return vm->exc == V_NULL;
}

static bool shut(VM *vm, Transport *t)
{
    t->loop->io_dirty = true;
    if (shutdown(t->fd, SHUT_WR) < 0 && errno != ENOTCONN)
        return ou_raise_errno(vm, errno, V_NULL) != V_NULL;
    return true;
}

static void write_ready(VM *vm, Handle *h)
{
    Transport *t = as_transport(h->cb);
    if (t->conn_lost || !t->loop)
        return;
    t->h.refs++;
    t->loop->io_dirty = true;
    ssize_t n = send(t->fd, t->buf + t->start, pending(t), MSG_NOSIGNAL);
    if (n < 0) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            int err = errno;
            ou_io_unwatch(vm, t->loop, t->fd, true);
            drop_buffer(vm, t);
            ou_raise_errno(vm, err, V_NULL);
            if (t->empty_waiter != V_NONE && !future_done(as_future(t->empty_waiter))) {
                Value e = ou_exc_take(vm);
                ou_future_set_exception(vm, as_future(t->empty_waiter), e);
                ou_exc_restore(vm, e);
            }
            fatal(vm, t, "Fatal write error on socket transport");
        }
        release(vm, v_of(t));
        return;
    }
    t->start += (size_t)n;
    bool ok = flow(vm, t, false);
    if (ok && !pending(t) && t->loop) {
        drop_buffer(vm, t);
        ou_io_unwatch(vm, t->loop, t->fd, true);
        if (t->empty_waiter != V_NONE && !future_done(as_future(t->empty_waiter)))
            ok = ou_future_set_result(vm, as_future(t->empty_waiter), V_NONE);
        if (ok && t->closing) {
            t->conn_lost++;
            soon_lost(vm, t, V_NONE);
        } else if (ok && t->eof) {
            shut(vm, t);
        }
    }
    release(vm, v_of(t));
}

static bool keep(VM *vm, Transport *t, const uint8_t *p, size_t n)
{
    if (t->end + n > t->cap) {
        size_t have = pending(t);
        if (t->start && have + n <= t->cap) {
            memmove(t->buf, t->buf + t->start, have);
        } else {
            size_t cap = t->cap * 2 > have + n ? t->cap * 2 : have + n;
            uint8_t *q = ou_alloc(&vm->heap, cap);
            if (!q)
                return ou_raise_memory(vm) != V_NULL;
            if (have)
                memcpy(q, t->buf + t->start, have);
            ou_free(&vm->heap, t->buf, t->cap);
            t->buf = q;
            t->cap = cap;
        }
        t->start = 0;
        t->end = have;
    }
    memcpy(t->buf + t->end, p, n);
    t->end += n;
    return true;
}

static bool warn_lost(VM *vm, Transport *t)
{
    if (t->conn_lost >= 5) {
        Value logger = ou_import_attr(vm, "asyncio.log", "logger"), msg = text(vm, "socket.send() raised exception.");
        Value r = logger == V_NULL || msg == V_NULL ? V_NULL : ou_call_method_c(vm, logger, "warning", &msg, 1);
        xrelease(vm, logger);
        xrelease(vm, msg);
        xrelease(vm, r);
        if (r == V_NULL)
            return false;
    }
    t->conn_lost++;
    return true;
}

static bool write_bytes(VM *vm, Transport *t, const uint8_t *p, size_t n)
{
    if (!pending(t)) {
        ssize_t put = send(t->fd, p, n, MSG_NOSIGNAL);
        t->loop->io_dirty = true;
        if (put < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
                ou_raise_errno(vm, errno, V_NULL);
                fatal(vm, t, "Fatal write error on socket transport");
                return vm->exc == V_NULL;
            }
            put = 0;
        }
        p += put;
        n -= (size_t)put;
        if (!n)
            return true;
        Value h = ou_io_handle(vm, t->loop, write_ready, v_of(t), V_NONE, V_NONE);
        bool ok = h != V_NULL && ou_io_watch(vm, t->loop, t->fd, true, h);
        xrelease(vm, h);
        if (!ok)
            return false;
    }
    return keep(vm, t, p, n) && flow(vm, t, true);
}

static Value m_write(VM *vm, const Value *args, int n)
{
    (void)n;
    Transport *t = as_transport(args[0]);
    Buffer b;
    if (!is_exact(args[1], T_BYTES) && !ou_is_a(vm, args[1], T_BYTES) && !ou_is_a(vm, args[1], T_BYTEARRAY) &&
        !ou_is_a(vm, args[1], T_MEMORYVIEW)) {
        Value name = ou_str_c(vm, ou_type_name(vm, args[1]));
        if (name != V_NULL)
            ou_raise(vm, E_TYPE, "data argument must be a bytes-like object, not %R", name);
        xrelease(vm, name);
        return V_NULL;
    }
    if (t->eof)
        return ou_raise(vm, E_RUNTIME, "Cannot call write() after write_eof()");
    if (t->empty_waiter != V_NONE)
        return ou_raise(vm, E_RUNTIME, "unable to write; sendfile is in progress");
    if (!ou_buffer_get(vm, args[1], &b, false))
        return V_NULL;
    bool ok = !b.n || (t->conn_lost || !t->loop ? warn_lost(vm, t) : write_bytes(vm, t, b.p, (size_t)b.n));
    ou_buffer_release(vm, &b);
    return ok ? V_NONE : V_NULL;
}

static Value m_writelines(VM *vm, const Value *args, int n)
{
    (void)n;
    Transport *t = as_transport(args[0]);
    if (t->eof)
        return ou_raise(vm, E_RUNTIME, "Cannot call writelines() after write_eof()");
    if (t->empty_waiter != V_NONE)
        return ou_raise(vm, E_RUNTIME, "unable to writelines; sendfile is in progress");
    Value empty = v_of(v_obj(vm->empty_bytes));
    Value all = ou_call_method_c(vm, empty, "join", &args[1], 1);
    if (all == V_NULL)
        return V_NULL;
    Bytes *b = as_bytes(all);
    bool ok = !b->n || (t->conn_lost || !t->loop ? warn_lost(vm, t) : write_bytes(vm, t, b->data, b->n));
    release(vm, all);
    return ok ? V_NONE : V_NULL;
}

static Value m_write_eof(VM *vm, const Value *args, int n)
{
    (void)n;
    Transport *t = as_transport(args[0]);
    if (t->closing || t->eof || !t->loop)
        return V_NONE;
    t->eof = true;
    return pending(t) || shut(vm, t) ? V_NONE : V_NULL;
}
static Value m_true(VM *vm, const Value *args, int n) { return (void)vm, (void)args, (void)n, V_TRUE; }
static Value m_close(VM *vm, const Value *args, int n)
{
    (void)n;
    return close_transport(vm, as_transport(args[0])) ? V_NONE : V_NULL;
}
static Value m_abort(VM *vm, const Value *args, int n)
{
    (void)n;
    return force_close(vm, as_transport(args[0]), V_NONE) ? V_NONE : V_NULL;
}
static Value m_force_close(VM *vm, const Value *args, int n)
{
    (void)n;
    return force_close(vm, as_transport(args[0]), args[1]) ? V_NONE : V_NULL;
}
static Value m_fatal_error(VM *vm, const Value *args, int n)
{
    Transport *t = as_transport(args[0]);
    const char *msg = n > 2 && args[2] != V_NULL && is_str(args[2]) ? as_str(args[2])->data : "Fatal error on transport";
    ou_exc_restore(vm, retain(args[1]));
    fatal(vm, t, msg);
    return vm->exc == V_NULL ? V_NONE : V_NULL;
}
static Value m_is_closing(VM *vm, const Value *args, int n) { return (void)vm, (void)n, v_bool(as_transport(args[0])->closing); }
static Value m_is_reading(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_bool(!as_transport(args[0])->closing && !as_transport(args[0])->paused);
}
static Value m_pause(VM *vm, const Value *args, int n)
{
    (void)n;
    Transport *t = as_transport(args[0]);
    if (!t->closing && !t->paused) {
        t->paused = true;
        if (t->loop)
            ou_io_unwatch(vm, t->loop, t->fd, false);
    }
    return V_NONE;
}
static Value m_resume(VM *vm, const Value *args, int n)
{
    (void)n;
    Transport *t = as_transport(args[0]);
    if (t->closing || !t->paused)
        return V_NONE;
    t->paused = false;
    return start_reading(vm, t) ? V_NONE : V_NULL;
}

static bool adopt_protocol(VM *vm, Transport *t, Value protocol)
{
    Value cls = ou_import_attr(vm, "asyncio.protocols", "BufferedProtocol");
    int is = cls == V_NULL ? -1 : ou_isinstance(vm, protocol, cls);
    xrelease(vm, cls);
    if (is < 0)
        return false;
    t->buffered = is;
    t->connected = true;
    set_owned(vm, &t->protocol, retain(protocol));
    return true;
}
static Value m_set_protocol(VM *vm, const Value *args, int n)
{
    (void)n;
    return adopt_protocol(vm, as_transport(args[0]), args[1]) ? V_NONE : V_NULL;
}
static Value m_get_protocol(VM *vm, const Value *args, int n) { return (void)vm, (void)n, retain(as_transport(args[0])->protocol); }
static Value m_get_loop(VM *vm, Value self)
{
    (void)vm;
    Loop *l = as_transport(self)->loop;
    return l ? retain(v_of(l)) : V_NONE;
}
static Value m_extra(VM *vm, const Value *args, int n)
{
    (void)n;
    Transport *t = as_transport(args[0]);
    Value v = t->extra == V_NONE ? V_NULL : ou_dict_get(vm, as_dict(t->extra), args[1]);
    if (v == V_NULL && vm->exc != V_NULL)
        return V_NULL;
    return v != V_NULL ? retain(v) : args[2] == V_NULL ? V_NONE : retain(args[2]);
}
static Value m_buffer_size(VM *vm, const Value *args, int n) { return (void)n, ou_int(vm, (int64_t)pending(as_transport(args[0]))); }
static Value m_limits(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v[2] = {ou_int(vm, (int64_t)as_transport(args[0])->low), ou_int(vm, (int64_t)as_transport(args[0])->high)};
    return ou_tuple_take(vm, v, 2);
}
static Value m_set_limits(VM *vm, const Value *args, int n)
{
    (void)n;
    Transport *t = as_transport(args[0]);
    bool no_high = args[1] == V_NULL || args[1] == V_NONE, no_low = args[2] == V_NULL || args[2] == V_NONE;
    int64_t high = 64 * 1024, low;
    if ((!no_low && !ou_index_i64(vm, args[2], &low)) || (!no_high && !ou_index_i64(vm, args[1], &high)))
        return V_NULL;
    if (no_high && !no_low)
        high = 4 * low;
    if (no_low)
        low = high / 4;
    if (!(high >= low && low >= 0))
        return ou_raise(vm, E_VALUE, "high (%ld) must be >= low (%ld) must be >= 0", high, low);
    t->high = (size_t)high;
    t->low = (size_t)low;
    return flow(vm, t, true) ? V_NONE : V_NULL;
}
static Value m_make_empty_waiter(VM *vm, const Value *args, int n)
{
    (void)n;
    Transport *t = as_transport(args[0]);
    if (t->empty_waiter != V_NONE)
        return ou_raise(vm, E_RUNTIME, "Empty waiter is already set");
    Value f = ou_future_new(vm, t->loop);
    if (f == V_NULL)
        return V_NULL;
    if (!pending(t) && !ou_future_set_result(vm, as_future(f), V_NONE)) {
        release(vm, f);
        return V_NULL;
    }
    set_owned(vm, &t->empty_waiter, retain(f));
    return f;
}
static Value m_reset_empty_waiter(VM *vm, const Value *args, int n)
{
    (void)n;
    set_owned(vm, &as_transport(args[0])->empty_waiter, V_NONE);
    return V_NONE;
}

static const NativeDef methods[] = {
    {"write(data, /)", m_write, "Writes bytes, without waiting.", 0},
    {"writelines(list_of_data, /)", m_writelines, NULL, 0},
    {"write_eof()", m_write_eof, "Closes the writing side after what is buffered.", 0},
    {"can_write_eof()", m_true, NULL, 0},
    {"close()", m_close, "Closes after what is buffered has been written.", 0},
    {"abort()", m_abort, "Closes at once.", 0},
    {"_force_close(exc, /)", m_force_close, NULL, 0},
    {"_fatal_error(exc, message=None, /)", m_fatal_error, NULL, 0},
    {"is_closing()", m_is_closing, NULL, 0},
    {"is_reading()", m_is_reading, NULL, 0},
    {"pause_reading()", m_pause, NULL, 0},
    {"resume_reading()", m_resume, NULL, 0},
    {"set_protocol(protocol, /)", m_set_protocol, NULL, 0},
    {"get_protocol()", m_get_protocol, NULL, 0},
    {"get_extra_info(name, default=None)", m_extra, NULL, 0},
    {"get_write_buffer_size()", m_buffer_size, NULL, 0},
    {"get_write_buffer_limits()", m_limits, NULL, 0},
    {"set_write_buffer_limits(high=None, low=None)", m_set_limits, NULL, 0},
    {"_make_empty_waiter()", m_make_empty_waiter, NULL, 0},
    {"_reset_empty_waiter()", m_reset_empty_waiter, NULL, 0},
    {0},
};

#define GETTER(name, expr)                                                                                            \
    static Value get_##name(VM *vm, Value self)                                                                       \
    {                                                                                                                 \
        Transport *t = as_transport(self);                                                                            \
        (void)vm;                                                                                                     \
        return expr;                                                                                                  \
    }
GETTER(sock, retain(t->sock))
GETTER(fd, v_smallint(t->fd))
GETTER(protocol, retain(t->protocol))
GETTER(extra, retain(t->extra))
GETTER(server, retain(t->server))
GETTER(paused, v_bool(t->paused))
GETTER(closing, v_bool(t->closing))
GETTER(eof, v_bool(t->eof))
GETTER(conn_lost, v_smallint(t->conn_lost))
GETTER(protocol_paused, v_bool(t->protocol_paused))
GETTER(polling_write, v_bool(pending(t) != 0))

static const GetSetDef getset[] = {
    {"_loop", m_get_loop, NULL, NULL},          {"_sock", get_sock, NULL, NULL},
    {"_sock_fd", get_fd, NULL, NULL},           {"_protocol", get_protocol, NULL, NULL},
    {"_extra", get_extra, NULL, NULL},          {"_server", get_server, NULL, NULL},
    {"_paused", get_paused, NULL, NULL},        {"_closing", get_closing, NULL, NULL},
    {"_eof", get_eof, NULL, NULL},              {"_conn_lost", get_conn_lost, NULL, NULL},
    {"_protocol_paused", get_protocol_paused, NULL, NULL}, {"_polling_write", get_polling_write, NULL, NULL},
    {0},
};

/* ---- the object ---- */

static Value transport_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    Transport *t = ou_new(vm, cls, 0);
    if (!t)
        return V_NULL;
    t->sock = t->protocol = t->extra = t->server = t->empty_waiter = V_NONE;
    t->fd = -1;
    t->high = 64 * 1024;
    t->low = 16 * 1024;
    return v_of(t);
}

static bool fill_extra(VM *vm, Transport *t)
{
    Dict *d = as_dict(t->extra);
    Value cls = ou_import_attr(vm, "asyncio.trsock", "TransportSocket");
    Value wrapped = cls == V_NULL ? V_NULL : ou_call1(vm, cls, t->sock);
    xrelease(vm, cls);
    bool ok = wrapped != V_NULL && ou_dict_set_c(vm, d, "socket", wrapped);
    xrelease(vm, wrapped);
    static const char *const asked[2][2] = {{"sockname", "getsockname"}, {"peername", "getpeername"}};
    for (int k = 0; ok && k < 2; k++) {
        if (ou_dict_get_c(vm, d, asked[k][0]) != V_NULL)
            continue;
        Value v = ou_call_method_c(vm, t->sock, asked[k][1], NULL, 0);
        if (v == V_NULL && ou_exc_matches(vm, E_OS)) {
            ou_exc_clear(vm);
            v = V_NONE;
        }
        ok = v != V_NULL && ou_dict_set_c(vm, d, asked[k][0], v);
        xrelease(vm, v);
    }
    return ok;
}

/* SocketTransport(loop, sock, protocol, waiter=None, extra=None, server=None) */
static int transport_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    static const char sig[] = "SocketTransport(loop, sock, protocol, waiter=None, extra=None, server=None)";
    Transport *t = as_transport(self);
    Value a[6];
    if (t->made) {
        ou_raise(vm, E_RUNTIME, "the transport has been initialized already");
        return -1;
    }
    if (!ou_bind(vm, sig, args, n, kwnames, a))
        return -1;
    bool ok = ou_is_a(vm, a[0], T_LOOP) || ou_raise(vm, E_TYPE, "loop must be an event loop, not '%T'", a[0]) != V_NULL;
    if (ok) {
        t->made = true;
        t->loop = as_loop(retain(a[0]));
        t->sock = retain(a[1]);
        t->server = a[5] == V_NULL ? V_NONE : retain(a[5]);
        Value fd = ou_call_method_c(vm, a[1], "fileno", NULL, 0);
        int64_t i = -1;
        ok = fd != V_NULL && ou_index_i64(vm, fd, &i);
        xrelease(vm, fd);
        t->fd = (int)i;
    }
    if (ok) {
        Value extra = a[4] == V_NULL || a[4] == V_NONE ? ou_dict_new(vm) : ou_dict_copy(vm, as_dict(a[4]));
        ok = extra != V_NULL;
        if (ok)
            t->extra = extra;
    }
    ok = ok && fill_extra(vm, t) && adopt_protocol(vm, t, a[2]);
    if (ok && t->server != V_NONE) {
        Value r = ou_call_method_c(vm, t->server, "_attach", &self, 1);
        ok = r != V_NULL;
        xrelease(vm, r);
    }
    if (ok) {
        int on = 1;
        setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* Unix sockets refuse, which is fine */
        ou_io_set_transport(t->loop, t->fd, &t->h);
        Value made = ou_getattr_c(vm, t->protocol, "connection_made");
        Value arg = ou_tuple_of(vm, &self, 1), h = V_NULL;
        if (made != V_NULL && arg != V_NULL)
            h = ou_call_soon(vm, t->loop, made, arg, V_NULL);
        xrelease(vm, made);
        xrelease(vm, arg);
        ok = h != V_NULL;
        xrelease(vm, h);
        if (ok) {
            h = ou_call_soon_native(vm, t->loop, first_reading, self, V_NONE);
            ok = h != V_NULL;
            xrelease(vm, h);
        }
        if (ok && a[3] != V_NULL && a[3] != V_NONE) {
            h = ou_call_soon_native(vm, t->loop, wake_waiter, self, a[3]);
            ok = h != V_NULL;
            xrelease(vm, h);
        }
    }
    ou_bind_done(vm, sig, a);
    return ok ? 0 : -1;
}

static void transport_finalize(VM *vm, Obj *o)
{
    Transport *t = (Transport *)o;
    if (t->sock == V_NONE || !t->made)
        return;
    Value raised = ou_exc_take(vm);
    if (!vm->finalizing && !ou_warn(vm, E_RESOURCE_WARNING, 1, "unclosed transport %R", v_of(t)))
        ou_unraisable(vm, "Exception ignored in", v_of(t));
    Value r = ou_call_method_c(vm, t->sock, "close", NULL, 0);
    if (r == V_NULL)
        ou_exc_clear(vm);
    xrelease(vm, r);
    if (t->server != V_NONE) {
        Value self = v_of(t);
        r = ou_call_method_c(vm, t->server, "_detach", &self, 1);
        if (r == V_NULL)
            ou_exc_clear(vm);
        xrelease(vm, r);
    }
    if (raised != V_NULL)
        ou_exc_restore(vm, raised);
}

static void transport_clear(VM *vm, Obj *o)
{
    Transport *t = (Transport *)o;
    if (t->loop && t->fd >= 0 && ou_io_transport(t->loop, t->fd) == o) {
        ou_io_set_transport(t->loop, t->fd, NULL);
        t->fd = -1;
    }
    set_owned(vm, &t->sock, V_NONE);
    set_owned(vm, &t->protocol, V_NONE);
    set_owned(vm, &t->extra, V_NONE);
    set_owned(vm, &t->server, V_NONE);
    set_owned(vm, &t->empty_waiter, V_NONE);
    Loop *l = t->loop;
    t->loop = NULL;
    if (l)
        release(vm, v_of(l));
}
static void transport_dealloc(VM *vm, Obj *o)
{
    transport_clear(vm, o);
    drop_buffer(vm, (Transport *)o);
    ou_finish_dealloc(vm, o, 0);
}
static void transport_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Transport *t = (Transport *)o;
    ou_visit(vm, t->sock, visit, arg);
    ou_visit(vm, t->protocol, visit, arg);
    ou_visit(vm, t->extra, visit, arg);
    ou_visit(vm, t->server, visit, arg);
    ou_visit(vm, t->empty_waiter, visit, arg);
    if (t->loop)
        visit(vm, &t->loop->h, arg);
}

const TypeDef ou_stream_transport_def = {
    .name = "_asyncio.SocketTransport",
    .size = sizeof(Transport),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF,
    .slots = {.make = transport_make, .init = transport_init, .finalize = transport_finalize, .dealloc = transport_dealloc,
              .traverse = transport_traverse, .clear = transport_clear},
    .methods = methods,
    .getset = getset,
};
