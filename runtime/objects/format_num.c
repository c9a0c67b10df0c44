/* format() of numbers: int, float, complex. The specification is parsed in format.c, the digits of doubles come from
 * base/numtext; what is here is the putting together: sign, prefix, grouping, padding. */
#include <limits.h>
#include <math.h>

#include "runtime/base/numtext.h"
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers_impl.h"

/* A number's text in parts; all ASCII but for the 'c' type's character. */
typedef struct Parts {
    char sign; /* 0: none */
    const char *prefix;
    const char *digits; /* before the point: what grouping applies to */
    size_t ndigits;
    const char *rest;
    size_t nrest;
    int group; /* digits per group */
} Parts;

static Value unknown_code(VM *vm, uint32_t type, Value v)
{
    if (type > 32 && type < 128) return ou_raise(vm, E_VALUE, "Unknown format code '%c' for object of type '%T'", (int)type, v);
    return ou_raise(vm, E_VALUE, "Unknown format code '\\x%x' for object of type '%T'", (unsigned)type, v);
}

static void fill(StrBuf *b, uint32_t cp, int64_t n)
{
    while (n-- > 0 && !b->failed) ou_sb_cp(b, cp);
}

static char shown_sign(bool neg, char wanted) { return neg ? '-' : wanted == '+' || wanted == ' ' ? wanted : 0; }

/* Digits in groups, with leading zeros until the text is `min` long; a separator never comes first. */
static void put_grouped(StrBuf *b, const Parts *p, char sep, int64_t min)
{
    int64_t n = (int64_t)p->ndigits;
    if (!sep) {
        fill(b, '0', min - n);
        ou_sb_put(b, p->digits, p->ndigits);
        return;
    }
    while (n + (n - 1) / p->group < min) n++;
    for (int64_t i = n; i > 0; i--) {
        if (i != n && i % p->group == 0) ou_sb_putc(b, sep);
        ou_sb_putc(b, i > (int64_t)p->ndigits ? '0' : p->digits[(int64_t)p->ndigits - i]);
    }
}

static int64_t grouped_length(const Parts *p, char sep, int64_t min)
{
    int64_t n = (int64_t)p->ndigits;
    if (!sep) return n > min ? n : min;
    while (n + (n - 1) / p->group < min) n++;
    return n ? n + (n - 1) / p->group : 0;
}

static void put_number(StrBuf *b, const Parts *p, const FormatSpec *f)
{
    uint32_t pad = f->fill;
    char align = f->align ? f->align : f->zero ? '=' : '>', sep = p->ndigits ? f->grouping : 0;
    int64_t fixed = (p->sign != 0) + (int64_t)strlen(p->prefix) + (int64_t)p->nrest;
    int64_t min = align == '=' && pad == '0' && p->ndigits ? f->width - fixed : 0;
    int64_t extra = f->width - fixed - grouped_length(p, sep, min);
    if (extra < 0) extra = 0;
    int64_t left = align == '>' ? extra : align == '^' ? extra / 2 : 0;
    fill(b, pad, left);
    if (p->sign) ou_sb_putc(b, p->sign);
    ou_sb_puts(b, p->prefix);
    if (align == '=') fill(b, pad, extra);
    put_grouped(b, p, sep, min);
    ou_sb_put(b, p->rest, p->nrest);
    if (align == '<' || align == '^') fill(b, pad, extra - left);
}

static bool width_fits(VM *vm, const FormatSpec *f)
{
    if (f->width < INT_MAX) return true;
    ou_raise_memory(vm);
    return false;
}

/* ---- int ---------------------------------------------------------------------------------------------------------------- */

static Value format_char(VM *vm, Value v, const FormatSpec *f)
{
    if (f->sign) return ou_raise(vm, E_VALUE, "Sign not allowed with integer format specifier 'c'");
    if (f->alt) return ou_raise(vm, E_VALUE, "Alternate form (#) not allowed with integer format specifier 'c'");
    int64_t cp;
    if (!ou_int_fits_i64(vm, v, &cp)) return ou_raise(vm, E_OVERFLOW, "Python int too large to convert to C long");
    if (cp < 0 || cp > 0x10FFFF) return ou_raise(vm, E_OVERFLOW, "%%c arg not in range(0x110000)");
    int64_t extra = f->width > 1 ? f->width - 1 : 0;
    char align = f->align ? f->align : f->zero ? '=' : '>';
    int64_t left = align == '>' || align == '=' ? extra : align == '^' ? extra / 2 : 0;
    StrBuf b;
    ou_sb_init(&b, vm);
    fill(&b, f->fill, left);
    ou_sb_cp(&b, (uint32_t)cp);
    fill(&b, f->fill, extra - left);
    return ou_sb_finish(&b);
}

