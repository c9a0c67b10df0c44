/* fmt % args, of str and of bytes.
 * Entry points: ou_str_percent, ou_percent. The one thing to know: both kinds share the scanner and the numbers; they differ in
 * what %s, %b, %c and a mapping's keys are. */
#include "runtime/base/numtext.h"
#include "runtime/base/utf8.h"
#include "runtime/objects/bytes.h"
#include "runtime/objects/strimpl.h"

typedef struct Percent {
    VM *vm;
    StrBuf *out;
    bool bytes;
    Value args;
    Value mapping;         /* args if it may be asked by key, else V_NULL */
    const Value *items;    /* arguments by position; NULL: args itself is the one argument */
    uint32_t nitems, next;
    Value keyed;           /* owned: the value of the current %(key) or V_NULL */
} Percent;

typedef struct Directive {
    bool left, plus, space, alt, zero;
    int64_t width, precision; /* precision -1: none */
} Directive;

static bool fail(Percent *f, TypeId err, const char *msg)
{
    ou_raise(f->vm, err, "%s", msg);
    return false;
}

/* The next argument, borrowed; V_NULL raised. */
static Value next_arg(Percent *f)
{
    if (f->keyed != V_NULL)
        return f->keyed;
    if (f->next < f->nitems)
        return f->items ? f->items[f->next++] : (f->next++, f->args);
    fail(f, E_TYPE, "not enough arguments for format string");
    return V_NULL;
}

static bool read_key(Percent *f, const char **pp, const char *end)
{
    if (f->mapping == V_NULL)
        return fail(f, E_TYPE, "format requires a mapping");
    const char *p = *pp, *from = p;
    int depth = 1;
    while (p < end && depth > 0) {
        if (*p == ')')
            depth--;
        else if (*p == '(')
            depth++;
        p++;
    }
    if (depth > 0)
        return fail(f, E_VALUE, "incomplete format key");
    size_t n = (size_t)(p - 1 - from);
    Value key = f->bytes ? ou_bytes_new(f->vm, from, n) : ou_str_new(f->vm, from, n);
    if (key == V_NULL)
        return false;
    xrelease(f->vm, f->keyed);
    f->keyed = ou_getitem(f->vm, f->mapping, key);
    release(f->vm, key);
    *pp = p;
    f->next = f->nitems; /* nothing is left for directives without a key */
    return f->keyed != V_NULL;
}

/* A width or precision: digits or '*'. */
static bool read_size(Percent *f, const char **pp, const char *end, int64_t *out, const char *too_big)
{
    VM *vm = f->vm;
    if (*pp < end && **pp == '*') {
        ++*pp;
        Value keyed = f->keyed; /* '*' never takes the keyed value */
        f->keyed = V_NULL;
        Value v = keyed != V_NULL ? keyed : next_arg(f);
        f->keyed = keyed;
        if (v == V_NULL)
            return false;
        if (keyed != V_NULL && ou_is_intlike(vm, v)) /* it was the one value that the key brought */
            return fail(f, E_TYPE, "not enough arguments for format string");
        if (!ou_is_intlike(vm, v))
            return fail(f, E_TYPE, "* wants int");
        if (!ou_int_fits_i64(vm, v, out) || *out > INT32_MAX || *out < -INT32_MAX) {
            ou_raise(vm, E_OVERFLOW, "Python int too large to convert to C %s", too_big[0] == 'w' ? "ssize_t" : "int");
            return false;
        }
        return true;
    }
    for (; *pp < end && **pp >= '0' && **pp <= '9'; ++*pp) {
        *out = (*out < 0 ? 0 : *out) * 10 + (**pp - '0');
        if (*out > INT32_MAX)
            return fail(f, E_VALUE, too_big);
    }
    return true;
}

/* Writes text with its padding. `lead` is how many bytes of sign and prefix stay in front of zeros. */
static bool put_padded(Percent *f, const Directive *d, const char *p, size_t n, size_t length, size_t lead, bool zero)
{
    int64_t extra = d->width - (int64_t)length;
    if (extra < 0)
        extra = 0;
    if (!d->left && zero) {
        ou_sb_put(f->out, p, lead);
        ou_sb_fill(f->out, '0', (size_t)extra);
        ou_sb_put(f->out, p + lead, n - lead);
        return !f->out->failed;
    }
    if (!d->left)
        ou_sb_fill(f->out, ' ', (size_t)extra);
    ou_sb_put(f->out, p, n);
    if (d->left)
        ou_sb_fill(f->out, ' ', (size_t)extra);
    return !f->out->failed;
}

