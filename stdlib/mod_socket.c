/* `_socket`: socket objects. Names and addresses are in mod_socket_addr.c; socket.script makes them what scripts import.
 * The one thing to know: every call that may wait goes through transfer(), which gives the VM's lock away, keeps the socket's
 * timeout and runs handlers of signals; with a timeout the descriptor itself is non-blocking, as in CPython. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "runtime/loop/loop.h"
#include "runtime/loop/threads.h"
#include "stdlib/socket_impl.h"
#include "vm/call.h"

static Sock *as_sock(Value v) { return (Sock *)v_obj(v); }

SockState *ou_sock_state(VM *vm) { return ou_module_record(vm, MOD__socket, sizeof(SockState)); }

/* What a script does to a socket may make another one ready: the running loop polls next time. */
static void touched(VM *vm)
{
    Loop *l = ou_running_loop(vm);
    if (l)
        l->io_dirty = true;
}

/* ---- waiting ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* 1 ready, 0 timed out, -1 raised. */
static int wait_for(VM *vm, const Sock *s, short events, double end)
{
    for (;;) {
        int ms = -1;
        if (s->timeout >= 0) {
            double left = end - now();
            ms = left <= 0 ? 0 : left > 1e6 ? 1000000000 : (int)ceil(left * 1e3);
        }
        struct pollfd p = {.fd = s->fd, .events = events};
        ou_blocking_begin(vm);
        int n = poll(&p, 1, ms), err = errno;
        ou_blocking_end(vm);
        if (n > 0)
            return 1;
        if (n == 0)
            return 0;
        if (err != EINTR) {
            ou_raise_errno(vm, err, V_NULL);
            return -1;
        }
        if (!ou_safepoint(vm))
            return -1;
    }
}

typedef struct Op {
    void *p;
    size_t n;
    int flags;
    SockAddr addr;
    socklen_t addr_len;
    const struct msghdr *msg;
    struct msghdr *into;
} Op;
typedef ssize_t (*OpFn)(int fd, Op *op);

static ssize_t op_recv(int fd, Op *op) { return recv(fd, op->p, op->n, op->flags); }
static ssize_t op_send(int fd, Op *op) { return send(fd, op->p, op->n, op->flags | MSG_NOSIGNAL); }
static ssize_t op_sendmsg(int fd, Op *op) { return sendmsg(fd, op->msg, op->flags | MSG_NOSIGNAL); }
static ssize_t op_sendto(int fd, Op *op) { return sendto(fd, op->p, op->n, op->flags | MSG_NOSIGNAL, &op->addr.sa, op->addr_len); }
static ssize_t op_recvfrom(int fd, Op *op)
{
    op->addr_len = sizeof op->addr;
    memset(&op->addr, 0, sizeof op->addr);
    return recvfrom(fd, op->p, op->n, op->flags, &op->addr.sa, &op->addr_len);
}
static ssize_t op_accept(int fd, Op *op)
{
    op->addr_len = sizeof op->addr;
    memset(&op->addr, 0, sizeof op->addr);
    return accept4(fd, &op->addr.sa, &op->addr_len, SOCK_CLOEXEC);
}

/* The result of fn, or -1 with an exception. end: when the socket's timeout is over. */
static ssize_t transfer(VM *vm, Sock *s, short events, OpFn fn, Op *op, double end)
{
    bool wait = s->timeout > 0;
    for (;;) {
        if (wait) {
            int ready = wait_for(vm, s, events, end);
            if (ready == 0)
                ou_raise(vm, E_TIMEOUT, "timed out");
            if (ready <= 0)
                return -1;
        }
        int fd = s->fd;
        ou_blocking_begin(vm);
        ssize_t n = fn(fd, op);
        int err = errno;
        ou_blocking_end(vm);
        if (n >= 0)
            return n;
        if (err == EINTR) {
            if (!ou_safepoint(vm))
                return -1;
        } else if (!(wait && (err == EAGAIN || err == EWOULDBLOCK))) {
            ou_raise_errno(vm, err, V_NULL);
            return -1;
        }
    }
}
static double deadline(const Sock *s) { return s->timeout > 0 ? now() + s->timeout : 0; }

/* ---- the object ---- */

static bool set_blocking(VM *vm, int fd, bool block)
{
    int on = !block;
    return ioctl(fd, FIONBIO, &on) == 0 || ou_raise_errno(vm, errno, V_NULL) != V_NULL;
}

static Value sock_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    Sock *s = ou_new(vm, cls, 0);
    if (!s)
        return V_NULL;
    s->fd = -1;
    s->timeout = -1;
    return v_of(s);
}

