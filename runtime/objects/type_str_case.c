/* str methods about letters: case, the is... predicates, translate.
 * Entry points: the ou_strm_ functions of strimpl.h. The one thing to know: ASCII strings take loops of their own; others go
 * through the full mappings of unicode.h, where one code point may become three. */
#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"
#include "runtime/objects/strimpl.h"

/* ---- case ------------------------------------------------------------------------------------------------------------------ */

typedef enum CaseOp { TO_LOWER, TO_UPPER, TO_SWAP, TO_CAPITAL, TO_TITLE, TO_FOLD } CaseOp;

static inline bool ascii_lower(char c) { return c >= 'a' && c <= 'z'; }
static inline bool ascii_upper(char c) { return c >= 'A' && c <= 'Z'; }

static Value ascii_case(VM *vm, Str *s, CaseOp op)
{
    if (s->size == 0)
        return ou_str_exact(vm, v_of(s));
    Str *r = ou_str_alloc(vm, s->size, s->size);
    if (!r)
        return V_NULL;
    bool after_letter = false;
    for (uint32_t i = 0; i < s->size; i++) {
        char c = s->data[i];
        bool up;
        switch (op) {
        case TO_UPPER:
            up = true;
            break;
        case TO_SWAP:
            up = ascii_lower(c);
            break;
        case TO_CAPITAL:
            up = i == 0;
            break;
        case TO_TITLE:
            up = !after_letter;
            after_letter = ascii_lower(c) || ascii_upper(c);
            break;
        default:
            up = false;
        }
        if (up ? ascii_lower(c) : ascii_upper(c))
            c ^= 32;
        r->data[i] = c;
    }
    return v_of(r);
}

/* A capital sigma at [at] is a final one when a cased letter stands before it and none behind, ignorable ones aside. */
static bool is_final_sigma(const Str *s, const char *at)
{
    const char *p = at, *end = s->data + s->size;
    uint32_t c = 0;
    bool before = false;
    while (p > s->data) {
        c = utf8_prev(&p);
        if (!ou_uni_is_case_ignorable(c)) {
            before = ou_uni_is_cased(c);
            break;
        }
    }
    if (!before)
        return false;
    p = at;
    utf8_next(&p);
    while (p < end) {
        c = utf8_next(&p);
        if (!ou_uni_is_case_ignorable(c))
            return !ou_uni_is_cased(c);
    }
    return true;
}

static int lower_at(const Str *s, const char *at, uint32_t c, uint32_t out[4])
{
    if (c == 0x3A3) {
        out[0] = is_final_sigma(s, at) ? 0x3C2 : 0x3C3;
        return 1;
    }
    return ou_uni_lower(c, out);
}

static Value change_case(VM *vm, Value self, CaseOp op)
{
    Str *s = as_str(self);
    if (str_is_ascii(s))
        return ascii_case(vm, s, op);
    StrBuf b;
    ou_sb_init(&b, vm);
    bool after_cased = false, first = true, simple = op == TO_LOWER || op == TO_UPPER || op == TO_FOLD;
    for (const char *p = s->data, *end = p + s->size; p < end;) {
        if (simple && (uint8_t)*p < 0x80) { /* runs of ASCII need no tables */
            size_t n = ou_utf8_ascii_run(p, (size_t)(end - p));
            char *d = ou_sb_room(&b, n);
            if (!d)
                break;
            for (size_t i = 0; i < n; i++)
                d[i] = (op == TO_UPPER ? ascii_lower(p[i]) : ascii_upper(p[i])) ? p[i] ^ 32 : p[i];
            b.n += n;
            p += n;
            continue;
        }
        const char *at = p;
        uint32_t c = utf8_next(&p), out[4];
        int k;
        switch (op) {
        case TO_UPPER:
            k = ou_uni_upper(c, out);
            break;
        case TO_SWAP:
            if (ou_uni_is_upper(c)) {
                k = lower_at(s, at, c, out);
            } else if (ou_uni_is_lower(c)) {
                k = ou_uni_upper(c, out);
            } else {
                out[0] = c;
                k = 1;
            }
            break;
        case TO_CAPITAL:
            k = first ? ou_uni_title(c, out) : lower_at(s, at, c, out);
            break;
        case TO_TITLE:
            k = after_cased ? lower_at(s, at, c, out) : ou_uni_title(c, out);
            after_cased = ou_uni_is_cased(c);
            break;
        case TO_FOLD:
            k = ou_uni_fold(c, out);
            break;
        default:
            k = lower_at(s, at, c, out);
        }
        first = false;
        for (int i = 0; i < k; i++)
            ou_sb_cp(&b, out[i]);
    }
    return ou_sb_finish(&b);
}

