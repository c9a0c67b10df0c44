/* The parser of regular expressions: recursive descent over the pattern, writing PCRE2 syntax as it goes.
 * Entry point: ou_re_translate. The one thing to know: each construct is checked by Python's rules and spelled out so plainly
 * that PCRE2's own rules do not matter: groups by number, literals escaped, classes of the ASCII flag as ranges. The widths that
 * the parse functions return serve the fixed-width rule of look-behind. */
#include "stdlib/re_pattern.h"

#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"
#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/state.h"
#include "vm/call.h"

enum { NEST_MAX = 900, REFS_MAX = 64 };
#define WIDTH_MAX ((uint64_t)1 << 32)
#define OPEN UINT64_MAX /* a group's width while it is open */

typedef struct Width {
    uint64_t lo, hi;
} Width;

typedef struct Group {
    Width w;
    uint32_t lookbehind; /* number of the look-behind assertion it stands in, 0: none */
} Group;

typedef struct Parser {
    VM *vm;
    RePattern *re;
    StrBuf *out;
    Value pattern, error;
    const char *begin, *p, *end;
    bool is_bytes;
    uint32_t flags;       /* in force here */
    Group *groups;        /* [0] unused */
    uint32_t ngroups, cap, nclosed;
    uint32_t lookbehind, lookbehinds; /* the one being parsed (0: none), how many there were */
    bool bad_lookbehind;
    int depth;
    struct { uint32_t group; int64_t pos; } refs[REFS_MAX]; /* conditions on groups that may come later */
    int nrefs;
} Parser;

/* ---- errors and reading ----------------------------------------------------------------------------------------------------------- */

bool ou_re_raise(VM *vm, Value error, Value pattern, int64_t pos, Value msg)
{
    if (msg == V_NULL)
        return false;
    if (error == V_NULL || error == V_NONE) {
        ou_raise(vm, E_VALUE, "%U", msg);
    } else {
        Value exc = ou_call3(vm, error, msg, pattern, pos < 0 ? V_NONE : v_smallint(pos));
        if (exc != V_NULL) {
            ou_raise_value(vm, exc);
            release(vm, exc);
        }
    }
    release(vm, msg);
    return false;
}

static int64_t position(Parser *r, const char *at)
{
    return r->is_bytes ? at - r->begin : (int64_t)ou_utf8_count(r->begin, (size_t)(at - r->begin));
}

static bool fail(Parser *r, const char *at, const char *msg)
{
    return ou_re_raise(r->vm, r->error, r->pattern, at ? position(r, at) : -1, ou_str_c(r->vm, msg));
}

/* The message ends with the source text from..to. */
static bool fail_text(Parser *r, const char *at, const char *msg, const char *from, const char *to)
{
    VM *vm = r->vm;
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, msg);
    for (; from < to; from++) {
        if (r->is_bytes)
            ou_sb_cp(&b, (uint8_t)*from);
        else
            ou_sb_putc(&b, *from);
    }
    return ou_re_raise(vm, r->error, r->pattern, position(r, at), ou_sb_finish(&b));
}

/* The message ends with the repr of the source text from..to. */
static bool fail_repr(Parser *r, const char *at, const char *msg, const char *from, const char *to)
{
    VM *vm = r->vm;
    StrBuf b;
    ou_sb_init(&b, vm);
    for (const char *p = from; p < to; p++) {
        if (r->is_bytes)
            ou_sb_cp(&b, (uint8_t)*p);
        else
            ou_sb_putc(&b, *p);
    }
    Value text = ou_sb_finish(&b);
    if (text == V_NULL)
        return false;
    Value m = ou_str_format(vm, r->is_bytes ? "%s%A" : "%s%R", msg, text);
    release(vm, text);
    return ou_re_raise(vm, r->error, r->pattern, position(r, at), m);
}

static uint32_t next_char(Parser *r) /* not at the end */
{
    return r->is_bytes ? (uint8_t)*r->p++ : utf8_next(&r->p);
}

static void put(Parser *r, const char *s) { ou_sb_puts(r->out, s); }

static void put_literal(Parser *r, uint32_t c, bool in_class)
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

