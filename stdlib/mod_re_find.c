/* Searching: subjects, the run of the engine, search, match, findall, split; iterators and scanners.
 * Entry points: ou_re_subject_open, ou_re_find_next, ou_re_search and the like. The one thing to know: a subject is pinned while it is
 * searched (a buffer stays exported), and the match after an empty one must not be empty at the same place. */
#include "stdlib/re_impl.h"

#include "runtime/objects/containers_impl.h"
#include "vm/call.h"

enum { FIRST_TRY = 20000, JIT_AFTER = 3000 /* translating costs as much as reading so many bytes */ };

/* ---- subjects ------------------------------------------------------------------------------------------------------------------------------ */

bool ou_re_subject_open(VM *vm, Pattern *re, Value string, Value pos, Value endpos, Subject *s)
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

void ou_re_subject_close(VM *vm, Subject *s)
{
    ou_buffer_release(vm, &s->b);
    Value o = s->obj;
    s->obj = V_NULL;
    xrelease(vm, o);
}

Value ou_re_subject_slice(VM *vm, const Subject *s, size_t from, size_t to)
{
    if (s->s)
        return ou_str_sub(vm, s->s, from, to);
    return ou_bytes_new(vm, s->p + from, to > from ? to - from : 0);
}

/* ---- matching -------------------------------------------------------------------------------------------------------------------------------- */

/* Translates what is used much to machine code, where the system allows that. The steps of that cannot be counted, so a VM with
 * a limit of steps goes without; and matching (not searching) never uses it. */
static void note_use(VM *vm, Pattern *re, const Subject *s)
{
    if (re->scanned >= JIT_AFTER || vm->budget.on) return;
    size_t more = s->n - s->at < 200 ? s->n - s->at : 200;
    re->scanned += 16 + (uint32_t)more;
    if (re->scanned < JIT_AFTER) return;
    re->scanned = JIT_AFTER;
    (void)pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
}

/* Searches from s->at. 1 found (offsets in re->data), 0 not, -1 raised. */
static int run(VM *vm, Pattern *re, const Subject *s, uint32_t options)
{
    if (s->at > s->n)
        return 0;
    uint32_t limit = vm->budget.on ? FIRST_TRY : MATCH_LIMIT;
    int rc;
    if (!(options & PCRE2_ANCHORED)) note_use(vm, re, s);
    options |= PCRE2_NO_UTF_CHECK | (vm->budget.on ? PCRE2_NO_JIT : 0u);
    for (;; limit = limit > MATCH_LIMIT / 4 ? MATCH_LIMIT : limit * 4) {
        pcre2_set_match_limit(re->limits, limit);
        rc = pcre2_match(re->code, (PCRE2_SPTR)s->p, s->n, s->at, options, re->data, re->limits);
        if (rc == PCRE2_ERROR_JIT_STACKLIMIT) /* 32 KiB; the interpreter has more */
            rc = pcre2_match(re->code, (PCRE2_SPTR)s->p, s->n, s->at, options | PCRE2_NO_JIT, re->data, re->limits);
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

/* The next match of an iteration; the one after an empty match must not be empty at the same place. */
int ou_re_find_next(VM *vm, Pattern *re, Subject *s, bool *after_empty)
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
    if (!ou_re_subject_open(vm, re, args[1], args[2], args[3], &s))
        return V_NULL;
    int r = run(vm, re, &s, options);
    Value m = r == 1 ? ou_re_match_new(vm, re, &s) : r == 0 ? V_NONE : V_NULL;
    ou_re_subject_close(vm, &s);
    return m;
}

Value ou_re_search(VM *vm, const Value *args, int n)
{
    (void)n;
    return search_with(vm, args, 0);
}

Value ou_re_match(VM *vm, const Value *args, int n)
{
    (void)n;
    return search_with(vm, args, PCRE2_ANCHORED);
}

Value ou_re_fullmatch(VM *vm, const Value *args, int n)
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
    return ou_re_subject_slice(vm, s, ov[2 * i], ov[2 * i + 1]);
}

