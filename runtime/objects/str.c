/* The C interface of str: making, comparing, indexing, slicing, joining.
 * Entry points: str.h. The one thing to know: the block of an exact str is rounded up (str_block), so that appending to a
 * string nobody else holds is amortised; a subclass instance is a common object with its text as the variable part. */
#include "runtime/objects/str.h"

#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"
#include "runtime/objects/bytes.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/state.h"

enum { INDEX_STEP = 64 };
#define STR_MAX (UINT32_MAX - 4096u)

/* The size of the block of an exact str: a function of its size alone. Steps of an eighth once it is long. */
static size_t str_block(size_t size)
{
    size_t n = sizeof(Str) + size + 1;
    if (n <= 512)
        return (n + 15) & ~(size_t)15;
    size_t step = (size_t)1 << (60 - __builtin_clzll(n));
    return (n + step - 1) & ~(step - 1);
}

Str *ou_str_alloc(VM *vm, size_t size, size_t length)
{
    Str *s = size > STR_MAX ? NULL : ou_alloc(&vm->heap, str_block(size));
    if (!s) {
        ou_raise_memory(vm);
        return NULL;
    }
    s->h.refs = 1;
    s->h.shape = T_STR;
    s->size = (uint32_t)size;
    s->length = (uint32_t)length;
    s->hash = 0;
    s->flags = 0;
    s->nindex = 0;
    s->index = NULL;
    s->data[size] = 0;
    vm->objects_alive++;
    return s;
}

void ou_str_dealloc(VM *vm, Obj *o)
{
    Str *s = (Str *)o;
    if (s->flags & STR_INTERNED)
        ou_intern_forget(vm, s);
    if (s->index)
        ou_free(&vm->heap, s->index, s->nindex * sizeof *s->index);
    if (o->shape != T_STR) {
        ou_finish_dealloc(vm, o, (size_t)s->size + 1);
        return;
    }
    vm->objects_alive--;
    ou_free(&vm->heap, s, str_block(s->size));
}

/* The shared string for a one-character text, owned; NULL: there is none for it. */
static Str *cached(VM *vm, const char *p, size_t n)
{
    const uint8_t *u = (const uint8_t *)p;
    Str *s = NULL;
    if (n == 1 && u[0] < 0x80)
        s = vm->latin1[u[0]];
    else if (n == 2 && (u[0] == 0xC2 || u[0] == 0xC3))
        s = vm->latin1[(u[0] & 3) << 6 | (u[1] & 0x3F)];
    else if (n == 0 && vm->empty_str != V_NULL)
        s = as_str(vm->empty_str);
    return s ? obj_retain(s) : NULL;
}

Value ou_str_counted(VM *vm, const char *p, size_t n, size_t length)
{
    if (n <= 2) {
        Str *c = cached(vm, p, n);
        if (c)
            return v_of(c);
    }
    Str *s = ou_str_alloc(vm, n, length);
    if (!s)
        return V_NULL;
    memcpy(s->data, p, n);
    return v_of(s);
}

Value ou_str_new(VM *vm, const char *p, size_t n) { return ou_str_counted(vm, p, n, ou_utf8_count(p, n)); }

Value ou_str_c(VM *vm, const char *s) { return ou_str_new(vm, s, strlen(s)); }

Value ou_str_ascii(VM *vm, size_t n, char **data)
{
    Str *s = ou_str_alloc(vm, n, n);
    if (!s)
        return V_NULL;
    *data = s->data;
    return v_of(s);
}

Value ou_str_from_bytes(VM *vm, const char *p, size_t n, bool *valid)
{
    size_t count;
    *valid = ou_utf8_check(p, n, &count, NULL);
    return *valid ? ou_str_counted(vm, p, n, count) : V_NULL;
}

Value ou_str_char(VM *vm, uint32_t cp)
{
    if (cp < 256 && vm->latin1[cp])
        return v_of(obj_retain(vm->latin1[cp]));
    char b[4];
    size_t n = utf8_put(b, cp);
    Str *s = ou_str_alloc(vm, n, 1);
    if (!s)
        return V_NULL;
    memcpy(s->data, b, n);
    return v_of(s);
}

bool ou_strings_boot(VM *vm)
{
    Str *e = ou_str_alloc(vm, 0, 0);
    if (!e)
        return false;
    vm->empty_str = v_of(e);
    vm->empty_bytes = ou_bytes_new(vm, "", 0);
    if (vm->empty_bytes == V_NULL)
        return false;
    for (uint32_t c = 0; c < 256; c++) {
        Value v = ou_str_char(vm, c);
        if (v == V_NULL)
            return false;
        vm->latin1[c] = as_str(v);
    }
    return true;
}

