/* `marshal`: values as bytes and back, for data that this build itself reads again (code objects are good within one build only).
 * One letter says the type, numbers are little-endian. The one thing to know: loads() gets bytes from anywhere, so every length
 * is checked against what is left, and nesting is bounded. */
#include "runtime/objects/bytes.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

enum { DEPTH_MAX = 1000, VERSION = 4 };

/* ---- out ------------------------------------------------------------------------------------------------------------------ */

typedef struct Writer {
    VM *vm;
    uint8_t *p;
    size_t n, cap;
} Writer;

static bool put(Writer *w, const void *p, size_t n)
{
    if (w->cap - w->n < n) {
        size_t cap = w->cap ? w->cap * 2 : 256;
        while (cap - w->n < n)
            cap *= 2;
        uint8_t *q = ou_realloc(&w->vm->heap, w->p, w->cap, cap);
        if (!q) {
            ou_raise_memory(w->vm);
            return false;
        }
        w->p = q;
        w->cap = cap;
    }
    memcpy(w->p + w->n, p, n);
    w->n += n;
    return true;
}

static bool put_tag(Writer *w, char tag) { return put(w, &tag, 1); }
static bool put_size(Writer *w, size_t n)
{
    uint64_t u = n;
    return put(w, &u, 8);
}
static bool put_block(Writer *w, char tag, const void *p, size_t n) { return put_tag(w, tag) && put_size(w, n) && put(w, p, n); }

static bool put_value(Writer *w, Value v, int depth);

static bool put_items(Writer *w, char tag, const Value *items, size_t n, int depth)
{
    bool ok = put_tag(w, tag) && put_size(w, n);
    for (size_t i = 0; ok && i < n; i++)
        ok = put_value(w, items[i], depth + 1);
    return ok;
}

static bool put_int(Writer *w, Value v)
{
    int64_t i;
    VM *vm = w->vm;
    if (ou_int_fits_i64(vm, v, &i))
        return put_tag(w, 'i') && put(w, &i, 8);
    size_t n = (size_t)ou_int_bit_length(vm, v) / 8 + 1;
    uint8_t *p = ou_alloc(&vm->heap, n);
    if (!p)
        return ou_raise_memory(vm), false;
    bool ok = ou_int_to_bytes(vm, v, p, n, true, true) && put_block(w, 'l', p, n);
    ou_free(&vm->heap, p, n);
    return ok;
}

static bool put_value(Writer *w, Value v, int depth)
{
    VM *vm = w->vm;
    if (depth > DEPTH_MAX) {
        ou_raise(vm, E_VALUE, "object too deeply nested to marshal");
        return false;
    }
    if (v == V_NONE || v == V_TRUE || v == V_FALSE || v == V_ELLIPSIS)
        return put_tag(w, v == V_NONE ? 'N' : v == V_TRUE ? 'T' : v == V_FALSE ? 'F' : '.');
    if (is_int(v))
        return put_int(w, v);
    if (is_float(v)) {
        double d = v_double(v);
        return put_tag(w, 'g') && put(w, &d, 8);
    }
    if (is_exact(v, T_COMPLEX)) {
        double d[2] = {((Complex *)v_obj(v))->re, ((Complex *)v_obj(v))->im};
        return put_tag(w, 'y') && put(w, d, 16);
    }
    if (is_str(v))
        return put_block(w, 'u', as_str(v)->data, as_str(v)->size);
    if (is_exact(v, T_BYTES))
        return put_block(w, 's', as_bytes(v)->data, as_bytes(v)->n);
    if (is_exact(v, T_TUPLE))
        return put_items(w, '(', as_tuple(v)->items, as_tuple(v)->n, depth);
    if (is_exact(v, T_LIST))
        return put_items(w, '[', as_list(v)->items, as_list(v)->n, depth);
    if (is_exact(v, T_DICT)) {
        Dict *d = as_dict(v);
        uint32_t pos = 0;
        Value key, x;
        bool ok = put_tag(w, '{') && put_size(w, d->n);
        while (ok && ou_dict_next(d, &pos, &key, &x))
            ok = put_value(w, key, depth + 1) && put_value(w, x, depth + 1);
        return ok;
    }
    if (is_exact(v, T_SET) || is_exact(v, T_FROZENSET)) {
        uint32_t pos = 0;
        Value key;
        bool ok = put_tag(w, is_exact(v, T_SET) ? '<' : '>') && put_size(w, as_set(v)->n);
        while (ok && ou_set_next(as_set(v), &pos, &key))
            ok = put_value(w, key, depth + 1);
        return ok;
    }
    if (is_exact(v, T_CODE)) {
        Value b = ou_code_dump(vm, as_code(v));
        bool ok = b != V_NULL && put_block(w, 'c', as_bytes(b)->data, as_bytes(b)->n);
        xrelease(vm, b);
        return ok;
    }
    if (is_obj(v) && ou_type_of(vm, v)->slots.buffer) {
        Buffer b;
        if (!ou_buffer_get(vm, v, &b, false))
            return false;
        bool ok = put_block(w, 's', b.p, (size_t)b.n);
        ou_buffer_release(vm, &b);
        return ok;
    }
    ou_raise(vm, E_VALUE, "unmarshallable object");
    return false;
}