static Width width(uint64_t lo, uint64_t hi) { return (Width){lo > WIDTH_MAX ? WIDTH_MAX : lo, hi > WIDTH_MAX ? WIDTH_MAX : hi}; }
static Width both(Width a, Width b) { return width(a.lo + b.lo, a.hi + b.hi); }
static uint64_t times(uint64_t w, uint64_t n) { return w && n > WIDTH_MAX / w ? WIDTH_MAX : w * n; }

/* ---- escapes ------------------------------------------------------------------------------------------------------------------------ */

static bool is_oct(int c) { return c >= '0' && c <= '7'; }
static int hex_value(int c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}
static int peek(Parser *r) { return r->p < r->end ? (uint8_t)*r->p : -1; }

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
            return fail_text(r, from, "incomplete escape ", from, r->p) ? 0 : -1;
        if (v > 0x10FFFF)
            return fail_text(r, from, "bad escape ", from, r->p) ? 0 : -1;
        *out = v;
        return 1;
    }
    if (c == 'N' && !r->is_bytes) {
        if (peek(r) != '{')
            return fail(r, r->p, "missing {") ? 0 : -1;
        const char *name = ++r->p, *close = memchr(r->p, '}', (size_t)(r->end - r->p));
        if (!close || close == name)
            return fail(r, name, name < r->end && !close ? "missing }, unterminated name" : "missing character name") ? 0 : -1;
        uint32_t cps[4];
        r->p = close + 1;
        if (ou_uni_lookup(name, (size_t)(close - name), cps) != 1)
            return fail_repr(r, from, "undefined character name ", name, close) ? 0 : -1;
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
        ou_re_raise(vm, r->error, r->pattern, position(r, from), m);
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

static bool check_ref(Parser *r, uint32_t g, const char *at)
{
    if (r->groups[g].w.lo == OPEN)
        return fail(r, at, "cannot refer to an open group");
    if (r->lookbehind && r->groups[g].lookbehind == r->lookbehind)
        return fail(r, r->p, "cannot refer to group defined in the same lookbehind subpattern");
    return true;
}

enum { K_NONE, K_ITEM, K_AT, K_REPEAT }; /* what the last thing in a branch was */

/* An escape outside of a class; r->p is at the backslash. */
static bool parse_escape(Parser *r, int *kind, Width *w)
{
    const char *from = r->p++;
    if (r->p >= r->end)
        return fail(r, from, "bad escape (end of pattern)");
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
                return fail_text(r, from + 1, "invalid group reference ", from + 1, r->p);
            if (!check_ref(r, g, from))
                return false;
            ou_sb_printf(r->out, "\\g{%u}", (unsigned)g);
            *w = r->groups[g].w;
            return true;
        }
    } else {
        k = char_escape(r, from, c < 128 ? (int)c : 0, &cp);
        if (k == 0) {
            if (c < 128 && ((c | 32) >= 'a' && (c | 32) <= 'z'))
                return fail_text(r, from, "bad escape ", from, r->p);
            cp = c;
            k = 1;
        }
    }
    if (k < 0)
        return false;
    put_literal(r, cp, false);
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
        fail(r, from, "bad escape (end of pattern)");
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
        fail_text(r, from, "bad escape ", from, r->p);
        return 0;
    }
    *cp = c;
    return 1;
}

/* What other engines read as an operation on sets may mean that here one day. */
static bool warn_set(Parser *r, const char *at, const char *what)
{
    return ou_warn(r->vm, E_FUTURE_WARNING, 1, "Possible %s at position %ld", what, (long)position(r, at));
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

static bool parse_class(Parser *r)
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
            return fail(r, open, "unterminated character set");
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
                put_literal(r, lo, true);
            else
                put_category(r, (int)lo, true);
            continue;
        }
        r->p++;
        if (r->p >= r->end)
            return fail(r, open, "unterminated character set");
        if (*r->p == ']') { /* a '-' at the end stands for itself */
            if (k == 1)
                put_literal(r, lo, true);
            else
                put_category(r, (int)lo, true);
            put_literal(r, '-', true);
            continue;
        }
        if (*r->p == '-' && !warn_set(r, r->p - 1, "set difference"))
            return false;
        int m = class_member(r, &hi);
        if (!m)
            return false;
        if (k == 2 || m == 2 || hi < lo)
            return fail_text(r, from, "bad character range ", from, r->p);
        put_literal(r, lo, true);
        put(r, "-");
        put_literal(r, hi, true);
    }
    put(r, "]");
    return true;
}

