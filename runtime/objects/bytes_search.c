/* What searches in bytes and bytearray: find and its kin, prefixes, splitting, stripping.
 * Entry points: ou_bym_find and the like, ou_by_sub_get. The one thing to know: arguments are turned into buffers before the
 * receiver's bytes are looked at, because doing so may run script code that changes a bytearray. */
#include "runtime/objects/bytesimpl.h"

#include "runtime/base/utf8.h"

bool ou_by_sub_get(VM *vm, Value v, ByteSub *s)
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

bool ou_by_plain_get(VM *vm, Value v, ByteSub *s)
{
    if (!ou_buffer_get(vm, v, &s->b, false))
        return false;
    s->p = (const char *)s->b.p;
    s->n = (size_t)s->b.n;
    return true;
}

static int64_t find(VM *vm, const Value *args, int n, bool backward)
{
    ByteSub sub;
    int64_t from, to, at = -1;
    if (!ou_arg_span(vm, n > 2 ? args[2] : V_NULL, n > 3 ? args[3] : V_NULL, ou_by_len(vm, args[0]), &from, &to) ||
        !ou_by_sub_get(vm, args[1], &sub))
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
    ByteSub sub;
    int64_t from, to;
    if (!ou_arg_span(vm, n > 2 ? args[2] : V_NULL, n > 3 ? args[3] : V_NULL, ou_by_len(vm, args[0]), &from, &to) ||
        !ou_by_sub_get(vm, args[1], &sub))
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
    ByteSub s;
    if (!ou_by_plain_get(vm, x, &s))
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
    ByteSub s;
    if (!ou_by_plain_get(vm, args[1], &s))
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
            while (b > a && byte_is_space((uint8_t)v.p[b - 1]))
                b--;
        } else {
            while (a < b && byte_is_space((uint8_t)v.p[a]))
                a++;
        }
        if (a == b)
            return true;
        if (max-- == 0)
            return add(vm, list, self, v.p + a, b - a);
        size_t i = backward ? b : a;
        if (backward) {
            while (i > a && !byte_is_space((uint8_t)v.p[i - 1]))
                i--;
            if (!add(vm, list, self, v.p + i, b - i))
                return false;
            b = i;
        } else {
            while (i < b && !byte_is_space((uint8_t)v.p[i]))
                i++;
            if (!add(vm, list, self, v.p + a, i - a))
                return false;
            a = i;
        }
    }
}

static bool split_at(VM *vm, Value list, Value self, View v, const ByteSub *sep, int64_t max, bool backward)
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
    ByteSub sep = {.b.owner = V_NULL};
    if (!blank && !ou_by_plain_get(vm, args[1], &sep))
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
    ByteSub sep;
    if (!ou_by_plain_get(vm, args[1], &sep))
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
    ByteSub set = {.b.owner = V_NULL};
    bool given = n > 1 && args[1] != V_NONE;
    if (given && !ou_by_plain_get(vm, args[1], &set))
        return V_NULL;
    View v = ou_bytes_view(vm, args[0]);
    size_t a = 0, b = v.n;
#define STRIPPED(c) (given ? memchr(set.p, (uint8_t)(c), set.n) != NULL : byte_is_space((uint8_t)(c)))
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
