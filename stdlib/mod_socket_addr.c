/* `_socket`, the part without socket objects: addresses as scripts write them, getaddrinfo and getnameinfo, byte orders,
 * inet_aton and friends, the constants. Entry points: ou_sock_addr_parse and ou_sock_addr_value. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/loop/threads.h"
#include "stdlib/socket_impl.h"
#include "vm/call.h"

bool ou_sock_int(VM *vm, Value v, int *out)
{
    int64_t i;
    *out = 0;
    if (!ou_index_i64(vm, v, &i))
        return false;
    if (i < INT32_MIN || i > INT32_MAX)
        return ou_raise(vm, E_OVERFLOW, "Python int too large to convert to C int") != V_NULL;
    *out = (int)i;
    return true;
}

Value ou_sock_gaierror(VM *vm, int err)
{
    if (err == EAI_SYSTEM)
        return ou_raise_errno(vm, errno, V_NULL);
    SockState *s = ou_sock_state(vm);
    Value text = ou_str_c(vm, gai_strerror(err)), e = V_NULL;
    if (s && text != V_NULL)
        e = ou_call2(vm, s->gaierror, v_smallint(err), text);
    if (e != V_NULL)
        ou_raise_value(vm, e);
    xrelease(vm, e);
    xrelease(vm, text);
    return V_NULL;
}

/* ---- addresses ---- */

/* The text of a host: str (IDNA is not needed for ASCII names), bytes or bytearray; owned text that ends with a NUL. */
static bool host_text(VM *vm, Value v, char *out, size_t size)
{
    const char *p;
    size_t n;
    if (ou_is_a(vm, v, T_STR)) {
        Value enc = V_NULL;
        if (!str_is_ascii(as_str(v))) {
            enc = ou_str_encode(vm, v, "idna", "strict");
            if (enc == V_NULL)
                return false;
            p = (const char *)as_bytes(enc)->data;
            n = as_bytes(enc)->n;
        } else {
            p = as_str(v)->data;
            n = as_str(v)->size;
        }
        bool ok = n < size && !memchr(p, 0, n);
        if (ok) {
            memcpy(out, p, n);
            out[n] = 0;
        }
        xrelease(vm, enc);
        return ok || ou_raise(vm, E_VALUE, n < size ? "host name must not contain null character" : "host name is too long") != V_NULL;
    }
    Buffer b;
    if (!ou_is_a(vm, v, T_BYTES) && !ou_is_a(vm, v, T_BYTEARRAY))
        return ou_raise(vm, E_TYPE, "str, bytes or bytearray expected, not %T", v) != V_NULL;
    if (!ou_buffer_get(vm, v, &b, false))
        return false;
    bool ok = (size_t)b.n < size && !memchr(b.p, 0, (size_t)b.n);
    if (ok) {
        memcpy(out, b.p, (size_t)b.n);
        out[b.n] = 0;
    }
    ou_buffer_release(vm, &b);
    return ok || ou_raise(vm, E_VALUE, "host name must not contain null character") != V_NULL;
}

static bool resolve(VM *vm, const char *host, int family, SockAddr *out)
{
    struct addrinfo hints = {.ai_family = family}, *res = NULL;
    if (!*host) {
        hints.ai_flags = AI_PASSIVE;
        hints.ai_socktype = SOCK_DGRAM;
    } else if (strcmp(host, "<broadcast>") == 0 || strcmp(host, "255.255.255.255") == 0) {
        out->in.sin_family = AF_INET;
        out->in.sin_addr.s_addr = INADDR_BROADCAST;
        return true;
    } else if (family == AF_INET && inet_pton(AF_INET, host, &out->in.sin_addr) == 1) {
        out->in.sin_family = AF_INET;
        return true;
    } else if (family == AF_INET6 && !strchr(host, '%') && inet_pton(AF_INET6, host, &out->in6.sin6_addr) == 1) {
        out->in6.sin6_family = AF_INET6;
        return true;
    }
    char copy[1100];
    snprintf(copy, sizeof copy, "%s", host);
    ou_blocking_begin(vm);
    int err = getaddrinfo(*copy ? copy : NULL, *copy ? NULL : "0", &hints, &res);
    ou_blocking_end(vm);
    if (err) {
        ou_sock_gaierror(vm, err);
        return false;
    }
    memcpy(out, res->ai_addr, res->ai_addrlen < sizeof *out ? res->ai_addrlen : sizeof *out);
    freeaddrinfo(res);
    return true;
}