void ou_strings_fini(VM *vm)
{
    for (int c = 0; c < 256; c++) {
        Str *s = vm->latin1[c];
        vm->latin1[c] = NULL;
        if (s)
            obj_release(vm, s);
    }
    Value e = vm->empty_str;
    vm->empty_str = V_NULL;
    xrelease(vm, e);
    Value b = vm->empty_bytes;
    vm->empty_bytes = V_NULL;
    xrelease(vm, b);
}

/* ---- equality, order, hash ------------------------------------------------------------------------------------------- */

bool ou_str_equal(const Str *a, const Str *b)
{
    if (a == b)
        return true;
    if (a->size != b->size || (a->flags & b->flags & STR_INTERNED))
        return false;
    if ((a->flags & b->flags & STR_HASHED) && a->hash != b->hash)
        return false;
    return memcmp(a->data, b->data, a->size) == 0;
}

bool ou_str_eq_c(const Str *a, const char *b) { return strlen(b) == a->size && memcmp(a->data, b, a->size) == 0; }

int ou_str_order(const Str *a, const Str *b)
{
    /* Bytes of UTF-8 sort as code points do. */
    int c = memcmp(a->data, b->data, a->size < b->size ? a->size : b->size);
    if (c)
        return c < 0 ? -1 : 1;
    return a->size < b->size ? -1 : a->size > b->size;
}

int64_t ou_str_hash(VM *vm, Str *s)
{
    if (!(s->flags & STR_HASHED)) {
        int64_t h = s->size ? (int64_t)ou_mem_hash(s->data, s->size, vm->seed) : 0;
        s->hash = h == -1 ? -2 : h;
        s->flags |= STR_HASHED;
    }
    return s->hash;
}

/* ---- positions --------------------------------------------------------------------------------------------------------- */

/* Fills the index: entry k is the byte offset of code point k * INDEX_STEP. False: no memory, nothing raised (slower, not wrong). */
static bool make_index(VM *vm, Str *s)
{
    uint32_t n = s->length / INDEX_STEP + 1;
    uint32_t *ix = ou_alloc(&vm->heap, n * sizeof *ix);
    if (!ix)
        return false;
    const char *p = s->data;
    uint32_t cp = 0;
    for (uint32_t k = 0; k < n; k++) {
        ix[k] = (uint32_t)(p - s->data);
        for (uint32_t i = 0; i < INDEX_STEP && cp < s->length; i++, cp++) {
            p++;
            while (((uint8_t)*p & 0xC0) == 0x80)
                p++;
        }
    }
    s->index = ix;
    s->nindex = n;
    return true;
}

size_t ou_str_offset(VM *vm, Str *s, int64_t i)
{
    if (str_is_ascii(s))
        return (size_t)i;
    if (i >= s->length)
        return s->size;
    const char *p = s->data;
    if (s->length > INDEX_STEP && (s->index || make_index(vm, s))) {
        p += s->index[i / INDEX_STEP];
        i %= INDEX_STEP;
    }
    while (i > 0) {
        p++;
        while (((uint8_t)*p & 0xC0) == 0x80)
            p++;
        i--;
    }
    return (size_t)(p - s->data);
}

int64_t ou_str_pos(VM *vm, Str *s, size_t offset)
{
    if (str_is_ascii(s))
        return (int64_t)offset;
    if (offset <= INDEX_STEP || (!s->index && !make_index(vm, s)))
        return (int64_t)ou_utf8_count(s->data, offset);
    uint32_t lo = 0, hi = s->nindex; /* the last entry that is not beyond offset */
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->index[mid] <= offset)
            lo = mid;
        else
            hi = mid;
    }
    return (int64_t)lo * INDEX_STEP + (int64_t)ou_utf8_count(s->data + s->index[lo], offset - s->index[lo]);
}

uint32_t ou_str_at(VM *vm, Str *s, int64_t i)
{
    if (str_is_ascii(s))
        return (uint8_t)s->data[i];
    const char *p = s->data + ou_str_offset(vm, s, i);
    return utf8_next(&p);
}