/* ---- groups ---------------------------------------------------------------------------------------------------------------------------- */

static bool parse_branches(Parser *r, bool first, Width *w);
static bool parse_branch(Parser *r, bool first, Width *w);

/* Text up to the terminator, which is taken. */
static bool get_until(Parser *r, char terminator, const char **from, const char **to)
{
    *from = r->p;
    const char *q = memchr(r->p, terminator, (size_t)(r->end - r->p));
    if (!q || q == r->p) {
        if (r->p >= r->end || q == r->p)
            return fail(r, r->p, "missing group name");
        return fail(r, *from, terminator == '>' ? "missing >, unterminated name" : "missing ), unterminated name");
    }
    *to = q;
    r->p = q + 1;
    return true;
}

static bool is_identifier(Parser *r, const char *p, const char *end)
{
    bool start = true;
    while (p < end) {
        uint32_t c = r->is_bytes ? (uint8_t)*p++ : utf8_next(&p);
        if (r->is_bytes && c >= 128)
            return false;
        if (start ? !ou_uni_is_id_start(c) : !ou_uni_is_id_continue(c))
            return false;
        start = false;
    }
    return !start;
}

static bool open_group(Parser *r, const char *name, const char *name_end, uint32_t *g)
{
    VM *vm = r->vm;
    if (r->ngroups + 1 >= r->cap) {
        uint32_t cap = r->cap * 2;
        Group *p = ou_realloc((Heap *)vm, r->groups, r->cap * sizeof *p, cap * sizeof *p);
        if (p)
            r->groups = p;
        uint32_t *c = p ? ou_realloc((Heap *)vm, r->re->closed, r->re->cap * sizeof *c, cap * sizeof *c) : NULL;
        if (c) {
            r->re->closed = c;
            r->re->cap = cap;
        }
        if (p)
            r->cap = cap;
        if (!p || !c) {
            ou_raise_memory(vm);
            return false;
        }
    }
    *g = ++r->ngroups;
    r->groups[*g] = (Group){{OPEN, OPEN}, r->lookbehind};
    if (!name)
        return true;
    Value key = ou_str_new(vm, name, (size_t)(name_end - name));
    if (key == V_NULL)
        return false;
    Value old = ou_dict_get(vm, as_dict(r->re->names), key);
    bool ok = false;
    if (old != V_NULL) {
        Value m = ou_str_format(vm, "redefinition of group name %R as group %d; was group %d", key, (int)*g, (int)v_small(old));
        ou_re_raise(vm, r->error, r->pattern, position(r, name), m);
    } else if (vm->exc == V_NULL) {
        ok = ou_dict_set(vm, as_dict(r->re->names), key, v_smallint(*g));
    }
    release(vm, key);
    return ok;
}

static uint32_t flag_of(int c)
{
    switch (c) {
    case 'i': return RE_I;
    case 'L': return RE_L;
    case 'm': return RE_M;
    case 's': return RE_S;
    case 'x': return RE_X;
    case 'a': return RE_A;
    case 'u': return RE_U;
    default: return 0;
    }
}

static bool bad_flag(Parser *r, const char *at, const char *otherwise)
{
    const char *q = at;
    uint32_t c = r->is_bytes ? (uint8_t)*q : utf8_next(&q);
    return fail(r, at, ou_uni_is_alpha(c) ? "unknown flag" : otherwise);
}

