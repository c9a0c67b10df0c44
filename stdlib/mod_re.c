/* The module _re: compiled patterns and matches on PCRE2. The module re wraps it with flags and the exception.
 * Entry points: ou_mod__re. The one thing to know: offsets are bytes inside and code points outside; a pattern keeps one match
 * data block, whose contents are copied into the Match before any script can run. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "runtime/base/utf8.h"
#include "runtime/objects/bytes.h"
#include "runtime/objects/containers_impl.h"
#include "stdlib/re_pattern.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

enum { CACHE_MAX = 512, MATCH_LIMIT = 100000000 /* some seconds */, FIRST_TRY = 20000, HEAP_LIMIT_KIB = 512 * 1024 };

typedef struct ReState {
    Value keep;   /* list: the cache, the error class, the types */
    Type *pattern_type, *match_type, *iter_type, *scanner_type;
    Value cache, error; /* borrowed from keep */
} ReState;

typedef struct Pattern {
    Obj h;
    Value pattern;      /* str or bytes */
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    uint32_t flags, groups, ncap;
    bool is_bytes;
    uint32_t *closed;   /* see RePattern; ncap of them */
    Value names;        /* dict */
} Pattern;

typedef struct Match {
    Obj h;
    Value string;
    Pattern *re;
    int64_t pos, endpos;
    uint32_t n;         /* groups with the whole match */
    size_t *ov;         /* 2 * n byte offsets, SIZE_MAX: the group took no part */
} Match;

typedef struct Subject { /* what is searched, pinned */
    Value obj;
    const char *p;
    size_t n;           /* bytes up to endpos */
    size_t at;          /* where the next search begins */
    Str *s;             /* a str, or NULL */
    Buffer b;
    int64_t pos, endpos;
} Subject;

typedef struct Finder { /* iterator of finditer, and scanner objects */
    Obj h;
    Pattern *re;
    Subject s;
    bool after_empty, done;
} Finder;

static ReState *state_of(VM *vm) { return ou_module_record(vm, MOD__re, sizeof(ReState)); }
static Pattern *as_re(Value v) { return (Pattern *)v_obj(v); }
static Match *as_match(Value v) { return (Match *)v_obj(v); }

/* ---- PCRE2's memory: the size stands in front of each block -------------------------------------------------------------------------- */

static void *re_malloc(size_t n, void *heap)
{
    size_t *p = ou_alloc(heap, n + 16);
    if (!p)
        return NULL;
    *p = n + 16;
    return (char *)p + 16;
}

static void re_free(void *p, void *heap)
{
    if (p) {
        size_t *q = (size_t *)(void *)((char *)p - 16);
        ou_free(heap, q, *q);
    }
}

/* ---- subjects ------------------------------------------------------------------------------------------------------------------------------ */

static bool subject_open(VM *vm, Pattern *re, Value string, Value pos, Value endpos, Subject *s)
{
    memset(s, 0, sizeof *s);
    int64_t len;
    if (is_str(string) || ou_is_a(vm, string, T_STR)) {
        if (re->is_bytes) {
            ou_raise(vm, E_TYPE, "cannot use a bytes pattern on a string-like object");
            return false;
        }
        s->s = as_str(string);
        s->p = s->s->data;
        len = s->s->length;
    } else {
        if (!ou_type_of(vm, string)->slots.buffer) {
            ou_raise(vm, E_TYPE, "expected string or bytes-like object, got '%T'", string);
            return false;
        }
        if (!re->is_bytes) {
            ou_raise(vm, E_TYPE, "cannot use a string pattern on a bytes-like object");
            return false;
        }
        if (!ou_buffer_get(vm, string, &s->b, false))
            return false;
        s->p = s->b.p ? (const char *)s->b.p : "";
        len = s->b.n;
    }
    s->pos = 0;
    s->endpos = len;
    if ((pos != V_NULL && !ou_index_clip(vm, pos, &s->pos)) || (endpos != V_NULL && !ou_index_clip(vm, endpos, &s->endpos))) {
        ou_buffer_release(vm, &s->b);
        return false;
    }
    s->pos = s->pos < 0 ? 0 : s->pos > len ? len : s->pos;
    s->endpos = s->endpos < 0 ? 0 : s->endpos > len ? len : s->endpos;
    s->at = s->s ? ou_str_offset(vm, s->s, s->pos) : (size_t)s->pos;
    s->n = s->s ? ou_str_offset(vm, s->s, s->endpos) : (size_t)s->endpos;
    s->obj = retain(string);
    return true;
}

static void subject_close(VM *vm, Subject *s)
{
    ou_buffer_release(vm, &s->b);
    Value o = s->obj;
    s->obj = V_NULL;
    xrelease(vm, o);
}

static Value subject_slice(VM *vm, const Subject *s, size_t from, size_t to)
{
    if (s->s)
        return ou_str_sub(vm, s->s, from, to);
    return ou_bytes_new(vm, s->p + from, to > from ? to - from : 0);
}

/* ---- matching -------------------------------------------------------------------------------------------------------------------------------- */

/* Searches from s->at. 1 found (offsets in re->data), 0 not, -1 raised. */
static int run(VM *vm, Pattern *re, const Subject *s, uint32_t options)
{
    if (s->at > s->n)
        return 0;
    uint32_t limit = vm->budget.on ? FIRST_TRY : MATCH_LIMIT;
    int rc;
    for (;; limit = limit > MATCH_LIMIT / 4 ? MATCH_LIMIT : limit * 4) {
        pcre2_set_match_limit(re->limits, limit);
        rc = pcre2_match(re->code, (PCRE2_SPTR)s->p, s->n, s->at, options | PCRE2_NO_UTF_CHECK, re->data, re->limits);
        if (rc != PCRE2_ERROR_MATCHLIMIT || limit == MATCH_LIMIT)
            break;
        if (!ou_charge(vm, limit / 16)) /* what it takes cannot be known before: try, pay, try longer */
            return -1;
    }
    if (rc > 0)
        return 1;
    switch (rc) {
    case PCRE2_ERROR_NOMATCH:
        return 0;
    case PCRE2_ERROR_MATCHLIMIT:
        ou_raise(vm, E_RECURSION, "regular expression needs too many steps");
        return -1;
    case PCRE2_ERROR_NOMEMORY:
    case PCRE2_ERROR_HEAPLIMIT:
        ou_raise_memory(vm);
        return -1;
    default:
        ou_raise(vm, E_RUNTIME, "internal error in regular expression engine (%d)", rc);
        return -1;
    }
}

