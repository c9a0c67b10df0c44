/* The methods and operators that bytes and bytearray share: those that build something new, hexadecimal and decoded text, slots.
 * Searching and splitting are in bytes_search.c, letters in bytes_case.c.
 * Entry points: ou_bym_... and ou_by_... of bytesimpl.h. The one thing to know: arguments are turned into buffers before the
 * receiver's bytes are looked at, because doing so may run script code that changes a bytearray. */
#include "runtime/objects/bytesimpl.h"

#include "runtime/base/utf8.h"

/* ---- building --------------------------------------------------------------------------------------------------------------------------- */

/* The result of a builder that holds raw bytes. */
static Value finish(StrBuf *b, Value self, bool ok)
{
    Value r = ok && !b->failed ? ou_bytes_like(b->vm, self, b->p, b->n) : V_NULL;
    ou_sb_drop(b);
    return r;
}

Value ou_bym_join(VM *vm, const Value *args, int n)
{
    (void)n;
    size_t count;
    Value own = V_NULL;
    const Value *items = ou_seq_items(vm, args[1], &count, &own, "can only join an iterable");
    if (!items)
        return V_NULL;
    StrBuf b;
    ou_sb_init(&b, vm);
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        ByteSub s;
        if (!is_exact(items[i], T_BYTES) && !ou_type_of(vm, items[i])->slots.buffer) {
            ou_raise(vm, E_TYPE, "sequence item %zu: expected a bytes-like object, %T found", i, items[i]);
            ok = false;
            break;
        }
        if (i) {
            View sep = ou_bytes_view(vm, args[0]);
            ou_sb_put(&b, sep.p, sep.n);
        }
        if (is_exact(items[i], T_BYTES)) {
            ou_sb_put(&b, (const char *)as_bytes(items[i])->data, as_bytes(items[i])->n);
            continue;
        }
        ok = ou_by_plain_get(vm, items[i], &s);
        if (ok) {
            ou_sb_put(&b, s.p, s.n);
            ou_buffer_release(vm, &s.b);
        }
    }
    Value r = finish(&b, args[0], ok);
    xrelease(vm, own);
    return r;
}

Value ou_bym_replace(VM *vm, const Value *args, int n)
{
    int64_t count = -1;
    ByteSub from, to;
    if (!ou_by_plain_get(vm, args[1], &from))
        return V_NULL;
    if (!ou_by_plain_get(vm, args[2], &to)) {
        ou_buffer_release(vm, &from.b);
        return V_NULL;
    }
    if (n > 3 && !ou_index_i64(vm, args[3], &count)) {
        ou_buffer_release(vm, &from.b);
        ou_buffer_release(vm, &to.b);
        return V_NULL;
    }
    View v = ou_bytes_view(vm, args[0]);
    StrBuf b;
    ou_sb_init(&b, vm);
    size_t i = 0;
    while (count != 0) {
        if (from.n == 0) {
            ou_sb_put(&b, to.p, to.n);
            if (i == v.n)
                break;
            ou_sb_putc(&b, v.p[i++]);
        } else {
            const char *q = ou_mem_find(v.p + i, v.n - i, from.p, from.n);
            if (!q)
                break;
            size_t at = (size_t)(q - v.p);
            ou_sb_put(&b, v.p + i, at - i);
            ou_sb_put(&b, to.p, to.n);
            i = at + from.n;
        }
        if (b.failed)
            break;
        count--;
    }
    ou_sb_put(&b, v.p + i, v.n - i);
    Value r = finish(&b, args[0], true);
    ou_buffer_release(vm, &from.b);
    ou_buffer_release(vm, &to.b);
    return r;
}

Value ou_bym_translate(VM *vm, const Value *args, int n)
{
    (void)n;
    ByteSub table = {.b.owner = V_NULL}, del = {.b.owner = V_NULL, .n = 0};
    bool mapped = args[1] != V_NONE;
    if (mapped && !ou_by_plain_get(vm, args[1], &table))
        return V_NULL;
    Value r = V_NULL;
    if (mapped && table.n != 256) {
        ou_raise(vm, E_VALUE, "translation table must be 256 characters long");
    } else if (args[2] == V_NULL || ou_by_plain_get(vm, args[2], &del)) {
        bool drop[256] = {false};
        for (size_t i = 0; i < del.n; i++)
            drop[(uint8_t)del.p[i]] = true;
        View v = ou_bytes_view(vm, args[0]);
        StrBuf b;
        ou_sb_init(&b, vm);
        char *d = v.n ? ou_sb_room(&b, v.n) : b.p;
        if (d) {
            for (size_t i = 0; i < v.n; i++) {
                uint8_t c = (uint8_t)v.p[i];
                if (!drop[c])
                    b.p[b.n++] = mapped ? table.p[c] : (char)c;
            }
        }
        r = finish(&b, args[0], true);
    }
    ou_buffer_release(vm, &table.b);
    ou_buffer_release(vm, &del.b);
    return r;
}

