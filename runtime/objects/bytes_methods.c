/* The methods and operators that bytes and bytearray share.
 * Entry points: ou_bym_... and ou_by_... of bytesimpl.h. The one thing to know: arguments are turned into buffers before the
 * receiver's bytes are looked at, because doing so may run script code that changes a bytearray. */
#include "runtime/base/utf8.h"
#include "runtime/objects/bytesimpl.h"

static bool in_ascii(uint8_t c, char lo, char hi) { return c >= (uint8_t)lo && c <= (uint8_t)hi; }
static bool is_lower(uint8_t c) { return in_ascii(c, 'a', 'z'); }
static bool is_upper(uint8_t c) { return in_ascii(c, 'A', 'Z'); }
static bool is_alpha(uint8_t c) { return is_lower(c) || is_upper(c); }
static bool is_digit(uint8_t c) { return in_ascii(c, '0', '9'); }
static bool is_alnum(uint8_t c) { return is_alpha(c) || is_digit(c); }
static bool is_space(uint8_t c) { return c == ' ' || (c >= 9 && c <= 13); }

/* ---- searching ------------------------------------------------------------------------------------------------------------------ */

/* A sub-sequence argument: bytes-like or one byte. */
typedef struct Sub {
    Buffer b;
    uint8_t one;
    const char *p;
    size_t n;
} Sub;

static bool sub_get(VM *vm, Value v, Sub *s)
{
    s->b.owner = V_NULL;
    if (is_small(v) || is_bool(v) || (!ou_type_of(vm, v)->slots.buffer && ou_type_of(vm, v)->slots.to_index)) {
        if (!ou_byte_arg(vm, v, &s->one, "byte must be in range(0, 256)"))
            return false;
        s->p = (const char *)&s->one;
        s->n = 1;
        return true;
    }
    if (!ou_type_of(vm, v)->slots.buffer) {
        ou_raise(vm, E_TYPE, "argument should be integer or bytes-like object, not '%T'", v);
        return false;
    }
    if (!ou_buffer_get(vm, v, &s->b, false))
        return false;
    s->p = (const char *)s->b.p;
    s->n = (size_t)s->b.n;
    return true;
}

static bool plain_get(VM *vm, Value v, Sub *s)
{
    if (!ou_buffer_get(vm, v, &s->b, false))
        return false;
    s->p = (const char *)s->b.p;
    s->n = (size_t)s->b.n;
    return true;
}

static int64_t find(VM *vm, const Value *args, int n, bool backward)
{
    Sub sub;
    int64_t from, to, at = -1;
    if (!ou_arg_span(vm, n > 2 ? args[2] : V_NULL, n > 3 ? args[3] : V_NULL, ou_by_len(vm, args[0]), &from, &to) ||
        !sub_get(vm, args[1], &sub))
        return -2;
    View v = ou_bytes_view(vm, args[0]);
    if (from <= to && to <= (int64_t)v.n) {
        const char *p = (backward ? ou_mem_rfind : ou_mem_find)(v.p + from, (size_t)(to - from), sub.p, sub.n);
        at = p ? p - v.p : -1;
    }
    ou_buffer_release(vm, &sub.b);
    return at;
}

Value ou_bym_find(VM *vm, const Value *args, int n)
{
    int64_t at = find(vm, args, n, false);
    return at == -2 ? V_NULL : v_smallint(at);
}

Value ou_bym_rfind(VM *vm, const Value *args, int n)
{
    int64_t at = find(vm, args, n, true);
    return at == -2 ? V_NULL : v_smallint(at);
}

Value ou_bym_index(VM *vm, const Value *args, int n)
{
    int64_t at = find(vm, args, n, false);
    return at >= 0 ? v_smallint(at) : at == -2 ? V_NULL : ou_raise(vm, E_VALUE, "subsection not found");
}