static Value match_new(VM *vm, Pattern *re, const Subject *s)
{
    ReState *st = state_of(vm);
    Match *m = st ? ou_new(vm, st->match_type, 0) : NULL;
    if (!m)
        return V_NULL;
    m->string = retain(s->obj);
    m->re = obj_retain(re);
    m->pos = s->pos;
    m->endpos = s->endpos;
    m->n = re->groups + 1;
    m->ov = ou_alloc(&vm->heap, 2 * m->n * sizeof *m->ov);
    if (!m->ov) {
        m->n = 0;
        obj_release(vm, m);
        return ou_raise_memory(vm);
    }
    const size_t *ov = pcre2_get_ovector_pointer(re->data);
    uint32_t have = pcre2_get_ovector_count(re->data);
    for (uint32_t i = 0; i < 2 * m->n; i++)
        m->ov[i] = i < 2 * have ? ov[i] : SIZE_MAX;
    return v_of(m);
}

/* The next match of an iteration; the one after an empty match must not be empty at the same place. */
static int find_next(VM *vm, Pattern *re, Subject *s, bool *after_empty)
{
    int r = run(vm, re, s, *after_empty ? PCRE2_NOTEMPTY_ATSTART : 0);
    if (r == 1) {
        const size_t *ov = pcre2_get_ovector_pointer(re->data);
        *after_empty = ov[0] == ov[1];
        s->at = ov[1];
    }
    return r;
}

static Value search_with(VM *vm, const Value *args, uint32_t options)
{
    Subject s;
    Pattern *re = as_re(args[0]);
    if (!subject_open(vm, re, args[1], args[2], args[3], &s))
        return V_NULL;
    int r = run(vm, re, &s, options);
    Value m = r == 1 ? match_new(vm, re, &s) : r == 0 ? V_NONE : V_NULL;
    subject_close(vm, &s);
    return m;
}

static Value pattern_search(VM *vm, const Value *args, int n)
{
    (void)n;
    return search_with(vm, args, 0);
}

static Value pattern_match(VM *vm, const Value *args, int n)
{
    (void)n;
    return search_with(vm, args, PCRE2_ANCHORED);
}

static Value pattern_fullmatch(VM *vm, const Value *args, int n)
{
    (void)n;
    return search_with(vm, args, PCRE2_ANCHORED | PCRE2_ENDANCHORED);
}

/* Group i of what was just found. */
static Value found_group(VM *vm, Pattern *re, const Subject *s, uint32_t i, Value missing)
{
    const size_t *ov = pcre2_get_ovector_pointer(re->data);
    if (i >= pcre2_get_ovector_count(re->data) || ov[2 * i] == PCRE2_UNSET)
        return retain(missing);
    return subject_slice(vm, s, ov[2 * i], ov[2 * i + 1]);
}

static Value pattern_findall(VM *vm, const Value *args, int n)
{
    (void)n;
    Subject s;
    Pattern *re = as_re(args[0]);
    if (!subject_open(vm, re, args[1], args[2], args[3], &s))
        return V_NULL;
    Value list = ou_list_new(vm, 0), empty = re->is_bytes ? vm->empty_bytes : vm->empty_str;
    bool after_empty = false;
    int r = 0;
    while (list != V_NULL && (r = find_next(vm, re, &s, &after_empty)) == 1) {
        Value v;
        if (re->groups <= 1) {
            v = found_group(vm, re, &s, re->groups, empty);
        } else {
            v = ou_tuple_new(vm, re->groups);
            for (uint32_t i = 0; v != V_NULL && i < re->groups; i++) {
                Value g = found_group(vm, re, &s, i + 1, empty);
                if (g == V_NULL) {
                    release(vm, v);
                    v = V_NULL;
                } else {
                    as_tuple(v)->items[i] = g;
                }
            }
        }
        if (v == V_NULL || !ou_list_append_take(vm, as_list(list), v))
            r = -1;
        if (r < 0)
            break;
    }
    subject_close(vm, &s);
    if (r < 0) {
        release(vm, list);
        return V_NULL;
    }
    return list;
}

static Value finder_new(VM *vm, const Value *args, bool scanner)
{
    ReState *st = state_of(vm);
    Finder *f = st ? ou_new(vm, scanner ? st->scanner_type : st->iter_type, 0) : NULL;
    if (!f)
        return V_NULL;
    f->re = obj_retain(as_re(args[0]));
    if (!subject_open(vm, f->re, args[1], args[2], args[3], &f->s)) {
        obj_release(vm, f);
        return V_NULL;
    }
    return v_of(f);
}

static Value pattern_finditer(VM *vm, const Value *args, int n)
{
    (void)n;
    return finder_new(vm, args, false);
}

static Value pattern_scanner(VM *vm, const Value *args, int n)
{
    (void)n;
    return finder_new(vm, args, true);
}

static Value finder_step(VM *vm, Finder *f, uint32_t options)
{
    if (f->done || f->s.obj == V_NULL)
        return V_NONE;
    int r = run(vm, f->re, &f->s, options | (f->after_empty ? PCRE2_NOTEMPTY_ATSTART : 0));
    if (r < 0)
        return V_NULL;
    if (r == 0) {
        f->done = true;
        return V_NONE;
    }
    const size_t *ov = pcre2_get_ovector_pointer(f->re->data);
    f->after_empty = ov[0] == ov[1];
    f->s.at = ov[1];
    return match_new(vm, f->re, &f->s);
}