Value ou_bym_maketrans(VM *vm, const Value *args, int n)
{
    (void)n;
    ByteSub from, to;
    if (!ou_by_plain_get(vm, args[0], &from))
        return V_NULL;
    if (!ou_by_plain_get(vm, args[1], &to)) {
        ou_buffer_release(vm, &from.b);
        return V_NULL;
    }
    Value r = V_NULL;
    if (from.n != to.n) {
        ou_raise(vm, E_VALUE, "maketrans arguments must have same length");
    } else if ((r = ou_bytes_new(vm, NULL, 256)) != V_NULL) {
        for (int i = 0; i < 256; i++)
            as_bytes(r)->data[i] = (uint8_t)i;
        for (size_t i = 0; i < from.n; i++)
            as_bytes(r)->data[(uint8_t)from.p[i]] = (uint8_t)to.p[i];
    }
    ou_buffer_release(vm, &from.b);
    ou_buffer_release(vm, &to.b);
    return r;
}

static Value pad(VM *vm, Value self, int64_t left, int64_t right, char fill)
{
    View v = ou_bytes_view(vm, self);
    left = left < 0 ? 0 : left;
    right = right < 0 ? 0 : right;
    StrBuf b;
    ou_sb_init(&b, vm);
    char *d = (uint64_t)left + (uint64_t)right > UINT32_MAX ? ou_sb_room(&b, SIZE_MAX)
                                                            : ou_sb_room(&b, (size_t)(left + right) + v.n + 1);
    if (d) {
        memset(d, fill, (size_t)left);
        memcpy(d + left, v.p, v.n);
        memset(d + left + v.n, fill, (size_t)right);
        b.n = (size_t)(left + right) + v.n;
    }
    return finish(&b, self, true);
}

static bool pad_args(VM *vm, const char *fname, const Value *args, int n, int64_t *width, char *fill)
{
    *fill = ' ';
    if (!ou_index_i64(vm, args[1], width))
        return false;
    if (n > 2) {
        bool is_one = (ou_is_bytes(vm, args[2]) || ou_is_bytearray(vm, args[2])) && ou_by_len(vm, args[2]) == 1;
        if (!is_one) {
            ou_raise(vm, E_TYPE, "%s() argument 2 must be a byte string of length 1, not %s", fname, arg_type_name(vm, args[2]));
            return false;
        }
        *fill = ou_bytes_view(vm, args[2]).p[0];
    }
    return true;
}

Value ou_bym_center(VM *vm, const Value *args, int n)
{
    int64_t width;
    char fill;
    if (!pad_args(vm, "center", args, n, &width, &fill))
        return V_NULL;
    int64_t extra = width - ou_by_len(vm, args[0]), left = extra / 2 + (extra & width & 1);
    return pad(vm, args[0], extra < 0 ? 0 : left, extra < 0 ? 0 : extra - left, fill);
}

Value ou_bym_ljust(VM *vm, const Value *args, int n)
{
    int64_t width;
    char fill;
    if (!pad_args(vm, "ljust", args, n, &width, &fill))
        return V_NULL;
    return pad(vm, args[0], 0, width < 0 ? 0 : width - ou_by_len(vm, args[0]), fill);
}

Value ou_bym_rjust(VM *vm, const Value *args, int n)
{
    int64_t width;
    char fill;
    if (!pad_args(vm, "rjust", args, n, &width, &fill))
        return V_NULL;
    return pad(vm, args[0], width < 0 ? 0 : width - ou_by_len(vm, args[0]), 0, fill);
}

Value ou_bym_zfill(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t width;
    if (!ou_index_i64(vm, args[1], &width))
        return V_NULL;
    int64_t extra = width < 0 ? 0 : width - ou_by_len(vm, args[0]);
    Value r = pad(vm, args[0], extra, 0, '0');
    if (r == V_NULL || extra <= 0)
        return r;
    char *d = (char *)(uintptr_t)ou_bytes_view(vm, r).p; /* r is new: nobody else sees it yet */
    if (ou_by_len(vm, args[0]) && (d[extra] == '+' || d[extra] == '-')) {
        d[0] = d[extra];
        d[extra] = '0';
    }
    return r;
}