Value ou_bym_rindex(VM *vm, const Value *args, int n)
{
    int64_t at = find(vm, args, n, true);
    return at >= 0 ? v_smallint(at) : at == -2 ? V_NULL : ou_raise(vm, E_VALUE, "subsection not found");
}

Value ou_bym_count(VM *vm, const Value *args, int n)
{
    Sub sub;
    int64_t from, to;
    if (!ou_arg_span(vm, n > 2 ? args[2] : V_NULL, n > 3 ? args[3] : V_NULL, ou_by_len(vm, args[0]), &from, &to) ||
        !sub_get(vm, args[1], &sub))
        return V_NULL;
    Value r;
    View v = ou_bytes_view(vm, args[0]);
    if (from > to || to > (int64_t)v.n)
        r = v_smallint(0);
    else if (sub.n == 0)
        r = v_smallint(to - from + 1);
    else
        r = v_smallint((int64_t)ou_mem_count(v.p + from, (size_t)(to - from), sub.p, sub.n, SIZE_MAX));
    ou_buffer_release(vm, &sub.b);
    return r;
}

/* 1, 0, -1 raised */
static int has_affix(VM *vm, Value self, Value x, int64_t from, int64_t to, bool at_end)
{
    Sub s;
    if (!plain_get(vm, x, &s))
        return -1;
    View v = ou_bytes_view(vm, self);
    int r = from <= to && to <= (int64_t)v.n && (size_t)(to - from) >= s.n &&
            memcmp(v.p + (at_end ? (size_t)to - s.n : (size_t)from), s.p, s.n) == 0;
    ou_buffer_release(vm, &s.b);
    return r;
}

static Value affix(VM *vm, const char *fname, const Value *args, int n, bool at_end)
{
    int64_t from, to;
    if (!ou_arg_span(vm, n > 2 ? args[2] : V_NULL, n > 3 ? args[3] : V_NULL, ou_by_len(vm, args[0]), &from, &to))
        return V_NULL;
    if (ou_is_a(vm, args[1], T_TUPLE)) {
        Tuple *t = as_tuple(args[1]);
        for (uint32_t i = 0; i < t->n; i++) {
            int r = has_affix(vm, args[0], t->items[i], from, to, at_end);
            if (r)
                return r < 0 ? V_NULL : V_TRUE;
        }
        return V_FALSE;
    }
    if (!ou_type_of(vm, args[1])->slots.buffer)
        return ou_raise(vm, E_TYPE, "%s first arg must be bytes or a tuple of bytes, not %T", fname, args[1]);
    int r = has_affix(vm, args[0], args[1], from, to, at_end);
    return r < 0 ? V_NULL : v_bool(r);
}

Value ou_bym_startswith(VM *vm, const Value *args, int n) { return affix(vm, "startswith", args, n, false); }
Value ou_bym_endswith(VM *vm, const Value *args, int n) { return affix(vm, "endswith", args, n, true); }

static Value remove_affix(VM *vm, const Value *args, bool at_end)
{
    int r = has_affix(vm, args[0], args[1], 0, ou_by_len(vm, args[0]), at_end);
    if (r < 0)
        return V_NULL;
    Sub s;
    if (!plain_get(vm, args[1], &s))
        return V_NULL;
    View v = ou_bytes_view(vm, args[0]);
    size_t cut = r ? s.n : 0;
    Value out = cut == 0 && is_exact(args[0], T_BYTES) ? retain(args[0])
                                                       : ou_bytes_like(vm, args[0], v.p + (at_end ? 0 : cut), v.n - cut);
    ou_buffer_release(vm, &s.b);
    return out;
}

Value ou_bym_removeprefix(VM *vm, const Value *args, int n)
{
    (void)n;
    return remove_affix(vm, args, false);
}

Value ou_bym_removesuffix(VM *vm, const Value *args, int n)
{
    (void)n;
    return remove_affix(vm, args, true);
}

/* ---- splitting -------------------------------------------------------------------------------------------------------------------- */

