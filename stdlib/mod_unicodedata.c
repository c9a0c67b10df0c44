/* The module unicodedata: names, categories, numeric values, normal forms. Over utf8proc and generated tables.
 * Entry points: ou_mod_unicodedata. The one thing to know: normalisation decomposes into a heap array of code points, which
 * utf8proc then reorders and composes in place. */
#include <utf8proc.h>

#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"
#include "stdlib/stdlib.h"

typedef struct NumericRange {
    uint32_t first, last;
    double value;
} NumericRange;
typedef struct DigitValue {
    uint32_t cp;
    int value;
} DigitValue;
typedef struct WidthRange {
    uint32_t first, last;
    const char *width;
} WidthRange;
#include "stdlib/unicodedata_data.h"

static bool char_arg(VM *vm, const char *fname, Value v, bool several, uint32_t *c)
{
    if (!ou_is_a(vm, v, T_STR) || as_str(v)->length != 1) {
        ou_raise(vm, E_TYPE, several ? "%s() argument 1 must be a unicode character, not %T" : "%s() argument must be a unicode character, not %T",
                 fname, v);
        return false;
    }
    *c = ou_str_at(vm, as_str(v), 0);
    return true;
}

static const char *const categories[] = {"Cn", "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps",
                                         "Pe", "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co"};
static const char *const bidi[] = {"",   "L",  "LRE", "LRO", "R",  "AL", "RLE", "RLO", "PDF", "EN",  "ES",  "ET",
                                   "AN", "CS", "NSM", "BN",  "B",  "S",  "WS",  "ON",  "LRI", "RLI", "FSI", "PDI"};

static Value ud_category(VM *vm, const Value *args, int n)
{
    (void)n;
    uint32_t c;
    if (!char_arg(vm, "category", args[0], false, &c))
        return V_NULL;
    return ou_str_c(vm, categories[utf8proc_category((utf8proc_int32_t)c)]);
}

static Value ud_bidirectional(VM *vm, const Value *args, int n)
{
    (void)n;
    uint32_t c;
    if (!char_arg(vm, "bidirectional", args[0], false, &c))
        return V_NULL;
    unsigned b = (unsigned)utf8proc_get_property((utf8proc_int32_t)c)->bidi_class;
    bool unassigned = utf8proc_category((utf8proc_int32_t)c) == UTF8PROC_CATEGORY_CN;
    return ou_str_c(vm, !unassigned && b < sizeof bidi / sizeof *bidi ? bidi[b] : "");
}

static Value ud_combining(VM *vm, const Value *args, int n)
{
    (void)n;
    uint32_t c;
    if (!char_arg(vm, "combining", args[0], false, &c))
        return V_NULL;
    return v_smallint(utf8proc_get_property((utf8proc_int32_t)c)->combining_class);
}

static Value ud_mirrored(VM *vm, const Value *args, int n)
{
    (void)n;
    uint32_t c;
    if (!char_arg(vm, "mirrored", args[0], false, &c))
        return V_NULL;
    return v_smallint(utf8proc_get_property((utf8proc_int32_t)c)->bidi_mirrored);
}

static Value ud_east_asian_width(VM *vm, const Value *args, int n)
{
    (void)n;
    uint32_t c;
    if (!char_arg(vm, "east_asian_width", args[0], false, &c))
        return V_NULL;
    size_t lo = 0, hi = sizeof widths / sizeof *widths;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c > widths[mid].last)
            lo = mid + 1;
        else if (c < widths[mid].first)
            hi = mid;
        else
            return ou_str_c(vm, widths[mid].width);
    }
    return ou_str_c(vm, "N");
}

static Value ud_decimal(VM *vm, const Value *args, int n)
{
    uint32_t c;
    if (!char_arg(vm, "decimal", args[0], true, &c))
        return V_NULL;
    int d = ou_uni_decimal(c);
    return d >= 0 ? v_smallint(d) : n > 1 ? retain(args[1]) : ou_raise(vm, E_VALUE, "not a decimal");
}

static Value ud_digit(VM *vm, const Value *args, int n)
{
    uint32_t c;
    if (!char_arg(vm, "digit", args[0], true, &c))
        return V_NULL;
    int d = ou_uni_decimal(c);
    for (size_t i = 0; d < 0 && i < sizeof digit_values / sizeof *digit_values; i++)
        if (digit_values[i].cp == c)
            d = digit_values[i].value;
    return d >= 0 ? v_smallint(d) : n > 1 ? retain(args[1]) : ou_raise(vm, E_VALUE, "not a digit");
}