static int sock_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    static const char sig[] = "socket(family=-1, type=-1, proto=-1, fileno=None)";
    Sock *s = as_sock(self);
    Value a[4];
    if (!ou_bind(vm, sig, args, n, kwnames, a))
        return -1;
    int f[3] = {-1, -1, -1}, fd = -1;
    bool ok = true;
    for (int k = 0; ok && k < 3; k++)
        ok = a[k] == V_NULL || ou_sock_int(vm, a[k], &f[k]);
    if (ok && a[3] != V_NULL && a[3] != V_NONE) {
        ok = ou_sock_int(vm, a[3], &fd);
        if (ok && fd < 0)
            ok = ou_raise(vm, E_VALUE, "negative file descriptor") != V_NULL;
        SockAddr addr;
        socklen_t len = sizeof addr, four = sizeof(int);
        memset(&addr, 0, sizeof addr);
        if (ok && getsockname(fd, &addr.sa, &len) < 0 && (f[0] == -1 || errno == EBADF || errno == ENOTSOCK))
            ok = ou_raise_errno(vm, errno, V_NULL) != V_NULL;
        if (ok && f[0] == -1)
            f[0] = addr.sa.sa_family;
        if (ok && f[1] == -1 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &f[1], &four) < 0)
            ok = ou_raise_errno(vm, errno, V_NULL) != V_NULL;
        four = sizeof(int);
        if (ok && f[2] == -1 && getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &f[2], &four) < 0)
            ok = ou_raise_errno(vm, errno, V_NULL) != V_NULL;
    } else if (ok) {
        f[0] = f[0] == -1 ? AF_INET : f[0];
        f[1] = f[1] == -1 ? SOCK_STREAM : f[1];
        f[2] = f[2] == -1 ? 0 : f[2];
        fd = socket(f[0], f[1] | SOCK_CLOEXEC, f[2]);
        if (fd < 0)
            ok = ou_raise_errno(vm, errno, V_NULL) != V_NULL;
    }
    ou_bind_done(vm, sig, a);
    if (!ok)
        return -1;
    s->fd = fd;
    s->family = f[0];
    s->type = f[1] & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    s->proto = f[2];
    s->timeout = f[1] & SOCK_NONBLOCK ? 0 : -1;
    SockState *st = ou_sock_state(vm);
    if (!(f[1] & SOCK_NONBLOCK) && st && st->default_timeout != V_NULL && st->default_timeout != V_NONE) {
        ou_to_double(vm, st->default_timeout, &s->timeout);
        if (!set_blocking(vm, fd, false))
            return -1;
    }
    return 0;
}

static void sock_finalize(VM *vm, Obj *o)
{
    Sock *s = (Sock *)o;
    if (s->fd < 0)
        return;
    Value raised = ou_exc_take(vm);
    if (!vm->finalizing && !ou_warn_source(vm, E_RESOURCE_WARNING, v_of(s), "unclosed %R", v_of(s)))
        ou_unraisable(vm, NULL, v_of(s));
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    if (raised != V_NULL)
        ou_exc_restore(vm, raised);
}
static void sock_dealloc(VM *vm, Obj *o)
{
    if (((Sock *)o)->fd >= 0)
        close(((Sock *)o)->fd);
    ou_finish_dealloc(vm, o, 0);
}
static void sock_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { (void)vm, (void)o, (void)visit, (void)arg; }

static Value sock_repr(VM *vm, Value self)
{
    Sock *s = as_sock(self);
    return ou_str_format(vm, "<socket object, fd=%d, family=%d, type=%d, proto=%d>", s->fd, s->family, s->type, s->proto);
}

/* ---- methods ---- */

static Value s_fileno(VM *vm, const Value *args, int n) { return (void)vm, (void)n, v_smallint(as_sock(args[0])->fd); }

static Value s_close(VM *vm, const Value *args, int n)
{
    (void)n;
    Sock *s = as_sock(args[0]);
    int fd = s->fd;
    s->fd = -1;
    touched(vm);
    if (fd >= 0 && close(fd) < 0 && errno != ECONNRESET)
        return ou_raise_errno(vm, errno, V_NULL);
    return V_NONE;
}
static Value s_detach(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    int fd = as_sock(args[0])->fd;
    as_sock(args[0])->fd = -1;
    return v_smallint(fd);
}

static Value s_bind(VM *vm, const Value *args, int n)
{
    (void)n;
    Sock *s = as_sock(args[0]);
    SockAddr a;
    socklen_t len;
    if (!ou_sock_addr_parse(vm, s->family, args[1], "bind", &a, &len))
        return V_NULL;
    return bind(s->fd, &a.sa, len) < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
}
static Value s_listen(VM *vm, const Value *args, int n)
{
    int backlog = SOMAXCONN < 128 ? SOMAXCONN : 128;
    if (n > 1 && !ou_sock_int(vm, args[1], &backlog))
        return V_NULL;
    return listen(as_sock(args[0])->fd, backlog < 0 ? 0 : backlog) < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
}