static Value format_double(VM *vm, Value v, double d, const FormatSpec *f);

Value ou_format_int(VM *vm, Value v, Value spec)
{
    if (as_str(spec)->size == 0) return ou_str(vm, v);
    FormatSpec f;
    if (!ou_format_parse(vm, as_str(spec), &f, v) || !width_fits(vm, &f)) return V_NULL;
    int base;
    switch (f.type) {
    case 0:
    case 'd':
    case 'n': base = 10; break;
    case 'b': base = 2; break;
    case 'o': base = 8; break;
    case 'x':
    case 'X': base = 16; break;
    case 'c': base = 0; break;
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
    case '%': {
        bool over;
        double d = ou_int_double(vm, v, &over);
        return over ? ou_raise(vm, E_OVERFLOW, "int too large to convert to float") : format_double(vm, v, d, &f);
    }
    default: return unknown_code(vm, f.type, v);
    }
    if (f.precision >= 0) return ou_raise(vm, E_VALUE, "Precision not allowed in integer format specifier");
    if (f.z) return ou_raise(vm, E_VALUE, "Negative zero coercion (z) not allowed in integer format specifier");
    if (base == 0) return format_char(vm, v, &f);
    Value text = ou_int_text(vm, v, base, false);
    if (text == V_NULL) return V_NULL;
    Str *s = as_str(text);
    bool neg = s->data[0] == '-';
    Parts p = {.sign = shown_sign(neg, f.sign),
               .prefix = !f.alt || base == 10 ? "" : base == 2 ? "0b" : base == 8 ? "0o" : f.type == 'X' ? "0X" : "0x",
               .digits = s->data + neg,
               .ndigits = s->size - neg,
               .rest = "",
               .nrest = 0,
               .group = base == 10 ? 3 : 4};
    StrBuf b;
    ou_sb_init(&b, vm);
    char *upper = NULL;
    if (f.type == 'X') {
        upper = ou_alloc(&vm->heap, p.ndigits);
        if (!upper) {
            release(vm, text);
            return ou_raise_memory(vm);
        }
        for (size_t i = 0; i < p.ndigits; i++) upper[i] = p.digits[i] >= 'a' ? (char)(p.digits[i] - 32) : p.digits[i];
        p.digits = upper;
    }
    put_number(&b, &p, &f);
    ou_free(&vm->heap, upper, p.ndigits);
    release(vm, text);
    return ou_sb_finish(&b);
}

/* ---- float -------------------------------------------------------------------------------------------------------------- */

static bool is_float_type(uint32_t t)
{
    return t == 0 || t == 'n' || t == '%' || t == 'e' || t == 'E' || t == 'f' || t == 'F' || t == 'g' || t == 'G';
}

/* The unsigned text of |d| and whether a minus belongs before it. */
static bool double_text(VM *vm, double d, const FormatSpec *f, unsigned flags, NumText *t, bool *neg)
{
    char type = (char)f->type;
    int64_t precision = f->precision;
    if (precision > INT_MAX - 400) {
        ou_raise(vm, E_VALUE, "precision too big");
        return false;
    }
    if (type == 'n') type = 'g';
    if (type == '%') {
        type = 'f';
        d *= 100;
    }
    if (type == 0) type = precision < 0 ? 'r' : 'g';
    if (f->alt) flags |= DBL_ALT;
    if (f->z) flags |= DBL_Z;
    if (!ou_double_format(&vm->heap, d, type, (int)precision, flags, t)) {
        ou_raise_memory(vm);
        return false;
    }
    *neg = t->p[0] == '-';
    return true;
}