static Value finder_next(VM *vm, Value self)
{
    Value v = finder_step(vm, (Finder *)v_obj(self), 0);
    return v == V_NONE ? V_NULL : v;
}

static Value scanner_match(VM *vm, const Value *args, int n)
{
    (void)n;
    return finder_step(vm, (Finder *)v_obj(args[0]), PCRE2_ANCHORED);
}

static Value scanner_search(VM *vm, const Value *args, int n)
{
    (void)n;
    return finder_step(vm, (Finder *)v_obj(args[0]), 0);
}

static void finder_dealloc(VM *vm, Obj *o)
{
    Finder *f = (Finder *)o;
    subject_close(vm, &f->s);
    if (f->re)
        obj_release(vm, f->re);
    ou_finish_dealloc(vm, o, 0);
}

static Value pattern_split(VM *vm, const Value *args, int n)
{
    (void)n;
    Subject s;
    Pattern *re = as_re(args[0]);
    int64_t max = 0;
    if (args[2] != V_NULL && !ou_index_i64(vm, args[2], &max))
        return V_NULL;
    if (!subject_open(vm, re, args[1], V_NULL, V_NULL, &s))
        return V_NULL;
    Value list = ou_list_new(vm, 0);
    bool after_empty = false, ok = list != V_NULL;
    size_t last = 0;
    for (int64_t k = 0; ok && (max == 0 || k < max); k++) {
        int r = find_next(vm, re, &s, &after_empty);
        ok = r >= 0;
        if (r != 1)
            break;
        const size_t *ov = pcre2_get_ovector_pointer(re->data);
        size_t from = ov[0], to = ov[1];
        Value piece = subject_slice(vm, &s, last, from);
        ok = piece != V_NULL && ou_list_append_take(vm, as_list(list), piece);
        for (uint32_t i = 1; ok && i <= re->groups; i++) {
            piece = found_group(vm, re, &s, i, V_NONE);
            ok = piece != V_NULL && ou_list_append_take(vm, as_list(list), piece);
        }
        last = to;
    }
    if (ok) {
        Value piece = subject_slice(vm, &s, last, s.n);
        ok = piece != V_NULL && ou_list_append_take(vm, as_list(list), piece);
    }
    subject_close(vm, &s);
    if (!ok) {
        xrelease(vm, list);
        return V_NULL;
    }
    return list;
}

/* ---- templates: "\1", "\g<name>" and the escapes ---------------------------------------------------------------------------------------------- */

static bool template_error(VM *vm, Value tmpl, const char *p, size_t at, Value msg)
{
    ReState *st = state_of(vm);
    int64_t pos = is_str(tmpl) || ou_is_a(vm, tmpl, T_STR) ? (int64_t)ou_utf8_count(p, at) : (int64_t)at;
    return st && ou_re_raise(vm, st->error, tmpl, pos, msg);
}

typedef bool (*PutGroupFn)(void *ud, uint32_t group);

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
static bool expand(VM *vm, Pattern *re, Value tmpl, const char *p, size_t n, StrBuf *out, PutGroupFn put_group, void *ud)
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
static bool repl_text(VM *vm, Pattern *re, Value v, uint64_t item, const char **p, size_t *n, Buffer *b)
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
    if (!subject_open(vm, re, args[2], V_NULL, V_NULL, &s))
        return V_NULL;
    Buffer tb = {.owner = V_NULL};
    const char *tp = NULL;
    size_t tn = 0, last = 0;
    StrBuf out;
    ou_sb_init(&out, vm);
    SubOut so = {re, &s, &out};
    bool ok = call || repl_text(vm, re, repl, 0, &tp, &tn, &tb), after_empty = false;
    bool plain = ok && !call && !memchr(tp, '\\', tn);
    if (ok && !call && !plain) { /* a bad template is an error even where nothing matches */
        StrBuf dry;
        ou_sb_init(&dry, vm);
        ok = expand(vm, re, repl, tp, tn, &dry, put_nothing, NULL);
        ou_sb_drop(&dry);
    }
    uint64_t item = 0;
    while (ok && (max == 0 || count < max)) {
        int r = find_next(vm, re, &s, &after_empty);
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
            ok = expand(vm, re, repl, tp, tn, &out, put_found, &so);
        } else {
            Value m = match_new(vm, re, &s);
            Value v = m == V_NULL ? V_NULL : ou_call1(vm, repl, m);
            xrelease(vm, m);
            ok = v != V_NULL;
            if (ok && v != V_NONE) {
                const char *p;
                size_t n;
                Buffer b;
                ok = repl_text(vm, re, v, item, &p, &n, &b);
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
            r = subject_slice(vm, &s, 0, s.n);
        } else {
            ou_sb_put(&out, s.p + last, s.n - last);
            r = out.failed ? V_NULL : re->is_bytes ? ou_bytes_new(vm, out.p, out.n) : ou_str_new(vm, out.p, out.n);
        }
    }
    ou_sb_drop(&out);
    ou_buffer_release(vm, &tb);
    subject_close(vm, &s);
    if (r == V_NULL || !with_count)
        return r;
    Value pair[2] = {r, v_smallint(count)};
    return ou_tuple_take(vm, pair, 2);
}

static Value pattern_sub(VM *vm, const Value *args, int n)
{
    (void)n;
    return substitute(vm, args, false);
}

static Value pattern_subn(VM *vm, const Value *args, int n)
{
    (void)n;
    return substitute(vm, args, true);
}

/* ---- Pattern -------------------------------------------------------------------------------------------------------------------------------------- */