Value ou_re_findall(VM *vm, const Value *args, int n)
{
    (void)n;
    Subject s;
    Pattern *re = as_re(args[0]);
    if (!ou_re_subject_open(vm, re, args[1], args[2], args[3], &s))
        return V_NULL;
    Value list = ou_list_new(vm, 0), empty = re->is_bytes ? vm->empty_bytes : vm->empty_str;
    bool after_empty = false;
    int r = 0;
    while (list != V_NULL && (r = ou_re_find_next(vm, re, &s, &after_empty)) == 1) {
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
    ou_re_subject_close(vm, &s);
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
    if (!ou_re_subject_open(vm, f->re, args[1], args[2], args[3], &f->s)) {
        obj_release(vm, f);
        return V_NULL;
    }
    return v_of(f);
}

Value ou_re_finditer(VM *vm, const Value *args, int n)
{
    (void)n;
    return finder_new(vm, args, false);
}

Value ou_re_scanner(VM *vm, const Value *args, int n)
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
    return ou_re_match_new(vm, f->re, &f->s);
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
    ou_re_subject_close(vm, &f->s);
    if (f->re)
        obj_release(vm, f->re);
    ou_finish_dealloc(vm, o, 0);
}

Value ou_re_split(VM *vm, const Value *args, int n)
{
    (void)n;
    Subject s;
    Pattern *re = as_re(args[0]);
    int64_t max = 0;
    if (args[2] != V_NULL && !ou_index_i64(vm, args[2], &max))
        return V_NULL;
    if (!ou_re_subject_open(vm, re, args[1], V_NULL, V_NULL, &s))
        return V_NULL;
    Value list = ou_list_new(vm, 0);
    bool after_empty = false, ok = list != V_NULL;
    size_t last = 0;
    for (int64_t k = 0; ok && (max == 0 || k < max); k++) {
        int r = ou_re_find_next(vm, re, &s, &after_empty);
        ok = r >= 0;
        if (r != 1)
            break;
        const size_t *ov = pcre2_get_ovector_pointer(re->data);
        size_t from = ov[0], to = ov[1];
        Value piece = ou_re_subject_slice(vm, &s, last, from);
        ok = piece != V_NULL && ou_list_append_take(vm, as_list(list), piece);
        for (uint32_t i = 1; ok && i <= re->groups; i++) {
            piece = found_group(vm, re, &s, i, V_NONE);
            ok = piece != V_NULL && ou_list_append_take(vm, as_list(list), piece);
        }
        last = to;
    }
    if (ok) {
        Value piece = ou_re_subject_slice(vm, &s, last, s.n);
        ok = piece != V_NULL && ou_list_append_take(vm, as_list(list), piece);
    }
    ou_re_subject_close(vm, &s);
    if (!ok) {
        xrelease(vm, list);
        return V_NULL;
    }
    return list;
}

static Value finder_get_pattern(VM *vm, Value self)
{
    (void)vm;
    return v_of(obj_retain(((Finder *)v_obj(self))->re));
}
static const NativeDef scanner_methods[] = {{"match()", scanner_match, NULL, 0}, {"search()", scanner_search, NULL, 0}, {0}};
static const GetSetDef scanner_getset[] = {{"pattern", finder_get_pattern, NULL, NULL}, {0}};
const TypeDef ou_re_scanner_def = {.name = "_sre.SRE_Scanner", .size = sizeof(Finder), .flags = TF_NO_NEW,
                                    .slots = {.dealloc = finder_dealloc}, .methods = scanner_methods, .getset = scanner_getset};
const TypeDef ou_re_iter_def = {.name = "_re.MatchIterator", .size = sizeof(Finder), .flags = TF_NO_NEW,
                                 .slots = {.dealloc = finder_dealloc, .iter = ou_iter_self, .next = finder_next}};
