/* Getting at the bytes of any bytes-like object, and making bytes and bytearrays from C.
 * Entry points: ou_buffer_get, ou_buffer_release, ou_bytes_new, ou_bytearray_new. The one thing to know: a Buffer counts as an
 * export of a bytearray or memoryview; each get needs its release. */
#include "runtime/base/utf8.h"
#include "runtime/objects/bytesimpl.h"

#define BYTES_MAX (UINT32_MAX - 4096u)

bool ou_is_bytes(VM *vm, Value v) { return is_exact(v, T_BYTES) || (is_obj(v) && ou_type_of(vm, v)->struct_id == T_BYTES); }

bool ou_is_bytearray(VM *vm, Value v)
{
    return is_exact(v, T_BYTEARRAY) || (is_obj(v) && ou_type_of(vm, v)->struct_id == T_BYTEARRAY);
}

View ou_bytes_view(VM *vm, Value v)
{
    if (ou_is_bytes(vm, v))
        return (View){(const char *)as_bytes(v)->data, as_bytes(v)->n};
    ByteArray *b = (ByteArray *)v_obj(v);
    return (View){b->data ? (const char *)b->data : "", b->n};
}

Value ou_bytes_new(VM *vm, const void *p, size_t n)
{
    if (n == 0 && vm->empty_bytes != V_NULL)
        return retain(vm->empty_bytes);
    /* The same block as ou_new would make: no tail, no GcHead (ORDER: bytes block). */
    Bytes *b = n > BYTES_MAX ? NULL : ou_alloc(&vm->heap, sizeof(Bytes) + n + 1);
    if (!b)
        return ou_raise_memory(vm);
    b->h.refs = 1;
    b->h.shape = T_BYTES;
    b->n = (uint32_t)n;
    b->hashed = false;
    b->hash = 0;
    if (p)
        memcpy(b->data, p, n);
    b->data[n] = 0;
    vm->objects_alive++;
    return v_of(b);
}

Value ou_bytearray_new(VM *vm, const void *p, size_t n)
{
    ByteArray *b = ou_new(vm, vm->types[T_BYTEARRAY], 0);
    if (!b)
        return V_NULL;
    if (!ou_bytearray_resize(vm, b, n)) {
        obj_release(vm, b);
        return V_NULL;
    }
    if (p && n)
        memcpy(b->data, p, n);
    return v_of(b);
}

Value ou_bytes_like(VM *vm, Value self, const void *p, size_t n)
{
    return ou_is_bytes(vm, self) ? ou_bytes_new(vm, p, n) : ou_bytearray_new(vm, p, n);
}

bool ou_buffer_get(VM *vm, Value v, Buffer *out, bool writable)
{
    Type *t = ou_type_of(vm, v);
    if (!t->slots.buffer) {
        ou_raise(vm, E_TYPE, writable ? "a read-write bytes-like object is required, not '%T'"
                                      : "a bytes-like object is required, not '%T'", v);
        return false;
    }
    memset(out, 0, sizeof *out);
    out->format = "B";
    out->itemsize = 1;
    out->ndim = 1;
    if (!t->slots.buffer(vm, v, out, writable))
        return false;
    if (writable && out->readonly) {
        ou_buffer_release(vm, out);
        ou_raise(vm, E_TYPE, "a read-write bytes-like object is required, not '%T'", v);
        return false;
    }
    return true;
}

void ou_buffer_release(VM *vm, Buffer *b)
{
    Value owner = b->owner;
    if (owner == V_NULL)
        return;
    b->owner = V_NULL;
    if (ou_is_bytearray(vm, owner))
        ((ByteArray *)v_obj(owner))->exports--;
    else if (is_exact(owner, T_MEMORYVIEW))
        ((MemoryView *)v_obj(owner))->exports--;
    release(vm, owner);
}

int64_t ou_hash_bytes(VM *vm, const void *p, size_t n)
{
    int64_t h = n ? (int64_t)ou_mem_hash(p, n, vm->seed) : 0;
    return h == -1 ? -2 : h;
}

