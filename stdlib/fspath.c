/* Paths from scripts to the system and back; see fspath.h. */
#include "stdlib/fspath.h"

#include "runtime/objects/bytes.h"
#include "vm/call.h"

Value ou_fs_decode(VM *vm, const char *p, size_t n) { return ou_str_decode(vm, p, n, "utf-8", "surrogateescape"); }

Value ou_fspath(VM *vm, Value v)
{
    if (ou_is_a(vm, v, T_STR) || ou_is_a(vm, v, T_BYTES))
        return retain(v);
    Value f = ou_lookup_special(vm, v, name_of(vm, N_DU_fspath));
    if (f == V_NULL || f == V_NONE)
        return vm->exc != V_NULL ? V_NULL : ou_raise(vm, E_TYPE, "expected str, bytes or os.PathLike object, not %T", v);
    Value r = ou_call0(vm, f);
    release(vm, f);
    if (r == V_NULL || ou_is_a(vm, r, T_STR) || ou_is_a(vm, r, T_BYTES))
        return r;
    ou_raise(vm, E_TYPE, "expected %T.__fspath__() to return str or bytes, not %T", v, r);
    release(vm, r);
    return V_NULL;
}

bool ou_fspath_get(VM *vm, Value v, const char *what, FsPath *out)
{
    Value path;
    if (what && !ou_is_a(vm, v, T_STR) && !ou_is_a(vm, v, T_BYTES) &&
        ou_type_lookup(vm, ou_type_of(vm, v), name_of(vm, N_DU_fspath)) == V_NULL) {
        ou_raise(vm, E_TYPE, "%s: path should be string, bytes or os.PathLike, not %T", what, v);
        return false;
    }
    path = ou_fspath(vm, v);
    if (path == V_NULL)
        return false;
    out->is_bytes = ou_is_a(vm, path, T_BYTES);
    if (!out->is_bytes && !str_is_ascii(as_str(path))) {
        Value bytes = ou_str_encode(vm, path, "utf-8", "surrogateescape");
        release(vm, path);
        if (bytes == V_NULL)
            return false;
        path = bytes;
        out->p = (const char *)as_bytes(path)->data;
        out->own = path;
        if (strlen(out->p) == as_bytes(path)->n)
            return true;
    } else {
        out->p = out->is_bytes ? (const char *)as_bytes(path)->data : as_str(path)->data;
        out->own = path;
        if (strlen(out->p) == (out->is_bytes ? as_bytes(path)->n : as_str(path)->size))
            return true;
    }
    release(vm, path);
    if (what)
        ou_raise(vm, E_VALUE, "%s: embedded null %s in path", what, out->is_bytes ? "byte" : "character");
    else
        ou_raise(vm, E_VALUE, "embedded null byte");
    return false;
}

void ou_fspath_done(VM *vm, FsPath *p) { release(vm, p->own); }

Value ou_fs_name(VM *vm, const FsPath *like, const char *p)
{
    size_t n = strlen(p);
    return like->is_bytes ? ou_bytes_new(vm, p, n) : ou_fs_decode(vm, p, n);
}
