/* Templates and substitution: Pattern.sub, Pattern.subn, and what Match.expand needs.
 * Entry points: ou_re_expand, ou_re_sub, ou_re_subn. The one thing to know: a template is checked as a whole before the first match is
 * looked for, since a bad one is an error even where nothing matches; then it is walked over anew for each match. */
#include "stdlib/re_impl.h"

#include "runtime/base/utf8.h"
#include "runtime/objects/containers_impl.h"
#include "vm/call.h"

/* ---- templates: "\1", "\g<name>" and the escapes ---------------------------------------------------------------------------------------------- */

static bool template_error(VM *vm, Value tmpl, const char *p, size_t at, Value msg)
{
    ReState *st = state_of(vm);
    int64_t pos = is_str(tmpl) || ou_is_a(vm, tmpl, T_STR) ? (int64_t)ou_utf8_count(p, at) : (int64_t)at;
    return st && ou_re_raise(vm, st->error, tmpl, pos, msg);
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Group number behind "\g<"; *pp moves behind the '>'. */
static bool template_group(VM *vm, Pattern *re, Value tmpl, const char *begin, const char **pp, const char *end, uint32_t *g)
{
    const char *p = *pp;
    if (p >= end || *p != '<')
        return template_error(vm, tmpl, begin, (size_t)(p - begin), ou_str_c(vm, "missing <"));
    const char *from = ++p, *close = memchr(p, '>', (size_t)(end - p));
    size_t at = (size_t)(from - begin);
    if (!close || close == from)
        return template_error(vm, tmpl, begin, at, ou_str_c(vm, close || from == end ? "missing group name" : "missing >, unterminated name"));
    *pp = close + 1;
    bool digits = true, ident = true;
    uint64_t v = 0;
    for (const char *q = from; q < close; q++) {
        digits = digits && is_digit(*q);
        if (digits && v < UINT32_MAX)
            v = v * 10 + (uint64_t)(*q - '0');
    }
    Value name = ou_str_new(vm, from, (size_t)(close - from));
    if (name == V_NULL)
        return false;
    bool ok = false;
    if (digits) {
        if (v > re->groups)
            template_error(vm, tmpl, begin, at, ou_str_format(vm, "invalid group reference %U", name));
        else
            ok = true;
        *g = (uint32_t)v;
    } else {
        Value is = ou_call_method_c(vm, name, "isidentifier", NULL, 0);
        ident = is == V_TRUE;
        Value num = ident ? ou_dict_get(vm, as_dict(re->names), name) : V_NULL;
        if (is == V_NULL || vm->exc != V_NULL) {
            /* raised */
        } else if (!ident) {
            template_error(vm, tmpl, begin, at, ou_str_format(vm, "bad character in group name %R", name));
        } else if (num == V_NULL) {
            ou_raise(vm, E_INDEX, "unknown group name %R", name);
        } else {
            *g = (uint32_t)v_small(num);
            ok = true;
        }
    }
    release(vm, name);
    return ok;
}

/* Walks over the template: text goes to out, groups to put_group. */
bool ou_re_expand(VM *vm, Pattern *re, Value tmpl, const char *p, size_t n, StrBuf *out, PutGroupFn put_group, void *ud)
{
    const char *begin = p, *end = p + n;
    while (p < end) {
        const char *q = memchr(p, '\\', (size_t)(end - p));
        if (!q) {
            ou_sb_put(out, p, (size_t)(end - p));
            break;
        }
        ou_sb_put(out, p, (size_t)(q - p));
        size_t at = (size_t)(q - begin);
        p = q + 1;
        if (p >= end)
            return template_error(vm, tmpl, begin, at, ou_str_c(vm, "bad escape (end of pattern)"));
        char c = *p++;
        uint32_t g = 0;
        if (c == 'g') {
            if (!template_group(vm, re, tmpl, begin, &p, end, &g) || !put_group(ud, g))
                return false;
        } else if (c == '0') {
            uint32_t v = 0;
            for (int k = 0; k < 2 && p < end && *p >= '0' && *p <= '7'; k++)
                v = v * 8 + (uint32_t)(*p++ - '0');
            if (re->is_bytes)
                ou_sb_putc(out, (char)v);
            else
                ou_sb_cp(out, v);
        } else if (is_digit(c)) {
            g = (uint32_t)(c - '0');
            if (p < end && is_digit(*p)) {
                if (c <= '7' && *p <= '7' && p + 1 < end && p[1] >= '0' && p[1] <= '7') {
                    uint32_t v = g * 64 + (uint32_t)(p[0] - '0') * 8 + (uint32_t)(p[1] - '0');
                    if (v > 0377)
                        return template_error(vm, tmpl, begin, at,
                                              ou_str_format(vm, "octal escape value \\%c%c%c outside of range 0-0o377", c, p[0], p[1]));
                    p += 2;
                    if (re->is_bytes)
                        ou_sb_putc(out, (char)v);
                    else
                        ou_sb_cp(out, v);
                    continue;
                }
                g = g * 10 + (uint32_t)(*p++ - '0');
            }
            if (g > re->groups)
                return template_error(vm, tmpl, begin, at + 1, ou_str_format(vm, "invalid group reference %d", (int)g));
            if (!put_group(ud, g))
                return false;
        } else {
            static const char from_c[] = "abfnrtv\\", to_c[] = "\a\b\f\n\r\t\v\\";
            const char *e = strchr(from_c, c);
            if (e && c) {
                ou_sb_putc(out, to_c[e - from_c]);
            } else if ((c | 32) >= 'a' && (c | 32) <= 'z') {
                return template_error(vm, tmpl, begin, at, ou_str_format(vm, "bad escape \\%c", c));
            } else {
                ou_sb_putc(out, '\\');
                ou_sb_putc(out, c);
            }
        }
    }
    return !out->failed;
}

typedef struct SubOut {
    Pattern *re;
    const Subject *s;
    StrBuf *out;
} SubOut;

static bool put_found(void *ud, uint32_t g)
{
    SubOut *o = ud;
    const size_t *ov = pcre2_get_ovector_pointer(o->re->data);
    if (g < pcre2_get_ovector_count(o->re->data) && ov[2 * g] != PCRE2_UNSET)
        ou_sb_put(o->out, o->s->p + ov[2 * g], ov[2 * g + 1] - ov[2 * g]);
    return !o->out->failed;
}

static bool put_nothing(void *ud, uint32_t g)
{
    (void)ud, (void)g;
    return true;
}

/* Text of a replacement: str for str patterns, bytes-like else. *b is to be released. */
bool ou_re_repl_text(VM *vm, Pattern *re, Value v, uint64_t item, const char **p, size_t *n, Buffer *b)
{
    b->owner = V_NULL;
    if (!re->is_bytes) {
        if (!ou_is_a(vm, v, T_STR)) {
            ou_raise(vm, E_TYPE, "sequence item %ld: expected str instance, %T found", (int64_t)item, v);
            return false;
        }
        *p = as_str(v)->data;
        *n = as_str(v)->size;
        return true;
    }
    if (!ou_type_of(vm, v)->slots.buffer) {
        ou_raise(vm, E_TYPE, "sequence item %ld: expected a bytes-like object, %T found", (int64_t)item, v);
        return false;
    }
    if (!ou_buffer_get(vm, v, b, false))
        return false;
    *p = (const char *)b->p;
    *n = (size_t)b->n;
    return true;
}

static Value substitute(VM *vm, const Value *args, bool with_count)
{
    Pattern *re = as_re(args[0]);
    Value repl = args[1];
    int64_t max = 0, count = 0;
    Subject s;
    if (args[3] != V_NULL && !ou_index_i64(vm, args[3], &max))
        return V_NULL;
    bool text_like = ou_is_a(vm, repl, T_STR) || ou_type_of(vm, repl)->slots.buffer;
    bool call = !text_like && ou_type_of(vm, repl)->slots.call;
    if (!text_like && !call)
        return ou_raise(vm, E_TYPE, "decoding to str: need a bytes-like object, %T found", repl);
    if (!ou_re_subject_open(vm, re, args[2], V_NULL, V_NULL, &s))
        return V_NULL;
    Buffer tb = {.owner = V_NULL};
    const char *tp = NULL;
    size_t tn = 0, last = 0;
    StrBuf out;
    ou_sb_init(&out, vm);
    SubOut so = {re, &s, &out};
    bool ok = call || ou_re_repl_text(vm, re, repl, 0, &tp, &tn, &tb), after_empty = false;
    bool plain = ok && !call && !memchr(tp, '\\', tn);
    if (ok && !call && !plain) { /* a bad template is an error even where nothing matches */
        StrBuf dry;
        ou_sb_init(&dry, vm);
        ok = ou_re_expand(vm, re, repl, tp, tn, &dry, put_nothing, NULL);
        ou_sb_drop(&dry);
    }
    uint64_t item = 0;
    while (ok && (max == 0 || count < max)) {
        int r = ou_re_find_next(vm, re, &s, &after_empty);
        ok = r >= 0;
        if (r != 1)
            break;
        const size_t *ov = pcre2_get_ovector_pointer(re->data);
        size_t from = ov[0], to = ov[1];
        if (from > last) {
            ou_sb_put(&out, s.p + last, from - last);
            item++;
        }
        if (plain) {
            ou_sb_put(&out, tp, tn);
        } else if (!call) {
            ok = ou_re_expand(vm, re, repl, tp, tn, &out, put_found, &so);
        } else {
            Value m = ou_re_match_new(vm, re, &s);
            Value v = m == V_NULL ? V_NULL : ou_call1(vm, repl, m);
            xrelease(vm, m);
            ok = v != V_NULL;
            if (ok && v != V_NONE) {
                const char *p;
                size_t n;
                Buffer b;
                ok = ou_re_repl_text(vm, re, v, item, &p, &n, &b);
                if (ok)
                    ou_sb_put(&out, p, n);
                ou_buffer_release(vm, &b);
            }
            xrelease(vm, v);
        }
        item++;
        count++;
        last = to;
        ok = ok && !out.failed;
    }
    Value r = V_NULL;
    if (ok) {
        if (count == 0) {
            r = ou_re_subject_slice(vm, &s, 0, s.n);
        } else {
            ou_sb_put(&out, s.p + last, s.n - last);
            r = out.failed ? V_NULL : re->is_bytes ? ou_bytes_new(vm, out.p, out.n) : ou_str_new(vm, out.p, out.n);
        }
    }
    ou_sb_drop(&out);
    ou_buffer_release(vm, &tb);
    ou_re_subject_close(vm, &s);
    if (r == V_NULL || !with_count)
        return r;
    Value pair[2] = {r, v_smallint(count)};
    return ou_tuple_take(vm, pair, 2);
}

Value ou_re_sub(VM *vm, const Value *args, int n)
{
    (void)n;
    return substitute(vm, args, false);
}

Value ou_re_subn(VM *vm, const Value *args, int n)
{
    (void)n;
    return substitute(vm, args, true);
}