/* Inline flags; r->p is at the first letter or '-'. *global: "(?flags)". */
static bool parse_flags(Parser *r, uint32_t *add, uint32_t *del, bool *global)
{
    const uint32_t kinds = RE_A | RE_L | RE_U;
    *add = *del = 0;
    *global = false;
    int c = (uint8_t)*r->p++;
    while (c != '-') {
        uint32_t f = flag_of(c);
        if (c == 'L' && !r->is_bytes)
            return fail(r, r->p, "bad inline flags: cannot use 'L' flag with a str pattern");
        if (c == 'u' && r->is_bytes)
            return fail(r, r->p, "bad inline flags: cannot use 'u' flag with a bytes pattern");
        *add |= f;
        if ((f & kinds) && (*add & kinds) != f)
            return fail(r, r->p, "bad inline flags: flags 'a', 'u' and 'L' are incompatible");
        if (r->p >= r->end)
            return fail(r, r->p, "missing -, : or )");
        c = (uint8_t)*r->p++;
        if (c == ')') {
            *global = true;
            return true;
        }
        if (c == ':')
            return true;
        if (c != '-' && !flag_of(c))
            return bad_flag(r, r->p - 1, "missing -, : or )");
    }
    if (r->p >= r->end)
        return fail(r, r->p, "missing flag");
    c = (uint8_t)*r->p++;
    if (!flag_of(c))
        return bad_flag(r, r->p - 1, "missing flag");
    do {
        uint32_t f = flag_of(c);
        if (f & kinds)
            return fail(r, r->p, "bad inline flags: cannot turn off flags 'a', 'u' and 'L'");
        *del |= f;
        if (r->p >= r->end)
            return fail(r, r->p, "missing :");
        c = (uint8_t)*r->p++;
        if (c != ':' && !flag_of(c))
            return bad_flag(r, r->p - 1, "missing :");
    } while (c != ':');
    return !(*add & *del) || fail(r, r->p - 1, "bad inline flags: flag turned on and off");
}

static bool close_group(Parser *r, const char *open)
{
    if (peek(r) != ')')
        return fail(r, open, "missing ), unterminated subpattern");
    r->p++;
    put(r, ")");
    return true;
}

/* "(?(id)yes|no)"; r->p is behind the second parenthesis. */
static bool parse_condition(Parser *r, const char *open, Width *w)
{
    VM *vm = r->vm;
    const char *from, *to;
    if (!get_until(r, ')', &from, &to))
        return false;
    uint64_t g = 0;
    if (is_identifier(r, from, to)) {
        Value key = ou_str_new(vm, from, (size_t)(to - from));
        if (key == V_NULL)
            return false;
        Value v = ou_dict_get(vm, as_dict(r->re->names), key);
        release(vm, key);
        if (v == V_NULL)
            return vm->exc == V_NULL && fail_repr(r, from, "unknown group name ", from, to);
        g = (uint64_t)v_small(v);
    } else {
        for (const char *p = from; p < to; p++) {
            if (*p < '0' || *p > '9')
                return fail_repr(r, from, "bad character in group name ", from, to);
            g = g > UINT32_MAX ? g : g * 10 + (uint64_t)(*p - '0');
        }
        if (g == 0)
            return fail(r, from, "bad group number");
        if (g > 0x3FFFFFFF)
            return fail_text(r, from, "invalid group reference ", from, to);
        if (r->nrefs < REFS_MAX) {
            r->refs[r->nrefs].group = (uint32_t)g;
            r->refs[r->nrefs++].pos = position(r, from);
        }
    }
    if (r->lookbehind && (g > r->ngroups || r->groups[g].w.lo == OPEN))
        return fail(r, r->p, "cannot refer to an open group");
    if (r->lookbehind && r->groups[g].lookbehind == r->lookbehind)
        return fail(r, r->p, "cannot refer to group defined in the same lookbehind subpattern");
    ou_sb_printf(r->out, "(?(%u)", (unsigned)g);
    Width no = {0, 0};
    if (!parse_branch(r, false, w))
        return false;
    if (peek(r) == '|') {
        r->p++;
        put(r, "|");
        if (!parse_branch(r, false, &no))
            return false;
        if (peek(r) == '|')
            return fail(r, r->p, "conditional backref with more than two branches");
    }
    *w = width(w->lo < no.lo ? w->lo : no.lo, w->hi > no.hi ? w->hi : no.hi);
    return close_group(r, open);
}

static bool parse_capture(Parser *r, const char *open, const char *name, const char *name_end, Width *w)
{
    uint32_t g;
    if (!open_group(r, name, name_end, &g))
        return false;
    put(r, "(");
    if (!parse_branches(r, false, w) || !close_group(r, open))
        return false;
    r->groups[g].w = *w;
    r->re->closed[g - 1] = r->nclosed++;
    return true;
}

