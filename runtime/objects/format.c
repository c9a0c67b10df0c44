/* The format mini-language: parsing of specifications, and format() of strings.
 * Entry points: ou_format_parse, ou_format_str. Numbers are formatted in format_num.c. The one thing to know: a '0' before the
 * width sets `zero` and, when no fill was given, fill '0'; it leaves align alone, since only numbers turn that into '='. */
#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"
#include "runtime/objects/strimpl.h"

static bool is_align(uint32_t c) { return c == '<' || c == '>' || c == '=' || c == '^'; }

/* Decimal digits at *p; -1 if there are none, -2 raised. */
static int64_t number(VM *vm, const char **p, const char *end)
{
    int64_t v = -1;
    while (*p < end) {
        const char *q = *p;
        int d = ou_uni_decimal(utf8_next(&q));
        if (d < 0)
            break;
        v = v < 0 ? 0 : v;
        if (v > (INT64_MAX - d) / 10) {
            ou_raise(vm, E_VALUE, "Too many decimal digits in format string");
            return -2;
        }
        v = v * 10 + d;
        *p = q;
    }
    return v;
}

static bool invalid(VM *vm, Str *spec, Value self)
{
    ou_raise(vm, E_VALUE, "Invalid format specifier '%Q' for object of type '%T'", spec, self);
    return false;
}

static bool bad_grouping(VM *vm, char grouping, uint32_t type)
{
    if (type > 32 && type < 128)
        ou_raise(vm, E_VALUE, "Cannot specify '%c' with '%c'.", grouping, (int)type);
    else
        ou_raise(vm, E_VALUE, "Cannot specify '%c' with '\\x%x'.", grouping, (unsigned)type);
    return false;
}

bool ou_format_parse(VM *vm, Str *spec, FormatSpec *out, Value self)
{
    const char *p = spec->data, *end = p + spec->size;
    *out = (FormatSpec){.fill = ' ', .width = -1, .precision = -1};
    bool fill_given = false;
    if (p < end) {
        const char *q = p;
        uint32_t c = utf8_next(&q);
        if (q < end && is_align((uint8_t)*q)) {
            out->fill = c;
            out->align = *q;
            fill_given = true;
            p = q + 1;
        } else if (is_align(c)) {
            out->align = (char)c;
            p = q;
        }
    }
    if (p < end && (*p == '+' || *p == '-' || *p == ' '))
        out->sign = *p++;
    if (p < end && *p == 'z') {
        out->z = true;
        p++;
    }
    if (p < end && *p == '#') {
        out->alt = true;
        p++;
    }
    if (!fill_given && p < end && *p == '0') {
        out->zero = true;
        out->fill = '0';
        p++;
    }
    out->width = number(vm, &p, end);
    if (out->width == -2)
        return false;
    if (p < end && *p == ',') {
        out->grouping = ',';
        p++;
    }
    if (p < end && *p == '_') {
        if (out->grouping) {
            ou_raise(vm, E_VALUE, "Cannot specify both ',' and '_'.");
            return false;
        }
        out->grouping = '_';
        p++;
    }
    if (p < end && *p == ',' && out->grouping == '_') {
        ou_raise(vm, E_VALUE, "Cannot specify both ',' and '_'.");
        return false;
    }
    if (p < end && *p == '.') {
        p++;
        out->precision = number(vm, &p, end);
        if (out->precision == -2)
            return false;
        if (out->precision < 0) {
            ou_raise(vm, E_VALUE, "Format specifier missing precision");
            return false;
        }
    }
    if (p < end) {
        out->type = utf8_next(&p);
        if (p < end)
            return invalid(vm, spec, self);
    }
    if (out->grouping) {
        switch (out->type) {
        case 0: case 'd': case 'e': case 'E': case 'f': case 'F': case 'g': case 'G': case '%':
            break;
        case 'b': case 'o': case 'x': case 'X':
            if (out->grouping == '_')
                break;
            return bad_grouping(vm, out->grouping, out->type);
        default:
            return bad_grouping(vm, out->grouping, out->type);
        }
    }
    return true;
}

Value ou_format_str(VM *vm, Value v, Value spec)
{
    if (as_str(spec)->size == 0)
        return ou_str(vm, v);
    FormatSpec f;
    if (!ou_format_parse(vm, as_str(spec), &f, v))
        return V_NULL;
    if (f.grouping && (!f.type || f.type == 's')) {
        bad_grouping(vm, f.grouping, 's');
        return V_NULL;
    }
    if (f.type && f.type != 's') {
        if (f.type > 32 && f.type < 128)
            return ou_raise(vm, E_VALUE, "Unknown format code '%c' for object of type '%T'", (int)f.type, v);
        return ou_raise(vm, E_VALUE, "Unknown format code '\\x%x' for object of type '%T'", (unsigned)f.type, v);
    }
    if (f.sign)
        return ou_raise(vm, E_VALUE, f.sign == ' ' ? "Space not allowed in string format specifier"
                                                   : "Sign not allowed in string format specifier");
    if (f.z)
        return ou_raise(vm, E_VALUE, "Negative zero coercion (z) not allowed in string format specifier");
    if (f.alt)
        return ou_raise(vm, E_VALUE, "Alternate form (#) not allowed in string format specifier");
    if (f.align == '=')
        return ou_raise(vm, E_VALUE, "'=' alignment not allowed in string format specifier");
    Str *s = as_str(v);
    int64_t len = s->length;
    if (f.precision >= 0 && f.precision < len)
        len = f.precision;
    size_t size = ou_str_offset(vm, s, len);
    if (f.width <= len)
        return ou_str_sub(vm, s, 0, size);
    int64_t extra = f.width - len, left = f.align == '>' ? extra : f.align == '^' ? extra / 2 : 0;
    uint32_t fill = f.fill;
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_fill(&b, fill, (size_t)left);
    ou_sb_put(&b, s->data, size);
    ou_sb_fill(&b, fill, (size_t)(extra - left));
    return ou_sb_finish(&b);
}