static bool port_of(VM *vm, Value v, const char *who, in_port_t *out)
{
    int64_t port;
    if (!ou_is_intlike(vm, v)) {
        Value i = ou_index(vm, v);
        if (i == V_NULL)
            return false;
        release(vm, i);
    }
    if (!ou_int_fits_i64(vm, v, &port) || port < 0 || port > 65535)
        return ou_raise(vm, E_OVERFLOW, "%s(): port must be 0-65535.", who) != V_NULL;
    *out = htons((uint16_t)port);
    return true;
}

bool ou_sock_addr_parse(VM *vm, int family, Value v, const char *who, SockAddr *out, socklen_t *len)
{
    memset(out, 0, sizeof *out);
    char host[1025];
    if (family == AF_INET || family == AF_INET6) {
        const char *fam = family == AF_INET ? "AF_INET" : "AF_INET6";
        if (!ou_is_a(vm, v, T_TUPLE))
            return ou_raise(vm, E_TYPE, "%s(): %s address must be tuple, not %T", who, fam, v) != V_NULL;
        Tuple *t = as_tuple(v);
        if (family == AF_INET ? t->n != 2 : t->n < 2 || t->n > 4)
            return ou_raise(vm, E_TYPE, family == AF_INET ? "AF_INET address must be a pair (host, port)"
                                                          : "AF_INET6 address must be a tuple (host, port[, flowinfo[, scopeid]])") != V_NULL;
        in_port_t port = 0;
        int flow = 0, scope = 0;
        if (!host_text(vm, t->items[0], host, sizeof host) || !port_of(vm, t->items[1], who, &port) ||
            (t->n > 2 && !ou_sock_int(vm, t->items[2], &flow)) || (t->n > 3 && !ou_sock_int(vm, t->items[3], &scope)) ||
            !resolve(vm, host, family, out))
            return false;
        if (family == AF_INET) {
            out->in.sin_port = port;
            *len = sizeof out->in;
        } else {
            if (flow < 0 || flow > 0xfffff)
                return ou_raise(vm, E_OVERFLOW, "%s(): flowinfo must be 0-1048575.", who) != V_NULL;
            out->in6.sin6_port = port;
            out->in6.sin6_flowinfo = htonl((uint32_t)flow);
            if (t->n > 3)
                out->in6.sin6_scope_id = (uint32_t)scope;
            *len = sizeof out->in6;
        }
        return true;
    }
    if (family == AF_UNIX) {
        Value enc = V_NULL;
        if (ou_is_a(vm, v, T_STR)) {
            enc = ou_str_encode(vm, v, "utf-8", "surrogateescape");
            if (enc == V_NULL)
                return false;
            v = enc;
        }
        Buffer b;
        bool ok = ou_buffer_get(vm, v, &b, false);
        if (ok) {
            out->un.sun_family = AF_UNIX;
            bool abstract = b.n > 0 && b.p[0] == 0;
            ok = (size_t)b.n + (abstract ? 0 : 1) <= sizeof out->un.sun_path;
            if (ok) {
                memcpy(out->un.sun_path, b.p, (size_t)b.n);
                *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)b.n + (abstract || !b.n ? 0 : 1));
            }
            ou_buffer_release(vm, &b);
            if (!ok)
                ou_raise(vm, E_OS, "AF_UNIX path too long");
        }
        xrelease(vm, enc);
        return ok;
    }
    return ou_raise(vm, E_OS, "%s(): unsupported address family", who) != V_NULL;
}