/* 0 or an errno; -1: raised. */
static int connect_(VM *vm, Sock *s, Value addr, const char *who)
{
    SockAddr a;
    socklen_t len;
    if (!ou_sock_addr_parse(vm, s->family, addr, who, &a, &len))
        return -1;
    touched(vm);
    int fd = s->fd;
    ou_blocking_begin(vm);
    int rc = connect(fd, &a.sa, len), err = errno;
    ou_blocking_end(vm);
    if (rc == 0)
        return 0;
    if (err == EINTR && !ou_safepoint(vm))
        return -1;
    if (err != EINTR && !(err == EINPROGRESS && s->timeout > 0))
        return err;
    int ready = wait_for(vm, s, POLLOUT, deadline(s));
    if (ready < 0)
        return -1;
    if (ready == 0) {
        ou_raise(vm, E_TIMEOUT, "timed out");
        return -1;
    }
    socklen_t four = sizeof err;
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &four) < 0)
        return errno;
    return err == EISCONN ? 0 : err;
}
static Value s_connect(VM *vm, const Value *args, int n)
{
    (void)n;
    int err = connect_(vm, as_sock(args[0]), args[1], "connect");
    return err == 0 ? V_NONE : err < 0 ? V_NULL : ou_raise_errno(vm, err, V_NULL);
}
static Value s_connect_ex(VM *vm, const Value *args, int n)
{
    (void)n;
    int err = connect_(vm, as_sock(args[0]), args[1], "connect_ex");
    if (err < 0 && ou_exc_matches(vm, E_TIMEOUT)) {
        ou_exc_clear(vm);
        err = EAGAIN;
    }
    return err < 0 ? V_NULL : v_smallint(err);
}

static Value s_accept(VM *vm, const Value *args, int n)
{
    (void)n;
    Sock *s = as_sock(args[0]);
    Op op = {0};
    ssize_t fd = transfer(vm, s, POLLIN, op_accept, &op, deadline(s));
    if (fd < 0)
        return V_NULL;
    Value v[2] = {v_smallint(fd), ou_sock_addr_value(vm, &op.addr, op.addr_len)};
    if (v[1] == V_NULL) {
        close((int)fd);
        return V_NULL;
    }
    return ou_tuple_take(vm, v, 2);
}

static bool flags_of(VM *vm, const Value *args, int n, int at, int *flags)
{
    *flags = 0;
    return n <= at || args[at] == V_NULL || ou_sock_int(vm, args[at], flags);
}

static Value receive(VM *vm, const Value *args, int n, bool from)
{
    Sock *s = as_sock(args[0]);
    int64_t size;
    Op op = {0};
    if (!ou_index_i64(vm, args[1], &size) || !flags_of(vm, args, n, 2, &op.flags))
        return V_NULL;
    if (size < 0)
        return ou_raise(vm, E_VALUE, from ? "negative buffersize in recvfrom" : "negative buffersize in recv");
    uint8_t small[4096];
    uint8_t *p = (size_t)size <= sizeof small ? small : ou_alloc(&vm->heap, (size_t)size);
    if (!p)
        return ou_raise_memory(vm);
    op.p = p;
    op.n = (size_t)size;
    ssize_t got = transfer(vm, s, POLLIN, from ? op_recvfrom : op_recv, &op, deadline(s));
    Value r = got < 0 ? V_NULL : ou_bytes_new(vm, p, (size_t)got);
    if (p != small)
        ou_free(&vm->heap, p, (size_t)size);
    if (!from || r == V_NULL)
        return r;
    Value v[2] = {r, ou_sock_addr_value(vm, &op.addr, op.addr_len)};
    if (v[1] == V_NULL) {
        release(vm, r);
        return V_NULL;
    }
    return ou_tuple_take(vm, v, 2);
}
static Value s_recv(VM *vm, const Value *args, int n) { return receive(vm, args, n, false); }
static Value s_recvfrom(VM *vm, const Value *args, int n) { return receive(vm, args, n, true); }

/* recv_into(buffer, nbytes=0, flags=0) */
static Value receive_into(VM *vm, const Value *args, int n, bool from)
{
    Sock *s = as_sock(args[0]);
    Buffer b;
    int64_t size = 0;
    Op op = {0};
    if ((args[2] != V_NULL && !ou_index_i64(vm, args[2], &size)) || !flags_of(vm, args, n, 3, &op.flags) ||
        !ou_buffer_get(vm, args[1], &b, true))
        return V_NULL;
    const char *who = from ? "recvfrom_into" : "recv_into";
    if (size < 0 || size > b.n) {
        ou_buffer_release(vm, &b);
        return ou_raise(vm, E_VALUE, size < 0 ? "negative buffersize in %s" : from ? "nbytes is greater than the length of the buffer"
                                                                                  : "buffer too small for requested bytes", who);
    }
    op.p = b.p;
    op.n = (size_t)(size ? size : b.n);
    ssize_t got = transfer(vm, s, POLLIN, from ? op_recvfrom : op_recv, &op, deadline(s));
    ou_buffer_release(vm, &b);
    if (got < 0 || !from)
        return got < 0 ? V_NULL : v_smallint(got);
    Value v[2] = {v_smallint(got), ou_sock_addr_value(vm, &op.addr, op.addr_len)};
    return v[1] == V_NULL ? V_NULL : ou_tuple_take(vm, v, 2);
}
static Value s_recv_into(VM *vm, const Value *args, int n) { return receive_into(vm, args, n, false); }
static Value s_recvfrom_into(VM *vm, const Value *args, int n) { return receive_into(vm, args, n, true); }