static Value pattern_new(VM *vm, Value pattern, uint32_t flags)
{
    ReState *st = state_of(vm);
    if (!st)
        return V_NULL;
    bool is_text = ou_is_a(vm, pattern, T_STR);
    if (!is_text && !ou_type_of(vm, pattern)->slots.buffer)
        return ou_raise(vm, E_TYPE, "first argument must be string or compiled pattern");
    Buffer b = {.owner = V_NULL};
    if (!is_text && !ou_buffer_get(vm, pattern, &b, false))
        return V_NULL;
    RePattern t;
    bool ok = ou_re_translate(vm, pattern, is_text ? as_str(pattern)->data : (const char *)b.p, is_text ? as_str(pattern)->size : (size_t)b.n,
                              !is_text, flags, st->error, &t);
    ou_buffer_release(vm, &b);
    if (!ok)
        return V_NULL;
    Pattern *re = ou_new(vm, st->pattern_type, 0);
    if (!re) {
        ou_re_translate_done(vm, &t);
        return V_NULL;
    }
    re->pattern = retain(pattern);
    re->flags = t.flags;
    re->groups = t.groups;
    re->is_bytes = !is_text;
    re->closed = t.closed;
    re->ncap = t.cap;
    re->names = t.names;
    t.closed = NULL;
    t.cap = 0;
    t.names = V_NULL;
    uint32_t options = PCRE2_NO_UTF_CHECK | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C;
    if (is_text)
        options |= PCRE2_UTF | PCRE2_UCP;
    if (t.flags & RE_I)
        options |= PCRE2_CASELESS;
    if (t.flags & RE_M)
        options |= PCRE2_MULTILINE;
    if (t.flags & RE_S)
        options |= PCRE2_DOTALL;
    pcre2_general_context *gc = pcre2_general_context_create(re_malloc, re_free, &vm->heap);
    pcre2_compile_context *cc = gc ? pcre2_compile_context_create(gc) : NULL;
    int code = 0;
    size_t at = 0;
    if (cc) {
        pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
        pcre2_set_parens_nest_limit(cc, 1000);
        re->code = pcre2_compile((PCRE2_SPTR)t.out.p, t.out.n, options, &code, &at, cc);
        if (re->code && (re->limits = pcre2_match_context_create(gc)) != NULL) {
            pcre2_set_depth_limit(re->limits, MATCH_LIMIT);
            pcre2_set_heap_limit(re->limits, HEAP_LIMIT_KIB);
            re->data = pcre2_match_data_create_from_pattern(re->code, gc);
        }
    }
    pcre2_compile_context_free(cc);
    pcre2_general_context_free(gc);
    ou_re_translate_done(vm, &t);
    if (re->data)
        return v_of(re);
    obj_release(vm, re);
    if (code && code != PCRE2_ERROR_NOMEMORY && code != 121) {
        char msg[120];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)msg, sizeof msg);
        ou_re_raise(vm, st->error, pattern, -1, ou_str_c(vm, msg));
        return V_NULL;
    }
    return ou_raise_memory(vm);
}

static void pattern_dealloc(VM *vm, Obj *o)
{
    Pattern *re = (Pattern *)o;
    pcre2_match_data_free(re->data);
    pcre2_match_context_free(re->limits);
    pcre2_code_free(re->code);
    if (re->closed)
        ou_free(&vm->heap, re->closed, re->ncap * sizeof *re->closed);
    xrelease(vm, re->names);
    xrelease(vm, re->pattern);
    ou_finish_dealloc(vm, o, 0);
}

static Value pattern_repr(VM *vm, Value self)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } names[] = {{RE_I, "re.IGNORECASE"}, {RE_M, "re.MULTILINE"}, {RE_S, "re.DOTALL"}, {RE_X, "re.VERBOSE"},
                 {RE_DEBUG, "re.DEBUG"},  {RE_A, "re.ASCII"},     {RE_L, "re.LOCALE"}, {RE_U, "re.UNICODE"}};
    Pattern *re = as_re(self);
    uint32_t flags = re->flags;
    if (!re->is_bytes && (flags & (RE_L | RE_U | RE_A)) == RE_U)
        flags &= ~(uint32_t)RE_U;
    StrBuf b;
    ou_sb_init(&b, vm);
    if (!ou_sb_format(&b, "re.compile(%.200R", re->pattern)) {
        ou_sb_drop(&b);
        return V_NULL;
    }
    const char *sep = ", ";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (flags & names[i].flag) {
            ou_sb_puts(&b, sep);
            ou_sb_puts(&b, names[i].name);
            sep = "|";
            flags &= ~names[i].flag;
        }
    }
    if (flags)
        ou_sb_printf(&b, "%s0x%x", sep, (unsigned)flags);
    ou_sb_putc(&b, ')');
    return ou_sb_finish(&b);
}

static bool pattern_hash(VM *vm, Value self, int64_t *out)
{
    Pattern *re = as_re(self);
    if (!ou_hash(vm, re->pattern, out))
        return false;
    *out ^= (int64_t)re->flags << 7 ^ re->groups;
    if (*out == -1)
        *out = -2;
    return true;
}

static Value pattern_compare(VM *vm, Value a, Value b, CmpOp op)
{
    ReState *st = state_of(vm);
    if (!st)
        return V_NULL;
    if ((op != CMP_EQ && op != CMP_NE) || ou_type_of(vm, a) != st->pattern_type || ou_type_of(vm, b) != st->pattern_type)
        return V_NOTIMPL;
    Pattern *x = as_re(a), *y = as_re(b);
    int same = x == y;
    if (!same && x->flags == y->flags && x->is_bytes == y->is_bytes)
        same = ou_eq(vm, x->pattern, y->pattern);
    return same < 0 ? V_NULL : v_bool(same == (op == CMP_EQ));
}

static Value pattern_copy(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    return retain(args[0]);
}