bool ou_byte_arg(VM *vm, Value v, uint8_t *out, const char *range_msg)
{
    int64_t i;
    if (is_small(v)) {
        i = v_small(v);
    } else {
        Value index = ou_index(vm, v);
        if (index == V_NULL)
            return false;
        if (!ou_int_fits_i64(vm, index, &i))
            i = -1;
        release(vm, index);
    }
    if (i < 0 || i > 255) {
        ou_raise(vm, E_VALUE, "%s", range_msg);
        return false;
    }
    *out = (uint8_t)i;
    return true;
}

/* ---- bytes(x) ------------------------------------------------------------------------------------------------------------------ */

Value ou_bytes_from_iterable(VM *vm, Value o, const char *range_msg)
{
    Value it = ou_iter(vm, o);
    if (it == V_NULL)
        return V_NULL;
    StrBuf b; /* holds raw bytes */
    ou_sb_init(&b, vm);
    Value v;
    while ((v = ou_next(vm, it)) != V_NULL) {
        uint8_t c;
        bool ok = ou_byte_arg(vm, v, &c, range_msg);
        release(vm, v);
        if (!ok)
            break;
        ou_sb_putc(&b, (char)c);
    }
    release(vm, it);
    Value r = vm->exc == V_NULL ? ou_bytes_new(vm, b.p, b.n) : V_NULL;
    ou_sb_drop(&b);
    return r;
}

static Value from_object(VM *vm, const char *kind, Value o)
{
    bool is_bytes_type = strcmp(kind, "bytes") == 0;
    if (is_bytes_type) {
        Value m = ou_is_bytes(vm, o) && is_exact(o, T_BYTES) ? V_NULL : ou_lookup_special(vm, o, name_of(vm, N_DU_bytes));
        if (m == V_NULL && vm->exc != V_NULL)
            return V_NULL;
        if (m != V_NULL) {
            Value r = ou_call0(vm, m);
            release(vm, m);
            if (r != V_NULL && !ou_is_bytes(vm, r)) {
                ou_raise(vm, E_TYPE, "__bytes__ returned non-bytes (type %T)", r);
                release(vm, r);
                return V_NULL;
            }
            return r;
        }
    }
    if (is_exact(o, T_BYTES))
        return retain(o);
    if (ou_is_a(vm, o, T_STR))
        return ou_raise(vm, E_TYPE, "string argument without an encoding");
    Type *t = ou_type_of(vm, o);
    if (is_bool(o) || t->slots.to_index) {
        Value index = ou_index(vm, o);
        int64_t n;
        if (index == V_NULL && !ou_exc_matches(vm, E_TYPE))
            return V_NULL;
        if (index == V_NULL) { /* no number after all */
            ou_exc_clear(vm);
            goto no_count;
        }
        bool fits = ou_int_fits_i64(vm, index, &n);
        release(vm, index);
        if (!fits)
            return ou_raise(vm, E_OVERFLOW, "cannot fit '%T' into an index-sized integer", o);
        if (n < 0)
            return ou_raise(vm, E_VALUE, "negative count");
        Value r = ou_bytes_new(vm, NULL, (size_t)n);
        if (r != V_NULL)
            memset(as_bytes(r)->data, 0, (size_t)n);
        return r;
    }
no_count:
    if (t->slots.buffer) {
        Buffer b;
        if (!ou_buffer_get(vm, o, &b, false))
            return V_NULL;
        Value r = ou_bytes_new(vm, b.p, (size_t)b.n);
        ou_buffer_release(vm, &b);
        return r;
    }
    if (t->slots.iter || t->slots.getitem)
        return ou_bytes_from_iterable(vm, o, is_bytes_type ? "bytes must be in range(0, 256)" : "byte must be in range(0, 256)");
    return ou_raise(vm, E_TYPE, "cannot convert '%T' object to %s", o, kind);
}