Value ou_str_sub(VM *vm, Str *s, size_t from, size_t to)
{
    if (from >= to)
        return ou_str_counted(vm, "", 0, 0);
    if (from == 0 && to == s->size && s->h.shape == T_STR)
        return v_of(obj_retain(s));
    if (str_is_ascii(s))
        return ou_str_counted(vm, s->data + from, to - from, to - from);
    return ou_str_new(vm, s->data + from, to - from);
}

/* The characters between two byte offsets, the last first. */
static Value reversed(VM *vm, Str *s, size_t from, size_t to, int64_t count)
{
    Str *r = ou_str_alloc(vm, to - from, (size_t)count);
    if (!r)
        return V_NULL;
    char *d = r->data + (to - from);
    for (const char *p = s->data + from, *end = s->data + to; p < end;) {
        int k = 1;
        while (p + k < end && ((uint8_t)p[k] & 0xC0) == 0x80)
            k++;
        d -= k;
        for (int i = 0; i < k; i++)
            d[i] = p[i];
        p += k;
    }
    return v_of(r);
}

Value ou_str_slice(VM *vm, Str *s, int64_t start, int64_t stop, int64_t step, int64_t count)
{
    (void)stop;
    if (count <= 0)
        return ou_str_counted(vm, "", 0, 0);
    if (step == 1)
        return ou_str_sub(vm, s, ou_str_offset(vm, s, start), ou_str_offset(vm, s, start + count));
    if (str_is_ascii(s)) {
        Str *r = ou_str_alloc(vm, (size_t)count, (size_t)count);
        if (!r)
            return V_NULL;
        for (int64_t i = 0, at = start; i < count; i++, at += step)
            r->data[i] = s->data[at];
        return v_of(r);
    }
    if (step == -1)
        return reversed(vm, s, ou_str_offset(vm, s, start - count + 1), ou_str_offset(vm, s, start + 1), count);
    StrBuf b;
    ou_sb_init(&b, vm);
    const char *p = s->data + ou_str_offset(vm, s, start);
    for (int64_t i = 0; i < count && !b.failed; i++) {
        const char *q = p;
        ou_sb_cp(&b, utf8_next(&q));
        if (i + 1 == count)
            break;
        for (int64_t k = step; k > 0; k--)
            utf8_next(&p);
        for (int64_t k = step; k < 0; k++)
            utf8_prev(&p);
    }
    return ou_sb_finish(&b);
}

/* ---- building ------------------------------------------------------------------------------------------------------------ */

Value ou_str_concat(VM *vm, Value a, Value b)
{
    Str *x = as_str(a), *y = as_str(b);
    if (x->size == 0 && is_str(b))
        return retain(b);
    if (y->size == 0 && is_str(a))
        return retain(a);
    Str *r = ou_str_alloc(vm, (size_t)x->size + y->size, (size_t)x->length + y->length);
    if (!r)
        return V_NULL;
    memcpy(r->data, x->data, x->size);
    memcpy(r->data + x->size, y->data, y->size);
    return v_of(r);
}

Value ou_str_append(VM *vm, Value a, Value b)
{
    Str *x = as_str(a), *y = as_str(b);
    size_t size = (size_t)x->size + y->size;
    if (x->h.refs != 1 || x->h.shape != T_STR || (x->flags & STR_INTERNED) || x == y || size > STR_MAX) {
        Value r = ou_str_concat(vm, a, b);
        release(vm, a);
        return r;
    }
    if (x->index) {
        ou_free(&vm->heap, x->index, x->nindex * sizeof *x->index);
        x->index = NULL;
        x->nindex = 0;
    }
    size_t old = str_block(x->size), block = str_block(size);
    if (block != old) {
        Str *r = ou_realloc(&vm->heap, x, old, block);
        if (!r) {
            release(vm, a);
            return ou_raise_memory(vm);
        }
        x = r;
    }
    memcpy(x->data + x->size, y->data, (size_t)y->size + 1);
    x->size = (uint32_t)size;
    x->length += y->length;
    x->flags &= ~(uint32_t)STR_HASHED;
    return v_of(x);
}

