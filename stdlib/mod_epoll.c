/* The part of `_socket` that select.epoll stands on. */
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

#include "runtime/loop/threads.h"
#include "stdlib/socket_impl.h"
#include "vm/call.h"

static Value epoll_make(VM *vm, const Value *args, int n)
{
    (void)n;
    int flags;
    if (!ou_sock_int(vm, args[0], &flags))
        return V_NULL;
    int fd = epoll_create1(flags);
    return fd < 0 ? ou_raise_errno(vm, errno, V_NULL) : v_smallint(fd);
}

/* _epoll_ctl(epfd, operation, fd, events) */
static Value epoll_change(VM *vm, const Value *args, int n)
{
    (void)n;
    int epfd, operation, fd;
    int64_t events;
    if (!ou_sock_int(vm, args[0], &epfd) || !ou_sock_int(vm, args[1], &operation) || !ou_sock_int(vm, args[2], &fd) ||
        !ou_index_i64(vm, args[3], &events))
        return V_NULL;
    struct epoll_event e = {.events = (uint32_t)events, .data.fd = fd};
    return epoll_ctl(epfd, operation, fd, &e) < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* _epoll_wait(epfd, timeout, most): a list of pairs; timeout in seconds, negative: none */
static Value epoll_events(VM *vm, const Value *args, int n)
{
    (void)n;
    int epfd, most, got, err;
    double timeout;
    if (!ou_sock_int(vm, args[0], &epfd) || !ou_to_double(vm, args[1], &timeout) || !ou_sock_int(vm, args[2], &most))
        return V_NULL;
    size_t bytes = (size_t)most * sizeof(struct epoll_event);
    struct epoll_event *events = ou_alloc(&vm->heap, bytes);
    if (!events)
        return ou_raise_memory(vm);
    double end = seconds() + timeout;
    do {
        double left = timeout < 0 ? -1 : end - seconds();
        int ms = timeout < 0 ? -1 : left <= 0 ? 0 : left > 2e6 ? 2000000000 : (int)(left * 1000) + (left * 1000 > (int)(left * 1000));
        ou_blocking_begin(vm);
        got = epoll_wait(epfd, events, most, ms);
        err = errno;
        ou_blocking_end(vm);
    } while (got < 0 && err == EINTR && ou_safepoint(vm));
    Value list = V_NULL;
    if (got >= 0)
        list = ou_list_new(vm, (size_t)got);
    else if (vm->exc == V_NULL)
        ou_raise_errno(vm, err, V_NULL);
    for (int i = 0; list != V_NULL && i < got; i++) {
        Value pair[2] = {v_smallint(events[i].data.fd), ou_int(vm, events[i].events)};
        if (!ou_list_append_take(vm, as_list(list), ou_tuple_take(vm, pair, 2))) {
            release(vm, list);
            list = V_NULL;
        }
    }
    ou_free(&vm->heap, events, bytes);
    return list;
}

const NativeDef ou_socket_epoll[] = {
    {"_epoll_create(flags, /)", epoll_make, NULL, 0},
    {"_epoll_ctl(epfd, operation, fd, events, /)", epoll_change, NULL, 0},
    {"_epoll_wait(epfd, timeout, most, /)", epoll_events, NULL, 0},
    {0},
};