static bool parse_named(Parser *r, const char *open, int *kind, Width *w)
{
    const char *from, *to;
    r->p++; /* 'P' */
    if (r->p >= r->end)
        return fail(r, r->p, "unexpected end of pattern");
    const char *at = r->p;
    uint32_t c = next_char(r);
    if (c == '<') {
        if (!get_until(r, '>', &from, &to))
            return false;
        if (!is_identifier(r, from, to))
            return fail_repr(r, from, "bad character in group name ", from, to);
        return parse_capture(r, open, from, to, w);
    }
    if (c != '=')
        return fail_text(r, open + 1, "unknown extension ?P", at, r->p);
    if (!get_until(r, ')', &from, &to))
        return false;
    if (!is_identifier(r, from, to))
        return fail_repr(r, from, "bad character in group name ", from, to);
    VM *vm = r->vm;
    Value key = ou_str_new(vm, from, (size_t)(to - from));
    if (key == V_NULL)
        return false;
    Value v = ou_dict_get(vm, as_dict(r->re->names), key);
    release(vm, key);
    if (v == V_NULL)
        return vm->exc == V_NULL && fail_repr(r, from, "unknown group name ", from, to);
    uint32_t g = (uint32_t)v_small(v);
    if (!check_ref(r, g, from))
        return false;
    ou_sb_printf(r->out, "\\g{%u}", (unsigned)g);
    *kind = K_ITEM;
    *w = r->groups[g].w;
    return true;
}

/* "(?=", "(?!", "(?<=", "(?<!" */
static bool parse_look(Parser *r, const char *open, Width *w)
{
    bool behind = *r->p == '<';
    if (behind) {
        r->p++;
        if (r->p >= r->end)
            return fail(r, r->p, "unexpected end of pattern");
        if (*r->p != '=' && *r->p != '!') {
            const char *at = r->p;
            next_char(r);
            return fail_text(r, open + 1, "unknown extension ?<", at, r->p);
        }
    }
    char kind[5] = {'(', '?', 0, 0, 0};
    kind[2] = behind ? '<' : *r->p;
    kind[3] = behind ? *r->p : 0;
    r->p++;
    put(r, kind);
    uint32_t outer = r->lookbehind;
    if (behind && !outer)
        r->lookbehind = ++r->lookbehinds;
    if (!parse_branches(r, false, w))
        return false;
    r->lookbehind = outer;
    if (behind && w->lo != w->hi)
        r->bad_lookbehind = true;
    *w = (Width){0, 0};
    return close_group(r, open);
}

static bool parse_flag_group(Parser *r, const char *open, bool first, int *kind, Width *w)
{
    uint32_t add, del;
    bool global;
    if (!parse_flags(r, &add, &del, &global))
        return false;
    if (global) {
        if (!first)
            return fail(r, open, "global flags not at the start of the expression");
        r->flags |= add;
        r->re->flags |= add;
        *kind = K_NONE;
        return true;
    }
    uint32_t outer = r->flags;
    if (add & (RE_A | RE_U | RE_L))
        r->flags &= ~(uint32_t)(RE_A | RE_U | RE_L);
    r->flags = (r->flags | add) & ~del;
    put(r, "(?");
    for (int pass = 0; pass < 2; pass++) {
        uint32_t f = pass ? del : add;
        if (pass && (f & (RE_I | RE_M | RE_S)))
            put(r, "-");
        if (f & RE_I)
            put(r, "i");
        if (f & RE_M)
            put(r, "m");
        if (f & RE_S)
            put(r, "s");
    }
    put(r, ":");
    if (!parse_branches(r, false, w))
        return false;
    r->flags = outer;
    return close_group(r, open);
}

/* Anything that begins with '('. *kind stays K_NONE when it was no item (a comment, global flags). */
static bool parse_group(Parser *r, bool first, int *kind, Width *w)
{
    const char *open = r->p++;
    *kind = K_ITEM;
    if (peek(r) != '?')
        return parse_capture(r, open, NULL, NULL, w);
    r->p++;
    if (r->p >= r->end)
        return fail(r, r->p, "unexpected end of pattern");
    switch (*r->p) {
    case 'P':
        return parse_named(r, open, kind, w);
    case ':':
    case '>':
        put(r, *r->p == ':' ? "(?:" : "(?>");
        r->p++;
        return parse_branches(r, false, w) && close_group(r, open);
    case '#': {
        const char *close = memchr(r->p, ')', (size_t)(r->end - r->p));
        if (!close)
            return fail(r, open, "missing ), unterminated comment");
        r->p = close + 1;
        *kind = K_NONE;
        return true;
    }
    case '=':
    case '!':
    case '<':
        return parse_look(r, open, w);
    case '(':
        r->p++;
        return parse_condition(r, open, w);
    default:
        break;
    }
    if (*r->p == '-' || flag_of(*r->p))
        return parse_flag_group(r, open, first, kind, w);
    const char *at = r->p;
    next_char(r);
    return fail_text(r, open + 1, "unknown extension ?", at, r->p);
}

