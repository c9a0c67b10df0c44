/* Watchers of file descriptors and the stream transport. May be included by loop/ and stdlib/.
 * One watcher a descriptor, with a Handle for reading and one for writing: what a poll finds ready is an entry of the ready ring
 * in that same iteration, as call_soon would make it. */
#ifndef OU_LOOP_IO_H
#define OU_LOOP_IO_H

#include "runtime/loop/loop.h"

enum { OU_SCRATCH = 256 * 1024 };

typedef struct Watcher {
    uv_poll_t poll; /* first */
    Loop *loop;     /* borrowed: the loop owns its watchers */
    int fd, events;
    Handle *reader, *writer; /* owned */
    Obj *transport;          /* who uses the descriptor; borrowed, NULL: nobody */
} Watcher;

/* The handle's callback runs each time fd is ready; one that was there before is cancelled. */
bool ou_io_watch(VM *vm, Loop *l, int fd, bool writing, Value handle);
bool ou_io_unwatch(VM *vm, Loop *l, int fd, bool writing); /* false: there was none */
Value ou_io_handle(VM *vm, Loop *l, HandleFn fn, Value owner, Value args, Value cb); /* a Handle that is not in the ring */
void ou_io_release_all(VM *vm, Loop *l);                   /* before the loop's libuv part goes */
Obj *ou_io_transport(Loop *l, int fd);
void ou_io_set_transport(Loop *l, int fd, Obj *transport);
void ou_io_traverse(VM *vm, Loop *l, VisitFn visit, void *arg);

#define OU_IO_METHOD(name) Value ou_iom_##name(VM *vm, const Value *args, int n);
OU_IO_METHOD(add_reader)
OU_IO_METHOD(add_writer)
OU_IO_METHOD(add_reader_)
OU_IO_METHOD(add_writer_)
OU_IO_METHOD(remove_reader)
OU_IO_METHOD(remove_writer)
OU_IO_METHOD(remove_reader_)
OU_IO_METHOD(remove_writer_)
OU_IO_METHOD(ensure)
OU_IO_METHOD(dirty)
#undef OU_IO_METHOD
#define OU_IO_METHODS /* rows of the loop's table */                                                                           \
    {"add_reader(fd, callback, *args)", ou_iom_add_reader, "Calls callback(*args) whenever fd can be read.", 0},               \
    {"add_writer(fd, callback, *args)", ou_iom_add_writer, "Calls callback(*args) whenever fd can be written to.", 0},         \
    {"remove_reader(fd)", ou_iom_remove_reader, "True if there was one.", 0},                                                  \
    {"remove_writer(fd)", ou_iom_remove_writer, "True if there was one.", 0},                                                  \
    {"_add_reader(fd, callback, *args)", ou_iom_add_reader_, NULL, 0},                                                         \
    {"_add_writer(fd, callback, *args)", ou_iom_add_writer_, NULL, 0},                                                         \
    {"_remove_reader(fd)", ou_iom_remove_reader_, NULL, 0},                                                                    \
    {"_remove_writer(fd)", ou_iom_remove_writer_, NULL, 0},                                                                    \
    {"_ensure_fd_no_transport(fd)", ou_iom_ensure, NULL, 0},                                                                   \
    {"_io_done()", ou_iom_dirty, "The next iteration polls.", 0},
extern const TypeDef ou_stream_transport_def; /* _asyncio.SocketTransport */

#endif