Value ou_bym_expandtabs(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t tab, column = 0;
    if (!ou_arg_int(vm, args[1], 8, &tab))
        return V_NULL;
    View v = ou_bytes_view(vm, args[0]);
    StrBuf b;
    ou_sb_init(&b, vm);
    for (size_t i = 0; i < v.n && !b.failed; i++) {
        char c = v.p[i];
        if (c == '\t') {
            if (tab > 0) {
                int64_t fill = tab - column % tab;
                ou_sb_fill(&b, ' ', (size_t)fill);
                column += fill;
            }
            continue;
        }
        ou_sb_putc(&b, c);
        column = c == '\n' || c == '\r' ? 0 : column + 1;
    }
    return finish(&b, args[0], true);
}

/* ---- text -------------------------------------------------------------------------------------------------------------------------------------- */

Value ou_bym_decode(VM *vm, const Value *args, int n)
{
    (void)n;
    for (int i = 1; i < 3; i++)
        if (args[i] != V_NULL && !str_like(vm, args[i]))
            return ou_raise(vm, E_TYPE, "decode() argument '%s' must be str, not %s", i == 1 ? "encoding" : "errors", arg_type_name(vm, args[i]));
    Buffer b;
    if (!ou_buffer_get(vm, args[0], &b, false))
        return V_NULL;
    Value r = ou_str_decode(vm, (const char *)b.p, (size_t)b.n, args[1] == V_NULL ? "utf-8" : as_str(args[1])->data,
                            args[2] == V_NULL ? NULL : as_str(args[2])->data);
    ou_buffer_release(vm, &b);
    return r;
}

Value ou_bym_hex(VM *vm, const Value *args, int n)
{
    (void)n;
    View v = ou_bytes_view(vm, args[0]);
    return ou_bytes_hex(vm, (const uint8_t *)v.p, v.n, args[1], args[2]);
}

static int hex_value(char c)
{
    if (byte_is_digit((uint8_t)c))
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

Value ou_bym_fromhex(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!str_like(vm, args[1]))
        return ou_raise(vm, E_TYPE, "fromhex() argument must be str, not %s", arg_type_name(vm, args[1]));
    Str *s = as_str(args[1]);
    StrBuf b;
    ou_sb_init(&b, vm);
    const char *p = s->data, *end = p + s->size;
    while (p < end) {
        if (byte_is_space((uint8_t)*p)) {
            p++;
            continue;
        }
        int hi = hex_value(*p), lo = hi < 0 || p + 1 >= end ? -1 : hex_value(p[1]);
        if (lo < 0) {
            const char *at = hi < 0 ? p : p + 1;
            ou_sb_drop(&b);
            return ou_raise(vm, E_VALUE, "non-hexadecimal number found in fromhex() arg at position %ld",
                            (int64_t)ou_utf8_count(s->data, (size_t)(at - s->data)));
        }
        ou_sb_putc(&b, (char)(hi << 4 | lo));
        p += 2;
    }
    Type *cls = (Type *)v_obj(args[0]);
    Value r = b.failed                                              ? V_NULL
              : ou_is_subtype(cls, ou_builtin(vm, T_BYTEARRAY)) ? ou_bytearray_new(vm, b.p, b.n)
                                                                    : ou_bytes_new(vm, b.p, b.n);
    ou_sb_drop(&b);
    if (r == V_NULL || cls->id == T_BYTES || cls->id == T_BYTEARRAY)
        return r;
    Value made = ou_call1(vm, args[0], r);
    release(vm, r);
    return made;
}

/* ---- slots ----------------------------------------------------------------------------------------------------------------------------------------- */

int64_t ou_by_len(VM *vm, Value self) { return (int64_t)ou_bytes_view(vm, self).n; }