/* ---- branches --------------------------------------------------------------------------------------------------------------------------- */

/* A quantifier at r->p: 1 with *min and *max (-1: none), 0 it is only a brace, -1 raised. */
static int parse_count(Parser *r, int64_t *min, int64_t *max)
{
    const char *here = r->p++;
    *min = *here == '+';
    *max = *here == '?' ? 1 : -1;
    if (*here != '{')
        return 1;
    const char *after = r->p;
    if (peek(r) == '}') {
        r->p = here;
        return 0;
    }
    int64_t n[2] = {-1, -1};
    int given = 1;
    for (int i = 0; i < 2; i++) {
        while (peek(r) >= '0' && peek(r) <= '9') {
            n[i] = (n[i] < 0 ? 0 : n[i]) * 10 + (*r->p++ - '0');
            if (n[i] > (int64_t)1 << 40)
                n[i] = (int64_t)1 << 40;
        }
        if (i == 0 && peek(r) == ',') {
            given = 2;
            r->p++;
        } else {
            break;
        }
    }
    if (peek(r) != '}') {
        r->p = here;
        return 0;
    }
    r->p++;
    if (given == 1)
        n[1] = n[0];
    if (n[0] >= UINT32_MAX || n[1] >= UINT32_MAX) {
        ou_raise(r->vm, E_OVERFLOW, "the repetition number is too large");
        return -1;
    }
    *min = n[0] < 0 ? 0 : n[0];
    *max = n[1];
    if (*max >= 0 && *max < *min) {
        fail(r, after, "min repeat greater than max repeat");
        return -1;
    }
    return 1;
}

static bool put_count(Parser *r, int64_t min, int64_t max)
{
    enum { PCRE_MAX = 65535 };
    if (min > PCRE_MAX) {
        ou_raise(r->vm, E_OVERFLOW, "regular expression code size limit exceeded");
        return false;
    }
    if (max > PCRE_MAX)
        max = -1;
    if (min == 0 && max == -1)
        put(r, "*");
    else if (min == 1 && max == -1)
        put(r, "+");
    else if (min == 0 && max == 1)
        put(r, "?");
    else if (max == -1)
        ou_sb_printf(r->out, "{%d,}", (int)min);
    else
        ou_sb_printf(r->out, "{%d,%d}", (int)min, (int)max);
    return true;
}

/* Items up to '|', ')' or the end. */
static bool parse_branch(Parser *r, bool first, Width *w)
{
    Width total = {0, 0}, item = {0, 0};
    int last = K_NONE;
    bool any = false;
    while (r->p < r->end && *r->p != '|' && *r->p != ')') {
        char c = *r->p;
        if ((r->flags & RE_X) && (c == ' ' || (c >= 9 && c <= 13))) {
            r->p++;
            continue;
        }
        if ((r->flags & RE_X) && c == '#') {
            while (r->p < r->end && *r->p++ != '\n')
                ;
            continue;
        }
        if (c == '*' || c == '+' || c == '?' || c == '{') {
            const char *here = r->p;
            int64_t min, max;
            int k = parse_count(r, &min, &max);
            if (k < 0)
                return false;
            if (k > 0) {
                if (last == K_NONE || last == K_AT)
                    return fail(r, here, "nothing to repeat");
                if (last == K_REPEAT)
                    return fail(r, here, "multiple repeat");
                if (!put_count(r, min, max))
                    return false;
                if (peek(r) == '?' || peek(r) == '+')
                    ou_sb_putc(r->out, *r->p++);
                total = both(total, width(times(item.lo, (uint64_t)min), max < 0 ? (item.hi ? WIDTH_MAX : 0) : times(item.hi, (uint64_t)max)));
                item = (Width){0, 0};
                last = K_REPEAT;
                continue;
            }
        }
        total = both(total, item);
        item = (Width){1, 1};
        int kind = K_ITEM;
        bool ok = true;
        switch (c) {
        case '\\':
            ok = parse_escape(r, &kind, &item);
            break;
        case '[':
            ok = parse_class(r);
            break;
        case '(': {
            Width inner = {0, 0};
            ok = parse_group(r, first && !any, &kind, &inner);
            item = inner;
            break;
        }
        case '.':
            r->p++;
            put(r, ".");
            break;
        case '^':
        case '$':
            r->p++;
            ou_sb_putc(r->out, c);
            kind = K_AT;
            item = (Width){0, 0};
            break;
        default:
            put_literal(r, next_char(r), false);
        }
        if (!ok || r->out->failed)
            return false;
        if (kind != K_NONE) {
            last = kind;
            any = true;
        }
    }
    *w = both(total, item);
    return true;
}