static Value s_send(VM *vm, const Value *args, int n)
{
    Sock *s = as_sock(args[0]);
    Buffer b;
    Op op = {0};
    if (!flags_of(vm, args, n, 2, &op.flags) || !ou_buffer_get(vm, args[1], &b, false))
        return V_NULL;
    op.p = b.p;
    op.n = (size_t)b.n;
    ssize_t put = transfer(vm, s, POLLOUT, op_send, &op, deadline(s));
    ou_buffer_release(vm, &b);
    touched(vm);
    return put < 0 ? V_NULL : v_smallint(put);
}
static Value s_sendall(VM *vm, const Value *args, int n)
{
    Sock *s = as_sock(args[0]);
    Buffer b;
    Op op = {0};
    if (!flags_of(vm, args, n, 2, &op.flags) || !ou_buffer_get(vm, args[1], &b, false))
        return V_NULL;
    op.p = b.p;
    op.n = (size_t)b.n;
    double end = deadline(s);
    while (op.n) {
        ssize_t put = transfer(vm, s, POLLOUT, op_send, &op, end);
        if (put < 0)
            break;
        op.p = (uint8_t *)op.p + put;
        op.n -= (size_t)put;
        if (vm->attention && !ou_safepoint(vm))
            break;
    }
    ou_buffer_release(vm, &b);
    touched(vm);
    return vm->exc != V_NULL ? V_NULL : V_NONE;
}
/* sendto(data, address) or sendto(data, flags, address) */
static Value s_sendto(VM *vm, const Value *args, int n)
{
    Sock *s = as_sock(args[0]);
    Buffer b;
    Op op = {0};
    if ((n == 4 && !ou_sock_int(vm, args[2], &op.flags)) || !ou_buffer_get(vm, args[1], &b, false))
        return V_NULL;
    op.p = b.p;
    op.n = (size_t)b.n;
    ssize_t put = -1;
    if (ou_sock_addr_parse(vm, s->family, args[n == 4 ? 3 : 2], "sendto", &op.addr, &op.addr_len))
        put = transfer(vm, s, POLLOUT, op_sendto, &op, deadline(s));
    ou_buffer_release(vm, &b);
    touched(vm);
    return put < 0 ? V_NULL : v_smallint(put);
}
/* Ancillary data for sendmsg(): (level, type, bytes) each. The block is malloc's; NULL with size 0: none; false raised. */
static bool ancillary_of(VM *vm, Value list, void **block, size_t *size)
{
    size_t count, at = 0, room = 0;
    Value own = V_NULL;
    *block = NULL;
    *size = 0;
    if (list == V_NULL || list == V_NONE)
        return true;
    const Value *items = ou_seq_items(vm, list, &count, &own, "sendmsg() argument 2 must be iterable");
    if (vm->exc != V_NULL || count == 0) {
        xrelease(vm, own);
        return vm->exc == V_NULL;
    }
    bool ok = true;
    for (int pass = 0; ok && pass < 2; pass++) { /* how much, then what */
        if (pass == 1 && !(*block = calloc(1, room))) {
            ou_raise_memory(vm);
            break;
        }
        for (size_t i = 0; ok && i < count; i++) {
            Buffer b;
            int level, type;
            if (!is_exact(items[i], T_TUPLE) || as_tuple(items[i])->n != 3) {
                if (is_exact(items[i], T_TUPLE))
                    ou_raise(vm, E_TYPE, "[sendmsg() ancillary data items]() argument must be sequence of length 3, not %ld",
                             (int64_t)as_tuple(items[i])->n);
                else
                    ou_raise(vm, E_TYPE, "[sendmsg() ancillary data items]() argument must be 3-item sequence, not %T", items[i]);
                ok = false;
                break;
            }
            const Value *t = as_tuple(items[i])->items;
            ok = ou_sock_int(vm, t[0], &level) && ou_sock_int(vm, t[1], &type) && ou_buffer_get(vm, t[2], &b, false);
            if (!ok)
                break;
            if (pass == 0) {
                room += CMSG_SPACE((size_t)b.n);
            } else if (at + CMSG_SPACE((size_t)b.n) <= room) {
                struct cmsghdr *h = (struct cmsghdr *)(void *)((char *)*block + at);
                h->cmsg_level = level;
                h->cmsg_type = type;
                h->cmsg_len = CMSG_LEN((size_t)b.n);
                memcpy(CMSG_DATA(h), b.p, (size_t)b.n);
                at += CMSG_SPACE((size_t)b.n);
            }
            ou_buffer_release(vm, &b);
        }
    }
    xrelease(vm, own);
    *size = room;
    if (vm->exc != V_NULL) {
        free(*block);
        return false;
    }
    return true;
}