static Value pattern_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Value name = ou_str_c(vm, "re"), m = V_NULL, f = V_NULL;
    if (name != V_NULL)
        m = ou_dict_get(vm, vm->modules, name);
    if (m != V_NULL)
        f = ou_getattr_c(vm, m, "compile");
    xrelease(vm, name);
    if (f == V_NULL)
        return vm->exc == V_NULL ? ou_raise(vm, E_TYPE, "cannot pickle 're.Pattern' object") : V_NULL;
    Value in[2] = {retain(as_re(args[0])->pattern), v_smallint(as_re(args[0])->flags)};
    Value t = ou_tuple_take(vm, in, 2);
    if (t == V_NULL) {
        release(vm, f);
        return V_NULL;
    }
    Value pair[2] = {f, t};
    return ou_tuple_take(vm, pair, 2);
}

static Value pattern_get_pattern(VM *vm, Value self)
{
    (void)vm;
    return retain(as_re(self)->pattern);
}
static Value pattern_get_flags(VM *vm, Value self)
{
    (void)vm;
    return v_smallint(as_re(self)->flags);
}
static Value pattern_get_groups(VM *vm, Value self)
{
    (void)vm;
    return v_smallint(as_re(self)->groups);
}
static Value pattern_get_groupindex(VM *vm, Value self) { return ou_call1(vm, v_of(ou_builtin(vm, T_MAPPINGPROXY)), as_re(self)->names); }

static const NativeDef pattern_methods[] = {
    {"search(string, pos=0, endpos=sys.maxsize)", pattern_search, "Scan through string looking for a match, and return a corresponding match object instance.", 0},
    {"match(string, pos=0, endpos=sys.maxsize)", pattern_match, "Matches zero or more characters at the beginning of the string.", 0},
    {"fullmatch(string, pos=0, endpos=sys.maxsize)", pattern_fullmatch, "Matches against all of the string.", 0},
    {"findall(string, pos=0, endpos=sys.maxsize)", pattern_findall, "Return a list of all non-overlapping matches of pattern in string.", 0},
    {"finditer(string, pos=0, endpos=sys.maxsize)", pattern_finditer, "Return an iterator over all non-overlapping matches for the RE pattern in string.", 0},
    {"scanner(string, pos=0, endpos=sys.maxsize)", pattern_scanner, NULL, 0},
    {"split(string, maxsplit=0)", pattern_split, "Split string by the occurrences of pattern.", 0},
    {"sub(repl, string, count=0)", pattern_sub, "Return the string obtained by replacing the leftmost non-overlapping occurrences of pattern in string by the replacement repl.", 0},
    {"subn(repl, string, count=0)", pattern_subn, "Return the tuple (new_string, number_of_subs_made).", 0},
    {"__copy__()", pattern_copy, NULL, 0},
    {"__deepcopy__(memo, /)", pattern_copy, NULL, 0},
    {"__reduce__()", pattern_reduce, NULL, 0},
    {"__class_getitem__(item, /)", ou_class_getitem, "See PEP 585", ND_CLASS},
    {0}};
static const GetSetDef pattern_getset[] = {{"pattern", pattern_get_pattern, NULL, "The pattern string from which the RE object was compiled."},
                                           {"flags", pattern_get_flags, NULL, "The regex matching flags."},
                                           {"groups", pattern_get_groups, NULL, "The number of capturing groups in the pattern."},
                                           {"groupindex", pattern_get_groupindex, NULL, "A dictionary mapping group names to group numbers."},
                                           {0}};
static const TypeDef pattern_def = {
    .name = "re.Pattern",
    .size = sizeof(Pattern),
    .flags = TF_NO_NEW | TF_WEAKREF,
    .slots = {.dealloc = pattern_dealloc, .repr = pattern_repr, .hash = pattern_hash, .compare = pattern_compare},
    .methods = pattern_methods,
    .getset = pattern_getset,
    .doc = "Compiled regular expression object.",
};

/* ---- Match ------------------------------------------------------------------------------------------------------------------------------------------ */

static void match_dealloc(VM *vm, Obj *o)
{
    Match *m = (Match *)o;
    if (m->ov)
        ou_free(&vm->heap, m->ov, 2 * m->n * sizeof *m->ov);
    xrelease(vm, m->string);
    if (m->re)
        obj_release(vm, m->re);
    ou_finish_dealloc(vm, o, 0);
}

static Value match_slice(VM *vm, Match *m, uint32_t g, Value missing)
{
    size_t from = m->ov[2 * g], to = m->ov[2 * g + 1];
    if (from == SIZE_MAX)
        return retain(missing);
    if (to < from)
        to = from;
    if (!m->re->is_bytes)
        return ou_str_sub(vm, as_str(m->string), from, to);
    Buffer b;
    if (!ou_buffer_get(vm, m->string, &b, false))
        return V_NULL;
    if (to > (size_t)b.n)
        to = (size_t)b.n;
    Value r = ou_bytes_new(vm, b.p + (from < to ? from : 0), from < to ? to - from : 0);
    ou_buffer_release(vm, &b);
    return r;
}

static int64_t offset_of(VM *vm, Match *m, size_t at)
{
    return at == SIZE_MAX ? -1 : m->re->is_bytes ? (int64_t)at : ou_str_pos(vm, as_str(m->string), at);
}

/* The number of the group that v names; -1 raised. */
static int64_t group_number(VM *vm, Match *m, Value v)
{
    int64_t i = -1;
    if (v == V_NULL)
        return 0;
    if (is_small(v)) {
        i = v_small(v);
    } else if (is_bool(v) || ou_type_of(vm, v)->slots.to_index) {
        if (!ou_index_clip(vm, v, &i))
            return -1;
    } else if (ou_is_a(vm, v, T_STR)) {
        Value n = ou_dict_get(vm, as_dict(m->re->names), v);
        if (n == V_NULL && vm->exc != V_NULL)
            return -1;
        i = n == V_NULL ? -1 : v_small(n);
    }
    if (i < 0 || i >= m->n) {
        ou_raise(vm, E_INDEX, "no such group");
        return -1;
    }
    return i;
}