#define CASE_METHOD(name, op)                                                                                          \
    Value ou_strm_##name(VM *vm, const Value *args, int n)                                                             \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        return change_case(vm, args[0], op);                                                                           \
    }
CASE_METHOD(lower, TO_LOWER)
CASE_METHOD(upper, TO_UPPER)
CASE_METHOD(swapcase, TO_SWAP)
CASE_METHOD(capitalize, TO_CAPITAL)
CASE_METHOD(title, TO_TITLE)
CASE_METHOD(casefold, TO_FOLD)

/* ---- predicates --------------------------------------------------------------------------------------------------------------- */

static Value all_of(Value self, bool (*is)(uint32_t c), bool if_empty)
{
    Str *s = as_str(self);
    if (s->size == 0)
        return v_bool(if_empty);
    for (const char *p = s->data, *end = p + s->size; p < end;)
        if (!is(utf8_next(&p)))
            return V_FALSE;
    return V_TRUE;
}

#define PREDICATE(name, is, if_empty)                                                                                  \
    Value ou_strm_##name(VM *vm, const Value *args, int n)                                                             \
    {                                                                                                                  \
        (void)vm, (void)n;                                                                                             \
        return all_of(args[0], is, if_empty);                                                                          \
    }
PREDICATE(isalpha, ou_uni_is_alpha, false)
PREDICATE(isdecimal, ou_uni_is_decimal, false)
PREDICATE(isdigit, ou_uni_is_digit, false)
PREDICATE(isnumeric, ou_uni_is_numeric, false)
PREDICATE(isalnum, ou_uni_is_alnum, false)
PREDICATE(isspace, ou_uni_is_space, false)
PREDICATE(isprintable, ou_uni_is_printable, true)

Value ou_strm_isascii(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    return v_bool(str_is_ascii(as_str(args[0])));
}

static Value all_cased(Value self, bool (*wrong)(uint32_t), bool (*right)(uint32_t))
{
    Str *s = as_str(self);
    bool seen = false;
    for (const char *p = s->data, *end = p + s->size; p < end;) {
        uint32_t c = utf8_next(&p);
        if (wrong(c) || ou_uni_is_title(c))
            return V_FALSE;
        seen = seen || right(c);
    }
    return v_bool(seen);
}

Value ou_strm_islower(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    return all_cased(args[0], ou_uni_is_upper, ou_uni_is_lower);
}

Value ou_strm_isupper(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    return all_cased(args[0], ou_uni_is_lower, ou_uni_is_upper);
}

Value ou_strm_istitle(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    Str *s = as_str(args[0]);
    bool seen = false, after_cased = false;
    for (const char *p = s->data, *end = p + s->size; p < end;) {
        uint32_t c = utf8_next(&p);
        if (ou_uni_is_upper(c) || ou_uni_is_title(c)) {
            if (after_cased)
                return V_FALSE;
            after_cased = seen = true;
        } else if (ou_uni_is_lower(c)) {
            if (!after_cased)
                return V_FALSE;
            after_cased = seen = true;
        } else {
            after_cased = false;
        }
    }
    return v_bool(seen);
}

Value ou_strm_isidentifier(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    Str *s = as_str(args[0]);
    const char *p = s->data, *end = p + s->size;
    if (p == end || !ou_uni_is_id_start(utf8_next(&p)))
        return V_FALSE;
    while (p < end)
        if (!ou_uni_is_id_continue(utf8_next(&p)))
            return V_FALSE;
    return V_TRUE;
}

/* ---- translate -------------------------------------------------------------------------------------------------------------------- */

