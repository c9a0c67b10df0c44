/* str methods that search, cut and pad.
 * Entry points: the ou_strm_ functions of strimpl.h. The one thing to know: searching happens on bytes between byte offsets;
 * code point positions are computed at the borders only, and cost nothing for ASCII. */
#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"
#include "runtime/objects/strimpl.h"

bool ou_arg_ssize(VM *vm, Value v, int64_t dflt, int64_t *out)
{
    *out = dflt;
    return v == V_NULL || ou_index_i64(vm, v, out);
}

bool ou_arg_int(VM *vm, Value v, int64_t dflt, int64_t *out)
{
    *out = dflt;
    Value i = v == V_NULL ? V_INT0 : ou_index(vm, v);
    if (i == V_NULL)
        return false;
    bool fits = v == V_NULL || (ou_int_fits_i64(vm, i, out) && *out >= INT32_MIN && *out <= INT32_MAX);
    release(vm, i);
    if (!fits)
        ou_raise(vm, E_OVERFLOW, "Python int too large to convert to C int");
    return fits;
}

static bool slice_index(VM *vm, Value v, int64_t *out)
{
    if (is_small(v)) {
        *out = v_small(v);
        return true;
    }
    if (!is_bool(v) && !ou_type_of(vm, v)->slots.to_index) {
        ou_raise(vm, E_TYPE, "slice indices must be integers or None or have an __index__ method");
        return false;
    }
    return ou_index_clip(vm, v, out);
}

bool ou_arg_span(VM *vm, Value start, Value stop, int64_t len, int64_t *from, int64_t *to)
{
    *from = 0;
    *to = len;
    if (start != V_NULL && start != V_NONE && !slice_index(vm, start, from))
        return false;
    if (stop != V_NULL && stop != V_NONE && !slice_index(vm, stop, to))
        return false;
    if (*from < 0)
        *from = *from + len < 0 ? 0 : *from + len;
    if (*to < 0)
        *to = *to + len < 0 ? 0 : *to + len;
    if (*to > len)
        *to = len;
    return true;
}

static Value wants_str(VM *vm, const char *fname, int arg, Value v)
{
    return ou_raise(vm, E_TYPE, "%s() argument %d must be str, not %s", fname, arg, arg_type_name(vm, v));
}

/* ---- find and count ------------------------------------------------------------------------------------------------------ */

/* The position of args[1] in args[0] between the optional args[2] and args[3]: -1 absent, -2 raised. */
static int64_t find(VM *vm, const char *fname, const Value *args, int n, bool backward)
{
    if (!str_like(vm, args[1])) {
        wants_str(vm, fname, 1, args[1]);
        return -2;
    }
    Str *s = as_str(args[0]), *sub = as_str(args[1]);
    int64_t from, to;
    if (!ou_arg_span(vm, n > 2 ? args[2] : V_NULL, n > 3 ? args[3] : V_NULL, s->length, &from, &to))
        return -2;
    if (from > to || to - from < sub->length)
        return -1;
    size_t a = ou_str_offset(vm, s, from), b = ou_str_offset(vm, s, to);
    const char *p = backward ? ou_mem_rfind(s->data + a, b - a, sub->data, sub->size)
                             : ou_mem_find(s->data + a, b - a, sub->data, sub->size);
    return p ? ou_str_pos(vm, s, (size_t)(p - s->data)) : -1;
}

Value ou_strm_find(VM *vm, const Value *args, int n)
{
    int64_t at = find(vm, "find", args, n, false);
    return at == -2 ? V_NULL : v_smallint(at);
}

Value ou_strm_rfind(VM *vm, const Value *args, int n)
{
    int64_t at = find(vm, "rfind", args, n, true);
    return at == -2 ? V_NULL : v_smallint(at);
}

Value ou_strm_index(VM *vm, const Value *args, int n)
{
    int64_t at = find(vm, "index", args, n, false);
    return at >= 0 ? v_smallint(at) : at == -2 ? V_NULL : ou_raise(vm, E_VALUE, "substring not found");
}

Value ou_strm_rindex(VM *vm, const Value *args, int n)
{
    int64_t at = find(vm, "rindex", args, n, true);
    return at >= 0 ? v_smallint(at) : at == -2 ? V_NULL : ou_raise(vm, E_VALUE, "substring not found");
}