static Value match_getitem(VM *vm, Value self, Value key)
{
    Match *m = as_match(self);
    int64_t g = group_number(vm, m, key);
    return g < 0 ? V_NULL : match_slice(vm, m, (uint32_t)g, V_NONE);
}

static Value match_group(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *t = as_tuple(args[1]);
    if (t->n == 0)
        return match_slice(vm, as_match(args[0]), 0, V_NONE);
    if (t->n == 1)
        return match_getitem(vm, args[0], t->items[0]);
    Value r = ou_tuple_new(vm, t->n);
    for (uint32_t i = 0; r != V_NULL && i < t->n; i++) {
        Value v = match_getitem(vm, args[0], t->items[i]);
        if (v == V_NULL) {
            release(vm, r);
            return V_NULL;
        }
        as_tuple(r)->items[i] = v;
    }
    return r;
}

static Value match_groups(VM *vm, const Value *args, int n)
{
    (void)n;
    Match *m = as_match(args[0]);
    Value r = ou_tuple_new(vm, m->n - 1);
    for (uint32_t i = 1; r != V_NULL && i < m->n; i++) {
        Value v = match_slice(vm, m, i, args[1] == V_NULL ? V_NONE : args[1]);
        if (v == V_NULL) {
            release(vm, r);
            return V_NULL;
        }
        as_tuple(r)->items[i - 1] = v;
    }
    return r;
}

static Value match_groupdict(VM *vm, const Value *args, int n)
{
    (void)n;
    Match *m = as_match(args[0]);
    Value d = ou_dict_new(vm), k, v;
    uint32_t pos = 0;
    while (d != V_NULL && ou_dict_next(as_dict(m->re->names), &pos, &k, &v)) {
        Value g = match_slice(vm, m, (uint32_t)v_small(v), args[1] == V_NULL ? V_NONE : args[1]);
        bool ok = g != V_NULL && ou_dict_set(vm, as_dict(d), k, g);
        xrelease(vm, g);
        if (!ok) {
            release(vm, d);
            return V_NULL;
        }
    }
    return d;
}

static Value match_start(VM *vm, const Value *args, int n)
{
    Match *m = as_match(args[0]);
    int64_t g = group_number(vm, m, n > 1 ? args[1] : V_NULL);
    return g < 0 ? V_NULL : v_smallint(offset_of(vm, m, m->ov[2 * g]));
}

static Value match_end(VM *vm, const Value *args, int n)
{
    Match *m = as_match(args[0]);
    int64_t g = group_number(vm, m, n > 1 ? args[1] : V_NULL);
    return g < 0 ? V_NULL : v_smallint(offset_of(vm, m, m->ov[2 * g + 1]));
}

static Value span_of(VM *vm, Match *m, int64_t g)
{
    Value pair[2] = {v_smallint(offset_of(vm, m, m->ov[2 * g])), v_smallint(offset_of(vm, m, m->ov[2 * g + 1]))};
    return ou_tuple_of(vm, pair, 2);
}

static Value match_span(VM *vm, const Value *args, int n)
{
    Match *m = as_match(args[0]);
    int64_t g = group_number(vm, m, n > 1 ? args[1] : V_NULL);
    return g < 0 ? V_NULL : span_of(vm, m, g);
}

typedef struct MatchOut {
    VM *vm;
    Match *m;
    StrBuf *out;
} MatchOut;

static bool put_group_of(void *ud, uint32_t g)
{
    MatchOut *o = ud;
    Value v = match_slice(o->vm, o->m, g, o->m->re->is_bytes ? o->vm->empty_bytes : o->vm->empty_str);
    if (v == V_NULL)
        return false;
    if (o->m->re->is_bytes)
        ou_sb_put(o->out, (const char *)as_bytes(v)->data, as_bytes(v)->n);
    else
        ou_sb_str(o->out, v);
    release(o->vm, v);
    return !o->out->failed;
}

static Value match_expand(VM *vm, const Value *args, int n)
{
    (void)n;
    Match *m = as_match(args[0]);
    const char *p;
    size_t size;
    Buffer b;
    if (!repl_text(vm, m->re, args[1], 0, &p, &size, &b))
        return V_NULL;
    StrBuf out;
    ou_sb_init(&out, vm);
    MatchOut mo = {vm, m, &out};
    bool ok = expand(vm, m->re, args[1], p, size, &out, put_group_of, &mo);
    Value r = !ok ? V_NULL : m->re->is_bytes ? ou_bytes_new(vm, out.p, out.n) : ou_str_new(vm, out.p, out.n);
    ou_sb_drop(&out);
    ou_buffer_release(vm, &b);
    return r;
}

static Value match_repr(VM *vm, Value self)
{
    Match *m = as_match(self);
    Value text = match_slice(vm, m, 0, V_NONE);
    if (text == V_NULL)
        return V_NULL;
    Value r = ou_str_format(vm, "<re.Match object; span=(%ld, %ld), match=%.50R>", offset_of(vm, m, m->ov[0]),
                            offset_of(vm, m, m->ov[1]), text);
    release(vm, text);
    return r;
}

/* The group that was closed last: the one that ends furthest right, the later ')' among equals. 0: none took part. */
static uint32_t last_group(Match *m)
{
    uint32_t best = 0;
    for (uint32_t g = 1; g < m->n; g++) {
        if (m->ov[2 * g] == SIZE_MAX)
            continue;
        if (!best || m->ov[2 * g + 1] > m->ov[2 * best + 1] ||
            (m->ov[2 * g + 1] == m->ov[2 * best + 1] && m->re->closed[g - 1] > m->re->closed[best - 1]))
            best = g;
    }
    return best;
}

static Value match_get_lastindex(VM *vm, Value self)
{
    (void)vm;
    uint32_t g = last_group(as_match(self));
    return g ? v_smallint(g) : V_NONE;
}