Value ou_sock_addr_value(VM *vm, const SockAddr *a, socklen_t len)
{
    char host[INET6_ADDRSTRLEN + 20 + IF_NAMESIZE];
    if (len == 0)
        return V_NONE;
    switch (a->sa.sa_family) {
    case AF_INET: {
        inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof host);
        Value v[2] = {ou_str_c(vm, host), v_smallint(ntohs(a->in.sin_port))};
        return v[0] == V_NULL ? V_NULL : ou_tuple_take(vm, v, 2);
    }
    case AF_INET6: {
        if (getnameinfo(&a->sa, len, host, sizeof host, NULL, 0, NI_NUMERICHOST) != 0)
            inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof host);
        Value v[4] = {ou_str_c(vm, host), v_smallint(ntohs(a->in6.sin6_port)), v_smallint(ntohl(a->in6.sin6_flowinfo)),
                      v_smallint(a->in6.sin6_scope_id)};
        return v[0] == V_NULL ? V_NULL : ou_tuple_take(vm, v, 4);
    }
    case AF_UNIX: {
        size_t n = len - offsetof(struct sockaddr_un, sun_path);
        if (len <= offsetof(struct sockaddr_un, sun_path))
            return retain(vm->empty_str);
        if (a->un.sun_path[0] == 0)
            return ou_bytes_new(vm, a->un.sun_path, n);
        return ou_str_decode(vm, a->un.sun_path, strnlen(a->un.sun_path, n), "utf-8", "surrogateescape");
    }
    default: {
        Value v[2] = {v_smallint(a->sa.sa_family), ou_bytes_new(vm, a->sa.sa_data, sizeof a->sa.sa_data)};
        return v[1] == V_NULL ? V_NULL : ou_tuple_take(vm, v, 2);
    }
    }
}

/* ---- names ---- */

/* getaddrinfo(host, port, family=0, type=0, proto=0, flags=0) */
static Value getaddrinfo_(VM *vm, const Value *args, int n)
{
    (void)n;
    char host[1025], port[64];
    bool has_host = args[0] != V_NONE, has_port = args[1] != V_NONE;
    int f[4] = {0};
    for (int k = 0; k < 4; k++)
        if (args[2 + k] != V_NULL && !ou_sock_int(vm, args[2 + k], &f[k]))
            return V_NULL;
    if (has_host && !ou_is_a(vm, args[0], T_STR) && !ou_is_a(vm, args[0], T_BYTES))
        return ou_raise(vm, E_TYPE, "getaddrinfo() argument 1 must be string or None");
    if (has_host && !host_text(vm, args[0], host, sizeof host))
        return V_NULL;
    if (has_port && ou_is_intlike(vm, args[1])) {
        int64_t i;
        if (!ou_int_i64(vm, args[1], &i))
            return V_NULL;
        snprintf(port, sizeof port, "%lld", (long long)i);
    } else if (has_port && (ou_is_a(vm, args[1], T_STR) || ou_is_a(vm, args[1], T_BYTES))) {
        if (!host_text(vm, args[1], port, sizeof port))
            return V_NULL;
    } else if (has_port) {
        return ou_raise(vm, E_OS, "Int or String expected");
    }
    struct addrinfo hints = {.ai_family = f[0], .ai_socktype = f[1], .ai_protocol = f[2], .ai_flags = f[3]}, *res = NULL;
    ou_blocking_begin(vm);
    int err = getaddrinfo(has_host ? host : NULL, has_port ? port : NULL, &hints, &res);
    ou_blocking_end(vm);
    if (err)
        return ou_sock_gaierror(vm, err);
    Value list = ou_list_new(vm, 4);
    for (struct addrinfo *a = res; a && list != V_NULL; a = a->ai_next) {
        SockAddr addr;
        memcpy(&addr, a->ai_addr, a->ai_addrlen < sizeof addr ? a->ai_addrlen : sizeof addr);
        Value name = ou_str_c(vm, a->ai_canonname ? a->ai_canonname : ""), where = ou_sock_addr_value(vm, &addr, a->ai_addrlen);
        Value row = V_NULL;
        if (name != V_NULL && where != V_NULL)
            row = ou_tuple_of(vm, (Value[]){v_smallint(a->ai_family), v_smallint(a->ai_socktype), v_smallint(a->ai_protocol), name, where}, 5);
        xrelease(vm, name);
        xrelease(vm, where);
        if (row == V_NULL || !ou_list_append_take(vm, as_list(list), row)) {
            release(vm, list);
            list = V_NULL;
        }
    }
    freeaddrinfo(res);
    return list;
}