static bool add(VM *vm, Value list, Value self, const char *p, size_t n)
{
    Value v = ou_bytes_like(vm, self, p, n);
    return v != V_NULL && ou_list_append_take(vm, as_list(list), v);
}

static bool split_blank(VM *vm, Value list, Value self, View v, int64_t max, bool backward)
{
    size_t a = 0, b = v.n;
    for (;;) {
        if (backward) {
            while (b > a && is_space((uint8_t)v.p[b - 1]))
                b--;
        } else {
            while (a < b && is_space((uint8_t)v.p[a]))
                a++;
        }
        if (a == b)
            return true;
        if (max-- == 0)
            return add(vm, list, self, v.p + a, b - a);
        size_t i = backward ? b : a;
        if (backward) {
            while (i > a && !is_space((uint8_t)v.p[i - 1]))
                i--;
            if (!add(vm, list, self, v.p + i, b - i))
                return false;
            b = i;
        } else {
            while (i < b && !is_space((uint8_t)v.p[i]))
                i++;
            if (!add(vm, list, self, v.p + a, i - a))
                return false;
            a = i;
        }
    }
}

static bool split_at(VM *vm, Value list, Value self, View v, const Sub *sep, int64_t max, bool backward)
{
    size_t a = 0, b = v.n;
    while (max-- != 0) {
        const char *q = (backward ? ou_mem_rfind : ou_mem_find)(v.p + a, b - a, sep->p, sep->n);
        if (!q)
            break;
        size_t at = (size_t)(q - v.p);
        if (backward) {
            if (!add(vm, list, self, q + sep->n, b - at - sep->n))
                return false;
            b = at;
        } else {
            if (!add(vm, list, self, v.p + a, at - a))
                return false;
            a = at + sep->n;
        }
    }
    return add(vm, list, self, v.p + a, b - a);
}

static Value split(VM *vm, const Value *args, bool backward)
{
    int64_t max;
    if (!ou_arg_ssize(vm, args[2], -1, &max))
        return V_NULL;
    max = max < 0 ? -1 : max;
    bool blank = args[1] == V_NULL || args[1] == V_NONE;
    Sub sep = {.b.owner = V_NULL};
    if (!blank && !plain_get(vm, args[1], &sep))
        return V_NULL;
    Value list = V_NULL;
    if (!blank && sep.n == 0) {
        ou_raise(vm, E_VALUE, "empty separator");
    } else if ((list = ou_list_new(vm, 0)) != V_NULL) {
        View v = ou_bytes_view(vm, args[0]);
        bool ok = blank ? split_blank(vm, list, args[0], v, max, backward)
                        : split_at(vm, list, args[0], v, &sep, max, backward);
        List *l = as_list(list);
        if (!ok) {
            release(vm, list);
            list = V_NULL;
        } else if (backward) {
            for (uint32_t i = 0, j = l->n; i + 1 < j; i++) {
                Value t = l->items[i];
                l->items[i] = l->items[--j];
                l->items[j] = t;
            }
        }
    }
    ou_buffer_release(vm, &sep.b);
    return list;
}

Value ou_bym_split(VM *vm, const Value *args, int n)
{
    (void)n;
    return split(vm, args, false);
}

Value ou_bym_rsplit(VM *vm, const Value *args, int n)
{
    (void)n;
    return split(vm, args, true);
}

Value ou_bym_splitlines(VM *vm, const Value *args, int n)
{
    (void)n;
    int keep = args[1] == V_NULL ? 0 : ou_truth(vm, args[1]);
    Value list = keep < 0 ? V_NULL : ou_list_new(vm, 0);
    if (list == V_NULL)
        return V_NULL;
    View v = ou_bytes_view(vm, args[0]);
    for (size_t i = 0; i < v.n;) {
        size_t from = i, end;
        while (i < v.n && v.p[i] != '\n' && v.p[i] != '\r')
            i++;
        end = i;
        if (i < v.n)
            i += v.p[i] == '\r' && i + 1 < v.n && v.p[i + 1] == '\n' ? 2 : 1;
        if (!add(vm, list, args[0], v.p + from, (keep ? i : end) - from)) {
            release(vm, list);
            return V_NULL;
        }
    }
    return list;
}