Value ou_str_join(VM *vm, Value sep, const Value *items, size_t n)
{
    Str *s = as_str(sep);
    if (n == 0)
        return ou_str_counted(vm, "", 0, 0);
    if (n == 1 && is_str(items[0]))
        return retain(items[0]);
    size_t size = (size_t)s->size * (n - 1), length = (size_t)s->length * (n - 1);
    if (s->size && size / s->size != n - 1)
        return ou_raise_memory(vm);
    for (size_t i = 0; i < n; i++) {
        if (!is_str(items[i]) && !ou_is_a(vm, items[i], T_STR))
            return ou_raise(vm, E_TYPE, "sequence item %zu: expected str instance, %T found", i, items[i]);
        size += as_str(items[i])->size;
        length += as_str(items[i])->length;
    }
    if (size <= 2) { /* may be one of the shared strings */
        char small[2];
        size_t k = 0;
        for (size_t i = 0; i < n; i++) {
            if (i) {
                memcpy(small + k, s->data, s->size);
                k += s->size;
            }
            memcpy(small + k, as_str(items[i])->data, as_str(items[i])->size);
            k += as_str(items[i])->size;
        }
        return ou_str_counted(vm, small, size, length);
    }
    Str *r = ou_str_alloc(vm, size, length);
    if (!r)
        return V_NULL;
    char *d = r->data;
    for (size_t i = 0; i < n; i++) {
        Str *x = as_str(items[i]);
        if (i && s->size) {
            memcpy(d, s->data, s->size);
            d += s->size;
        }
        memcpy(d, x->data, x->size);
        d += x->size;
    }
    return v_of(r);
}

Value ou_str_exact(VM *vm, Value v)
{
    return is_str(v) ? retain(v) : ou_str_counted(vm, as_str(v)->data, as_str(v)->size, as_str(v)->length);
}

/* \xff, \uffff or \U0010ffff. */
static void put_escape(StrBuf *b, uint32_t c)
{
    static const char digits[] = "0123456789abcdef";
    int n = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
    char *d = ou_sb_room(b, 10);
    if (!d)
        return;
    d[0] = '\\';
    d[1] = n == 2 ? 'x' : n == 4 ? 'u' : 'U';
    for (int i = 0; i < n; i++)
        d[2 + i] = digits[c >> 4 * (n - 1 - i) & 15];
    b->n += (size_t)n + 2;
}

static void put_repr(StrBuf *b, const Str *s, bool ascii_only)
{
    bool single = memchr(s->data, '\'', s->size) != NULL, dbl = memchr(s->data, '"', s->size) != NULL;
    char quote = single && !dbl ? '"' : '\'';
    const char *p = s->data, *end = p + s->size, *from = p;
    ou_sb_putc(b, quote);
    while (p < end) {
        const char *at = p;
        uint32_t c = utf8_next(&p);
        if (c >= 0x20 && c < 0x7F && c != '\\' && c != (uint8_t)quote)
            continue;
        if (c >= 0x7F && !ascii_only && ou_uni_is_printable(c))
            continue;
        ou_sb_put(b, from, (size_t)(at - from));
        from = p;
        if (c == '\\' || c == (uint8_t)quote)
            ou_sb_printf(b, "\\%c", (int)c);
        else if (c == '\n')
            ou_sb_puts(b, "\\n");
        else if (c == '\r')
            ou_sb_puts(b, "\\r");
        else if (c == '\t')
            ou_sb_puts(b, "\\t");
        else
            put_escape(b, c);
    }
    ou_sb_put(b, from, (size_t)(end - from));
    ou_sb_putc(b, quote);
}

Value ou_str_repr(VM *vm, Str *s)
{
    StrBuf b;
    ou_sb_init(&b, vm);
    put_repr(&b, s, false);
    return ou_sb_finish(&b);
}

Value ou_str_to_ascii(VM *vm, Value repr)
{
    Str *s = as_str(repr);
    if (str_is_ascii(s))
        return ou_str_exact(vm, repr);
    StrBuf b;
    ou_sb_init(&b, vm);
    for (const char *p = s->data, *end = p + s->size; p < end;) {
        size_t run = ou_utf8_ascii_run(p, (size_t)(end - p));
        ou_sb_put(&b, p, run);
        p += run;
        if (p < end)
            put_escape(&b, utf8_next(&p));
    }
    return ou_sb_finish(&b);
}

Value ou_str_mangle(VM *vm, Str *cls, Str *name)
{
    if (!cls || name->size < 2 || name->data[0] != '_' || name->data[1] != '_' ||
        (name->data[name->size - 1] == '_' && name->data[name->size - 2] == '_') || memchr(name->data, '.', name->size))
        return v_of(obj_retain(name));
    const char *c = cls->data;
    while (*c == '_')
        c++;
    if (!*c) /* a class named with underscores only mangles nothing */
        return v_of(obj_retain(name));
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_putc(&b, '_');
    ou_sb_puts(&b, c);
    ou_sb_put(&b, name->data, name->size);
    return ou_sb_finish(&b);
}