static Value match_get_lastgroup(VM *vm, Value self)
{
    (void)vm;
    Match *m = as_match(self);
    uint32_t g = last_group(m), pos = 0;
    Value k, v;
    while (g && ou_dict_next(as_dict(m->re->names), &pos, &k, &v))
        if (v_small(v) == g)
            return retain(k);
    return V_NONE;
}

static Value match_get_regs(VM *vm, Value self)
{
    Match *m = as_match(self);
    Value r = ou_tuple_new(vm, m->n);
    for (uint32_t i = 0; r != V_NULL && i < m->n; i++) {
        Value v = span_of(vm, m, i);
        if (v == V_NULL) {
            release(vm, r);
            return V_NULL;
        }
        as_tuple(r)->items[i] = v;
    }
    return r;
}

static Value match_get_string(VM *vm, Value self)
{
    (void)vm;
    return retain(as_match(self)->string);
}
static Value match_get_re(VM *vm, Value self)
{
    (void)vm;
    return v_of(obj_retain(as_match(self)->re));
}
static Value match_get_pos(VM *vm, Value self)
{
    (void)vm;
    return v_smallint(as_match(self)->pos);
}
static Value match_get_endpos(VM *vm, Value self)
{
    (void)vm;
    return v_smallint(as_match(self)->endpos);
}

static const NativeDef match_methods[] = {
    {"group(*args)", match_group, "Return one or more subgroups of the match.", 0},
    {"groups(default=None)", match_groups, "Return a tuple containing all the subgroups of the match, from 1.", 0},
    {"groupdict(default=None)", match_groupdict, "Return a dictionary containing all the named subgroups of the match, keyed by the subgroup name.", 0},
    {"start(group=0, /)", match_start, "Return index of the start of the substring matched by group.", 0},
    {"end(group=0, /)", match_end, "Return index of the end of the substring matched by group.", 0},
    {"span(group=0, /)", match_span, "For match object m, return the 2-tuple (m.start(group), m.end(group)).", 0},
    {"expand(template)", match_expand, "Return the string obtained by doing backslash substitution on the string template, as done by the sub() method.", 0},
    {"__copy__()", pattern_copy, NULL, 0},
    {"__deepcopy__(memo, /)", pattern_copy, NULL, 0},
    {"__class_getitem__(item, /)", ou_class_getitem, "See PEP 585", ND_CLASS},
    {0}};
static const GetSetDef match_getset[] = {{"lastindex", match_get_lastindex, NULL, "The integer index of the last matched capturing group."},
                                         {"lastgroup", match_get_lastgroup, NULL, "The name of the last matched capturing group."},
                                         {"regs", match_get_regs, NULL, NULL},
                                         {"string", match_get_string, NULL, "The string passed to match() or search()."},
                                         {"re", match_get_re, NULL, "The regular expression object."},
                                         {"pos", match_get_pos, NULL, "The index into the string at which the RE engine started looking for a match."},
                                         {"endpos", match_get_endpos, NULL, "The index into the string beyond which the RE engine will not go."},
                                         {0}};
static const TypeDef match_def = {
    .name = "re.Match",
    .size = sizeof(Match),
    .flags = TF_NO_NEW,
    .slots = {.dealloc = match_dealloc, .repr = match_repr, .getitem = match_getitem},
    .methods = match_methods,
    .getset = match_getset,
    .doc = "The result of re.match() and re.search().",
};

static Value finder_get_pattern(VM *vm, Value self)
{
    (void)vm;
    return v_of(obj_retain(((Finder *)v_obj(self))->re));
}
static const NativeDef scanner_methods[] = {{"match()", scanner_match, NULL, 0}, {"search()", scanner_search, NULL, 0}, {0}};
static const GetSetDef scanner_getset[] = {{"pattern", finder_get_pattern, NULL, NULL}, {0}};
static const TypeDef scanner_def = {.name = "_sre.SRE_Scanner", .size = sizeof(Finder), .flags = TF_NO_NEW,
                                    .slots = {.dealloc = finder_dealloc}, .methods = scanner_methods, .getset = scanner_getset};
static const TypeDef iter_def = {.name = "_re.MatchIterator", .size = sizeof(Finder), .flags = TF_NO_NEW,
                                 .slots = {.dealloc = finder_dealloc, .iter = ou_iter_self, .next = finder_next}};

/* ---- the module -------------------------------------------------------------------------------------------------------------------------------------- */

/* The compiled form of pattern (a str, bytes or Pattern), from the cache if it can be. flags may be V_NULL. */
static Value compiled(VM *vm, Value pattern, Value flags)
{
    ReState *st = state_of(vm);
    int64_t f = 0;
    if (!st || (flags != V_NULL && !ou_index_i64(vm, flags, &f)))
        return V_NULL;
    if (ou_type_of(vm, pattern) == st->pattern_type) {
        if (f)
            return ou_raise(vm, E_VALUE, "cannot process flags argument with a compiled pattern");
        return retain(pattern);
    }
    /* The kind is part of the key: a str and a bytes pattern never compare equal, their flags might make one key of two. */
    Value cell[2] = {pattern, v_smallint(f)};
    Value key = ou_tuple_of(vm, cell, 2);
    if (key == V_NULL)
        return V_NULL;
    Value hit = ou_dict_get(vm, as_dict(st->cache), key);
    if (hit != V_NULL)
        retain(hit);
    else if (vm->exc == V_NULL && (hit = pattern_new(vm, pattern, (uint32_t)f)) != V_NULL) {
        Dict *d = as_dict(st->cache);
        if (d->n >= CACHE_MAX)
            ou_dict_clear(vm, d);
        if (!(f & RE_DEBUG) && !ou_dict_set(vm, d, key, hit)) {
            release(vm, hit);
            hit = V_NULL;
        }
    }
    release(vm, key);
    return hit;
}

static Value re_compile(VM *vm, const Value *args, int n)
{
    (void)n;
    return compiled(vm, args[0], args[1]);
}

