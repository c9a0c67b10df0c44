/* Regular expressions: single characters, escapes and classes.
 * Entry points: ou_re_put_literal, ou_re_parse_escape, ou_re_parse_class. The one thing to know: what PCRE2 would read otherwise than
 * Python does, or with other members (\d, \w and \s by flag), is spelled out. */
#include "stdlib/re_pattern_impl.h"

#include "runtime/base/unicode.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/state.h"

void ou_re_put_literal(Parser *r, uint32_t c, bool in_class)
{
    if (r->is_bytes) {
        if (c < 128 && (in_class ? strchr("\\]^-[", (int)c) : strchr(".^$*+?()[]{}|\\/", (int)c)) && c)
            ou_sb_putc(r->out, '\\');
        if (c == 0)
            put(r, "\\x00");
        else
            ou_sb_putc(r->out, (char)c);
        return;
    }
    if (c == 0) {
        put(r, "\\x00");
        return;
    }
    if (!in_class && (r->flags & RE_A) && (r->flags & RE_I) && (c >= 128 || strchr("kKsS", (int)c))) {
        /* Only ASCII letters fold with the ASCII flag; PCRE2 would also equate k and s with the Kelvin sign and the long s. */
        put(r, c < 128 ? "(?-i:[" : "(?-i:");
        ou_sb_cp(r->out, c);
        if (c < 128) {
            ou_sb_cp(r->out, c ^ 32);
            put(r, "]");
        }
        put(r, ")");
        return;
    }
    if (c < 128 && (in_class ? strchr("\\]^-[", (int)c) : strchr(".^$*+?()[]{}|\\/", (int)c)))
        ou_sb_putc(r->out, '\\');
    ou_sb_cp(r->out, c);
}

/* ---- escapes ------------------------------------------------------------------------------------------------------------------------ */