/* Buffers as a vector: both blocks are for (count + 1) items. false raised; vectors_done in any case. */
typedef struct Vectors {
    Buffer *bufs;
    struct iovec *io;
    size_t count, held;
    Value own;
} Vectors;
static bool vectors_of(VM *vm, Value seq, const char *what, bool writable, Vectors *v)
{
    *v = (Vectors){0};
    if (!ou_type_of(vm, seq)->slots.iter && !ou_type_of(vm, seq)->slots.getitem)
        return ou_raise(vm, E_TYPE, "%s", what) != V_NULL;
    const Value *items = ou_seq_items(vm, seq, &v->count, &v->own, what);
    if (vm->exc != V_NULL)
        return false;
    v->bufs = ou_alloc(&vm->heap, (v->count + 1) * sizeof *v->bufs);
    v->io = ou_alloc(&vm->heap, (v->count + 1) * sizeof *v->io);
    if (!v->bufs || !v->io)
        return ou_raise_memory(vm) != V_NULL;
    for (; v->held < v->count; v->held++) {
        if (!ou_buffer_get(vm, items[v->held], &v->bufs[v->held], writable))
            return false;
        v->io[v->held] = (struct iovec){v->bufs[v->held].p, (size_t)v->bufs[v->held].n};
    }
    return true;
}
static void vectors_done(VM *vm, Vectors *v)
{
    while (v->held)
        ou_buffer_release(vm, &v->bufs[--v->held]);
    ou_free(&vm->heap, v->bufs, v->bufs ? (v->count + 1) * sizeof *v->bufs : 0);
    ou_free(&vm->heap, v->io, v->io ? (v->count + 1) * sizeof *v->io : 0);
    xrelease(vm, v->own);
}

/* sendmsg(buffers, ancdata=(), flags=0, address=None): the buffers in one datagram or write */
static Value s_sendmsg(VM *vm, const Value *args, int n)
{
    Sock *s = as_sock(args[0]);
    void *block = NULL;
    size_t size = 0;
    ssize_t put = -1;
    Op op = {0};
    Vectors v;
    struct msghdr msg = {0};
    bool ok = vectors_of(vm, args[1], "sendmsg() argument 1 must be an iterable", false, &v) &&
              (n <= 3 || ou_sock_int(vm, args[3], &op.flags)) && ancillary_of(vm, n > 2 ? args[2] : V_NULL, &block, &size);
    if (ok && n > 4 && args[4] != V_NONE) {
        ok = ou_sock_addr_parse(vm, s->family, args[4], "sendmsg", &op.addr, &op.addr_len);
        msg.msg_name = &op.addr;
        msg.msg_namelen = op.addr_len;
    }
    msg.msg_iov = v.io;
    msg.msg_iovlen = v.count;
    msg.msg_control = block;
    msg.msg_controllen = size;
    op.msg = &msg;
    if (ok)
        put = transfer(vm, s, POLLOUT, op_sendmsg, &op, deadline(s));
    free(block);
    vectors_done(vm, &v);
    touched(vm);
    return put < 0 ? V_NULL : v_smallint(put);
}

static ssize_t op_recvmsg(int fd, Op *op) { return recvmsg(fd, op->into, op->flags); }

/* (how much, ancillary data, flags, address); data replaces the number where it is given (owned). */
static Value received(VM *vm, Value data, struct msghdr *msg, const Op *op)
{
    Value list = data == V_NULL ? V_NULL : ou_list_new(vm, 0);
    for (struct cmsghdr *h = list == V_NULL ? NULL : CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
        Value item[3] = {v_smallint(h->cmsg_level), v_smallint(h->cmsg_type), ou_bytes_new(vm, CMSG_DATA(h), h->cmsg_len - CMSG_LEN(0))};
        if (!ou_list_append_take(vm, as_list(list), item[2] == V_NULL ? V_NULL : ou_tuple_take(vm, item, 3))) {
            release(vm, list);
            list = V_NULL;
            break;
        }
    }
    if (list == V_NULL) {
        xrelease(vm, data);
        return V_NULL;
    }
    Value v[4] = {data, list, v_smallint(msg->msg_flags), ou_sock_addr_value(vm, &op->addr, msg->msg_namelen)};
    if (v[3] == V_NULL) {
        release(vm, data);
        release(vm, list);
        return V_NULL;
    }
    return ou_tuple_take(vm, v, 4);
}