static bool put_int(Percent *f, const Directive *d, Value v, char c)
{
    VM *vm = f->vm;
    bool integral = c == 'x' || c == 'X' || c == 'o';
    Value i;
    if (ou_is_intlike(vm, v)) {
        i = ou_int_value(vm, v);
    } else {
        Type *t = ou_type_of(vm, v);
        i = V_NULL;
        if (integral ? t->slots.to_index != NULL : (t->slots.to_int || t->slots.to_index)) {
            i = integral || !t->slots.to_int ? ou_index(vm, v) : t->slots.to_int(vm, v);
            if (i == V_NULL && !ou_exc_matches(vm, E_TYPE))
                return false;
            if (i == V_NULL)
                ou_exc_clear(vm);
        }
        if (i == V_NULL) {
            ou_raise(vm, E_TYPE, "%%%c format: %s is required, not %T", c, integral ? "an integer" : "a real number", v);
            return false;
        }
    }
    if (i == V_NULL)
        return false;
    Value text = ou_int_text(vm, i, c == 'o' ? 8 : integral ? 16 : 10, false);
    release(vm, i);
    if (text == V_NULL)
        return false;
    Str *s = as_str(text);
    const char *digits = s->data;
    size_t n = s->size;
    bool negative = *digits == '-';
    digits += negative;
    n -= negative;
    StrBuf b;
    ou_sb_init(&b, vm);
    if (negative || d->plus || d->space)
        ou_sb_putc(&b, negative ? '-' : d->plus ? '+' : ' ');
    if (integral && d->alt) {
        ou_sb_putc(&b, '0');
        ou_sb_putc(&b, c);
    }
    size_t lead = b.n;
    if (d->precision > (int64_t)n)
        ou_sb_fill(&b, '0', (size_t)d->precision - n);
    size_t at = b.n;
    ou_sb_put(&b, digits, n);
    if (c == 'X' && !b.failed)
        for (; at < b.n; at++)
            if (b.p[at] >= 'a')
                b.p[at] -= 32;
    release(vm, text);
    bool ok = !b.failed && put_padded(f, d, b.p, b.n, b.n, lead, d->zero);
    ou_sb_drop(&b);
    return ok;
}

static bool put_float(Percent *f, const Directive *d, Value v, char c)
{
    VM *vm = f->vm;
    double x;
    if (is_float(v)) {
        x = v_double(v);
    } else if (!ou_to_double(vm, v, &x)) {
        if (f->bytes && ou_exc_matches(vm, E_TYPE)) {
            ou_exc_clear(vm);
            ou_raise(vm, E_TYPE, "float argument required, not %T", v);
        }
        return false;
    }
    NumText t;
    unsigned flags = (d->alt ? DBL_ALT : 0) | (d->plus ? DBL_PLUS : 0) | (d->space && !d->plus ? DBL_SPACE : 0);
    if (!ou_double_format(&vm->heap, x, c, d->precision < 0 ? 6 : (int)d->precision, flags, &t)) {
        ou_raise_memory(vm);
        return false;
    }
    size_t lead = t.n && (t.p[0] == '-' || t.p[0] == '+' || t.p[0] == ' ');
    bool ok = put_padded(f, d, t.p, t.n, t.n, lead, d->zero);
    ou_numtext_drop(&vm->heap, &t);
    return ok;
}

static bool put_text(Percent *f, const Directive *d, Str *s)
{
    size_t n = s->size, length = s->length;
    if (d->precision >= 0 && (size_t)d->precision < length) {
        n = ou_str_offset(f->vm, s, d->precision);
        length = (size_t)d->precision;
    }
    return put_padded(f, d, s->data, n, length, 0, false);
}

static bool put_raw(Percent *f, const Directive *d, const uint8_t *p, size_t n)
{
    if (d->precision >= 0 && (size_t)d->precision < n)
        n = (size_t)d->precision;
    return put_padded(f, d, (const char *)p, n, n, 0, false);
}