static bool is_oct(int c) { return c >= '0' && c <= '7'; }
static int hex_value(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* \x \u \U \N and the octal ones that begin with [0-3]; from is at the backslash, r->p behind the letter. 1 took it, 0 not one
 * of these, -1 raised. */
static int char_escape(Parser *r, const char *from, int c, uint32_t *out)
{
    if (c == 'x' || (!r->is_bytes && (c == 'u' || c == 'U'))) {
        int want = c == 'x' ? 2 : c == 'u' ? 4 : 8, k = 0;
        uint32_t v = 0;
        while (k < want && hex_value(peek(r)) >= 0) {
            v = v << 4 | (uint32_t)hex_value(peek(r));
            r->p++;
            k++;
        }
        if (k < want)
            return ou_re_fail_text(r, from, "incomplete escape ", from, r->p) ? 0 : -1;
        if (v > 0x10FFFF)
            return ou_re_fail_text(r, from, "bad escape ", from, r->p) ? 0 : -1;
        *out = v;
        return 1;
    }
    if (c == 'N' && !r->is_bytes) {
        if (peek(r) != '{')
            return ou_re_fail(r, r->p, "missing {") ? 0 : -1;
        const char *name = ++r->p, *close = memchr(r->p, '}', (size_t)(r->end - r->p));
        if (!close || close == name)
            return ou_re_fail(r, name, name < r->end && !close ? "missing }, unterminated name" : "missing character name") ? 0 : -1;
        uint32_t cps[4];
        r->p = close + 1;
        if (ou_uni_lookup(name, (size_t)(close - name), cps) != 1)
            return ou_re_fail_repr(r, from, "undefined character name ", name, close) ? 0 : -1;
        *out = cps[0];
        return 1;
    }
    switch (c) {
    case 'a': *out = 7; return 1;
    case 'f': *out = 12; return 1;
    case 'n': *out = 10; return 1;
    case 'r': *out = 13; return 1;
    case 't': *out = 9; return 1;
    case 'v': *out = 11; return 1;
    case '\\': *out = '\\'; return 1;
    default: return 0;
    }
}

static int octal(Parser *r, const char *from, uint32_t v, int digits, uint32_t *out)
{
    for (; digits > 0 && is_oct(peek(r)); digits--)
        v = v * 8 + (uint32_t)(*r->p++ - '0');
    if (v > 0377) {
        VM *vm = r->vm;
        Value text = ou_str_new(vm, from, (size_t)(r->p - from));
        if (text == V_NULL)
            return -1;
        Value m = ou_str_format(vm, "octal escape value %U outside of range 0-0o377", text);
        release(vm, text);
        ou_re_raise(vm, r->error, r->pattern, ou_re_position(r, from), m);
        return -1;
    }
    *out = v;
    return 1;
}

#define ASCII_W "A-Za-z0-9_"
#define ASCII_S "\\x20\\t\\n\\r\\f\\x0b"

/* \d \w \s and their opposites. */
static void put_category(Parser *r, int c, bool in_class)
{
    static const struct {
        char c;
        const char *in, *ascii_in, *out, *ascii_out;
    } table[] = {
        {'d', "\\d", "0-9", "\\d", "[0-9]"},
        {'D', "\\D", "\\x00-/:-\\x{10ffff}", "\\D", "[^0-9]"},
        {'w', "\\w", ASCII_W, "\\w", "[" ASCII_W "]"},
        {'W', "\\W", "\\x00-/:-@\\[-\\^`{-\\x{10ffff}", "\\W", "[^" ASCII_W "]"},
        {'s', "\\s\\x1c-\\x1f", ASCII_S, "[\\s\\x1c-\\x1f]", "[" ASCII_S "]"},
        {'S', "\\S", "\\x00-\\x08\\x0e-\\x1f!-\\x{10ffff}", "[^\\s\\x1c-\\x1f]", "[^" ASCII_S "]"},
    };
    if (r->is_bytes) { /* PCRE2's are the ASCII ones without UCP */
        ou_sb_putc(r->out, '\\');
        ou_sb_putc(r->out, (char)c);
        return;
    }
    bool ascii = (r->flags & RE_A) != 0;
    for (size_t i = 0; i < 6; i++)
        if (table[i].c == c)
            put(r, in_class ? (ascii ? table[i].ascii_in : table[i].in) : (ascii ? table[i].ascii_out : table[i].out));
}

bool ou_re_check_ref(Parser *r, uint32_t g, const char *at)
{
    if (r->groups[g].w.lo == OPEN)
        return ou_re_fail(r, at, "cannot refer to an open group");
    if (r->lookbehind && r->groups[g].lookbehind == r->lookbehind)
        return ou_re_fail(r, r->p, "cannot refer to group defined in the same lookbehind subpattern");
    return true;
}

/* An escape outside of a class; r->p is at the backslash. */
bool ou_re_parse_escape(Parser *r, int *kind, Width *w)
{
    const char *from = r->p++;
    if (r->p >= r->end)
        return ou_re_fail(r, from, "bad escape (end of pattern)");
    uint32_t c = next_char(r), cp;
    *kind = K_ITEM;
    *w = (Width){1, 1};
    switch (c) {
    case 'A': case 'Z': case 'b': case 'B':
        *kind = K_AT;
        *w = (Width){0, 0};
        if (c == 'A')
            put(r, "\\A");
        else if (c == 'Z')
            put(r, "\\z");
        else if (r->is_bytes || !(r->flags & RE_A))
            put(r, c == 'b' ? "\\b" : "(?!\\A\\z)\\B"); /* Python's never matches in an empty text */
        else if (c == 'b')
            put(r, "(?:(?<=[" ASCII_W "])(?![" ASCII_W "])|(?<![" ASCII_W "])(?=[" ASCII_W "]))");
        else
            put(r, "(?!\\A\\z)(?:(?<=[" ASCII_W "])(?=[" ASCII_W "])|(?<![" ASCII_W "])(?![" ASCII_W "]))");
        return true;
    case 'd': case 'D': case 'w': case 'W': case 's': case 'S':
        put_category(r, (int)c, false);
        return true;
    default:
        break;
    }
    int k = 0;
    if (c == '0') {
        k = octal(r, from, 0, 2, &cp);
    } else if (c >= '1' && c <= '9') {
        uint32_t g = c - '0';
        int d = peek(r);
        if (d >= '0' && d <= '9') {
            if (is_oct((int)c) && is_oct(d) && r->p + 1 < r->end && is_oct((uint8_t)r->p[1])) {
                k = octal(r, from, g, 2, &cp);
                g = 0;
            } else {
                g = g * 10 + (uint32_t)(d - '0');
                r->p++;
            }
        }
        if (g) {
            if (g > r->ngroups)
                return ou_re_fail_text(r, from + 1, "invalid group reference ", from + 1, r->p);
            if (!ou_re_check_ref(r, g, from))
                return false;
            ou_sb_printf(r->out, "\\g{%u}", (unsigned)g);
            *w = r->groups[g].w;
            return true;
        }
    } else {
        k = char_escape(r, from, c < 128 ? (int)c : 0, &cp);
        if (k == 0) {
            if (c < 128 && ((c | 32) >= 'a' && (c | 32) <= 'z'))
                return ou_re_fail_text(r, from, "bad escape ", from, r->p);
            cp = c;
            k = 1;
        }
    }
    if (k < 0)
        return false;
    ou_re_put_literal(r, cp, false);
    return true;
}

/* ---- classes -------------------------------------------------------------------------------------------------------------------------- */

/* One member: 1 a character in *cp, 2 a category letter in *cp, 0 raised. */
static int class_member(Parser *r, uint32_t *cp)
{
    const char *from = r->p;
    uint32_t c = next_char(r);
    *cp = c;
    if (c != '\\')
        return 1;
    if (r->p >= r->end) {
        ou_re_fail(r, from, "bad escape (end of pattern)");
        return 0;
    }
    c = next_char(r);
    *cp = c;
    if (c < 128 && c && strchr("dDwWsS", (int)c))
        return 2;
    if (c == 'b') {
        *cp = 8;
        return 1;
    }
    int k = 0;
    if (c < 128 && is_oct((int)c))
        k = octal(r, from, c - '0', 2, cp);
    else if (c < 128)
        k = char_escape(r, from, (int)c, cp);
    if (k)
        return k < 0 ? 0 : 1;
    if (c < 128 && (((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9'))) {
        ou_re_fail_text(r, from, "bad escape ", from, r->p);
        return 0;
    }
    *cp = c;
    return 1;
}

/* What other engines read as an operation on sets may mean that here one day. */
static bool warn_set(Parser *r, const char *at, const char *what)
{
    return ou_warn(r->vm, E_FUTURE_WARNING, 1, "Possible %s at position %ld", what, (long)ou_re_position(r, at));
}

/* A member of a class that is not the first one, at r->p: the first of two equal signs? */
static bool check_operator(Parser *r)
{
    int c = peek(r);
    if (c < 0 || !strchr("-&~|", c) || r->p + 1 >= r->end || r->p[1] != c)
        return true;
    return warn_set(r, r->p, c == '-'   ? "set difference"
                             : c == '&' ? "set intersection"
                             : c == '~' ? "set symmetric difference"
                                        : "set union");
}

bool ou_re_parse_class(Parser *r)
{
    const char *open = r->p++;
    bool first = true;
    put(r, "[");
    if (peek(r) == '[' && !warn_set(r, r->p, "nested set"))
        return false;
    if (peek(r) == '^') {
        r->p++;
        put(r, "^");
    }
    for (;; first = false) {
        if (r->p >= r->end)
            return ou_re_fail(r, open, "unterminated character set");
        if (*r->p == ']' && !first) {
            r->p++;
            break;
        }
        const char *from = r->p;
        uint32_t lo, hi;
        if (!first && !check_operator(r))
            return false;
        int k = class_member(r, &lo);
        if (!k)
            return false;
        if (peek(r) != '-') {
            if (k == 1)
                ou_re_put_literal(r, lo, true);
            else
                put_category(r, (int)lo, true);
            continue;
        }
        r->p++;
        if (r->p >= r->end)
            return ou_re_fail(r, open, "unterminated character set");
        if (*r->p == ']') { /* a '-' at the end stands for itself */
            if (k == 1)
                ou_re_put_literal(r, lo, true);
            else
                put_category(r, (int)lo, true);
            ou_re_put_literal(r, '-', true);
            continue;
        }
        if (*r->p == '-' && !warn_set(r, r->p - 1, "set difference"))
            return false;
        int m = class_member(r, &hi);
        if (!m)
            return false;
        if (k == 2 || m == 2 || hi < lo)
            return ou_re_fail_text(r, from, "bad character range ", from, r->p);
        ou_re_put_literal(r, lo, true);
        put(r, "-");
        ou_re_put_literal(r, hi, true);
    }
    put(r, "]");
    return true;
}