Value ou_strm_count(VM *vm, const Value *args, int n)
{
    if (!str_like(vm, args[1]))
        return wants_str(vm, "count", 1, args[1]);
    Str *s = as_str(args[0]), *sub = as_str(args[1]);
    int64_t from, to;
    if (!ou_arg_span(vm, n > 2 ? args[2] : V_NULL, n > 3 ? args[3] : V_NULL, s->length, &from, &to))
        return V_NULL;
    if (from > to)
        return v_smallint(0);
    if (sub->size == 0)
        return v_smallint(to - from + 1);
    size_t a = ou_str_offset(vm, s, from), b = ou_str_offset(vm, s, to);
    return v_smallint((int64_t)ou_mem_count(s->data + a, b - a, sub->data, sub->size, SIZE_MAX));
}

static bool tail_matches(const Str *s, size_t a, size_t b, const Str *sub, bool at_end)
{
    return b - a >= sub->size && memcmp(s->data + (at_end ? b - sub->size : a), sub->data, sub->size) == 0;
}

static Value affix(VM *vm, const char *fname, const Value *args, int n, bool at_end)
{
    Str *s = as_str(args[0]);
    int64_t from, to;
    if (!ou_arg_span(vm, n > 2 ? args[2] : V_NULL, n > 3 ? args[3] : V_NULL, s->length, &from, &to))
        return V_NULL;
    bool empty = from > to;
    size_t a = empty ? 0 : ou_str_offset(vm, s, from), b = empty ? 0 : ou_str_offset(vm, s, to);
    if (str_like(vm, args[1]))
        return v_bool(!empty && tail_matches(s, a, b, as_str(args[1]), at_end));
    if (!ou_is_a(vm, args[1], T_TUPLE))
        return ou_raise(vm, E_TYPE, "%s first arg must be str or a tuple of str, not %T", fname, args[1]);
    Tuple *t = as_tuple(args[1]);
    for (uint32_t i = 0; i < t->n; i++) {
        if (!str_like(vm, t->items[i]))
            return ou_raise(vm, E_TYPE, "tuple for %s must only contain str, not %T", fname, t->items[i]);
        if (!empty && tail_matches(s, a, b, as_str(t->items[i]), at_end))
            return V_TRUE;
    }
    return V_FALSE;
}

Value ou_strm_startswith(VM *vm, const Value *args, int n) { return affix(vm, "startswith", args, n, false); }
Value ou_strm_endswith(VM *vm, const Value *args, int n) { return affix(vm, "endswith", args, n, true); }

Value ou_strm_removeprefix(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!str_like(vm, args[1]))
        return ou_raise(vm, E_TYPE, "removeprefix() argument must be str, not %s", arg_type_name(vm, args[1]));
    Str *s = as_str(args[0]), *sub = as_str(args[1]);
    return ou_str_sub(vm, s, tail_matches(s, 0, s->size, sub, false) ? sub->size : 0, s->size);
}

Value ou_strm_removesuffix(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!str_like(vm, args[1]))
        return ou_raise(vm, E_TYPE, "removesuffix() argument must be str, not %s", arg_type_name(vm, args[1]));
    Str *s = as_str(args[0]), *sub = as_str(args[1]);
    return ou_str_sub(vm, s, 0, tail_matches(s, 0, s->size, sub, true) ? s->size - sub->size : s->size);
}

/* ---- replace --------------------------------------------------------------------------------------------------------------- */

/* Puts `to` before every code point and at the end, `count` times at most. */
static Value interleave(VM *vm, Str *s, Str *to, int64_t count)
{
    int64_t times = count < 0 || count > (int64_t)s->length + 1 ? (int64_t)s->length + 1 : count;
    if (to->size && (uint64_t)times > UINT32_MAX / to->size)
        return ou_raise_memory(vm);
    Str *r = ou_str_alloc(vm, s->size + (size_t)times * to->size, s->length + (size_t)times * to->length);
    if (!r)
        return V_NULL;
    char *d = r->data;
    const char *p = s->data, *end = p + s->size;
    while (times > 0) {
        memcpy(d, to->data, to->size);
        d += to->size;
        times--;
        if (p == end)
            break;
        const char *q = p;
        utf8_next(&q);
        memcpy(d, p, (size_t)(q - p));
        d += q - p;
        p = q;
    }
    memcpy(d, p, (size_t)(end - p));
    return v_of(r);
}

