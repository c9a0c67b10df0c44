/* Watching file descriptors with uv_poll: add_reader and add_writer, and what the transports use (io.h).
 * The one thing to know: libuv's callback only appends the ready Handle; nothing of a script runs while libuv polls. */
#include "runtime/loop/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "runtime/objects/numbers.h"

static Watcher *find(const Loop *l, int fd) { return fd >= 0 && (uint32_t)fd < l->nwatch ? l->watch[fd] : NULL; }

static void append(Loop *l, Handle *h)
{
    if (!h || h->scheduled || h->cancelled)
        return;
    h->scheduled = true; /* once an iteration; run_handle clears it */
    h->h.refs++;
    ou_loop_push(l, h, ENTRY_HANDLE);
}

static void on_ready(uv_poll_t *p, int status, int events)
{
    Watcher *w = (Watcher *)p;
    Loop *l = w->loop;
    if (status < 0) { /* hung up or failed: both sides find out by trying */
        append(l, w->reader);
        append(l, w->writer);
        return;
    }
    if (events & (UV_READABLE | UV_DISCONNECT))
        append(l, w->reader);
    if (events & UV_WRITABLE)
        append(l, w->writer);
    if (l->tail_at != l->head)
        l->io_dirty = true; /* where something was found there may be more */
}

static void on_closed(uv_handle_t *h)
{
    Watcher *w = (Watcher *)h;
    ou_free(&w->loop->vm->heap, w, sizeof *w);
}

static bool apply(VM *vm, Watcher *w)
{
    int events = (w->reader ? UV_READABLE : 0) | (w->writer ? UV_WRITABLE : 0);
    if (events == w->events)
        return true;
    Loop *l = w->loop;
    int rc = events ? uv_poll_start(&w->poll, events, on_ready) : uv_poll_stop(&w->poll);
    if (!w->events && events)
        l->io_handles++;
    else if (w->events && !events)
        l->io_handles--;
    w->events = events;
    l->io_dirty = true;
    if (rc < 0 && events)
        return ou_raise_errno(vm, -rc, V_NULL) != V_NULL;
    return true;
}

static Watcher *make(VM *vm, Loop *l, int fd)
{
    if (fd < 0) {
        ou_raise(vm, E_VALUE, "Invalid file descriptor: %d", fd);
        return NULL;
    }
    if (!(vm->caps & CAP_ANY_FD)) {
        ou_raise(vm, E_PERMISSION, "watching descriptors is not allowed here: the host did not grant it");
        return NULL;
    }
    if (fcntl(fd, F_GETFD) < 0) { /* before a table of its size is made */
        ou_raise_errno(vm, errno, V_NULL);
        return NULL;
    }
    if (!ou_reactor_init(vm, l))
        return NULL;
    if ((uint32_t)fd >= l->nwatch) {
        uint32_t n = l->nwatch ? l->nwatch : 64;
        while (n <= (uint32_t)fd)
            n *= 2;
        Watcher **p = ou_realloc(&vm->heap, l->watch, l->nwatch * sizeof *p, n * sizeof *p);
        if (!p) {
            ou_raise_memory(vm);
            return NULL;
        }
        for (uint32_t k = l->nwatch; k < n; k++)
            p[k] = NULL;
        l->watch = p;
        l->nwatch = n;
    }
    Watcher *w = ou_alloc0(&vm->heap, sizeof *w);
    if (!w) {
        ou_raise_memory(vm);
        return NULL;
    }
    w->loop = l;
    w->fd = fd;
    int rc = uv_poll_init(l->uv, &w->poll, fd);
    if (rc < 0) {
        ou_free(&vm->heap, w, sizeof *w);
        ou_raise_errno(vm, -rc, V_NULL);
        return NULL;
    }
    l->watch[fd] = w;
    return w;
}

/* A watcher that nobody needs goes. The descriptor may be closed right after. */
static void drop_idle(VM *vm, Watcher *w)
{
    (void)vm;
    if (w->reader || w->writer || w->transport)
        return;
    w->loop->watch[w->fd] = NULL;
    uv_close((uv_handle_t *)&w->poll, on_closed);
}

static void drop_handle(VM *vm, Handle *h)
{
    if (!h)
        return;
    ou_handle_cancel(vm, h);
    release(vm, v_of(h));
}

bool ou_io_watch(VM *vm, Loop *l, int fd, bool writing, Value handle)
{
    Watcher *w = find(l, fd);
    if (!w && !(w = make(vm, l, fd)))
        return false;
    Handle **place = writing ? &w->writer : &w->reader, *old = *place;
    *place = as_handle(retain(handle));
    drop_handle(vm, old);
    w = find(l, fd);
    return !w || apply(vm, w);
}

bool ou_io_unwatch(VM *vm, Loop *l, int fd, bool writing)
{
    Watcher *w = find(l, fd);
    Handle *old = !w ? NULL : writing ? w->writer : w->reader;
    if (!old)
        return false;
    if (writing)
        w->writer = NULL;
    else
        w->reader = NULL;
    apply(vm, w);
    drop_idle(vm, w);
    drop_handle(vm, old);
    return true;
}

Obj *ou_io_transport(Loop *l, int fd)
{
    Watcher *w = find(l, fd);
    return w ? w->transport : NULL;
}