/* Calls a method with the compiled pattern in front: fn(pattern, a, b, c). */
static Value with_pattern(VM *vm, NativeFn fn, Value pattern, Value flags, Value a, Value b, Value c)
{
    Value re = compiled(vm, pattern, flags);
    if (re == V_NULL)
        return V_NULL;
    Value args[4] = {re, a, b, c};
    Value r = fn(vm, args, 4);
    release(vm, re);
    return r;
}

#define TWO_ARGS(name)                                                                                                              \
    static Value re_##name(VM *vm, const Value *args, int n)                                                                        \
    {                                                                                                                               \
        (void)n;                                                                                                                    \
        return with_pattern(vm, pattern_##name, args[0], args[2], args[1], V_NULL, V_NULL);                                         \
    }
TWO_ARGS(search)
TWO_ARGS(match)
TWO_ARGS(fullmatch)
TWO_ARGS(findall)
TWO_ARGS(finditer)

static Value re_split(VM *vm, const Value *args, int n)
{
    (void)n;
    return with_pattern(vm, pattern_split, args[0], args[3], args[1], args[2], V_NULL);
}

static Value re_sub(VM *vm, const Value *args, int n)
{
    (void)n;
    return with_pattern(vm, pattern_sub, args[0], args[4], args[1], args[2], args[3]);
}

static Value re_subn(VM *vm, const Value *args, int n)
{
    (void)n;
    return with_pattern(vm, pattern_subn, args[0], args[4], args[1], args[2], args[3]);
}

static Value re_escape(VM *vm, const Value *args, int n)
{
    (void)n;
    bool is_text = ou_is_a(vm, args[0], T_STR);
    Buffer b = {.owner = V_NULL};
    if (!is_text && !ou_buffer_get(vm, args[0], &b, false))
        return V_NULL;
    const char *p = is_text ? as_str(args[0])->data : (const char *)b.p;
    size_t size = is_text ? as_str(args[0])->size : (size_t)b.n;
    StrBuf out;
    ou_sb_init(&out, vm);
    for (size_t i = 0; i < size; i++) {
        if (p[i] && strchr("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", p[i]))
            ou_sb_putc(&out, '\\');
        ou_sb_putc(&out, p[i]);
    }
    ou_buffer_release(vm, &b);
    Value r = out.failed ? V_NULL : is_text ? ou_str_new(vm, out.p, out.n) : ou_bytes_new(vm, out.p, out.n);
    ou_sb_drop(&out);
    return r;
}

static Value re_purge(VM *vm, const Value *args, int n)
{
    (void)args, (void)n;
    ReState *st = state_of(vm);
    if (!st)
        return V_NULL;
    ou_dict_clear(vm, as_dict(st->cache));
    return V_NONE;
}

static Value re_set_error(VM *vm, const Value *args, int n)
{
    (void)n;
    ReState *st = state_of(vm);
    if (!st || !ou_list_append(vm, as_list(st->keep), args[0]))
        return V_NULL;
    st->error = args[0];
    return V_NONE;
}

static const NativeDef re_defs[] = {
    {"compile(pattern, flags=0)", re_compile, "Compile a regular expression pattern, returning a Pattern object.", 0},
    {"search(pattern, string, flags=0)", re_search, "Scan through string looking for a match to the pattern, returning a Match object, or None if no match was found.", 0},
    {"match(pattern, string, flags=0)", re_match, "Try to apply the pattern at the start of the string, returning a Match object, or None if no match was found.", 0},
    {"fullmatch(pattern, string, flags=0)", re_fullmatch, "Try to apply the pattern to all of the string, returning a Match object, or None if no match was found.", 0},
    {"findall(pattern, string, flags=0)", re_findall, "Return a list of all non-overlapping matches in the string.", 0},
    {"finditer(pattern, string, flags=0)", re_finditer, "Return an iterator over all non-overlapping matches in the string.", 0},
    {"_split(pattern, string, maxsplit, flags, /)", re_split, "Split the source string by the occurrences of the pattern, returning a list containing the resulting substrings.", 0},
    {"_sub(pattern, repl, string, count, flags, /)", re_sub, "Return the string obtained by replacing the leftmost non-overlapping occurrences of the pattern in string by the replacement repl.", 0},
    {"_subn(pattern, repl, string, count, flags, /)", re_subn, "Return a 2-tuple containing (new_string, number).", 0},
    {"escape(pattern)", re_escape, "Escape special characters in a string.", 0},
    {"purge()", re_purge, "Clear the regular expression caches", 0},
    {"_set_error(cls, /)", re_set_error, NULL, 0},
    {0}};

static Type *keep_type(VM *vm, ReState *st, Module *m, const TypeDef *def)
{
    Type *t = ou_module_type(vm, m, def, NULL);
    return t && ou_list_append(vm, as_list(st->keep), v_of(t)) ? t : NULL;
}

bool ou_mod__re(VM *vm, Module *m)
{
    ReState *st = state_of(vm);
    if (!st)
        return false;
    if (!st->pattern_type) {
        Value keep = ou_list_new(vm, 8), cache = ou_dict_new(vm);
        if (keep == V_NULL || cache == V_NULL || !ou_list_append_take(vm, as_list(keep), cache)) {
            xrelease(vm, keep);
            return false;
        }
        xrelease(vm, st->keep);
        st->keep = keep;
        st->cache = cache;
        st->error = V_NULL;
        st->match_type = keep_type(vm, st, m, &match_def);
        st->iter_type = keep_type(vm, st, m, &iter_def);
        st->scanner_type = keep_type(vm, st, m, &scanner_def);
        st->pattern_type = keep_type(vm, st, m, &pattern_def);
        if (!st->match_type || !st->iter_type || !st->scanner_type || !st->pattern_type)
            return false;
    }
    return ou_module_set(vm, m, "Pattern", v_of(st->pattern_type)) && ou_module_set(vm, m, "Match", v_of(st->match_type)) &&
           ou_module_add(vm, m, re_defs);
}