Value ou_strm_replace(VM *vm, const Value *args, int n)
{
    (void)n;
    for (int i = 1; i <= 2; i++)
        if (!str_like(vm, args[i]))
            return wants_str(vm, "replace", i, args[i]);
    int64_t count;
    if (!ou_arg_ssize(vm, args[3], -1, &count))
        return V_NULL;
    Str *s = as_str(args[0]), *from = as_str(args[1]), *to = as_str(args[2]);
    if (count == 0 || from->size > s->size || ou_str_equal(from, to))
        return ou_str_exact(vm, args[0]);
    if (from->size == 0)
        return interleave(vm, s, to, count);
    size_t times = ou_mem_count(s->data, s->size, from->data, from->size, count < 0 ? SIZE_MAX : (size_t)count);
    if (times == 0)
        return ou_str_exact(vm, args[0]);
    if (to->size && times > UINT32_MAX / to->size)
        return ou_raise_memory(vm);
    size_t size = s->size + times * to->size - times * from->size;
    size_t length = s->length + times * to->length - times * from->length;
    if (size == 0)
        return ou_str_counted(vm, "", 0, 0);
    Str *r = ou_str_alloc(vm, size, length);
    if (!r)
        return V_NULL;
    char *d = r->data;
    const char *p = s->data, *end = p + s->size;
    for (; times > 0; times--) {
        const char *q = ou_mem_find(p, (size_t)(end - p), from->data, from->size);
        memcpy(d, p, (size_t)(q - p));
        d += q - p;
        memcpy(d, to->data, to->size);
        d += to->size;
        p = q + from->size;
    }
    memcpy(d, p, (size_t)(end - p));
    return v_of(r);
}

/* The characters of ASCII decided in line: most texts that are split have no others. */
static inline bool is_space(uint32_t c)
{
    return c < 0x80 ? c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F) : ou_uni_is_space(c);
}

/* ---- split ------------------------------------------------------------------------------------------------------------------- */

static bool add(VM *vm, List *l, Str *s, const char *from, const char *to)
{
    Value v = ou_str_sub(vm, s, (size_t)(from - s->data), (size_t)(to - s->data));
    return v != V_NULL && ou_list_append_take(vm, l, v);
}

static bool split_space(VM *vm, List *l, Str *s, int64_t max)
{
    const char *p = s->data, *end = p + s->size;
    for (;;) {
        const char *q = p;
        while (p < end && is_space(utf8_next(&q)))
            p = q;
        if (p >= end)
            return true;
        if (max-- == 0)
            return add(vm, l, s, p, end);
        const char *from = p;
        q = p;
        while (p < end && !is_space(utf8_next(&q)))
            p = q;
        if (!add(vm, l, s, from, p))
            return false;
    }
}

static bool rsplit_space(VM *vm, List *l, Str *s, int64_t max)
{
    const char *begin = s->data, *p = begin + s->size;
    for (;;) {
        const char *q = p;
        while (p > begin && is_space(utf8_prev(&q)))
            p = q;
        if (p == begin)
            return true;
        if (max-- == 0)
            return add(vm, l, s, begin, p);
        const char *to = p;
        q = p;
        while (p > begin && !is_space(utf8_prev(&q)))
            p = q;
        if (!add(vm, l, s, p, to))
            return false;
    }
}

static bool split_at(VM *vm, List *l, Str *s, Str *sep, int64_t max)
{
    const char *p = s->data, *end = p + s->size, *q;
    while (max-- != 0 && (q = ou_mem_find(p, (size_t)(end - p), sep->data, sep->size)) != NULL) {
        if (!add(vm, l, s, p, q))
            return false;
        p = q + sep->size;
    }
    return add(vm, l, s, p, end);
}

static bool rsplit_at(VM *vm, List *l, Str *s, Str *sep, int64_t max)
{
    const char *begin = s->data, *end = begin + s->size, *q;
    while (max-- != 0 && (q = ou_mem_rfind(begin, (size_t)(end - begin), sep->data, sep->size)) != NULL) {
        if (!add(vm, l, s, q + sep->size, end))
            return false;
        end = q;
    }
    return add(vm, l, s, begin, end);
}

static void reverse(List *l)
{
    for (uint32_t i = 0, j = l->n; i + 1 < j; i++) {
        Value v = l->items[i];
        l->items[i] = l->items[--j];
        l->items[j] = v;
    }
}

static Value split(VM *vm, const Value *args, bool backward)
{
    int64_t max;
    if (!ou_arg_ssize(vm, args[2], -1, &max))
        return V_NULL;
    if (max < 0)
        max = -1;
    bool blank = args[1] == V_NULL || args[1] == V_NONE;
    if (!blank && !str_like(vm, args[1]))
        return ou_raise(vm, E_TYPE, "must be str or None, not %T", args[1]);
    if (!blank && as_str(args[1])->size == 0)
        return ou_raise(vm, E_VALUE, "empty separator");
    Value list = ou_list_new(vm, 0);
    if (list == V_NULL)
        return V_NULL;
    List *l = as_list(list);
    Str *s = as_str(args[0]);
    bool ok = blank ? (backward ? rsplit_space : split_space)(vm, l, s, max)
                    : (backward ? rsplit_at : split_at)(vm, l, s, as_str(args[1]), max);
    if (!ok) {
        release(vm, list);
        return V_NULL;
    }
    if (backward)
        reverse(l);
    return list;
}