/* %s and %b of bytes: __bytes__, else the buffer. */
static bool put_bytes(Percent *f, const Directive *d, Value v)
{
    VM *vm = f->vm;
    if (!ou_is_a(vm, v, T_BYTES) && !ou_is_a(vm, v, T_BYTEARRAY)) {
        Value method = ou_lookup_special(vm, v, name_of(vm, N_DU_bytes));
        if (method == V_NULL && vm->exc != V_NULL)
            return false;
        if (method != V_NULL) {
            Value r = ou_call0(vm, method);
            release(vm, method);
            if (r == V_NULL)
                return false;
            bool ok = false;
            if (!ou_is_a(vm, r, T_BYTES))
                ou_raise(vm, E_TYPE, "__bytes__ returned non-bytes (type %T)", r);
            else
                ok = put_raw(f, d, as_bytes(r)->data, as_bytes(r)->n);
            release(vm, r);
            return ok;
        }
        if (!ou_type_of(vm, v)->slots.buffer) {
            ou_raise(vm, E_TYPE, "%%b requires a bytes-like object, or an object that implements __bytes__, not '%T'", v);
            return false;
        }
    }
    Buffer b;
    if (!ou_buffer_get(vm, v, &b, false))
        return false;
    bool ok = put_raw(f, d, b.p, (size_t)b.n);
    ou_buffer_release(vm, &b);
    return ok;
}

static bool put_char(Percent *f, const Directive *d, Value v)
{
    VM *vm = f->vm;
    char c[4];
    size_t n = 0;
    int64_t cp, max = f->bytes ? 256 : 0x110000;
    Directive whole = *d;
    whole.precision = -1;
    if (!f->bytes && str_like(vm, v) && as_str(v)->length == 1)
        return put_text(f, &whole, as_str(v));
    if (f->bytes && ou_is_a(vm, v, T_BYTES) && as_bytes(v)->n == 1)
        return put_raw(f, &whole, as_bytes(v)->data, 1);
    if (f->bytes && ou_is_a(vm, v, T_BYTEARRAY) && ((ByteArray *)v_obj(v))->n == 1)
        return put_raw(f, &whole, ((ByteArray *)v_obj(v))->data, 1);
    Value i = ou_is_intlike(vm, v) ? ou_int_value(vm, v) : ou_type_of(vm, v)->slots.to_index ? ou_index(vm, v) : V_NULL;
    if (i == V_NULL) {
        if (vm->exc != V_NULL && !ou_exc_matches(vm, E_TYPE))
            return false;
        ou_exc_clear(vm);
        return fail(f, E_TYPE, f->bytes ? "%c requires an integer in range(256) or a single byte" : "%c requires int or char");
    }
    bool fits = ou_int_fits_i64(vm, i, &cp) && cp >= 0 && cp < max;
    release(vm, i);
    if (!fits)
        return fail(f, E_OVERFLOW, f->bytes ? "%c arg not in range(256)" : "%c arg not in range(0x110000)");
    if (f->bytes) {
        c[0] = (char)cp;
        n = 1;
    } else {
        n = utf8_put(c, (uint32_t)cp);
    }
    return put_padded(f, &whole, c, n, 1, 0, false);
}

static bool put_converted(Percent *f, const Directive *d, Value v, char c)
{
    VM *vm = f->vm;
    Value s;
    if (f->bytes || c == 'a')
        s = ou_ascii(vm, v);
    else
        s = c == 'r' ? ou_repr(vm, v) : ou_str(vm, v);
    if (s == V_NULL)
        return false;
    bool ok = put_text(f, d, as_str(s));
    release(vm, s);
    return ok;
}