/* getnameinfo(sockaddr, flags) */
static Value getnameinfo_(VM *vm, const Value *args, int n)
{
    (void)n;
    int flags;
    if (!ou_sock_int(vm, args[1], &flags))
        return V_NULL;
    if (!ou_is_a(vm, args[0], T_TUPLE))
        return ou_raise(vm, E_TYPE, "getnameinfo() argument 1 must be a tuple");
    char host[1025], name[NI_MAXHOST], serv[NI_MAXSERV];
    Tuple *t = as_tuple(args[0]);
    in_port_t port;
    if (t->n < 2)
        return ou_raise(vm, E_TYPE, "getnameinfo(): illegal sockaddr argument");
    if (!host_text(vm, t->items[0], host, sizeof host) || !port_of(vm, t->items[1], "getnameinfo", &port))
        return V_NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST}, *res = NULL;
    char number[16];
    snprintf(number, sizeof number, "%d", ntohs(port));
    ou_blocking_begin(vm);
    int err = getaddrinfo(host, number, &hints, &res);
    if (!err)
        err = getnameinfo(res->ai_addr, res->ai_addrlen, name, sizeof name, serv, sizeof serv, flags);
    if (res)
        freeaddrinfo(res);
    ou_blocking_end(vm);
    if (err)
        return ou_sock_gaierror(vm, err);
    Value v[2] = {ou_str_c(vm, name), ou_str_c(vm, serv)};
    if (v[0] == V_NULL || v[1] == V_NULL) {
        xrelease(vm, v[0]);
        xrelease(vm, v[1]);
        return V_NULL;
    }
    return ou_tuple_take(vm, v, 2);
}

