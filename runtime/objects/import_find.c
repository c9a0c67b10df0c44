/* Finding modules and reading their code. Entry points: ou_find_module, ou_compile_found.
 * The one thing to know: natives and frozen scripts come before the path, so the library cannot be shadowed by accident; a path
 * is searched only with the capability for files. */
#include "runtime/objects/import_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/frozen.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"

void ou_found_done(VM *vm, Found *f)
{
    release(vm, f->filename);
    release(vm, f->locations);
}

static int find_frozen(const char *name, size_t n)
{
    size_t lo = 0, hi = ou_frozen_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const char *m = ou_frozen_modules[mid].name;
        int c = strncmp(name, m, n);
        if (c == 0)
            c = m[n] ? -1 : 0;
        if (c == 0)
            return (int)mid;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return -1;
}

const char *ou_frozen_source(const char *name, size_t n, size_t *len)
{
    int i = find_frozen(name, n);
    if (i < 0)
        return NULL;
    *len = ou_frozen_modules[i].source_len;
    return ou_frozen_modules[i].source;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static Value path_str(VM *vm, const char *p)
{
    return ou_str_decode(vm, p, strlen(p), "utf-8", "surrogateescape");
}

/* Looks for `tail` in one folder. False: an exception is pending. */
static bool find_in_folder(VM *vm, const char *folder, const char *tail, Found *f, Value namespaces)
{
    static const char *const forms[] = {"/__init__.script", "/__init__.py", ".script", ".py"};
    char buf[4096], here[4096] = "";
    bool relative = folder[0] != '/'; /* a path that a module shows is absolute */
    if (relative && !getcwd(here, sizeof here))
        return true;
    if (!strcmp(folder, "."))
        folder = "";
    int n = snprintf(buf, sizeof buf, "%s%s%s%s%s", strcmp(here, "/") ? here : "", relative && *folder ? "/" : "", folder,
                     *folder && folder[strlen(folder) - 1] == '/' ? "" : "/", tail);
    if (n < 0 || n + 20 > (int)sizeof buf)
        return true;
    bool dir = is_dir(buf);
    for (int i = dir ? 0 : 2; i < 4; i++) {
        strcpy(buf + n, forms[i]);
        if (!is_file(buf))
            continue;
        f->kind = FOUND_FILE;
        f->filename = path_str(vm, buf);
        if (f->filename == V_NULL) {
            f->filename = V_NONE;
            return false;
        }
        if (i < 2) {
            f->is_package = true;
            buf[n] = 0;
            Value p = path_str(vm, buf);
            Value list = p == V_NULL ? V_NULL : ou_list_of(vm, &p, 1);
            xrelease(vm, p);
            if (list == V_NULL)
                return false;
            f->locations = list;
        }
        return true;
    }
    if (dir) {
        buf[n] = 0;
        Value p = path_str(vm, buf);
        return p != V_NULL && ou_list_append_take(vm, as_list(namespaces), p);
    }
    return true;
}

static bool find_on_path(VM *vm, Value path, const char *tail, Found *f)
{
    size_t n;
    Value own = V_NULL;
    const Value *entries = ou_seq_items(vm, path, &n, &own, "module path must be iterable");
    if (!entries && vm->exc != V_NULL)
        return false;
    Value namespaces = ou_list_new(vm, 0);
    bool ok = namespaces != V_NULL;
    for (size_t i = 0; ok && i < n && f->kind == FOUND_NOTHING; i++) {
        if (!is_str(entries[i]))
            continue;
        Value bytes = ou_str_encode(vm, entries[i], "utf-8", "surrogateescape");
        if (bytes == V_NULL) {
            ok = false;
            break;
        }
        const Value keep = retain(entries[i]);
        ok = find_in_folder(vm, as_str(entries[i])->data, tail, f, namespaces);
        release(vm, keep);
        release(vm, bytes);
    }
    if (ok && f->kind == FOUND_NOTHING && as_list(namespaces)->n) {
        f->kind = FOUND_NAMESPACE;
        f->is_package = true;
        f->locations = retain(namespaces);
    }
    xrelease(vm, namespaces);
    xrelease(vm, own);
    return ok;
}

bool ou_find_module(VM *vm, Str *name, Value path, Found *f)
{
    *f = (Found){FOUND_NOTHING, -1, false, V_NONE, V_NONE};
    const char *dot = strrchr(name->data, '.'), *tail = dot ? dot + 1 : name->data;
    if ((f->index = ou_native_module_find(name)) >= 0) {
        f->kind = FOUND_NATIVE;
        return true;
    }
    if ((f->index = find_frozen(name->data, name->size)) >= 0) {
        f->kind = FOUND_FROZEN;
        f->is_package = ou_frozen_modules[f->index].is_package;
        if (f->is_package) {
            f->locations = ou_list_new(vm, 0);
            if (f->locations == V_NULL) {
                f->locations = V_NONE;
                return false;
            }
        }
        return true;
    }
    if (!(vm->caps & CAP_FS_READ) || memchr(name->data, 0, name->size) || strchr(tail, '/'))
        return true;
    if (path == V_NONE)
        path = vm->sysdict ? ou_dict_get_c(vm, vm->sysdict, "path") : V_NULL;
    if (path == V_NULL || path == V_NONE)
        return true;
    retain(path);
    bool ok = find_on_path(vm, path, tail, f);
    release(vm, path);
    if (!ok)
        ou_found_done(vm, f);
    return ok;
}

/* ---- code --------------------------------------------------------------------------------------------------------------- */

static char *read_file(VM *vm, const char *path, size_t *size_out, size_t *cap_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t n = 0, cap = 0;
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size > 0)
        cap = (size_t)st.st_size + 1;
    else
        cap = 4096;
    char *p = ou_alloc(&vm->heap, cap);
    while (p) {
        if (n + 1 >= cap) {
            size_t bigger = cap * 2;
            char *q = ou_realloc(&vm->heap, p, cap, bigger);
            if (!q) {
                ou_free(&vm->heap, p, cap);
                p = NULL;
                break;
            }
            p = q;
            cap = bigger;
        }
        ssize_t got = read(fd, p + n, cap - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int err = errno;
            ou_free(&vm->heap, p, cap);
            close(fd);
            errno = err;
            return NULL;
        }
        if (got == 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    if (!p) {
        ou_raise_memory(vm);
        return NULL;
    }
    p[n] = 0;
    *size_out = n;
    *cap_out = cap;
    return p;
}

Value ou_compile_found(VM *vm, const Found *f, Value filename)
{
    if (f->kind == FOUND_FROZEN) {
        const FrozenModule *z = &ou_frozen_modules[f->index];
        Value ready = z->code ? ou_code_load(vm, z->code, z->code_len, true) : V_NULL;
        if (ready != V_NULL || vm->exc != V_NULL)
            return ready;
        return ou_compile(vm, z->source, z->source_len, filename, "exec", 0);
    }
    size_t n, cap;
    char *src = read_file(vm, as_str(filename)->data, &n, &cap);
    if (!src)
        return vm->exc != V_NULL ? V_NULL : ou_raise_errno(vm, errno, filename);
    Value code = ou_compile(vm, src, n, filename, "exec", 0);
    ou_free(&vm->heap, src, cap);
    return code;
}