static bool directive(Percent *f, const char *begin, const char **pp, const char *end)
{
    Directive d = {.precision = -1};
    const char *p = *pp;
    if (p < end && *p == '%') {
        ou_sb_putc(f->out, '%');
        *pp = p + 1;
        return true;
    }
    if (p < end && *p == '(') {
        p++;
        if (!read_key(f, &p, end))
            return false;
    }
    for (; p < end; p++) {
        if (*p == '-')
            d.left = true;
        else if (*p == '+')
            d.plus = true;
        else if (*p == ' ')
            d.space = true;
        else if (*p == '#')
            d.alt = true;
        else if (*p == '0')
            d.zero = true;
        else
            break;
    }
    if (!read_size(f, &p, end, &d.width, "width too big"))
        return false;
    if (d.width < 0) {
        d.left = true;
        d.width = -d.width;
    }
    if (p < end && *p == '.') {
        p++;
        d.precision = 0;
        if (!read_size(f, &p, end, &d.precision, "precision too big"))
            return false;
        if (d.precision < 0)
            d.precision = 0;
    }
    if (p < end && (*p == 'h' || *p == 'l' || *p == 'L'))
        p++;
    if (p >= end)
        return fail(f, E_VALUE, "incomplete format");
    const char *at = p;
    uint32_t c = f->bytes ? (uint8_t)*p++ : utf8_next(&p);
    *pp = p;
    Value v = next_arg(f);
    if (v == V_NULL)
        return false;
    v = retain(v);
    bool ok;
    switch (c) {
    case 'd': case 'i': case 'u': case 'x': case 'X': case 'o':
        ok = put_int(f, &d, v, (char)c);
        break;
    case 'e': case 'E': case 'f': case 'F': case 'g': case 'G':
        ok = put_float(f, &d, v, (char)c);
        break;
    case 'c':
        ok = put_char(f, &d, v);
        break;
    case 'b':
        if (!f->bytes) {
            release(f->vm, v);
            goto unsupported;
        }
        ok = put_bytes(f, &d, v);
        break;
    case 's':
        if (f->bytes)
            ok = put_bytes(f, &d, v);
        else if (is_str(v))
            ok = put_text(f, &d, as_str(v));
        else
            ok = put_converted(f, &d, v, 's');
        break;
    case 'r': case 'a':
        ok = put_converted(f, &d, v, (char)c);
        break;
    default:
        release(f->vm, v);
        goto unsupported;
    }
    release(f->vm, v);
    xrelease(f->vm, f->keyed);
    f->keyed = V_NULL;
    return ok;
unsupported:;
    int64_t index = f->bytes ? at - begin : (int64_t)ou_utf8_count(begin, (size_t)(at - begin));
    ou_raise(f->vm, E_VALUE, "unsupported format character '%c' (0x%x) at index %ld", (int)(c > 31 && c < 127 ? c : '?'),
             (unsigned)c, index);
    return false;
}

bool ou_percent(StrBuf *out, const char *p, size_t n, Value args, bool bytes)
{
    VM *vm = out->vm;
    Percent f = {.vm = vm, .out = out, .bytes = bytes, .args = args, .mapping = V_NULL, .keyed = V_NULL, .nitems = 1};
    bool is_tuple = ou_is_a(vm, args, T_TUPLE);
    if (is_tuple) {
        f.items = as_tuple(args)->items;
        f.nitems = as_tuple(args)->n;
    } else if (ou_type_of(vm, args)->slots.getitem && !ou_is_a(vm, args, T_STR) &&
               !(bytes && (ou_is_a(vm, args, T_BYTES) || ou_is_a(vm, args, T_BYTEARRAY)))) {
        f.mapping = args;
    }
    retain(args);
    const char *begin = p, *end = p + n;
    bool ok = true;
    while (ok && p < end) {
        const char *q = memchr(p, '%', (size_t)(end - p));
        if (!q)
            q = end;
        ou_sb_put(out, p, (size_t)(q - p));
        p = q;
        if (p < end) {
            p++;
            ok = directive(&f, begin, &p, end);
        }
    }
    if (ok && f.next < f.nitems && f.mapping == V_NULL)
        ok = fail(&f, E_TYPE, bytes ? "not all arguments converted during bytes formatting"
                                    : "not all arguments converted during string formatting");
    xrelease(vm, f.keyed);
    release(vm, args);
    return ok && !out->failed;
}

Value ou_str_percent(VM *vm, Value fmt, Value args)
{
    StrBuf b;
    ou_sb_init(&b, vm);
    if (!ou_percent(&b, as_str(fmt)->data, as_str(fmt)->size, args, false)) {
        ou_sb_drop(&b);
        return V_NULL;
    }
    return ou_sb_finish(&b);
}
