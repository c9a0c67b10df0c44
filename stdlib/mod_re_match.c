/* The type re.Match.
 * Entry points: ou_re_match_new, ou_re_match_def. The one thing to know: a match keeps byte offsets and the searched object itself; code
 * point positions and the texts of groups are made when they are asked for, and a buffer may have shrunk by then. */
#include "stdlib/re_impl.h"

#include "runtime/objects/containers_impl.h"
#include "vm/call.h"

Value ou_re_match_new(VM *vm, Pattern *re, const Subject *s)
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
    if (!ou_re_repl_text(vm, m->re, args[1], 0, &p, &size, &b))
        return V_NULL;
    StrBuf out;
    ou_sb_init(&out, vm);
    MatchOut mo = {vm, m, &out};
    bool ok = ou_re_expand(vm, m->re, args[1], p, size, &out, put_group_of, &mo);
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
    {"__copy__()", ou_re_copy, NULL, 0},
    {"__deepcopy__(memo, /)", ou_re_copy, NULL, 0},
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
const TypeDef ou_re_match_def = {
    .name = "re.Match",
    .size = sizeof(Match),
    .flags = TF_NO_NEW,
    .slots = {.dealloc = match_dealloc, .repr = match_repr, .getitem = match_getitem},
    .methods = match_methods,
    .getset = match_getset,
    .doc = "The result of re.match() and re.search().",
};