static Value partition(VM *vm, const Value *args, bool backward)
{
    Sub sep;
    if (!plain_get(vm, args[1], &sep))
        return V_NULL;
    Value r = V_NULL;
    if (sep.n == 0) {
        ou_raise(vm, E_VALUE, "empty separator");
    } else {
        View v = ou_bytes_view(vm, args[0]);
        const char *q = (backward ? ou_mem_rfind : ou_mem_find)(v.p, v.n, sep.p, sep.n);
        size_t at = q ? (size_t)(q - v.p) : backward ? 0 : v.n, skip = q ? sep.n : 0;
        Value parts[3] = {ou_bytes_like(vm, args[0], v.p, at), ou_bytes_like(vm, args[0], q ? q : "", skip),
                          ou_bytes_like(vm, args[0], v.p + at + skip, v.n - at - skip)};
        if (parts[0] != V_NULL && parts[1] != V_NULL && parts[2] != V_NULL)
            r = ou_tuple_take(vm, parts, 3);
        else
            for (int i = 0; i < 3; i++)
                xrelease(vm, parts[i]);
    }
    ou_buffer_release(vm, &sep.b);
    return r;
}

Value ou_bym_partition(VM *vm, const Value *args, int n)
{
    (void)n;
    return partition(vm, args, false);
}

Value ou_bym_rpartition(VM *vm, const Value *args, int n)
{
    (void)n;
    return partition(vm, args, true);
}

static Value strip(VM *vm, const Value *args, int n, bool left, bool right)
{
    Sub set = {.b.owner = V_NULL};
    bool given = n > 1 && args[1] != V_NONE;
    if (given && !plain_get(vm, args[1], &set))
        return V_NULL;
    View v = ou_bytes_view(vm, args[0]);
    size_t a = 0, b = v.n;
#define STRIPPED(c) (given ? memchr(set.p, (uint8_t)(c), set.n) != NULL : is_space((uint8_t)(c)))
    while (left && a < b && STRIPPED(v.p[a]))
        a++;
    while (right && a < b && STRIPPED(v.p[b - 1]))
        b--;
#undef STRIPPED
    Value r = a == 0 && b == v.n && is_exact(args[0], T_BYTES) ? retain(args[0]) : ou_bytes_like(vm, args[0], v.p + a, b - a);
    ou_buffer_release(vm, &set.b);
    return r;
}