void ou_io_set_transport(Loop *l, int fd, Obj *transport)
{
    Watcher *w = find(l, fd);
    if (!w && transport && !l->closed && !(w = make(l->vm, l, fd)))
        ou_exc_clear(l->vm); /* the first attempt to watch it will say why */
    if (!w)
        return;
    w->transport = transport;
    drop_idle(l->vm, w);
}

void ou_io_release_all(VM *vm, Loop *l)
{
    for (uint32_t fd = 0; fd < l->nwatch; fd++) {
        Watcher *w = l->watch[fd];
        if (!w)
            continue;
        Handle *r = w->reader, *x = w->writer;
        w->reader = w->writer = NULL;
        w->transport = NULL;
        apply(vm, w);
        drop_idle(vm, w);
        drop_handle(vm, r);
        drop_handle(vm, x);
    }
}

void ou_io_traverse(VM *vm, Loop *l, VisitFn visit, void *arg)
{
    for (uint32_t fd = 0; fd < l->nwatch; fd++) {
        if (l->watch[fd] && l->watch[fd]->reader)
            visit(vm, &l->watch[fd]->reader->h, arg);
        if (l->watch[fd] && l->watch[fd]->writer)
            visit(vm, &l->watch[fd]->writer->h, arg);
    }
}

/* ---- methods of the loop ---- */

static bool fd_arg(VM *vm, Value v, int *out)
{
    int64_t i;
    Value got = V_NULL;
    *out = -1;
    if (!ou_is_intlike(vm, v)) {
        bool missing;
        Str *name = ou_intern_c(vm, "fileno");
        Value m = name ? ou_getattr_opt(vm, v, name, &missing) : V_NULL;
        if (name)
            release(vm, v_of(name));
        got = m == V_NULL ? V_NULL : ou_call0(vm, m);
        xrelease(vm, m);
        if (got == V_NULL || !ou_is_intlike(vm, got)) {
            xrelease(vm, got);
            ou_exc_clear(vm);
            return ou_raise(vm, E_VALUE, "Invalid file object: %R", v) != V_NULL;
        }
        v = got;
    }
    bool ok = ou_index_i64(vm, v, &i);
    xrelease(vm, got);
    if (ok && (i < 0 || i > 0x7fffffff))
        ok = ou_raise(vm, E_VALUE, "Invalid file descriptor: %ld", i) != V_NULL;
    *out = (int)i;
    return ok;
}

static bool check_free(VM *vm, Loop *l, int fd)
{
    Obj *t = ou_io_transport(l, fd);
    if (!t)
        return true;
    Value r = ou_call_method_c(vm, v_of(t), "is_closing", NULL, 0);
    if (r == V_NULL)
        return false;
    int closing = ou_truth(vm, r);
    release(vm, r);
    return closing != 0 ? closing > 0
                        : ou_raise(vm, E_RUNTIME, "File descriptor %d is used by transport %R", fd, v_of(t)) != V_NULL;
}

static Value add(VM *vm, const Value *args, bool writing, bool check)
{
    Loop *l = as_loop(args[0]);
    int fd;
    if (!fd_arg(vm, args[1], &fd) || (check && !check_free(vm, l, fd)) || !ou_loop_check_closed(vm, l))
        return V_NULL;
    Value h = ou_io_handle(vm, l, NULL, V_NONE, args[3], args[2]);
    if (h == V_NULL || !ou_io_watch(vm, l, fd, writing, h)) {
        xrelease(vm, h);
        return V_NULL;
    }
    if (!check)
        return h;
    release(vm, h);
    return V_NONE;
}
static Value drop(VM *vm, const Value *args, bool writing, bool check)
{
    Loop *l = as_loop(args[0]);
    int fd;
    if (l->closed)
        return V_FALSE;
    if (!fd_arg(vm, args[1], &fd) || (check && !check_free(vm, l, fd)))
        return V_NULL;
    return v_bool(ou_io_unwatch(vm, l, fd, writing));
}
Value ou_iom_add_reader(VM *vm, const Value *args, int n) { return (void)n, add(vm, args, false, true); }
Value ou_iom_add_writer(VM *vm, const Value *args, int n) { return (void)n, add(vm, args, true, true); }
Value ou_iom_add_reader_(VM *vm, const Value *args, int n) { return (void)n, add(vm, args, false, false); }
Value ou_iom_add_writer_(VM *vm, const Value *args, int n) { return (void)n, add(vm, args, true, false); }
Value ou_iom_remove_reader(VM *vm, const Value *args, int n) { return (void)n, drop(vm, args, false, true); }
Value ou_iom_remove_writer(VM *vm, const Value *args, int n) { return (void)n, drop(vm, args, true, true); }
Value ou_iom_remove_reader_(VM *vm, const Value *args, int n) { return (void)n, drop(vm, args, false, false); }
Value ou_iom_remove_writer_(VM *vm, const Value *args, int n) { return (void)n, drop(vm, args, true, false); }
Value ou_iom_ensure(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    return fd_arg(vm, args[1], &fd) && check_free(vm, as_loop(args[0]), fd) ? V_NONE : V_NULL;
}
Value ou_iom_dirty(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    as_loop(args[0])->io_dirty = true;
    return V_NONE;
}