static Value receive_msg(VM *vm, Sock *s, struct iovec *io, size_t nio, const Value *args, int n, ssize_t *got, Value data)
{
    int64_t room = 0;
    Op op = {0};
    *got = -1;
    if ((n > 2 && !ou_index_i64(vm, args[2], &room)) || !flags_of(vm, args, n, 3, &op.flags))
        return V_NULL;
    if (room < 0 || room > 0x7fffffff)
        return ou_raise(vm, E_VALUE, "invalid ancillary data buffer length");
    void *control = room ? calloc(1, (size_t)room) : NULL;
    if (room && !control)
        return ou_raise_memory(vm);
    struct msghdr msg = {.msg_iov = io, .msg_iovlen = nio, .msg_name = &op.addr, .msg_namelen = sizeof op.addr,
                         .msg_control = control, .msg_controllen = (size_t)room};
    op.into = &msg;
    *got = transfer(vm, s, POLLIN, op_recvmsg, &op, deadline(s));
    Value r = V_NULL;
    if (*got >= 0) {
        Value first = data == V_NULL ? v_smallint(*got) : ou_bytes_new(vm, as_bytes(data)->data, (size_t)*got);
        r = received(vm, first, &msg, &op);
    }
    free(control);
    return r;
}

/* recvmsg(bufsize, ancbufsize=0, flags=0) */
static Value s_recvmsg(VM *vm, const Value *args, int n)
{
    int64_t size;
    ssize_t got;
    if (!ou_index_i64(vm, args[1], &size))
        return V_NULL;
    if (size < 0)
        return ou_raise(vm, E_VALUE, "negative buffer size in recvmsg()");
    Value data = ou_bytes_new(vm, NULL, (size_t)size);
    if (data == V_NULL)
        return V_NULL;
    struct iovec io = {.iov_base = as_bytes(data)->data, .iov_len = (size_t)size};
    Value r = receive_msg(vm, as_sock(args[0]), &io, 1, args, n, &got, data);
    release(vm, data);
    return r;
}

/* recvmsg_into(buffers, ancbufsize=0, flags=0) */
static Value s_recvmsg_into(VM *vm, const Value *args, int n)
{
    ssize_t got;
    Vectors v;
    Value r = V_NULL;
    if (vectors_of(vm, args[1], "recvmsg_into() argument 1 must be an iterable", true, &v))
        r = receive_msg(vm, as_sock(args[0]), v.io, v.count, args, n, &got, V_NULL);
    vectors_done(vm, &v);
    return r;
}

static Value cmsg_len(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t size;
    if (!ou_index_i64(vm, args[0], &size))
        return V_NULL;
    return size < 0 || size > INT32_MAX ? ou_raise(vm, E_OVERFLOW, "CMSG_LEN() argument out of range") : ou_int(vm, (int64_t)CMSG_LEN((size_t)size));
}
static Value cmsg_space(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t size;
    if (!ou_index_i64(vm, args[0], &size))
        return V_NULL;
    return size < 0 || size > INT32_MAX ? ou_raise(vm, E_OVERFLOW, "CMSG_SPACE() argument out of range")
                                        : ou_int(vm, (int64_t)CMSG_SPACE((size_t)size));
}

static Value s_shutdown(VM *vm, const Value *args, int n)
{
    (void)n;
    int how;
    if (!ou_sock_int(vm, args[1], &how))
        return V_NULL;
    touched(vm);
    return shutdown(as_sock(args[0])->fd, how) < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
}

static Value s_settimeout(VM *vm, const Value *args, int n)
{
    (void)n;
    Sock *s = as_sock(args[0]);
    double d = -1;
    if (args[1] != V_NONE) {
        if (!ou_to_double(vm, args[1], &d))
            return V_NULL;
        if (d < 0)
            return ou_raise(vm, E_VALUE, "Timeout value out of range");
    }
    if (!set_blocking(vm, s->fd, d < 0))
        return V_NULL;
    s->timeout = d;
    return V_NONE;
}
static Value s_gettimeout(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    double t = as_sock(args[0])->timeout;
    return t < 0 ? V_NONE : v_float(t);
}
static Value s_setblocking(VM *vm, const Value *args, int n)
{
    (void)n;
    int block = ou_truth(vm, args[1]);
    if (block < 0 || !set_blocking(vm, as_sock(args[0])->fd, block))
        return V_NULL;
    as_sock(args[0])->timeout = block ? -1 : 0;
    return V_NONE;
}
static Value s_getblocking(VM *vm, const Value *args, int n) { return (void)vm, (void)n, v_bool(as_sock(args[0])->timeout != 0); }