Value ou_strm_split(VM *vm, const Value *args, int n)
{
    (void)n;
    return split(vm, args, false);
}

Value ou_strm_rsplit(VM *vm, const Value *args, int n)
{
    (void)n;
    return split(vm, args, true);
}

Value ou_strm_splitlines(VM *vm, const Value *args, int n)
{
    (void)n;
    int keep = args[1] == V_NULL ? 0 : ou_truth(vm, args[1]);
    if (keep < 0)
        return V_NULL;
    Value list = ou_list_new(vm, 0);
    if (list == V_NULL)
        return V_NULL;
    Str *s = as_str(args[0]);
    const char *p = s->data, *end = p + s->size;
    while (p < end) {
        const char *from = p, *stop = end;
        while (p < end) {
            const char *at = p;
            uint32_t c = utf8_next(&p);
            if (!ou_uni_is_linebreak(c))
                continue;
            if (c == '\r' && p < end && *p == '\n')
                p++;
            stop = keep ? p : at;
            break;
        }
        if (!add(vm, as_list(list), s, from, stop)) {
            release(vm, list);
            return V_NULL;
        }
    }
    return list;
}

static Value partition(VM *vm, const Value *args, bool backward)
{
    if (!str_like(vm, args[1]))
        return ou_raise(vm, E_TYPE, "must be str, not %T", args[1]);
    Str *s = as_str(args[0]), *sep = as_str(args[1]);
    if (sep->size == 0)
        return ou_raise(vm, E_VALUE, "empty separator");
    const char *q = (backward ? ou_mem_rfind : ou_mem_find)(s->data, s->size, sep->data, sep->size);
    size_t at = q ? (size_t)(q - s->data) : 0;
    Value parts[3];
    if (q) {
        parts[0] = ou_str_sub(vm, s, 0, at);
        parts[1] = retain(args[1]);
        parts[2] = ou_str_sub(vm, s, at + sep->size, s->size);
    } else {
        parts[backward ? 2 : 0] = ou_str_exact(vm, args[0]);
        parts[1] = ou_str_new(vm, "", 0);
        parts[backward ? 0 : 2] = ou_str_new(vm, "", 0);
    }
    if (parts[0] == V_NULL || parts[1] == V_NULL || parts[2] == V_NULL) {
        for (int i = 0; i < 3; i++)
            xrelease(vm, parts[i]);
        return V_NULL;
    }
    return ou_tuple_take(vm, parts, 3);
}

Value ou_strm_partition(VM *vm, const Value *args, int n)
{
    (void)n;
    return partition(vm, args, false);
}

Value ou_strm_rpartition(VM *vm, const Value *args, int n)
{
    (void)n;
    return partition(vm, args, true);
}

/* ---- strip ---------------------------------------------------------------------------------------------------------------------- */

static bool in_set(const Str *set, const char *p, size_t n) { return ou_mem_find(set->data, set->size, p, n) != NULL; }

static Value strip(VM *vm, const char *fname, const Value *args, int n, bool left, bool right)
{
    Str *s = as_str(args[0]), *set = NULL;
    if (n > 1 && args[1] != V_NONE) {
        if (!str_like(vm, args[1]))
            return ou_raise(vm, E_TYPE, "%s arg must be None or str", fname);
        set = as_str(args[1]);
    }
    const char *p = s->data, *end = p + s->size;
    while (left && p < end) {
        const char *q = p;
        uint32_t c = utf8_next(&q);
        if (set ? !in_set(set, p, (size_t)(q - p)) : !is_space(c))
            break;
        p = q;
    }
    while (right && p < end) {
        const char *q = end;
        uint32_t c = utf8_prev(&q);
        if (set ? !in_set(set, q, (size_t)(end - q)) : !is_space(c))
            break;
        end = q;
    }
    return ou_str_sub(vm, s, (size_t)(p - s->data), (size_t)(end - s->data));
}

Value ou_strm_strip(VM *vm, const Value *args, int n) { return strip(vm, "strip", args, n, true, true); }
Value ou_strm_lstrip(VM *vm, const Value *args, int n) { return strip(vm, "lstrip", args, n, true, false); }
Value ou_strm_rstrip(VM *vm, const Value *args, int n) { return strip(vm, "rstrip", args, n, false, true); }

