/* The parser of regular expressions: recursive descent over the pattern, writing PCRE2 syntax as it goes. Here: errors, branches with
 * their quantifiers, and the whole; characters, escapes and classes are in re_pattern_atom.c, what '(' begins in re_pattern_group.c.
 * Entry point: ou_re_translate. The one thing to know: each construct is checked by Python's rules and spelled out so plainly
 * that PCRE2's own rules do not matter: groups by number, literals escaped, classes of the ASCII flag as ranges. The widths that
 * the parse functions return serve the fixed-width rule of look-behind. */
#include "stdlib/re_pattern.h"

#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/state.h"
#include "stdlib/re_pattern_impl.h"
#include "vm/call.h"

enum { NEST_MAX = 900 };

/* ---- errors ------------------------------------------------------------------------------------------------------------------------ */

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

int64_t ou_re_position(Parser *r, const char *at)
{
    return r->is_bytes ? at - r->begin : (int64_t)ou_utf8_count(r->begin, (size_t)(at - r->begin));
}

bool ou_re_fail(Parser *r, const char *at, const char *msg)
{
    return ou_re_raise(r->vm, r->error, r->pattern, at ? ou_re_position(r, at) : -1, ou_str_c(r->vm, msg));
}

/* The message ends with the source text from..to. */
bool ou_re_fail_text(Parser *r, const char *at, const char *msg, const char *from, const char *to)
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
    return ou_re_raise(vm, r->error, r->pattern, ou_re_position(r, at), ou_sb_finish(&b));
}

/* The message ends with the repr of the source text from..to. */
bool ou_re_fail_repr(Parser *r, const char *at, const char *msg, const char *from, const char *to)
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
    return ou_re_raise(vm, r->error, r->pattern, ou_re_position(r, at), m);
}

/* ---- branches --------------------------------------------------------------------------------------------------------------------------- */

static uint64_t times(uint64_t w, uint64_t n) { return w && n > WIDTH_MAX / w ? WIDTH_MAX : w * n; }

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
        ou_re_fail(r, after, "min repeat greater than max repeat");
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
bool ou_re_parse_branch(Parser *r, bool first, Width *w)
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
                    return ou_re_fail(r, here, "nothing to repeat");
                if (last == K_REPEAT)
                    return ou_re_fail(r, here, "multiple repeat");
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
            ok = ou_re_parse_escape(r, &kind, &item);
            break;
        case '[':
            ok = ou_re_parse_class(r);
            break;
        case '(': {
            Width inner = {0, 0};
            ok = ou_re_parse_group(r, first && !any, &kind, &inner);
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
            ou_re_put_literal(r, next_char(r), false);
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

bool ou_re_parse_branches(Parser *r, bool first, Width *w)
{
    if (++r->depth > NEST_MAX) {
        ou_raise_recursion(r->vm, NULL);
        return false;
    }
    if (!ou_re_parse_branch(r, first, w))
        return false;
    while (peek(r) == '|') {
        Width other;
        r->p++;
        put(r, "|");
        if (!ou_re_parse_branch(r, false, &other))
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
    if (!ou_re_parse_branches(r, true, &w))
        return false;
    if (r->p < r->end)
        return ou_re_fail(r, r->p, "unbalanced parenthesis");
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