Value ou_bym_strip(VM *vm, const Value *args, int n) { return strip(vm, args, n, true, true); }
Value ou_bym_lstrip(VM *vm, const Value *args, int n) { return strip(vm, args, n, true, false); }
Value ou_bym_rstrip(VM *vm, const Value *args, int n) { return strip(vm, args, n, false, true); }

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
        Sub s;
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
        ok = plain_get(vm, items[i], &s);
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
    Sub from, to;
    if (!plain_get(vm, args[1], &from))
        return V_NULL;
    if (!plain_get(vm, args[2], &to)) {
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
    Sub table = {.b.owner = V_NULL}, del = {.b.owner = V_NULL, .n = 0};
    bool mapped = args[1] != V_NONE;
    if (mapped && !plain_get(vm, args[1], &table))
        return V_NULL;
    Value r = V_NULL;
    if (mapped && table.n != 256) {
        ou_raise(vm, E_VALUE, "translation table must be 256 characters long");
    } else if (args[2] == V_NULL || plain_get(vm, args[2], &del)) {
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
    Sub from, to;
    if (!plain_get(vm, args[0], &from))
        return V_NULL;
    if (!plain_get(vm, args[1], &to)) {
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

/* ---- case ------------------------------------------------------------------------------------------------------------------------------------- */

typedef enum CaseOp { TO_LOWER, TO_UPPER, TO_SWAP, TO_CAPITAL, TO_TITLE } CaseOp;

static Value change_case(VM *vm, Value self, CaseOp op)
{
    View v = ou_bytes_view(vm, self);
    Value r = ou_bytes_like(vm, self, v.p, v.n);
    if (r == V_NULL || v.n == 0)
        return r;
    char *d = (char *)(uintptr_t)ou_bytes_view(vm, r).p;
    bool after_letter = false;
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = (uint8_t)d[i];
        bool up = op == TO_UPPER || (op == TO_SWAP && is_lower(c)) || (op == TO_CAPITAL && i == 0) || (op == TO_TITLE && !after_letter);
        after_letter = is_alpha(c);
        if (up ? is_lower(c) : is_upper(c))
            d[i] ^= 32;
    }
    return r;
}

#define CASE_METHOD(name, op)                                                                                                     \
    Value ou_bym_##name(VM *vm, const Value *args, int n)                                                                         \
    {                                                                                                                             \
        (void)n;                                                                                                                  \
        return change_case(vm, args[0], op);                                                                                      \
    }
CASE_METHOD(lower, TO_LOWER)
CASE_METHOD(upper, TO_UPPER)
CASE_METHOD(swapcase, TO_SWAP)
CASE_METHOD(capitalize, TO_CAPITAL)
CASE_METHOD(title, TO_TITLE)

#define PREDICATE(name, is)                                                                                                       \
    Value ou_bym_##name(VM *vm, const Value *args, int n)                                                                         \
    {                                                                                                                             \
        (void)n;                                                                                                                  \
        View v = ou_bytes_view(vm, args[0]);                                                                                      \
        for (size_t i = 0; i < v.n; i++)                                                                                          \
            if (!is((uint8_t)v.p[i]))                                                                                             \
                return V_FALSE;                                                                                                   \
        return v_bool(v.n > 0);                                                                                                   \
    }
PREDICATE(isalpha, is_alpha)
PREDICATE(isdigit, is_digit)
PREDICATE(isalnum, is_alnum)
PREDICATE(isspace, is_space)

Value ou_bym_isascii(VM *vm, const Value *args, int n)
{
    (void)n;
    View v = ou_bytes_view(vm, args[0]);
    return v_bool(ou_utf8_ascii_run(v.p, v.n) == v.n);
}

static Value all_cased(VM *vm, Value self, bool (*wrong)(uint8_t), bool (*right)(uint8_t))
{
    View v = ou_bytes_view(vm, self);
    bool seen = false;
    for (size_t i = 0; i < v.n; i++) {
        if (wrong((uint8_t)v.p[i]))
            return V_FALSE;
        seen = seen || right((uint8_t)v.p[i]);
    }
    return v_bool(seen);
}

Value ou_bym_islower(VM *vm, const Value *args, int n)
{
    (void)n;
    return all_cased(vm, args[0], is_upper, is_lower);
}

Value ou_bym_isupper(VM *vm, const Value *args, int n)
{
    (void)n;
    return all_cased(vm, args[0], is_lower, is_upper);
}

Value ou_bym_istitle(VM *vm, const Value *args, int n)
{
    (void)n;
    View v = ou_bytes_view(vm, args[0]);
    bool seen = false, after = false;
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = (uint8_t)v.p[i];
        if (is_upper(c) ? after : is_lower(c) && !after)
            return V_FALSE;
        after = is_alpha(c);
        seen = seen || after;
    }
    return v_bool(seen);
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
    if (is_digit((uint8_t)c))
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
        if (is_space((uint8_t)*p)) {
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
    Sub s;
    Type *t = ou_type_of(vm, x);
    if (!t->slots.buffer && !t->slots.to_index && !is_bool(x)) {
        ou_raise(vm, E_TYPE, "a bytes-like object is required, not '%T'", x);
        return -1;
    }
    if (!sub_get(vm, x, &s)) {
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
    Sub s;
    if (!plain_get(vm, b, &s))
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
