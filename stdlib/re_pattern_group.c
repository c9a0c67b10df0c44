/* Regular expressions: what '(' begins: groups, look-around, conditions, inline flags, comments.
 * Entry point: ou_re_parse_group. The one thing to know: r->re->names and r->groups hold the groups so far, and a group that is still
 * open has the width OPEN. */
#include "stdlib/re_pattern_impl.h"

#include "runtime/base/unicode.h"
#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/state.h"

/* Text up to the terminator, which is taken. */
static bool get_until(Parser *r, char terminator, const char **from, const char **to)
{
    *from = r->p;
    const char *q = memchr(r->p, terminator, (size_t)(r->end - r->p));
    if (!q || q == r->p) {
        if (r->p >= r->end || q == r->p)
            return ou_re_fail(r, r->p, "missing group name");
        return ou_re_fail(r, *from, terminator == '>' ? "missing >, unterminated name" : "missing ), unterminated name");
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
        ou_re_raise(vm, r->error, r->pattern, ou_re_position(r, name), m);
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
    return ou_re_fail(r, at, ou_uni_is_alpha(c) ? "unknown flag" : otherwise);
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
            return ou_re_fail(r, r->p, "bad inline flags: cannot use 'L' flag with a str pattern");
        if (c == 'u' && r->is_bytes)
            return ou_re_fail(r, r->p, "bad inline flags: cannot use 'u' flag with a bytes pattern");
        *add |= f;
        if ((f & kinds) && (*add & kinds) != f)
            return ou_re_fail(r, r->p, "bad inline flags: flags 'a', 'u' and 'L' are incompatible");
        if (r->p >= r->end)
            return ou_re_fail(r, r->p, "missing -, : or )");
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
        return ou_re_fail(r, r->p, "missing flag");
    c = (uint8_t)*r->p++;
    if (!flag_of(c))
        return bad_flag(r, r->p - 1, "missing flag");
    do {
        uint32_t f = flag_of(c);
        if (f & kinds)
            return ou_re_fail(r, r->p, "bad inline flags: cannot turn off flags 'a', 'u' and 'L'");
        *del |= f;
        if (r->p >= r->end)
            return ou_re_fail(r, r->p, "missing :");
        c = (uint8_t)*r->p++;
        if (c != ':' && !flag_of(c))
            return bad_flag(r, r->p - 1, "missing :");
    } while (c != ':');
    return !(*add & *del) || ou_re_fail(r, r->p - 1, "bad inline flags: flag turned on and off");
}

static bool close_group(Parser *r, const char *open)
{
    if (peek(r) != ')')
        return ou_re_fail(r, open, "missing ), unterminated subpattern");
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
            return vm->exc == V_NULL && ou_re_fail_repr(r, from, "unknown group name ", from, to);
        g = (uint64_t)v_small(v);
    } else {
        for (const char *p = from; p < to; p++) {
            if (*p < '0' || *p > '9')
                return ou_re_fail_repr(r, from, "bad character in group name ", from, to);
            g = g > UINT32_MAX ? g : g * 10 + (uint64_t)(*p - '0');
        }
        if (g == 0)
            return ou_re_fail(r, from, "bad group number");
        if (g > 0x3FFFFFFF)
            return ou_re_fail_text(r, from, "invalid group reference ", from, to);
        if (r->nrefs < REFS_MAX) {
            r->refs[r->nrefs].group = (uint32_t)g;
            r->refs[r->nrefs++].pos = ou_re_position(r, from);
        }
    }
    if (r->lookbehind && (g > r->ngroups || r->groups[g].w.lo == OPEN))
        return ou_re_fail(r, r->p, "cannot refer to an open group");
    if (r->lookbehind && r->groups[g].lookbehind == r->lookbehind)
        return ou_re_fail(r, r->p, "cannot refer to group defined in the same lookbehind subpattern");
    ou_sb_printf(r->out, "(?(%u)", (unsigned)g);
    Width no = {0, 0};
    if (!ou_re_parse_branch(r, false, w))
        return false;
    if (peek(r) == '|') {
        r->p++;
        put(r, "|");
        if (!ou_re_parse_branch(r, false, &no))
            return false;
        if (peek(r) == '|')
            return ou_re_fail(r, r->p, "conditional backref with more than two branches");
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
    if (!ou_re_parse_branches(r, false, w) || !close_group(r, open))
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
        return ou_re_fail(r, r->p, "unexpected end of pattern");
    const char *at = r->p;
    uint32_t c = next_char(r);
    if (c == '<') {
        if (!get_until(r, '>', &from, &to))
            return false;
        if (!is_identifier(r, from, to))
            return ou_re_fail_repr(r, from, "bad character in group name ", from, to);
        return parse_capture(r, open, from, to, w);
    }
    if (c != '=')
        return ou_re_fail_text(r, open + 1, "unknown extension ?P", at, r->p);
    if (!get_until(r, ')', &from, &to))
        return false;
    if (!is_identifier(r, from, to))
        return ou_re_fail_repr(r, from, "bad character in group name ", from, to);
    VM *vm = r->vm;
    Value key = ou_str_new(vm, from, (size_t)(to - from));
    if (key == V_NULL)
        return false;
    Value v = ou_dict_get(vm, as_dict(r->re->names), key);
    release(vm, key);
    if (v == V_NULL)
        return vm->exc == V_NULL && ou_re_fail_repr(r, from, "unknown group name ", from, to);
    uint32_t g = (uint32_t)v_small(v);
    if (!ou_re_check_ref(r, g, from))
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
            return ou_re_fail(r, r->p, "unexpected end of pattern");
        if (*r->p != '=' && *r->p != '!') {
            const char *at = r->p;
            next_char(r);
            return ou_re_fail_text(r, open + 1, "unknown extension ?<", at, r->p);
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
    if (!ou_re_parse_branches(r, false, w))
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
            return ou_re_fail(r, open, "global flags not at the start of the expression");
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
    if (!ou_re_parse_branches(r, false, w))
        return false;
    r->flags = outer;
    return close_group(r, open);
}

/* Anything that begins with '('. *kind stays K_NONE when it was no item (a comment, global flags). */
bool ou_re_parse_group(Parser *r, bool first, int *kind, Width *w)
{
    const char *open = r->p++;
    *kind = K_ITEM;
    if (peek(r) != '?')
        return parse_capture(r, open, NULL, NULL, w);
    r->p++;
    if (r->p >= r->end)
        return ou_re_fail(r, r->p, "unexpected end of pattern");
    switch (*r->p) {
    case 'P':
        return parse_named(r, open, kind, w);
    case ':':
    case '>':
        put(r, *r->p == ':' ? "(?:" : "(?>");
        r->p++;
        return ou_re_parse_branches(r, false, w) && close_group(r, open);
    case '#': {
        const char *close = memchr(r->p, ')', (size_t)(r->end - r->p));
        if (!close)
            return ou_re_fail(r, open, "missing ), unterminated comment");
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
    return ou_re_fail_text(r, open + 1, "unknown extension ?", at, r->p);
}
