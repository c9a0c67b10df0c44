/* The module _re: regular expressions on PCRE2. The module re wraps it with flags and the exception. Here are the type re.Pattern and
 * the module with its cache of compiled patterns; searching is in mod_re_find.c, substitution in mod_re_sub.c, matches in
 * mod_re_match.c, the translation of patterns in re_pattern.c.
 * Entry points: ou_mod__re. The one thing to know: offsets are bytes inside and code points outside; a pattern keeps one match
 * data block, whose contents are copied into the Match before any script can run. */
#include "stdlib/re_impl.h"

#include "runtime/objects/containers_impl.h"
#include "vm/call.h"

enum { CACHE_MAX = 512, HEAP_LIMIT_KIB = 512 * 1024 };

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

Value ou_re_copy(VM *vm, const Value *args, int n)
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
    {"search(string, pos=0, endpos=sys.maxsize)", ou_re_search, "Scan through string looking for a match, and return a corresponding match object instance.", 0},
    {"match(string, pos=0, endpos=sys.maxsize)", ou_re_match, "Matches zero or more characters at the beginning of the string.", 0},
    {"fullmatch(string, pos=0, endpos=sys.maxsize)", ou_re_fullmatch, "Matches against all of the string.", 0},
    {"findall(string, pos=0, endpos=sys.maxsize)", ou_re_findall, "Return a list of all non-overlapping matches of pattern in string.", 0},
    {"finditer(string, pos=0, endpos=sys.maxsize)", ou_re_finditer, "Return an iterator over all non-overlapping matches for the RE pattern in string.", 0},
    {"scanner(string, pos=0, endpos=sys.maxsize)", ou_re_scanner, NULL, 0},
    {"split(string, maxsplit=0)", ou_re_split, "Split string by the occurrences of pattern.", 0},
    {"sub(repl, string, count=0)", ou_re_sub, "Return the string obtained by replacing the leftmost non-overlapping occurrences of pattern in string by the replacement repl.", 0},
    {"subn(repl, string, count=0)", ou_re_subn, "Return the tuple (new_string, number_of_subs_made).", 0},
    {"__copy__()", ou_re_copy, NULL, 0},
    {"__deepcopy__(memo, /)", ou_re_copy, NULL, 0},
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
        return with_pattern(vm, ou_re_##name, args[0], args[2], args[1], V_NULL, V_NULL);                                         \
    }
TWO_ARGS(search)
TWO_ARGS(match)
TWO_ARGS(fullmatch)
TWO_ARGS(findall)
TWO_ARGS(finditer)

static Value re_split(VM *vm, const Value *args, int n)
{
    (void)n;
    return with_pattern(vm, ou_re_split, args[0], args[3], args[1], args[2], V_NULL);
}

static Value re_sub(VM *vm, const Value *args, int n)
{
    (void)n;
    return with_pattern(vm, ou_re_sub, args[0], args[4], args[1], args[2], args[3]);
}

static Value re_subn(VM *vm, const Value *args, int n)
{
    (void)n;
    return with_pattern(vm, ou_re_subn, args[0], args[4], args[1], args[2], args[3]);
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
            if (keep == V_NULL) xrelease(vm, cache); /* else the list has taken it */
            xrelease(vm, keep);
            return false;
        }
        xrelease(vm, st->keep);
        st->keep = keep;
        st->cache = cache;
        st->error = V_NULL;
        st->match_type = keep_type(vm, st, m, &ou_re_match_def);
        st->iter_type = keep_type(vm, st, m, &ou_re_iter_def);
        st->scanner_type = keep_type(vm, st, m, &ou_re_scanner_def);
        st->pattern_type = keep_type(vm, st, m, &pattern_def);
        if (!st->match_type || !st->iter_type || !st->scanner_type || !st->pattern_type)
            return false;
    }
    return ou_module_set(vm, m, "Pattern", v_of(st->pattern_type)) && ou_module_set(vm, m, "Match", v_of(st->match_type)) &&
           ou_module_add(vm, m, re_defs);
}
