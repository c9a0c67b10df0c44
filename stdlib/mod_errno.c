/* `errno`: the numbers of the system's errors and errorcode, the way back. */
#include <errno.h>

#include "stdlib/stdlib.h"

static const struct {
    const char *name;
    int value;
} codes[] = {
#define CODE(name) {#name, name}
    CODE(E2BIG), CODE(EACCES), CODE(EADDRINUSE), CODE(EADDRNOTAVAIL), CODE(EAFNOSUPPORT), CODE(EAGAIN), CODE(EALREADY), CODE(EBADF),
    CODE(EBADMSG), CODE(EBUSY), CODE(ECANCELED), CODE(ECHILD), CODE(ECONNABORTED), CODE(ECONNREFUSED), CODE(ECONNRESET),
    CODE(EDEADLK), CODE(EDESTADDRREQ), CODE(EDOM), CODE(EDQUOT), CODE(EEXIST), CODE(EFAULT), CODE(EFBIG), CODE(EHOSTDOWN),
    CODE(EHOSTUNREACH), CODE(EIDRM), CODE(EILSEQ), CODE(EINPROGRESS), CODE(EINTR), CODE(EINVAL), CODE(EIO), CODE(EISCONN),
    CODE(EISDIR), CODE(ELOOP), CODE(EMFILE), CODE(EMLINK), CODE(EMSGSIZE), CODE(EMULTIHOP), CODE(ENAMETOOLONG), CODE(ENETDOWN),
    CODE(ENETRESET), CODE(ENETUNREACH), CODE(ENFILE), CODE(ENOBUFS), CODE(ENODATA), CODE(ENODEV), CODE(ENOENT), CODE(ENOEXEC),
    CODE(ENOLCK), CODE(ENOLINK), CODE(ENOMEM), CODE(ENOMSG), CODE(ENOPROTOOPT), CODE(ENOSPC), CODE(ENOSR), CODE(ENOSTR),
    CODE(ENOSYS), CODE(ENOTBLK), CODE(ENOTCONN), CODE(ENOTDIR), CODE(ENOTEMPTY), CODE(ENOTRECOVERABLE), CODE(ENOTSOCK),
    CODE(ENOTSUP), CODE(ENOTTY), CODE(ENXIO), CODE(EOPNOTSUPP), CODE(EOVERFLOW), CODE(EOWNERDEAD), CODE(EPERM), CODE(EPFNOSUPPORT),
    CODE(EPIPE), CODE(EPROTO), CODE(EPROTONOSUPPORT), CODE(EPROTOTYPE), CODE(ERANGE), CODE(EREMOTE), CODE(EROFS), CODE(ESHUTDOWN),
    CODE(ESOCKTNOSUPPORT), CODE(ESPIPE), CODE(ESRCH), CODE(ESTALE), CODE(ETIME), CODE(ETIMEDOUT), CODE(ETOOMANYREFS),
    CODE(ETXTBSY), CODE(EUSERS), CODE(EWOULDBLOCK), CODE(EXDEV),
};

bool ou_mod_errno(VM *vm, Module *m)
{
    Value back = ou_dict_new(vm);
    bool ok = back != V_NULL && ou_module_set(vm, m, "errorcode", back);
    for (size_t i = 0; ok && i < sizeof codes / sizeof *codes; i++) {
        Value name = ou_str_c(vm, codes[i].name), number = v_smallint(codes[i].value);
        ok = name != V_NULL && ou_module_set(vm, m, codes[i].name, number);
        if (ok && codes[i].value != EWOULDBLOCK)
            ok = ou_dict_set(vm, as_dict(back), number, name);
        else if (ok && strcmp(codes[i].name, "EAGAIN") == 0)
            ok = ou_dict_set(vm, as_dict(back), number, name);
        xrelease(vm, name);
    }
    xrelease(vm, back);
    return ok;
}