static Value gethostname_(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    char name[1025];
    if (gethostname(name, sizeof name - 1) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    name[sizeof name - 1] = 0;
    return ou_str_c(vm, name);
}

static Value gethostbyname_(VM *vm, const Value *args, int n)
{
    (void)n;
    char host[1025], out[INET_ADDRSTRLEN];
    SockAddr a;
    memset(&a, 0, sizeof a);
    if (!host_text(vm, args[0], host, sizeof host) || !resolve(vm, host, AF_INET, &a))
        return V_NULL;
    inet_ntop(AF_INET, &a.in.sin_addr, out, sizeof out);
    return ou_str_c(vm, out);
}

/* gethostbyaddr(ip): (name, aliases, addresses) */
static Value gethostbyaddr_(VM *vm, const Value *args, int n)
{
    (void)n;
    char host[1025], name[NI_MAXHOST];
    if (!host_text(vm, args[0], host, sizeof host))
        return V_NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *res = NULL;
    ou_blocking_begin(vm);
    int err = getaddrinfo(host, NULL, &hints, &res);
    if (!err)
        err = getnameinfo(res->ai_addr, res->ai_addrlen, name, sizeof name, NULL, 0, 0);
    if (res)
        freeaddrinfo(res);
    ou_blocking_end(vm);
    if (err)
        return ou_sock_gaierror(vm, err);
    Value text = ou_str_c(vm, host), v[3];
    v[0] = ou_str_c(vm, name);
    v[1] = ou_list_new(vm, 0);
    v[2] = text == V_NULL ? V_NULL : ou_list_of(vm, &text, 1);
    xrelease(vm, text);
    if (v[0] == V_NULL || v[1] == V_NULL || v[2] == V_NULL) {
        for (int k = 0; k < 3; k++)
            xrelease(vm, v[k]);
        return V_NULL;
    }
    return ou_tuple_take(vm, v, 3);
}

static Value getservbyname_(VM *vm, const Value *args, int n)
{
    char name[256], proto[64] = "";
    if (!host_text(vm, args[0], name, sizeof name) || (n > 1 && !host_text(vm, args[1], proto, sizeof proto)))
        return V_NULL;
    struct servent *s = getservbyname(name, *proto ? proto : NULL);
    return s ? v_smallint(ntohs((uint16_t)s->s_port)) : ou_raise(vm, E_OS, "service/proto not found");
}
static Value getservbyport_(VM *vm, const Value *args, int n)
{
    char proto[64] = "";
    int port;
    if (!ou_sock_int(vm, args[0], &port) || (n > 1 && !host_text(vm, args[1], proto, sizeof proto)))
        return V_NULL;
    if (port < 0 || port > 65535)
        return ou_raise(vm, E_OVERFLOW, "getservbyport: port must be 0-65535.");
    struct servent *s = getservbyport(htons((uint16_t)port), *proto ? proto : NULL);
    return s ? ou_str_c(vm, s->s_name) : ou_raise(vm, E_OS, "port/proto not found");
}
static Value getprotobyname_(VM *vm, const Value *args, int n)
{
    (void)n;
    char name[256];
    if (!host_text(vm, args[0], name, sizeof name))
        return V_NULL;
    struct protoent *p = getprotobyname(name);
    return p ? v_smallint(p->p_proto) : ou_raise(vm, E_OS, "protocol not found");
}

/* ---- conversions ---- */

static Value swap16(VM *vm, const Value *args, const char *name)
{
    int64_t i;
    if (!ou_index_i64(vm, args[0], &i))
        return V_NULL;
    if (i < 0)
        return ou_raise(vm, E_OVERFLOW, "%s: can't convert negative Python int to C 16-bit unsigned integer", name);
    if (i > 0xffff)
        return ou_raise(vm, E_OVERFLOW, "%s: Python int too large to convert to C 16-bit unsigned integer", name);
    return v_smallint(htons((uint16_t)i));
}
static Value swap32(VM *vm, const Value *args)
{
    int64_t i;
    if (!ou_index_i64(vm, args[0], &i))
        return V_NULL;
    if (i < 0)
        return ou_raise(vm, E_OVERFLOW, "can't convert negative value to unsigned int");
    if (i > 0xffffffff)
        return ou_raise(vm, E_OVERFLOW, "int larger than 32 bits");
    return v_smallint(htonl((uint32_t)i));
}
static Value htons_(VM *vm, const Value *args, int n) { return (void)n, swap16(vm, args, "htons"); }
static Value ntohs_(VM *vm, const Value *args, int n) { return (void)n, swap16(vm, args, "ntohs"); }
static Value htonl_(VM *vm, const Value *args, int n) { return (void)n, swap32(vm, args); }
static Value ntohl_(VM *vm, const Value *args, int n) { return (void)n, swap32(vm, args); }

static Value inet_aton_(VM *vm, const Value *args, int n)
{
    (void)n;
    char host[256];
    struct in_addr a;
    if (!host_text(vm, args[0], host, sizeof host))
        return V_NULL;
    return inet_aton(host, &a) ? ou_bytes_new(vm, &a, sizeof a) : ou_raise(vm, E_OS, "illegal IP address string passed to inet_aton");
}
static Value inet_ntoa_(VM *vm, const Value *args, int n)
{
    (void)n;
    Buffer b;
    char out[INET_ADDRSTRLEN];
    if (!ou_buffer_get(vm, args[0], &b, false))
        return V_NULL;
    bool ok = b.n == 4 && inet_ntop(AF_INET, b.p, out, sizeof out);
    ou_buffer_release(vm, &b);
    return ok ? ou_str_c(vm, out) : ou_raise(vm, E_OS, "packed IP wrong length");
}
static Value inet_pton_(VM *vm, const Value *args, int n)
{
    (void)n;
    int family;
    char host[256];
    uint8_t out[16];
    if (!ou_sock_int(vm, args[0], &family) || !host_text(vm, args[1], host, sizeof host))
        return V_NULL;
    int rc = inet_pton(family, host, out);
    if (rc < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    return rc == 0 ? ou_raise(vm, E_OS, "illegal IP address string passed to inet_pton")
                   : ou_bytes_new(vm, out, family == AF_INET ? 4 : 16);
}
static Value inet_ntop_(VM *vm, const Value *args, int n)
{
    (void)n;
    int family;
    Buffer b;
    char out[INET6_ADDRSTRLEN];
    if (!ou_sock_int(vm, args[0], &family) || !ou_buffer_get(vm, args[1], &b, false))
        return V_NULL;
    Value r = V_NULL;
    if (family != AF_INET && family != AF_INET6)
        ou_raise(vm, E_VALUE, "unknown address family %d", family);
    else if (b.n != (family == AF_INET ? 4 : 16))
        ou_raise(vm, E_VALUE, "invalid length of packed IP address string");
    else
        r = ou_str_c(vm, inet_ntop(family, b.p, out, sizeof out));
    ou_buffer_release(vm, &b);
    return r;
}
static Value if_nametoindex_(VM *vm, const Value *args, int n)
{
    (void)n;
    char name[256];
    if (!host_text(vm, args[0], name, sizeof name))
        return V_NULL;
    unsigned i = if_nametoindex(name);
    return i ? v_smallint(i) : ou_raise(vm, E_OS, "no interface with this name");
}
static Value if_indextoname_(VM *vm, const Value *args, int n)
{
    (void)n;
    int i;
    char name[IF_NAMESIZE];
    if (!ou_sock_int(vm, args[0], &i))
        return V_NULL;
    return if_indextoname((unsigned)i, name) ? ou_str_c(vm, name) : ou_raise_errno(vm, errno, V_NULL);
}
static Value getdefaulttimeout(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    SockState *s = ou_sock_state(vm);
    return !s ? V_NULL : s->default_timeout == V_NULL ? V_NONE : s->default_timeout;
}
static Value setdefaulttimeout(VM *vm, const Value *args, int n)
{
    (void)n;
    SockState *s = ou_sock_state(vm);
    double d = 0;
    if (!s || (args[0] != V_NONE && !ou_to_double(vm, args[0], &d)))
        return V_NULL;
    if (d < 0)
        return ou_raise(vm, E_VALUE, "Timeout value out of range");
    s->default_timeout = args[0] == V_NONE ? V_NONE : v_float(d);
    return V_NONE;
}
static Value close_(VM *vm, const Value *args, int n)
{
    (void)n;
    int fd;
    if (!ou_sock_int(vm, args[0], &fd))
        return V_NULL;
    return close(fd) < 0 && errno != ECONNRESET ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
}
static Value socketpair_(VM *vm, const Value *args, int n)
{
    int f[3] = {AF_UNIX, SOCK_STREAM, 0}, fds[2];
    for (int k = 0; k < n; k++)
        if (!ou_sock_int(vm, args[k], &f[k]))
            return V_NULL;
    if (socketpair(f[0], f[1] | SOCK_CLOEXEC, f[2], fds) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    Value v[2] = {v_smallint(fds[0]), v_smallint(fds[1])};
    return ou_tuple_take(vm, v, 2);
}

const NativeDef ou_sock_functions[] = {
    {"getaddrinfo(host, port, family=0, type=0, proto=0, flags=0)", getaddrinfo_, NULL, 0},
    {"getnameinfo(sockaddr, flags, /)", getnameinfo_, NULL, 0},
    {"gethostname()", gethostname_, NULL, 0},
    {"gethostbyname(host, /)", gethostbyname_, NULL, 0},
    {"gethostbyaddr(host, /)", gethostbyaddr_, NULL, 0},
    {"getservbyname(servicename, protocolname='', /)", getservbyname_, NULL, 0},
    {"getservbyport(port, protocolname='', /)", getservbyport_, NULL, 0},
    {"getprotobyname(name, /)", getprotobyname_, NULL, 0},
    {"htons(x, /)", htons_, NULL, 0},
    {"ntohs(x, /)", ntohs_, NULL, 0},
    {"htonl(x, /)", htonl_, NULL, 0},
    {"ntohl(x, /)", ntohl_, NULL, 0},
    {"inet_aton(ip_addr, /)", inet_aton_, NULL, 0},
    {"inet_ntoa(packed_ip, /)", inet_ntoa_, NULL, 0},
    {"inet_pton(address_family, ip_string, /)", inet_pton_, NULL, 0},
    {"inet_ntop(address_family, packed_ip, /)", inet_ntop_, NULL, 0},
    {"if_nametoindex(name, /)", if_nametoindex_, NULL, 0},
    {"if_indextoname(index, /)", if_indextoname_, NULL, 0},
    {"getdefaulttimeout()", getdefaulttimeout, NULL, 0},
    {"setdefaulttimeout(timeout, /)", setdefaulttimeout, NULL, 0},
    {"close(fd, /)", close_, NULL, 0},
    {"_socketpair(family=1, type=1, proto=0, /)", socketpair_, "Two descriptors.", 0},
    {0},
};

bool ou_sock_constants(VM *vm, Module *m)
{
    static const struct {
        const char *name;
        int64_t value;
    } table[] = {
#define C(name) {#name, name}
        C(AF_UNSPEC), C(AF_UNIX), C(AF_INET), C(AF_INET6), C(AF_NETLINK), C(AF_PACKET), C(SOCK_STREAM), C(SOCK_DGRAM), C(SOCK_RAW),
        C(SOCK_RDM), C(SOCK_SEQPACKET), C(SOCK_CLOEXEC), C(SOCK_NONBLOCK), C(SOL_SOCKET), C(SOMAXCONN), C(SO_REUSEADDR),
        C(SO_REUSEPORT), C(SO_KEEPALIVE), C(SO_BROADCAST), C(SO_LINGER), C(SO_RCVBUF), C(SO_SNDBUF), C(SO_RCVTIMEO), C(SO_SNDTIMEO),
        C(SO_ERROR), C(SO_TYPE), C(SO_PROTOCOL), C(SO_DOMAIN), C(SO_ACCEPTCONN), C(SO_OOBINLINE), C(SO_RCVLOWAT), C(SO_SNDLOWAT),
        C(SO_DEBUG), C(SO_DONTROUTE), C(SO_PEERCRED), C(SO_PASSCRED), C(SO_PRIORITY), C(SO_MARK), C(SO_BINDTODEVICE),
        C(MSG_OOB), C(MSG_PEEK), C(MSG_DONTROUTE), C(MSG_WAITALL), C(MSG_TRUNC), C(MSG_CTRUNC), C(MSG_DONTWAIT), C(MSG_NOSIGNAL),
        C(MSG_EOR), C(MSG_MORE), C(MSG_ERRQUEUE), C(MSG_CMSG_CLOEXEC), C(SHUT_RD), C(SHUT_WR), C(SHUT_RDWR), C(SCM_RIGHTS),
        C(IPPROTO_IP), C(IPPROTO_ICMP), C(IPPROTO_IGMP), C(IPPROTO_TCP), C(IPPROTO_UDP), C(IPPROTO_IPV6), C(IPPROTO_ICMPV6),
        C(IPPROTO_RAW), C(IP_TTL), C(IP_TOS), C(IP_MULTICAST_IF), C(IP_MULTICAST_TTL), C(IP_MULTICAST_LOOP), C(IP_ADD_MEMBERSHIP),
        C(IP_DROP_MEMBERSHIP), C(IPV6_V6ONLY), C(IPV6_MULTICAST_IF), C(IPV6_MULTICAST_HOPS), C(IPV6_MULTICAST_LOOP),
        C(IPV6_JOIN_GROUP), C(IPV6_LEAVE_GROUP), C(IPV6_UNICAST_HOPS), C(TCP_NODELAY), C(TCP_MAXSEG), C(TCP_CORK), C(TCP_KEEPIDLE),
        C(TCP_KEEPINTVL), C(TCP_KEEPCNT), C(TCP_SYNCNT), C(TCP_LINGER2), C(TCP_DEFER_ACCEPT), C(TCP_WINDOW_CLAMP), C(TCP_INFO),
        C(TCP_QUICKACK), C(TCP_FASTOPEN), C(TCP_USER_TIMEOUT), C(INADDR_ANY), C(INADDR_BROADCAST), C(INADDR_LOOPBACK),
        C(INADDR_NONE), C(AI_PASSIVE), C(AI_CANONNAME), C(AI_NUMERICHOST), C(AI_NUMERICSERV), C(AI_ADDRCONFIG), C(AI_V4MAPPED),
        C(AI_ALL), C(EAI_ADDRFAMILY), C(EAI_AGAIN), C(EAI_BADFLAGS), C(EAI_FAIL), C(EAI_FAMILY), C(EAI_MEMORY), C(EAI_NODATA),
        C(EAI_NONAME), C(EAI_OVERFLOW), C(EAI_SERVICE), C(EAI_SOCKTYPE), C(EAI_SYSTEM), C(NI_MAXHOST), C(NI_MAXSERV), C(NI_NOFQDN),
        C(NI_NUMERICHOST), C(NI_NAMEREQD), C(NI_NUMERICSERV), C(NI_DGRAM),
#undef C
        {"POLLIN", POLLIN}, {"POLLOUT", POLLOUT}, {"POLLERR", POLLERR}, {"POLLHUP", POLLHUP}, {"POLLNVAL", POLLNVAL},
        {"POLLPRI", POLLPRI}, {"SOL_IP", IPPROTO_IP}, {"SOL_TCP", IPPROTO_TCP}, {"SOL_UDP", IPPROTO_UDP},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!ou_module_int(vm, m, table[i].name, table[i].value))
            return false;
    return ou_module_take(vm, m, "has_ipv6", V_TRUE);
}