static Value dumps(VM *vm, Value v)
{
    Writer w = {vm, NULL, 0, 0};
    Value r = put_value(&w, v, 0) ? ou_bytes_new(vm, w.p, w.n) : V_NULL;
    ou_free(&vm->heap, w.p, w.cap);
    return r;
}

/* ---- in -------------------------------------------------------------------------------------------------------------------- */

typedef struct Reader {
    VM *vm;
    const uint8_t *p, *end;
} Reader;

static Value short_data(Reader *r) { return ou_raise(r->vm, E_EOF, "marshal data too short"); }
static Value bad_data(Reader *r, const char *why) { return ou_raise(r->vm, E_VALUE, "bad marshal data (%s)", why); }

static bool get(Reader *r, void *out, size_t n)
{
    if ((size_t)(r->end - r->p) < n)
        return short_data(r), false;
    memcpy(out, r->p, n);
    r->p += n;
    return true;
}

/* A number of bytes or of items, each of which takes at least one byte. */
static bool get_size(Reader *r, size_t *n)
{
    uint64_t u;
    if (!get(r, &u, 8))
        return false;
    if (u > (uint64_t)(r->end - r->p))
        return short_data(r), false;
    *n = (size_t)u;
    return true;
}

static Value get_value(Reader *r, int depth);

static Value get_list(Reader *r, int depth)
{
    size_t n;
    if (!get_size(r, &n))
        return V_NULL;
    Value list = ou_list_new(r->vm, n);
    for (size_t i = 0; list != V_NULL && i < n; i++) {
        Value v = get_value(r, depth + 1);
        if (v == V_NULL || !ou_list_append_take(r->vm, as_list(list), v)) {
            release(r->vm, list);
            return V_NULL;
        }
    }
    return list;
}

static Value get_dict(Reader *r, int depth)
{
    size_t n;
    if (!get_size(r, &n))
        return V_NULL;
    Value d = ou_dict_new(r->vm);
    for (size_t i = 0; d != V_NULL && i < n; i++) {
        Value key = get_value(r, depth + 1), v = key == V_NULL ? V_NULL : get_value(r, depth + 1);
        bool ok = v != V_NULL && ou_dict_set(r->vm, as_dict(d), key, v);
        xrelease(r->vm, key);
        xrelease(r->vm, v);
        if (!ok) {
            release(r->vm, d);
            return V_NULL;
        }
    }
    return d;
}