static Value ud_numeric(VM *vm, const Value *args, int n)
{
    uint32_t c;
    if (!char_arg(vm, "numeric", args[0], true, &c))
        return V_NULL;
    size_t lo = 0, hi = sizeof numeric_values / sizeof *numeric_values;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c > numeric_values[mid].last)
            lo = mid + 1;
        else if (c < numeric_values[mid].first)
            hi = mid;
        else
            return v_float(numeric_values[mid].value + (double)(c - numeric_values[mid].first));
    }
    return n > 1 ? retain(args[1]) : ou_raise(vm, E_VALUE, "not a numeric character");
}

static Value ud_name(VM *vm, const Value *args, int n)
{
    uint32_t c;
    char name[120];
    if (!char_arg(vm, "name", args[0], true, &c))
        return V_NULL;
    if (ou_uni_name(c, name, sizeof name))
        return ou_str_c(vm, name);
    return n > 1 ? retain(args[1]) : ou_raise(vm, E_VALUE, "no such name");
}

static Value ud_lookup(VM *vm, const Value *args, int n)
{
    (void)n;
    uint32_t cps[4];
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "lookup() argument must be read-only bytes-like object, not %T", args[0]);
    int k = ou_uni_lookup(as_str(args[0])->data, as_str(args[0])->size, cps);
    if (k == 0) {
        Value msg = ou_str_format(vm, "undefined character name '%U'", args[0]);
        if (msg != V_NULL) {
            ou_raise_key(vm, msg);
            release(vm, msg);
        }
        return V_NULL;
    }
    return ou_str_char(vm, cps[0]);
}

/* ---- normal forms ------------------------------------------------------------------------------------------------------------------------ */

typedef struct Cps {
    int32_t *p;
    size_t n, cap;
} Cps;

static bool room(VM *vm, Cps *c, size_t n)
{
    if (c->cap - c->n >= n)
        return true;
    size_t cap = (c->cap + n) * 2;
    int32_t *p = ou_realloc(&vm->heap, c->p, c->cap * sizeof *p, cap * sizeof *p);
    if (!p) {
        ou_raise_memory(vm);
        return false;
    }
    c->p = p;
    c->cap = cap;
    return true;
}

static int options_of(VM *vm, Value form)
{
    if (!ou_is_a(vm, form, T_STR)) {
        ou_raise(vm, E_TYPE, "argument 1 must be str, not %K", form);
        return -1;
    }
    const char *f = as_str(form)->data;
    if (strcmp(f, "NFC") == 0)
        return UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    if (strcmp(f, "NFD") == 0)
        return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    if (strcmp(f, "NFKC") == 0)
        return UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
    if (strcmp(f, "NFKD") == 0)
        return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
    ou_raise(vm, E_VALUE, "invalid normalization form");
    return -1;
}

static Value normalize(VM *vm, Value s, int options)
{
    Str *t = as_str(s);
    if (str_is_ascii(t))
        return ou_str_exact(vm, s);
    Cps c = {NULL, 0, 0};
    bool ok = true;
    int last = 0;
    for (const char *p = t->data, *end = p + t->size; ok && p < end;) {
        uint32_t cp = utf8_next(&p);
        ok = room(vm, &c, 24);
        if (!ok)
            break;
        if (cp >= 0xD800 && cp < 0xE000) {
            c.p[c.n++] = (int32_t)cp;
            continue;
        }
        utf8proc_ssize_t k = utf8proc_decompose_char((utf8proc_int32_t)cp, c.p + c.n, (utf8proc_ssize_t)(c.cap - c.n),
                                                     (utf8proc_option_t)(options | UTF8PROC_DECOMPOSE), &last);
        if (k < 0)
            c.p[c.n++] = (int32_t)cp;
        else
            c.n += (size_t)k;
    }
    Value r = V_NULL;
    if (ok) {
        /* Canonical order: utf8proc leaves it to its caller. A stable insertion sort between starters. */
        for (size_t i = 1; i < c.n; i++) {
            int ccc = utf8proc_get_property(c.p[i])->combining_class;
            for (size_t k = i; ccc && k > 0 && utf8proc_get_property(c.p[k - 1])->combining_class > ccc; k--) {
                int32_t x = c.p[k];
                c.p[k] = c.p[k - 1];
                c.p[k - 1] = x;
            }
        }
        utf8proc_ssize_t k = utf8proc_normalize_utf32(c.p, (utf8proc_ssize_t)c.n, (utf8proc_option_t)options);
        StrBuf b;
        ou_sb_init(&b, vm);
        for (utf8proc_ssize_t i = 0; i < k; i++)
            ou_sb_cp(&b, (uint32_t)c.p[i]);
        r = ou_sb_finish(&b);
    }
    if (c.p)
        ou_free(&vm->heap, c.p, c.cap * sizeof *c.p);
    return r;
}