Value ou_by_compare(VM *vm, Value a, Value b, CmpOp op)
{
    Buffer x, y;
    /* bytes know bytes only; what else there is compares itself with them. */
    if (!ou_is_bytearray(vm, a) && !ou_is_bytearray(vm, b) && !(ou_is_bytes(vm, a) && ou_is_bytes(vm, b)))
        return V_NOTIMPL;
    if (!ou_type_of(vm, a)->slots.buffer || !ou_type_of(vm, b)->slots.buffer)
        return V_NOTIMPL;
    if (!ou_buffer_get(vm, a, &x, false))
        return V_NULL;
    if (!ou_buffer_get(vm, b, &y, false)) {
        ou_buffer_release(vm, &x);
        return V_NULL;
    }
    int64_t n = x.n < y.n ? x.n : y.n;
    int64_t c = n ? memcmp(x.p, y.p, (size_t)n) : 0;
    if (c == 0)
        c = x.n - y.n;
    ou_buffer_release(vm, &x);
    ou_buffer_release(vm, &y);
    return v_bool(ou_order_holds(c, 0, op));
}

int ou_by_contains(VM *vm, Value self, Value x)
{
    ByteSub s;
    Type *t = ou_type_of(vm, x);
    if (!t->slots.buffer && !t->slots.to_index && !is_bool(x)) {
        ou_raise(vm, E_TYPE, "a bytes-like object is required, not '%T'", x);
        return -1;
    }
    if (!ou_by_sub_get(vm, x, &s)) {
        if (!t->slots.buffer && ou_exc_matches(vm, E_TYPE)) { /* __index__ failed: neither a number nor bytes */
            ou_exc_clear(vm);
            ou_raise(vm, E_TYPE, "a bytes-like object is required, not '%T'", x);
        }
        return -1;
    }
    View v = ou_bytes_view(vm, self);
    int r = ou_mem_find(v.p, v.n, s.p, s.n) != NULL;
    ou_buffer_release(vm, &s.b);
    return r;
}

Value ou_by_add(VM *vm, Value a, Value b)
{
    if (!ou_is_bytes(vm, a) && !ou_is_bytearray(vm, a))
        return V_NOTIMPL;
    if (!ou_type_of(vm, b)->slots.buffer) {
        Value (*f)(VM *, Value, Value) = ou_type_of(vm, b)->slots.binary[BIN_ADD];
        if (f) {
            Value r = f(vm, a, b);
            if (r != V_NOTIMPL)
                return r;
        }
        return ou_raise(vm, E_TYPE, "can't concat %T to %T", b, a);
    }
    ByteSub s;
    if (!ou_by_plain_get(vm, b, &s))
        return V_NULL;
    View v = ou_bytes_view(vm, a);
    Value r = ou_bytes_like(vm, a, NULL, v.n + s.n);
    if (r != V_NULL && v.n + s.n) {
        char *d = (char *)(uintptr_t)ou_bytes_view(vm, r).p;
        memcpy(d, v.p, v.n);
        memcpy(d + v.n, s.p, s.n);
    }
    ou_buffer_release(vm, &s.b);
    return r;
}

Value ou_by_mul(VM *vm, Value a, Value b)
{
    bool swapped = !ou_is_bytes(vm, a) && !ou_is_bytearray(vm, a);
    Value seq = swapped ? b : a, count = swapped ? a : b, other;
    int64_t n;
    int kind = ou_seq_repeat_count(vm, seq, count, a, b, &n, &other);
    if (kind != 1)
        return kind ? other : V_NULL;
    View v = ou_bytes_view(vm, seq);
    if (n == 1 && is_exact(seq, T_BYTES))
        return retain(seq);
    if (v.n && (uint64_t)n > UINT32_MAX / v.n)
        return ou_raise_memory(vm);
    size_t size = v.n * (size_t)n;
    Value r = ou_bytes_like(vm, seq, NULL, size);
    if (r == V_NULL || size == 0)
        return r;
    char *d = (char *)(uintptr_t)ou_bytes_view(vm, r).p;
    memcpy(d, v.p, v.n);
    for (size_t done = v.n; done < size;) {
        size_t k = done < size - done ? done : size - done;
        memcpy(d + done, d, k);
        done += k;
    }
    return r;
}

Value ou_by_mod(VM *vm, Value a, Value b)
{
    if (!ou_is_bytes(vm, a) && !ou_is_bytearray(vm, a))
        return V_NOTIMPL;
    Buffer fmt;
    if (!ou_buffer_get(vm, a, &fmt, false))
        return V_NULL;
    StrBuf out;
    ou_sb_init(&out, vm);
    bool ok = ou_percent(&out, (const char *)fmt.p, (size_t)fmt.n, b, true);
    ou_buffer_release(vm, &fmt);
    return finish(&out, a, ok);
}