static Value get_block(Reader *r, char tag)
{
    VM *vm = r->vm;
    size_t n;
    if (!get_size(r, &n))
        return V_NULL;
    const uint8_t *p = r->p;
    r->p += n;
    if (tag == 'l')
        return ou_int_from_bytes(vm, p, n, true, true);
    if (tag == 's')
        return ou_bytes_new(vm, p, n);
    if (tag == 'c') {
        Value c = ou_code_load(vm, p, n, false);
        return c != V_NULL || vm->exc != V_NULL ? c : bad_data(r, "code of another build");
    }
    return ou_str_decode(vm, (const char *)p, n, "utf-8", "surrogatepass");
}

static Value get_value(Reader *r, int depth)
{
    VM *vm = r->vm;
    char tag;
    int64_t i;
    double d[2];
    if (depth > DEPTH_MAX)
        return ou_raise(vm, E_VALUE, "recursion limit exceeded");
    if (r->p == r->end)
        return ou_raise(vm, E_EOF, "EOF read where object expected");
    tag = (char)*r->p++;
    switch (tag) {
    case 'N': return V_NONE;
    case 'T': return V_TRUE;
    case 'F': return V_FALSE;
    case '.': return V_ELLIPSIS;
    case 'i': return get(r, &i, 8) ? ou_int(vm, i) : V_NULL;
    case 'g': return get(r, d, 8) ? v_float(d[0]) : V_NULL;
    case 'y': return get(r, d, 16) ? ou_complex(vm, d[0], d[1]) : V_NULL;
    case 'l':
    case 's':
    case 'u':
    case 'c': return get_block(r, tag);
    case '[': return get_list(r, depth);
    case '{': return get_dict(r, depth);
    case '(':
    case '<':
    case '>': {
        Value list = get_list(r, depth);
        Value v = list == V_NULL ? V_NULL
                  : tag == '('   ? ou_tuple_from(vm, list)
                                 : ou_set_from(vm, tag == '<' ? T_SET : T_FROZENSET, list);
        xrelease(vm, list);
        return v;
    }
    default: return bad_data(r, "unknown type code");
    }
}

static Value loads(VM *vm, Value v)
{
    Buffer b;
    if (!ou_buffer_get(vm, v, &b, false))
        return V_NULL;
    Reader r = {vm, b.p, b.p + b.n};
    Value x = get_value(&r, 0);
    ou_buffer_release(vm, &b);
    return x;
}

/* ---- the module ----------------------------------------------------------------------------------------------------------------- */

static Value marshal_dumps(VM *vm, const Value *args, int n) { return (void)n, dumps(vm, args[0]); }
static Value marshal_loads(VM *vm, const Value *args, int n) { return (void)n, loads(vm, args[0]); }

static Value marshal_dump(VM *vm, const Value *args, int n)
{
    (void)n;
    Value b = dumps(vm, args[0]);
    if (b == V_NULL)
        return V_NULL;
    Value r = ou_call_method(vm, args[1], name_of(vm, N_write), &b, 1, NULL);
    release(vm, b);
    return r;
}

static Value marshal_load(VM *vm, const Value *args, int n)
{
    (void)n;
    Value b = ou_call_method(vm, args[0], name_of(vm, N_read), NULL, 0, NULL);
    if (b == V_NULL)
        return V_NULL;
    Value r = loads(vm, b);
    release(vm, b);
    return r;
}

static const NativeDef functions[] = {
    {"dumps(value, version=4, /, *, allow_code=True)", marshal_dumps, "The bytes that loads() makes the value of.", 0},
    {"loads(bytes, /, *, allow_code=True)", marshal_loads, "The value that dumps() wrote.", 0},
    {"dump(value, file, version=4, /, *, allow_code=True)", marshal_dump, "Write the value to a binary file.", 0},
    {"load(file, /, *, allow_code=True)", marshal_load, "Read a value from a binary file.", 0},
    {0},
};

bool ou_mod_marshal(VM *vm, Module *m) { return ou_module_add(vm, m, functions) && ou_module_int(vm, m, "version", VERSION); }
