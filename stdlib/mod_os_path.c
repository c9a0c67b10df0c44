/* _os: paths as text, what os.path has in C (_path_normpath, _path_splitroot_ex), and pathlib's pieces. The file system is not asked. */
#include "runtime/objects/bytes.h"
#include "stdlib/os_impl.h"

typedef struct PathText {
    Value own;
    const char *p;
    size_t n;
    bool is_bytes;
} PathText;

static bool text_get(VM *vm, Value v, const char *what, PathText *out)
{
    if (!is_str(v) && !ou_is_a(vm, v, T_STR) && !ou_is_a(vm, v, T_BYTES) &&
        ou_type_lookup(vm, ou_type_of(vm, v), name_of(vm, N_DU_fspath)) == V_NULL)
        return ou_raise(vm, E_TYPE, "%s: path should be string, bytes or os.PathLike, not %T", what, v) != V_NULL;
    out->own = ou_fspath(vm, v);
    if (out->own == V_NULL)
        return false;
    out->is_bytes = ou_is_a(vm, out->own, T_BYTES);
    out->p = out->is_bytes ? (const char *)as_bytes(out->own)->data : as_str(out->own)->data;
    out->n = out->is_bytes ? as_bytes(out->own)->n : as_str(out->own)->size;
    return true;
}
static Value text_new(VM *vm, const PathText *like, const char *p, size_t n)
{
    return like->is_bytes ? ou_bytes_new(vm, p, n) : ou_str_new(vm, p, n);
}

static size_t root_length(const char *p, size_t n)
{
    size_t k = 0;
    while (k < n && k < 3 && p[k] == '/')
        k++;
    return k == 3 ? 1 : k;
}

/* Writes the normal form of p to d, which has room for n + 1 bytes; its length. */
static size_t normalise(const char *p, size_t n, char *d)
{
    size_t root = root_length(p, n), k = root, floor = root; /* .. takes nothing back in front of floor */
    memcpy(d, p, root);
    for (size_t i = root; i < n;) {
        const char *slash = memchr(p + i, '/', n - i);
        size_t len = slash ? (size_t)(slash - p) - i : n - i;
        const char *name = p + i;
        i += len + 1;
        if (len == 0 || (len == 1 && name[0] == '.'))
            continue;
        bool up = len == 2 && name[0] == '.' && name[1] == '.';
        if (up && k > floor) {
            while (k > floor && d[k - 1] != '/')
                k--;
            k -= k > floor;
            continue;
        }
        if (up && root)
            continue;
        if (k > root)
            d[k++] = '/';
        memmove(d + k, name, len);
        k += len;
        if (up)
            floor = k;
    }
    if (k == 0)
        d[k++] = '.';
    return k;
}

static Value normpath(VM *vm, const Value *args, int n)
{
    (void)n;
    PathText t;
    if (!text_get(vm, args[0], "_path_normpath", &t))
        return V_NULL;
    StrBuf b;
    ou_sb_init(&b, vm);
    char *d = ou_sb_room(&b, t.n + 1);
    Value r = d ? text_new(vm, &t, d, normalise(t.p, t.n, d)) : V_NULL;
    ou_sb_drop(&b);
    release(vm, t.own);
    return r;
}

/* The root and the list of names, empty ones and dots left out, of a path that is a str: pathlib's. */
static Value path_parts(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "_path_parts() argument must be str, not %T", args[0]);
    const Str *s = as_str(args[0]);
    const char *p = s->data;
    size_t root = root_length(p, s->size);
    Value parts[2] = {ou_str_new(vm, p, root), ou_list_new(vm, 0)};
    bool ok = parts[0] != V_NULL && parts[1] != V_NULL;
    for (size_t i = root; ok && i < s->size;) {
        const char *slash = memchr(p + i, '/', s->size - i);
        size_t len = slash ? (size_t)(slash - p) - i : s->size - i;
        if (len && (len > 1 || p[i] != '.')) {
            Value name = ou_str_new(vm, p + i, len);
            ok = name != V_NULL && ou_list_append_take(vm, as_list(parts[1]), name);
        }
        i += len + 1;
    }
    if (ok)
        return ou_tuple_take(vm, parts, 2);
    xrelease(vm, parts[0]);
    xrelease(vm, parts[1]);
    return V_NULL;
}

static Value splitroot(VM *vm, const Value *args, int n)
{
    (void)n;
    PathText t;
    if (!text_get(vm, args[0], "_path_splitroot_ex", &t))
        return V_NULL;
    size_t root = root_length(t.p, t.n);
    Value parts[3] = {text_new(vm, &t, t.p, 0), text_new(vm, &t, t.p, root), text_new(vm, &t, t.p + root, t.n - root)};
    release(vm, t.own);
    if (parts[0] != V_NULL && parts[1] != V_NULL && parts[2] != V_NULL)
        return ou_tuple_take(vm, parts, 3);
    for (int i = 0; i < 3; i++)
        xrelease(vm, parts[i]);
    return V_NULL;
}

const NativeDef ou_os_paths[] = {
    {"_path_normpath(path)", normpath, "Normalize path, eliminating double slashes, etc.", 0},
    {"_path_parts(path, /)", path_parts, NULL, 0},
    {"_path_splitroot_ex(path)", splitroot, "Split a pathname into drive, root and tail.", 0},
    {0},
};