static Value name_by(VM *vm, const Value *args, int (*fn)(int, struct sockaddr *, socklen_t *))
{
    SockAddr a;
    socklen_t len = sizeof a;
    memset(&a, 0, sizeof a);
    return fn(as_sock(args[0])->fd, &a.sa, &len) < 0 ? ou_raise_errno(vm, errno, V_NULL) : ou_sock_addr_value(vm, &a, len);
}
static int name_here(int fd, struct sockaddr *a, socklen_t *len) { return getsockname(fd, a, len); }
static int name_there(int fd, struct sockaddr *a, socklen_t *len) { return getpeername(fd, a, len); }
static Value s_getsockname(VM *vm, const Value *args, int n) { return (void)n, name_by(vm, args, name_here); }
static Value s_getpeername(VM *vm, const Value *args, int n) { return (void)n, name_by(vm, args, name_there); }

/* setsockopt(level, option, value) with an int or bytes; setsockopt(level, option, None, length) */
static Value s_setsockopt(VM *vm, const Value *args, int n)
{
    int level, option, value, fd = as_sock(args[0])->fd, rc;
    if (!ou_sock_int(vm, args[1], &level) || !ou_sock_int(vm, args[2], &option))
        return V_NULL;
    if (n == 5) {
        int len;
        if (!ou_sock_int(vm, args[4], &len))
            return V_NULL;
        rc = setsockopt(fd, level, option, NULL, (socklen_t)len);
    } else if (ou_is_intlike(vm, args[3])) {
        if (!ou_sock_int(vm, args[3], &value))
            return V_NULL;
        rc = setsockopt(fd, level, option, &value, sizeof value);
    } else {
        Buffer b;
        if (!ou_buffer_get(vm, args[3], &b, false))
            return V_NULL;
        rc = setsockopt(fd, level, option, b.p, (socklen_t)b.n);
        ou_buffer_release(vm, &b);
    }
    return rc < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
}
static Value s_getsockopt(VM *vm, const Value *args, int n)
{
    int level, option, size = 0, value = 0, fd = as_sock(args[0])->fd;
    if (!ou_sock_int(vm, args[1], &level) || !ou_sock_int(vm, args[2], &option) || (n > 3 && !ou_sock_int(vm, args[3], &size)))
        return V_NULL;
    if (size == 0) {
        socklen_t len = sizeof value;
        return getsockopt(fd, level, option, &value, &len) < 0 ? ou_raise_errno(vm, errno, V_NULL) : v_smallint(value);
    }
    uint8_t out[1024];
    socklen_t len = (socklen_t)size;
    if (size < 0 || size > (int)sizeof out)
        return ou_raise(vm, E_OS, "getsockopt buflen out of range");
    return getsockopt(fd, level, option, out, &len) < 0 ? ou_raise_errno(vm, errno, V_NULL) : ou_bytes_new(vm, out, len);
}

static const NativeDef methods[] = {
    {"fileno()", s_fileno, NULL, 0},
    {"close()", s_close, NULL, 0},
    {"detach()", s_detach, "Gives the descriptor away without closing it.", 0},
    {"bind(address, /)", s_bind, NULL, 0},
    {"listen(backlog=128, /)", s_listen, NULL, 0},
    {"connect(address, /)", s_connect, NULL, 0},
    {"connect_ex(address, /)", s_connect_ex, "As connect(), but returns the number of the error.", 0},
    {"_accept()", s_accept, "A descriptor and an address.", 0},
    {"recv(bufsize, flags=0, /)", s_recv, NULL, 0},
    {"recvfrom(bufsize, flags=0, /)", s_recvfrom, NULL, 0},
    {"recv_into(buffer, nbytes=0, flags=0)", s_recv_into, NULL, 0},
    {"recvfrom_into(buffer, nbytes=0, flags=0)", s_recvfrom_into, NULL, 0},
    {"send(data, flags=0, /)", s_send, NULL, 0},
    {"sendall(data, flags=0, /)", s_sendall, NULL, 0},
    {"sendto(data, flags, address=None, /)", s_sendto, NULL, 0},
    {"sendmsg(buffers, ancdata=(), flags=0, address=None, /)", s_sendmsg, NULL, 0},
    {"recvmsg(bufsize, ancbufsize=0, flags=0, /)", s_recvmsg, NULL, 0},
    {"recvmsg_into(buffers, ancbufsize=0, flags=0, /)", s_recvmsg_into, NULL, 0},
    {"shutdown(how, /)", s_shutdown, NULL, 0},
    {"settimeout(timeout, /)", s_settimeout, NULL, 0},
    {"gettimeout()", s_gettimeout, NULL, 0},
    {"setblocking(flag, /)", s_setblocking, NULL, 0},
    {"getblocking()", s_getblocking, NULL, 0},
    {"getsockname()", s_getsockname, NULL, 0},
    {"getpeername()", s_getpeername, NULL, 0},
    {"setsockopt(level, option, value, optlen=None, /)", s_setsockopt, NULL, 0},
    {"getsockopt(level, option, buflen=0, /)", s_getsockopt, NULL, 0},
    {0},
};