/* Appends what the table says about c. */
static bool translate_one(StrBuf *b, Value table, uint32_t c)
{
    VM *vm = b->vm;
    Value to = ou_getitem(vm, table, v_smallint(c));
    if (to == V_NULL) {
        if (!ou_exc_matches(vm, E_LOOKUP))
            return false;
        ou_exc_clear(vm);
        ou_sb_cp(b, c);
        return true;
    }
    bool ok = true;
    int64_t cp;
    if (to == V_NONE) {
        /* deleted */
    } else if (str_like(vm, to)) {
        ou_sb_str(b, to);
    } else if (ou_is_intlike(vm, to)) {
        if (!ou_int_fits_i64(vm, to, &cp) || cp < 0 || cp > 0x10FFFF) {
            ou_raise(vm, E_VALUE, "character mapping must be in range(0x110000)");
            ok = false;
        } else {
            ou_sb_cp(b, (uint32_t)cp);
        }
    } else {
        ou_raise(vm, E_TYPE, "character mapping must return integer, None or str");
        ok = false;
    }
    release(vm, to);
    return ok;
}

Value ou_strm_translate(VM *vm, const Value *args, int n)
{
    (void)n;
    Str *s = as_str(args[0]);
    StrBuf b, one;
    ou_sb_init(&b, vm);
    /* What an ASCII character became is remembered: 1 = as it is, 2 = deleted, 3 = cache[c]. */
    uint8_t kind[128] = {0};
    char cache[128];
    bool exact = ou_dict_is_plain(vm, args[1]);
    for (const char *p = s->data, *end = p + s->size; p < end && !b.failed;) {
        uint32_t c = utf8_next(&p);
        if (c < 128 && kind[c]) {
            if (kind[c] != 2)
                ou_sb_putc(&b, kind[c] == 1 ? (char)c : cache[c]);
            continue;
        }
        ou_sb_init(&one, vm);
        bool ok = translate_one(&one, args[1], c) && !one.failed;
        if (ok) {
            ou_sb_put(&b, one.p, one.n);
            if (c < 128 && exact && one.n <= 1) {
                kind[c] = one.n == 0 ? 2 : 3;
                if (one.n)
                    cache[c] = one.p[0];
                if (one.n && (uint8_t)one.p[0] >= 128)
                    kind[c] = 0;
            }
        }
        ou_sb_drop(&one);
        if (!ok) {
            ou_sb_drop(&b);
            return V_NULL;
        }
    }
    return ou_sb_finish(&b);
}

Value ou_strm_maketrans(VM *vm, const Value *args, int n)
{
    Value table = ou_dict_new(vm);
    if (table == V_NULL)
        return V_NULL;
    Dict *d = as_dict(table);
    if (n == 1) {
        if (!is_exact(args[0], T_DICT)) {
            ou_raise(vm, E_TYPE, "if you give only one argument to maketrans it must be a dict");
            goto fail;
        }
        uint32_t pos = 0;
        Value k, v;
        while (ou_dict_next(as_dict(args[0]), &pos, &k, &v)) {
            if (str_like(vm, k)) {
                if (as_str(k)->length != 1) {
                    ou_raise(vm, E_VALUE, "string keys in translate table must be of length 1");
                    goto fail;
                }
                if (!ou_dict_set(vm, d, v_smallint(ou_str_at(vm, as_str(k), 0)), v))
                    goto fail;
            } else if (ou_is_intlike(vm, k)) {
                if (!ou_dict_set(vm, d, k, v))
                    goto fail;
            } else {
                ou_raise(vm, E_TYPE, "keys in translate table must be strings or integers");
                goto fail;
            }
        }
        return table;
    }
    for (int i = 1; i < n; i++) {
        if (!str_like(vm, args[i])) {
            ou_raise(vm, E_TYPE, "maketrans() argument %d must be str, not %s", i + 1, arg_type_name(vm, args[i]));
            goto fail;
        }
    }
    if (!str_like(vm, args[0])) {
        ou_raise(vm, E_TYPE, "first maketrans argument must be a string if there is a second argument");
        goto fail;
    }
    Str *x = as_str(args[0]), *y = as_str(args[1]);
    if (x->length != y->length) {
        ou_raise(vm, E_VALUE, "the first two maketrans arguments must have equal length");
        goto fail;
    }
    for (const char *p = x->data, *q = y->data, *end = p + x->size; p < end;) {
        Value from = v_smallint(utf8_next(&p)), to = v_smallint(utf8_next(&q));
        if (!ou_dict_set(vm, d, from, to))
            goto fail;
    }
    if (n > 2)
        for (const char *p = as_str(args[2])->data, *end = p + as_str(args[2])->size; p < end;)
            if (!ou_dict_set(vm, d, v_smallint(utf8_next(&p)), V_NONE))
                goto fail;
    return table;
fail:
    release(vm, table);
    return V_NULL;
}