/* ---- joining and padding ----------------------------------------------------------------------------------------------------------- */

Value ou_strm_join(VM *vm, const Value *args, int n)
{
    (void)n;
    size_t count;
    Value own = V_NULL;
    const Value *items = ou_seq_items(vm, args[1], &count, &own, "can only join an iterable");
    if (!items)
        return V_NULL;
    Value r = ou_str_join(vm, args[0], items, count);
    xrelease(vm, own);
    return r;
}

Value ou_strm_expandtabs(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t tab;
    if (!ou_arg_int(vm, args[1], 8, &tab))
        return V_NULL;
    Str *s = as_str(args[0]);
    if (!memchr(s->data, '\t', s->size))
        return ou_str_exact(vm, args[0]);
    StrBuf b;
    ou_sb_init(&b, vm);
    int64_t column = 0;
    for (const char *p = s->data, *end = p + s->size; p < end && !b.failed;) {
        uint32_t c = utf8_next(&p);
        if (c == '\t') {
            if (tab > 0) {
                int64_t fill = tab - column % tab;
                ou_sb_fill(&b, ' ', (size_t)fill);
                column += fill;
            }
            continue;
        }
        ou_sb_cp(&b, c);
        column = c == '\n' || c == '\r' ? 0 : column + 1;
    }
    return ou_sb_finish(&b);
}

static Value pad(VM *vm, Str *s, int64_t left, int64_t right, uint32_t fill)
{
    left = left < 0 ? 0 : left;
    right = right < 0 ? 0 : right;
    if (left == 0 && right == 0)
        return ou_str_exact(vm, v_of(s));
    size_t unit = utf8_len(fill);
    if ((uint64_t)left > UINT32_MAX / 8 || (uint64_t)right > UINT32_MAX / 8)
        return ou_raise_memory(vm);
    Str *r = ou_str_alloc(vm, s->size + (size_t)(left + right) * unit, s->length + (size_t)(left + right));
    if (!r)
        return V_NULL;
    char *d = r->data;
    for (; left > 0; left--)
        d += utf8_put(d, fill);
    memcpy(d, s->data, s->size);
    d += s->size;
    for (; right > 0; right--)
        d += utf8_put(d, fill);
    return v_of(r);
}

static bool pad_args(VM *vm, const Value *args, int n, int64_t *width, uint32_t *fill)
{
    *fill = ' ';
    if (!ou_index_i64(vm, args[1], width))
        return false;
    if (n > 2) {
        if (!str_like(vm, args[2])) {
            ou_raise(vm, E_TYPE, "The fill character must be a unicode character, not %T", args[2]);
            return false;
        }
        if (as_str(args[2])->length != 1) {
            ou_raise(vm, E_TYPE, "The fill character must be exactly one character long");
            return false;
        }
        *fill = ou_str_at(vm, as_str(args[2]), 0);
    }
    return true;
}

Value ou_strm_center(VM *vm, const Value *args, int n)
{
    int64_t width;
    uint32_t fill;
    if (!pad_args(vm, args, n, &width, &fill))
        return V_NULL;
    Str *s = as_str(args[0]);
    if (width <= s->length)
        return ou_str_exact(vm, args[0]);
    int64_t extra = width - s->length, left = extra / 2 + (extra & width & 1);
    return pad(vm, s, left, extra - left, fill);
}

Value ou_strm_ljust(VM *vm, const Value *args, int n)
{
    int64_t width;
    uint32_t fill;
    if (!pad_args(vm, args, n, &width, &fill))
        return V_NULL;
    return pad(vm, as_str(args[0]), 0, width < 0 ? 0 : width - as_str(args[0])->length, fill);
}

Value ou_strm_rjust(VM *vm, const Value *args, int n)
{
    int64_t width;
    uint32_t fill;
    if (!pad_args(vm, args, n, &width, &fill))
        return V_NULL;
    return pad(vm, as_str(args[0]), width < 0 ? 0 : width - as_str(args[0])->length, 0, fill);
}

Value ou_strm_zfill(VM *vm, const Value *args, int n)
{
    int64_t width;
    if (n < 2 || !ou_index_i64(vm, args[1], &width))
        return V_NULL;
    Str *s = as_str(args[0]);
    if (width <= s->length)
        return ou_str_exact(vm, args[0]);
    int64_t extra = width - s->length;
    Value r = pad(vm, s, extra, 0, '0');
    if (r != V_NULL && (s->data[0] == '+' || s->data[0] == '-')) { /* the sign goes to the front */
        as_str(r)->data[extra] = '0';
        as_str(r)->data[0] = s->data[0];
    }
    return r;
}