static Value get_family(VM *vm, Value self) { return (void)vm, v_smallint(as_sock(self)->family); }
static Value get_type(VM *vm, Value self) { return (void)vm, v_smallint(as_sock(self)->type); }
static Value get_proto(VM *vm, Value self) { return (void)vm, v_smallint(as_sock(self)->proto); }
static Value get_timeout(VM *vm, Value self) { return s_gettimeout(vm, &self, 1); }
static const GetSetDef getset[] = {
    {"family", get_family, NULL, NULL}, {"type", get_type, NULL, NULL}, {"proto", get_proto, NULL, NULL},
    {"timeout", get_timeout, NULL, NULL}, {0},
};

static const TypeDef socket_def = {
    .name = "_socket.socket",
    .size = sizeof(Sock),
    .flags = TF_GC | TF_BASE | TF_WEAKREF,
    .slots = {.make = sock_make, .init = sock_init, .finalize = sock_finalize, .dealloc = sock_dealloc, .traverse = sock_traverse,
              .repr = sock_repr},
    .methods = methods,
    .getset = getset,
};

/* _poll(pairs, seconds): pairs (fd, events) of what is ready; seconds < 0: without limit. For select.script. */
static Value poll_(VM *vm, const Value *args, int n)
{
    (void)n;
    double seconds;
    if (!ou_is_a(vm, args[0], T_LIST))
        return ou_raise(vm, E_TYPE, "a list is expected, not %T", args[0]);
    List *l = as_list(args[0]);
    uint32_t count = l->n;
    if (!ou_to_double(vm, args[1], &seconds))
        return V_NULL;
    struct pollfd *p = ou_alloc0(&vm->heap, (count + 1) * sizeof *p);
    if (!p)
        return ou_raise_memory(vm);
    bool ok = true;
    for (uint32_t k = 0; ok && k < count; k++) {
        int fd, events;
        ok = ou_is_a(vm, l->items[k], T_TUPLE) && ou_sock_int(vm, as_tuple(l->items[k])->items[0], &fd) &&
             ou_sock_int(vm, as_tuple(l->items[k])->items[1], &events);
        if (ok)
            p[k] = (struct pollfd){.fd = fd, .events = (short)events};
    }
    double end = now() + seconds;
    int got = 0, err = 0;
    while (ok) {
        double left = end - now();
        int ms = seconds < 0 ? -1 : left <= 0 ? 0 : left > 1e6 ? 1000000000 : (int)ceil(left * 1e3);
        ou_blocking_begin(vm);
        got = poll(p, count, ms);
        err = errno;
        ou_blocking_end(vm);
        if (got >= 0)
            break;
        ok = err == EINTR ? ou_safepoint(vm) : ou_raise_errno(vm, err, V_NULL) != V_NULL;
    }
    Value out = ok ? ou_list_new(vm, (size_t)got) : V_NULL;
    for (uint32_t k = 0; out != V_NULL && k < count; k++) {
        if (!p[k].revents)
            continue;
        Value v[2] = {v_smallint(p[k].fd), v_smallint(p[k].revents)}, pair = ou_tuple_take(vm, v, 2);
        if (pair == V_NULL || !ou_list_append_take(vm, as_list(out), pair)) {
            release(vm, out);
            out = V_NULL;
        }
    }
    ou_free(&vm->heap, p, (count + 1) * sizeof *p);
    return out;
}
static const NativeDef functions[] = {{"_poll(pairs, seconds, /)", poll_, NULL, 0},
                                      {"CMSG_LEN(length, /)", cmsg_len, NULL, 0},
                                      {"CMSG_SPACE(length, /)", cmsg_space, NULL, 0},
                                      {0}};

bool ou_mod__socket(VM *vm, Module *m)
{
    SockState *s = ou_sock_state(vm);
    if (!s || !ou_module_add(vm, m, ou_sock_functions) || !ou_module_add(vm, m, functions) ||
        !ou_module_add(vm, m, ou_socket_epoll) || !ou_sock_constants(vm, m) || !ou_module_type(vm, m, &socket_def, NULL))
        return false;
    if (s->gaierror == V_NULL && (s->gaierror = ou_error_class(vm, "socket.gaierror", E_OS)) == V_NULL)
        return false;
    if (s->herror == V_NULL && (s->herror = ou_error_class(vm, "socket.herror", E_OS)) == V_NULL)
        return false;
    return ou_module_set(vm, m, "gaierror", s->gaierror) && ou_module_set(vm, m, "herror", s->herror) &&
           ou_module_builtin_type(vm, m, "error", E_OS) && ou_module_builtin_type(vm, m, "timeout", E_TIMEOUT);
}
