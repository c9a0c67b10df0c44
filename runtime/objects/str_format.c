/* str.format and str.format_map: replacement fields, attribute and index access, nested specifications.
 * Entry point: ou_str_format_args. The one thing to know: the markup is read by next_piece alone; everybody else walks over
 * its pieces. */
#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"
#include "runtime/objects/strimpl.h"

typedef struct Piece { /* literal text, then maybe a replacement field; pointers into the format */
    const char *lit, *lit_end;
    bool has_field, nested; /* nested: the specification contains fields itself */
    const char *name, *name_end, *spec, *spec_end;
    uint32_t conversion; /* 0: none */
} Piece;

typedef struct Formatter {
    VM *vm;
    Tuple *args;   /* NULL: format_map */
    Value kwargs;  /* mapping or V_NULL */
    int64_t next_auto;
    enum { NUMBERS_UNKNOWN, NUMBERS_AUTO, NUMBERS_MANUAL } numbering;
} Formatter;

static int fail(VM *vm, const char *msg)
{
    ou_raise(vm, E_VALUE, "%s", msg);
    return -1;
}

/* Reads the field behind a '{' at *pp. */
static int read_field(VM *vm, const char **pp, const char *end, Piece *out)
{
    const char *p = *pp;
    char c = 0;
    bool bracket = false;
    out->has_field = true;
    out->name = p;
    while (p < end) {
        c = *p++;
        if (c == '{')
            return fail(vm, "unexpected '{' in field name");
        if (c == '[')
            bracket = true;
        else if (c == ']')
            bracket = false;
        else if (!bracket && (c == '}' || c == ':' || c == '!'))
            break;
        c = 0;
    }
    if (c == 0)
        return fail(vm, "expected '}' before end of string");
    out->name_end = p - 1;
    out->spec = out->spec_end = p;
    if (c == '}') {
        *pp = p;
        return 1;
    }
    if (c == '!') {
        if (p >= end)
            return fail(vm, "end of string while looking for conversion specifier");
        out->conversion = utf8_next(&p);
        if (p < end) {
            c = *p++;
            if (c == '}') {
                out->spec = out->spec_end = p;
                *pp = p;
                return 1;
            }
            if (c != ':')
                return fail(vm, "expected ':' after conversion specifier");
        }
    }
    out->spec = p;
    int depth = 1;
    while (p < end) {
        c = *p++;
        if (c == '{') {
            out->nested = true;
            depth++;
        } else if (c == '}' && --depth == 0) {
            out->spec_end = p - 1;
            *pp = p;
            return 1;
        }
    }
    return fail(vm, "unmatched '{' in format spec");
}

/* 1: a piece; 0: the end; -1: raised. */
static int next_piece(VM *vm, const char **pp, const char *end, Piece *out)
{
    const char *p = *pp;
    memset(out, 0, sizeof *out);
    if (p >= end)
        return 0;
    out->lit = p;
    while (p < end && *p != '{' && *p != '}')
        p++;
    out->lit_end = p;
    if (p == end) {
        *pp = p;
        return 1;
    }
    char c = *p++;
    if (p < end && *p == c) { /* doubled: the first one is text */
        out->lit_end = p;
        *pp = p + 1;
        return 1;
    }
    if (c == '}')
        return fail(vm, "Single '}' encountered in format string");
    if (p == end)
        return fail(vm, "Single '{' encountered in format string");
    int r = read_field(vm, &p, end, out);
    *pp = p;
    return r;
}

/* The value of a run of digits; -1: it is none; -2: raised. */
static int64_t as_number(VM *vm, const char *p, const char *end)
{
    if (p >= end)
        return -1;
    int64_t v = 0;
    while (p < end) {
        int d = ou_uni_decimal(utf8_next(&p));
        if (d < 0)
            return -1;
        if (v > (INT64_MAX - d) / 10) {
            fail(vm, "Too many decimal digits in format string");
            return -2;
        }
        v = v * 10 + d;
    }
    return v;
}

/* The next accessor of a field name: 1 found (attribute or index), 0 end, -1 raised. */
static int next_accessor(VM *vm, const char **pp, const char *end, bool *is_attr, const char **from, const char **to)
{
    const char *p = *pp;
    if (p >= end)
        return 0;
    *is_attr = *p == '.';
    if (*p != '.' && *p != '[')
        return fail(vm, "Only '.' or '[' may follow ']' in format field specifier");
    char c = *p++;
    *from = p;
    if (c == '.') {
        while (p < end && *p != '.' && *p != '[')
            p++;
        *to = p;
    } else {
        while (p < end && *p != ']')
            p++;
        if (p >= end)
            return fail(vm, "Missing ']' in format string");
        *to = p++;
    }
    if (*from == *to)
        return fail(vm, "Empty attribute in format string");
    *pp = p;
    return 1;
}

static const char *first_part(const char *p, const char *end)
{
    while (p < end && *p != '.' && *p != '[')
        p++;
    return p;
}