static Parts parts_of(const NumText *t, bool neg)
{
    Parts p = {.prefix = "", .digits = t->p + neg, .group = 3};
    size_t n = t->n - neg;
    while (p.ndigits < n && p.digits[p.ndigits] >= '0' && p.digits[p.ndigits] <= '9') p.ndigits++;
    p.rest = p.digits + p.ndigits;
    p.nrest = n - p.ndigits;
    return p;
}

static Value format_double(VM *vm, Value v, double d, const FormatSpec *f)
{
    if (!is_float_type(f->type)) return unknown_code(vm, f->type, v);
    NumText t;
    bool neg;
    if (!double_text(vm, d, f, f->type == 0 ? DBL_DOT_0 : 0, &t, &neg)) return V_NULL;
    Parts p = parts_of(&t, neg);
    p.sign = shown_sign(neg, f->sign);
    StrBuf b;
    ou_sb_init(&b, vm);
    if (f->type == '%') { /* the percent sign takes part in the width */
        StrBuf rest;
        ou_sb_init(&rest, vm);
        ou_sb_put(&rest, p.rest, p.nrest);
        ou_sb_putc(&rest, '%');
        p.rest = rest.p;
        p.nrest = rest.n;
        put_number(&b, &p, f);
        if (rest.failed) b.failed = true;
        ou_sb_drop(&rest);
    } else {
        put_number(&b, &p, f);
    }
    ou_numtext_drop(&vm->heap, &t);
    return ou_sb_finish(&b);
}

Value ou_format_float(VM *vm, Value v, Value spec)
{
    if (as_str(spec)->size == 0) return ou_str(vm, v);
    FormatSpec f;
    if (!ou_format_parse(vm, as_str(spec), &f, v) || !width_fits(vm, &f)) return V_NULL;
    return format_double(vm, v, ou_float_of(vm, v), &f);
}

/* ---- complex ------------------------------------------------------------------------------------------------------------- */

Value ou_format_complex(VM *vm, Value v, Value spec)
{
    if (as_str(spec)->size == 0) return ou_str(vm, v);
    FormatSpec f;
    if (!ou_format_parse(vm, as_str(spec), &f, v) || !width_fits(vm, &f)) return V_NULL;
    if (!is_float_type(f.type) || f.type == '%') return unknown_code(vm, f.type, v);
    if (f.fill == '0') return ou_raise(vm, E_VALUE, "Zero padding is not allowed in complex format specifier");
    if (f.align == '=') return ou_raise(vm, E_VALUE, "'=' alignment flag is not allowed in complex format specifier");
    const Complex *c = (const Complex *)v_obj(v);
    bool lone = f.type == 0 && c->re == 0.0 && !signbit(c->re);
    NumText re, im;
    bool re_neg, im_neg;
    if (!double_text(vm, c->re, &f, 0, &re, &re_neg)) return V_NULL;
    if (!double_text(vm, c->im, &f, 0, &im, &im_neg)) {
        ou_numtext_drop(&vm->heap, &re);
        return V_NULL;
    }
    FormatSpec bare = f;
    bare.width = -1;
    bare.align = 0;
    StrBuf body;
    ou_sb_init(&body, vm);
    if (f.type == 0 && !lone) ou_sb_putc(&body, '(');
    Parts p;
    if (!lone) {
        p = parts_of(&re, re_neg);
        p.sign = shown_sign(re_neg, f.sign);
        put_number(&body, &p, &bare);
    }
    p = parts_of(&im, im_neg);
    p.sign = shown_sign(im_neg, lone ? f.sign : '+');
    put_number(&body, &p, &bare);
    ou_sb_putc(&body, 'j');
    if (f.type == 0 && !lone) ou_sb_putc(&body, ')');
    ou_numtext_drop(&vm->heap, &re);
    ou_numtext_drop(&vm->heap, &im);
    Value text = ou_sb_finish(&body);
    if (text == V_NULL || f.width <= (int64_t)as_str(text)->length) return text;
    int64_t extra = f.width - as_str(text)->length;
    int64_t left = !f.align || f.align == '>' ? extra : f.align == '^' ? extra / 2 : 0;
    StrBuf b;
    ou_sb_init(&b, vm);
    fill(&b, f.fill, left);
    ou_sb_str(&b, text);
    fill(&b, f.fill, extra - left);
    release(vm, text);
    return ou_sb_finish(&b);
}