static bool parse_branches(Parser *r, bool first, Width *w)
{
    if (++r->depth > NEST_MAX) {
        ou_raise_recursion(r->vm, NULL);
        return false;
    }
    if (!parse_branch(r, first, w))
        return false;
    while (peek(r) == '|') {
        Width other;
        r->p++;
        put(r, "|");
        if (!parse_branch(r, false, &other))
            return false;
        *w = width(w->lo < other.lo ? w->lo : other.lo, w->hi > other.hi ? w->hi : other.hi);
    }
    r->depth--;
    return true;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------------------------------ */

static bool fix_flags(VM *vm, bool is_bytes, uint32_t *flags)
{
    const char *msg = NULL;
    if (!is_bytes) {
        if (*flags & RE_L)
            msg = "cannot use LOCALE flag with a str pattern";
        else if ((*flags & RE_A) && (*flags & RE_U))
            msg = "ASCII and UNICODE flags are incompatible";
        else if (!(*flags & RE_A))
            *flags |= RE_U;
    } else if (*flags & RE_U) {
        msg = "cannot use UNICODE flag with a bytes pattern";
    } else if ((*flags & RE_L) && (*flags & RE_A)) {
        msg = "ASCII and LOCALE flags are incompatible";
    }
    if (msg)
        ou_raise(vm, E_VALUE, "%s", msg);
    return !msg;
}

static bool parse_all(Parser *r)
{
    Width w;
    if (!parse_branches(r, true, &w))
        return false;
    if (r->p < r->end)
        return fail(r, r->p, "unbalanced parenthesis");
    for (int i = 0; i < r->nrefs; i++)
        if (r->refs[i].group > r->ngroups)
            return ou_re_raise(r->vm, r->error, r->pattern, r->refs[i].pos,
                               ou_str_format(r->vm, "invalid group reference %d", (int)r->refs[i].group));
    if (!fix_flags(r->vm, r->is_bytes, &r->re->flags))
        return false;
    if (r->bad_lookbehind)
        return ou_re_raise(r->vm, r->error, r->pattern, -1, ou_str_c(r->vm, "look-behind requires fixed-width pattern"));
    return !r->out->failed;
}

bool ou_re_translate(VM *vm, Value pattern, const char *p, size_t n, bool is_bytes, uint32_t flags, Value error, RePattern *out)
{
    enum { FIRST = 8 };
    memset(out, 0, sizeof *out);
    ou_sb_init(&out->out, vm);
    out->flags = flags;
    out->names = ou_dict_new(vm);
    Parser r = {.vm = vm, .re = out, .out = &out->out, .pattern = pattern, .error = error, .begin = p, .p = p, .end = p + n,
                .is_bytes = is_bytes, .flags = flags};
    r.groups = ou_alloc((Heap *)vm, FIRST * sizeof *r.groups);
    out->closed = ou_alloc((Heap *)vm, FIRST * sizeof *out->closed);
    out->cap = out->closed ? FIRST : 0;
    r.cap = r.groups ? FIRST : 0;
    bool ok = false;
    if (!r.groups || !out->closed)
        ou_raise_memory(vm);
    else if (out->names != V_NULL)
        ok = parse_all(&r);
    out->groups = r.ngroups;
    ou_free((Heap *)vm, r.groups, r.cap * sizeof *r.groups);
    if (!ok)
        ou_re_translate_done(vm, out);
    return ok;
}

void ou_re_translate_done(VM *vm, RePattern *r)
{
    ou_sb_drop(&r->out);
    xrelease(vm, r->names);
    r->names = V_NULL;
    ou_free((Heap *)vm, r->closed, r->cap * sizeof *r->closed);
    r->closed = NULL;
}