Value ou_bytes_from_source(VM *vm, const char *kind, const Value *args, int n, Tuple *kwnames)
{
    Value a[3] = {V_NULL, V_NULL, V_NULL};
    if (n == 1 && !kwnames) {
        a[0] = args[0];
    } else {
        int given = n + (kwnames ? (int)kwnames->n : 0);
        if (given > 3)
            return ou_raise(vm, E_TYPE, "%s() takes at most 3 arguments (%d given)", kind, given);
        const char *sig = kind[4] == 's' ? "bytes(source=b'', encoding='utf-8', errors='strict')"
                                         : "bytearray(source=b'', encoding='utf-8', errors='strict')";
        if (given && !ou_bind(vm, sig, args, n, kwnames, a))
            return V_NULL;
    }
    for (int i = 1; i < 3; i++)
        if (a[i] != V_NULL && !str_like(vm, a[i]))
            return ou_raise(vm, E_TYPE, "%s() argument '%s' must be str, not %s", kind, i == 1 ? "encoding" : "errors", arg_type_name(vm, a[i]));
    if (a[1] != V_NULL || a[2] != V_NULL) {
        if (a[0] == V_NULL || !str_like(vm, a[0]))
            return ou_raise(vm, E_TYPE, a[1] != V_NULL ? "encoding without a string argument" : "errors without a string argument");
        if (a[1] == V_NULL)
            return ou_raise(vm, E_TYPE, "string argument without an encoding");
        return ou_str_encode(vm, a[0], as_str(a[1])->data, a[2] == V_NULL ? NULL : as_str(a[2])->data);
    }
    return a[0] == V_NULL ? ou_bytes_new(vm, "", 0) : from_object(vm, kind, a[0]);
}

/* ---- text ---------------------------------------------------------------------------------------------------------------------------- */

Value ou_bytes_repr(VM *vm, View v, const char *before, const char *after)
{
    bool single = memchr(v.p, '\'', v.n) != NULL, dbl = memchr(v.p, '"', v.n) != NULL;
    char quote = single && !dbl ? '"' : '\'';
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, before);
    ou_sb_putc(&b, 'b');
    ou_sb_putc(&b, quote);
    for (size_t i = 0; i < v.n && !b.failed; i++) {
        uint8_t c = (uint8_t)v.p[i];
        if (c == '\\' || c == (uint8_t)quote || (c == '\'' && *before)) /* bytearray escapes it always */
            ou_sb_printf(&b, "\\%c", c);
        else if (c == '\n')
            ou_sb_puts(&b, "\\n");
        else if (c == '\r')
            ou_sb_puts(&b, "\\r");
        else if (c == '\t')
            ou_sb_puts(&b, "\\t");
        else if (c < 0x20 || c >= 0x7F)
            ou_sb_printf(&b, "\\x%02x", c);
        else
            ou_sb_putc(&b, (char)c);
    }
    ou_sb_putc(&b, quote);
    ou_sb_puts(&b, after);
    return ou_sb_finish(&b);
}

Value ou_bytes_hex(VM *vm, const uint8_t *p, size_t n, Value sep, Value group)
{
    static const char digits[] = "0123456789abcdef";
    int64_t every = 1;
    char mark = 0;
    if (!ou_arg_int(vm, group, 1, &every))
        return V_NULL;
    if (sep != V_NULL) {
        int64_t len = ou_len(vm, sep);
        if (len < 0)
            return V_NULL;
        if (len != 1)
            return ou_raise(vm, E_VALUE, "sep must be length 1.");
        if (str_like(vm, sep)) {
            if (!str_is_ascii(as_str(sep)))
                return ou_raise(vm, E_VALUE, "sep must be ASCII.");
            mark = as_str(sep)->data[0];
        } else if (ou_is_bytes(vm, sep)) {
            mark = (char)as_bytes(sep)->data[0];
        } else {
            return ou_raise(vm, E_TYPE, "sep must be str or bytes.");
        }
        if ((uint8_t)mark >= 128)
            return ou_raise(vm, E_VALUE, "sep must be ASCII.");
    }
    size_t step = every < 0 ? (size_t)0 - (size_t)every : (size_t)every;
    bool marked = sep != V_NULL && step && n;
    size_t marks = marked ? (n - 1) / step : 0;
    char *d;
    if (n > UINT32_MAX / 4)
        return ou_raise_memory(vm);
    Value r = ou_str_ascii(vm, n * 2 + marks, &d);
    if (r == V_NULL)
        return V_NULL;
    for (size_t i = 0; i < n; i++) {
        size_t left = n - i; /* groups are counted from the right for positive sizes */
        if (marked && i && (every > 0 ? left % step == 0 : i % step == 0))
            *d++ = mark;
        *d++ = digits[p[i] >> 4];
        *d++ = digits[p[i] & 15];
    }
    return r;
}