static Value ud_normalize(VM *vm, const Value *args, int n)
{
    (void)n;
    int options = options_of(vm, args[0]);
    if (options < 0)
        return V_NULL;
    if (!ou_is_a(vm, args[1], T_STR))
        return ou_raise(vm, E_TYPE, "normalize() argument 2 must be str, not %K", args[1]);
    return normalize(vm, args[1], options);
}

static Value ud_is_normalized(VM *vm, const Value *args, int n)
{
    Value r = ud_normalize(vm, args, n);
    if (r == V_NULL)
        return V_NULL;
    bool same = ou_str_equal(as_str(r), as_str(args[1]));
    release(vm, r);
    return v_bool(same);
}

static Value ud_decomposition(VM *vm, const Value *args, int n)
{
    (void)n;
    static const char *const kinds[] = {"",         "<font> ", "<noBreak> ", "<initial> ", "<medial> ", "<final> ",
                                        "<isolated> ", "<circle> ", "<super> ", "<sub> ",   "<vertical> ", "<wide> ",
                                        "<narrow> ", "<small> ", "<square> ", "<fraction> ", "<compat> "};
    uint32_t c;
    if (!char_arg(vm, "decomposition", args[0], false, &c))
        return V_NULL;
    const utf8proc_property_t *p = utf8proc_get_property((utf8proc_int32_t)c);
    if (p->decomp_seqindex == UINT16_MAX || (c >= 0xAC00 && c <= 0xD7A3))
        return ou_str_new(vm, "", 0);
    utf8proc_int32_t to[24];
    int last = 0;
    utf8proc_ssize_t k = utf8proc_decompose_char((utf8proc_int32_t)c, to, 24, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &last);
    StrBuf b;
    ou_sb_init(&b, vm);
    unsigned kind = (unsigned)p->decomp_type;
    ou_sb_puts(&b, kind < sizeof kinds / sizeof *kinds ? kinds[kind] : "");
    /* utf8proc decomposes fully; a canonical mapping of two is rebuilt by composing all but the last. */
    if (kind == 0 && k > 2) {
        utf8proc_ssize_t m = utf8proc_normalize_utf32(to, k - 1, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        to[m] = to[k - 1];
        k = m + 1;
    }
    for (utf8proc_ssize_t i = 0; i < k; i++)
        ou_sb_printf(&b, i ? " %04X" : "%04X", (unsigned)to[i]);
    return ou_sb_finish(&b);
}

static const NativeDef unicodedata_defs[] = {
    {"category(chr, /)", ud_category, "Returns the general category assigned to the character chr as string.", 0},
    {"bidirectional(chr, /)", ud_bidirectional, "Returns the bidirectional class assigned to the character chr as string.", 0},
    {"combining(chr, /)", ud_combining, "Returns the canonical combining class assigned to the character chr as integer.", 0},
    {"mirrored(chr, /)", ud_mirrored, "Returns the mirrored property assigned to the character chr as integer.", 0},
    {"east_asian_width(chr, /)", ud_east_asian_width, "Returns the east asian width assigned to the character chr as string.", 0},
    {"decimal(chr, default=None, /)", ud_decimal, "Converts a Unicode character into its equivalent decimal value.", 0},
    {"digit(chr, default=None, /)", ud_digit, "Converts a Unicode character into its equivalent digit value.", 0},
    {"numeric(chr, default=None, /)", ud_numeric, "Converts a Unicode character into its equivalent numeric value.", 0},
    {"name(chr, default=None, /)", ud_name, "Returns the name assigned to the character chr as a string.", 0},
    {"lookup(name, /)", ud_lookup, "Look up character by name.", 0},
    {"normalize(form, unistr, /)", ud_normalize, "Return the normal form 'form' for the Unicode string unistr.", 0},
    {"is_normalized(form, unistr, /)", ud_is_normalized, "Return whether the Unicode string unistr is in the normal form 'form'.", 0},
    {"decomposition(chr, /)", ud_decomposition, "Returns the character decomposition mapping assigned to the character chr as string.", 0},
    {0}};

bool ou_mod_unicodedata(VM *vm, Module *m)
{
    return ou_module_add(vm, m, unicodedata_defs) && ou_module_str(vm, m, "unidata_version", "15.1.0");
}
