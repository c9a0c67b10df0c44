/* What the files of `_socket` share. May be included by stdlib/mod_socket*.c only. */
#ifndef OU_STDLIB_SOCKET_IMPL_H
#define OU_STDLIB_SOCKET_IMPL_H

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "runtime/objects/bytes.h"
#include "stdlib/stdlib.h"

typedef struct Sock {
    Obj h;
    int fd, family, type, proto;
    double timeout; /* seconds, < 0: blocking without limit */
} Sock;
typedef union SockAddr {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
} SockAddr;
typedef struct SockState {
    Value gaierror, herror; /* owned classes */
    Value default_timeout;  /* float or V_NONE; V_NULL: not set */
} SockState;

SockState *ou_sock_state(VM *vm);
bool ou_sock_addr_parse(VM *vm, int family, Value v, const char *who, SockAddr *out, socklen_t *len);
Value ou_sock_addr_value(VM *vm, const SockAddr *a, socklen_t len);
Value ou_sock_gaierror(VM *vm, int err);
bool ou_sock_int(VM *vm, Value v, int *out);
extern const NativeDef ou_sock_functions[]; /* mod_socket_addr.c: names, numbers, conversions */
extern const NativeDef ou_socket_epoll[];   /* mod_epoll.c */
bool ou_sock_constants(VM *vm, Module *m);

#endif