/* The object that a field's name stands for. */
static Value field_object(Formatter *f, const Piece *pc)
{
    VM *vm = f->vm;
    const char *p = first_part(pc->name, pc->name_end);
    int64_t index = as_number(vm, pc->name, p);
    if (index == -2)
        return V_NULL;
    bool empty = p == pc->name;
    if (empty || index >= 0) {
        int want = empty ? NUMBERS_AUTO : NUMBERS_MANUAL;
        if (f->numbering == NUMBERS_UNKNOWN)
            f->numbering = empty ? NUMBERS_AUTO : NUMBERS_MANUAL;
        else if ((int)f->numbering != want)
            return ou_raise(vm, E_VALUE,
                            empty ? "cannot switch from manual field specification to automatic field numbering"
                                  : "cannot switch from automatic field numbering to manual field specification");
        if (empty)
            index = f->next_auto++;
    }
    Value v;
    if (index < 0) {
        Value key = ou_str_new(vm, pc->name, (size_t)(p - pc->name));
        if (key == V_NULL)
            return V_NULL;
        v = f->kwargs == V_NULL ? ou_raise_key(vm, key) : ou_getitem(vm, f->kwargs, key);
        release(vm, key);
    } else if (!f->args) {
        return ou_raise(vm, E_VALUE, "Format string contains positional fields");
    } else if (index >= f->args->n) {
        return ou_raise(vm, E_INDEX, "Replacement index %ld out of range for positional args tuple", index);
    } else {
        v = retain(f->args->items[index]);
    }
    while (v != V_NULL) {
        bool is_attr;
        const char *from, *to;
        int r = next_accessor(vm, &p, pc->name_end, &is_attr, &from, &to);
        if (r == 0)
            break;
        Value next = V_NULL;
        if (r > 0) {
            int64_t i = is_attr ? -1 : as_number(vm, from, to);
            if (i >= 0) {
                Value key = ou_int(vm, i);
                next = key == V_NULL ? V_NULL : ou_getitem(vm, v, key);
                xrelease(vm, key);
            } else if (i == -1) {
                Str *key = is_attr ? ou_intern(vm, from, (size_t)(to - from)) : NULL;
                Value k = is_attr ? (key ? v_of(key) : V_NULL) : ou_str_new(vm, from, (size_t)(to - from));
                if (k != V_NULL)
                    next = is_attr ? ou_getattr(vm, v, key) : ou_getitem(vm, v, k);
                xrelease(vm, k);
            }
        }
        release(vm, v);
        v = next;
    }
    return v;
}

static bool render(Formatter *f, StrBuf *b, const char *p, const char *end, int depth);

static Value convert(VM *vm, Value v, uint32_t conversion)
{
    switch (conversion) {
    case 'r':
        return ou_repr(vm, v);
    case 's':
        return ou_str(vm, v);
    case 'a':
        return ou_ascii(vm, v);
    default:
        if (conversion > 32 && conversion < 127)
            return ou_raise(vm, E_VALUE, "Unknown conversion specifier %c", (int)conversion);
        return ou_raise(vm, E_VALUE, "Unknown conversion specifier \\x%x", (unsigned)conversion);
    }
}

static bool render_field(Formatter *f, StrBuf *b, const Piece *pc, int depth)
{
    VM *vm = f->vm;
    Value v = field_object(f, pc), spec = V_NULL, text = V_NULL;
    if (v == V_NULL)
        return false;
    if (pc->conversion) {
        Value c = convert(vm, v, pc->conversion);
        release(vm, v);
        if (c == V_NULL)
            return false;
        v = c;
    }
    if (pc->spec == pc->spec_end && is_str(v)) {
        ou_sb_str(b, v);
        release(vm, v);
        return !b->failed;
    }
    if (pc->nested) {
        StrBuf inner;
        ou_sb_init(&inner, vm);
        if (render(f, &inner, pc->spec, pc->spec_end, depth - 1))
            spec = ou_sb_finish(&inner);
        else
            ou_sb_drop(&inner);
    } else {
        spec = ou_str_new(vm, pc->spec, (size_t)(pc->spec_end - pc->spec));
    }
    if (spec != V_NULL)
        text = ou_format(vm, v, spec);
    if (text != V_NULL)
        ou_sb_str(b, text);
    bool ok = text != V_NULL && !b->failed;
    xrelease(vm, text);
    xrelease(vm, spec);
    release(vm, v);
    return ok;
}

static bool render(Formatter *f, StrBuf *b, const char *p, const char *end, int depth)
{
    if (depth <= 0) {
        fail(f->vm, "Max string recursion exceeded");
        return false;
    }
    Piece pc;
    int r;
    while ((r = next_piece(f->vm, &p, end, &pc)) > 0) {
        ou_sb_put(b, pc.lit, (size_t)(pc.lit_end - pc.lit));
        if (pc.has_field && !render_field(f, b, &pc, depth))
            return false;
    }
    return r == 0 && !b->failed;
}

Value ou_str_format_args(VM *vm, Str *fmt, Tuple *args, Value kwargs)
{
    Formatter f = {.vm = vm, .args = args, .kwargs = kwargs};
    StrBuf b;
    ou_sb_init(&b, vm);
    if (!render(&f, &b, fmt->data, fmt->data + fmt->size, 2)) {
        ou_sb_drop(&b);
        return V_NULL;
    }
    return ou_sb_finish(&b);
}

Value ou_strm_format(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_str_format_args(vm, as_str(args[0]), as_tuple(args[1]), args[2]);
}

Value ou_strm_format_map(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_str_format_args(vm, as_str(args[0]), NULL, args[1]);
}
