/* Code objects as scripts see them: co_ attributes, positions, replace. The compiler fills them (vm/code.c).
 * The one thing to know: registers stand for names, so the instruction bytes mean nothing to CPython's tools;
 * everything that inspect, traceback and functools ask for is computed from the fields. */
#include "runtime/objects/bytes.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

#define CODE as_code(self)
#define GET(fn) static Value fn(VM *vm, Value self)

uint32_t ou_code_line(const Code *c, uint32_t pc) {
    if (!c->locs || c->ncode == 0 || pc == OU_PC_NOT_BEGUN) return c->firstlineno;
    return c->locs[pc < c->ncode ? pc : c->ncode - 1].line;
}

static Value site_value(const Code *c, uint32_t at) {
    uint32_t lo = 0, hi = c->nsites;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (c->sites[mid].at < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < c->nsites && c->sites[lo].at == at ? c->consts[c->sites[lo].konst] : V_NULL;
}

Str *ou_code_name_at(const Code *c, uint32_t at) {
    Value v = site_value(c, at);
    return v != V_NULL && is_exact(v, T_STR) ? as_str(v) : NULL;
}

static void code_dealloc(VM *vm, Obj *o) {
    Code *c = (Code *)o;
    ou_code_free_arrays(vm, c);
    obj_xrelease(vm, c->name);
    obj_xrelease(vm, c->qualname);
    obj_xrelease(vm, c->filename);
    obj_xrelease(vm, c->varnames);
    obj_xrelease(vm, c->cellnames);
    obj_xrelease(vm, c->freenames);
    xrelease(vm, c->doc);
    ou_finish_dealloc(vm, o, 0);
}

static Value code_repr(VM *vm, Value self) {
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_printf(&b, "<code object %s at 0x%llx, file \"", CODE->name->data, (unsigned long long)self);
    ou_sb_put(&b, CODE->filename->data, CODE->filename->size);
    ou_sb_printf(&b, "\", line %u>", CODE->firstlineno);
    return ou_sb_finish(&b);
}

static Value tuple_or_empty(VM *vm, Tuple *t) {
    return t ? retain(v_of(t)) : ou_tuple_new(vm, 0);
}

GET(co_name) {
    (void)vm;
    return retain(v_of(CODE->name));
}
GET(co_qualname) {
    (void)vm;
    return retain(v_of(CODE->qualname));
}
GET(co_filename) {
    (void)vm;
    return retain(v_of(CODE->filename));
}
GET(co_firstlineno) {
    (void)vm;
    return v_smallint(CODE->firstlineno);
}
GET(co_argcount) {
    (void)vm;
    return v_smallint(CODE->nargs);
}
GET(co_posonlyargcount) {
    (void)vm;
    return v_smallint(CODE->nposonly);
}
GET(co_kwonlyargcount) {
    (void)vm;
    return v_smallint(CODE->nkwonly);
}
GET(co_stacksize) {
    (void)vm;
    return v_smallint(CODE->nregs);
}
GET(co_flags) {
    (void)vm;
    return v_smallint(CODE->flags);
}
/* A comprehension's variable has a register of its own, but may have the name of another variable. */
GET(co_varnames) {
    if (!ou_code_ready(vm, CODE)) return V_NULL;
    Tuple *t = CODE->varnames;
    uint32_t params = (uint32_t)CODE->nargs + CODE->nkwonly, n = params;
    if (!t || t->n <= params) return tuple_or_empty(vm, t);
    Value *names = ou_alloc(&vm->heap, t->n * sizeof(Value)), out = V_NULL;
    if (!names) return ou_raise_memory(vm), V_NULL;
    memcpy(names, t->items, params * sizeof(Value));
    for (uint32_t i = params; i < t->n; i++) {
        uint32_t k = 0;
        while (k < n && names[k] != t->items[i]) k++;
        if (k == n) names[n++] = t->items[i];
    }
    out = n == t->n ? retain(v_of(t)) : ou_tuple_of(vm, names, n);
    ou_free(&vm->heap, names, t->n * sizeof(Value));
    return out;
}
GET(co_nlocals) {
    Value names = co_varnames(vm, self);
    if (names == V_NULL) return V_NULL;
    Value n = v_smallint(as_tuple(names)->n);
    release(vm, names);
    return n;
}
GET(co_cellvars) {
    if (!ou_code_ready(vm, CODE)) return V_NULL;
    return tuple_or_empty(vm, CODE->cellnames);
}
GET(co_freevars) {
    if (!ou_code_ready(vm, CODE)) return V_NULL;
    return tuple_or_empty(vm, CODE->freenames);
}
GET(co_code) {
    if (!ou_code_ready(vm, CODE)) return V_NULL;
    return ou_bytes_new(vm, CODE->code, (size_t)CODE->ncode * sizeof(Ins));
}
GET(co_empty_bytes) {
    (void)self;
    return ou_bytes_new(vm, "", 0);
}
GET(co_consts) {
    if (!ou_code_ready(vm, CODE)) return V_NULL;
    Value list = ou_list_new(vm, CODE->nconsts + 1);
    if (list == V_NULL || !ou_list_append(vm, as_list(list), CODE->doc == V_NULL ? V_NONE : CODE->doc))
        goto fail;
    for (uint32_t i = 0; i < CODE->nconsts; i++) {
        Value v = CODE->consts[i];
        if (v != V_NULL && v != V_UNBOUND && !ou_list_append(vm, as_list(list), v)) goto fail;
    }
    Value t = ou_tuple_of(vm, as_list(list)->items, as_list(list)->n);
    release(vm, list);
    return t;
fail:
    xrelease(vm, list);
    return V_NULL;
}
static bool is_in(const Tuple *t, Value v) {
    for (uint32_t i = 0; t && i < t->n; i++)
        if (t->items[i] == v) return true;
    return false;
}

/* Names of globals and attributes, each once, in the order of use. Reading a cell has a name beside it too,
 * for the NameError. */
GET(co_names) {
    if (!ou_code_ready(vm, CODE)) return V_NULL;
    Value d = ou_dict_new(vm);
    for (uint32_t i = 0; d != V_NULL && i < CODE->nsites; i++) {
        Value v = CODE->consts[CODE->sites[i].konst];
        if (!is_exact(v, T_STR) || is_in(CODE->freenames, v) || is_in(CODE->cellnames, v)) continue;
        if (!ou_dict_set(vm, as_dict(d), v, V_NONE)) {
            release(vm, d);
            return V_NULL;
        }
    }
    Value t = d == V_NULL ? V_NULL : ou_tuple_from(vm, d);
    xrelease(vm, d);
    return t;
}

static const GetSetDef code_getset[] = {
    {"co_name", co_name, ou_readonly, NULL},
    {"co_qualname", co_qualname, ou_readonly, NULL},
    {"co_filename", co_filename, ou_readonly, NULL},
    {"co_firstlineno", co_firstlineno, ou_readonly, NULL},
    {"co_argcount", co_argcount, ou_readonly, NULL},
    {"co_posonlyargcount", co_posonlyargcount, ou_readonly, NULL},
    {"co_kwonlyargcount", co_kwonlyargcount, ou_readonly, NULL},
    {"co_nlocals", co_nlocals, ou_readonly, NULL},
    {"co_stacksize", co_stacksize, ou_readonly, NULL},
    {"co_flags", co_flags, ou_readonly, NULL},
    {"co_varnames", co_varnames, NULL, NULL},
    {"co_cellvars", co_cellvars, NULL, NULL},
    {"co_freevars", co_freevars, NULL, NULL},
    {"co_consts", co_consts, ou_readonly, NULL},
    {"co_names", co_names, ou_readonly, NULL},
    {"co_code", co_code, NULL, NULL},
    {"co_linetable", co_empty_bytes, ou_readonly, NULL},
    {"co_exceptiontable", co_empty_bytes, ou_readonly, NULL},
    {"co_lnotab", co_empty_bytes, NULL, NULL},
    {0},
};

/* ---- positions --------------------------------------------------------------------------------------- */

static Value number(uint32_t n) {
    return n == UINT32_MAX || n == 0 ? V_NONE : v_smallint(n);
}
static Value column(uint32_t n) {
    return n == UINT32_MAX ? V_NONE : v_smallint(n);
}

/* Owned iterator over a list that is given away. */
static Value iterate(VM *vm, Value list) {
    Value it = list == V_NULL ? V_NULL : ou_iter(vm, list);
    xrelease(vm, list);
    return it;
}

static bool append_tuple(VM *vm, Value list, const Value *items, size_t n) {
    Value t = ou_tuple_of(vm, items, n);
    return t != V_NULL && ou_list_append_take(vm, as_list(list), t);
}

static Value code_positions(VM *vm, const Value *args, int n) {
    (void)n;
    Code *c = as_code(args[0]);
    if (!ou_code_ready(vm, c)) return V_NULL;
    Value list = ou_list_new(vm, c->ncode);
    for (uint32_t i = 0; list != V_NULL && i < c->ncode; i++) {
        CodeLoc l = c->locs[i];
        Value four[4] = {number(l.line), number(l.end_line), column(l.col), column(l.end_col)};
        if (!append_tuple(vm, list, four, 4)) {
            release(vm, list);
            return V_NULL;
        }
    }
    return iterate(vm, list);
}

/* (start, end, line) for runs of instructions of one line; offsets count bytes as dis does, two to the
 * instruction. */
static Value code_lines(VM *vm, const Value *args, int n) {
    (void)n;
    Code *c = as_code(args[0]);
    if (!ou_code_ready(vm, c)) return V_NULL;
    Value list = ou_list_new(vm, 0);
    for (uint32_t i = 0; list != V_NULL && i < c->ncode;) {
        uint32_t k = i + 1;
        while (k < c->ncode && c->locs[k].line == c->locs[i].line) k++;
        Value three[3] = {v_smallint((int64_t)i * 2), v_smallint((int64_t)k * 2), number(c->locs[i].line)};
        if (!append_tuple(vm, list, three, 3)) {
            release(vm, list);
            return V_NULL;
        }
        i = k;
    }
    return iterate(vm, list);
}

/* ---- replace ----------------------------------------------------------------------------------------- */

static void *copy_array(VM *vm, const void *p, size_t size, bool *ok) {
    if (!p || !size) return NULL;
    void *q = ou_alloc(&vm->heap, size);
    if (q)
        memcpy(q, p, size);
    else
        *ok = false;
    return q;
}

/* A copy that shares nothing but immutable objects. */
Code *ou_code_copy(VM *vm, Code *c) {
    if (!ou_code_ready(vm, c)) return NULL;
    Code *d = ou_new(vm, vm->types[T_CODE], 0);
    if (!d) return NULL;
    Obj h = d->h;
    *d = *c;
    d->h = h;
    bool ok = true;
    size_t ncap = c->nfree;
    d->code = copy_array(vm, c->code, c->ncode * sizeof *c->code, &ok);
    d->consts = copy_array(vm, c->consts, c->nconsts * sizeof *c->consts, &ok);
    d->locs = copy_array(vm, c->locs, c->ncode * sizeof *c->locs, &ok);
    d->handlers = copy_array(vm, c->handlers, c->nhandlers * sizeof *c->handlers, &ok);
    d->live = copy_array(vm, c->live, c->nlive * sizeof *c->live, &ok);
    d->sites = copy_array(vm, c->sites, c->nsites * sizeof *c->sites, &ok);
    d->captures = copy_array(vm, c->captures, ncap * sizeof *c->captures, &ok);
    d->cellregs = copy_array(vm, c->cellregs, sizeof(uint16_t) * c->ncells, &ok);
    for (uint32_t i = 0; d->consts && i < c->nconsts; i++)
        if (d->consts[i] != V_NULL) retain(d->consts[i]);
    if (!d->consts) d->nconsts = 0;
    void *parts[] = {d->name, d->qualname, d->filename, d->varnames, d->cellnames, d->freenames};
    for (int i = 0; i < 6; i++)
        if (parts[i]) retain(v_of(parts[i]));
    if (d->doc != V_NULL) retain(d->doc);
    if (!ok) {
        obj_release(vm, d);
        ou_raise_memory(vm);
        return NULL;
    }
    return d;
}

static bool replace_str(VM *vm, Str **place, Value v, const char *name) {
    if (!ou_is_a(vm, v, T_STR)) {
        ou_raise(vm, E_TYPE, "replace() argument '%s' must be str, not %K", name, v);
        return false;
    }
    Str *old = *place;
    *place = as_str(retain(v));
    obj_release(vm, old);
    return true;
}

static bool replace_field(VM *vm, Code *c, const Str *name, Value v) {
    if (ou_str_eq_c(name, "co_name")) return replace_str(vm, &c->name, v, "co_name");
    if (ou_str_eq_c(name, "co_qualname")) return replace_str(vm, &c->qualname, v, "co_qualname");
    if (ou_str_eq_c(name, "co_filename")) return replace_str(vm, &c->filename, v, "co_filename");
    int64_t i;
    if (ou_str_eq_c(name, "co_firstlineno") || ou_str_eq_c(name, "co_flags")) {
        if (!ou_index_i64(vm, v, &i)) return false;
        if (name->data[3] == 'f' && name->data[4] == 'i')
            c->firstlineno = (uint32_t)i;
        else
            c->flags = (c->flags & CO_HEAP_FRAME) | ((uint32_t)i & ~(uint32_t)CO_HEAP_FRAME);
        return true;
    }
    for (const GetSetDef *g = code_getset; g->name; g++)
        if (ou_str_eq_c(name, g->name)) { /* what the instructions depend on may only be given as it is */
            Value now = g->get(vm, v_of(c));
            int same = now == V_NULL ? -1 : ou_eq(vm, now, v);
            xrelease(vm, now);
            if (same == 0) ou_raise(vm, E_VALUE, "code: %s cannot be replaced", g->name);
            return same == 1;
        }
    ou_raise(vm, E_TYPE, "replace() got an unexpected keyword argument '%Q'", name);
    return false;
}

static Value code_replace(VM *vm, const Value *args, int n) {
    (void)n;
    Code *c = ou_code_copy(vm, as_code(args[0]));
    uint32_t pos = 0;
    Value key, v;
    while (c && ou_dict_next(as_dict(args[1]), &pos, &key, &v))
        if (!replace_field(vm, c, as_str(key), v)) {
            obj_release(vm, c);
            c = NULL;
        }
    return v_of(c);
}

static const NativeDef code_methods[] = {
    {"co_positions()", code_positions, NULL, 0},
    {"co_lines()", code_lines, NULL, 0},
    {"replace(**changes)", code_replace,
     "Return a copy of the code object with new values for the specified fields.", 0},
    {"__replace__(**changes)", code_replace, "The same as replace().", 0},
    {0},
};

const TypeDef ou_type_code = {
    .name = "code",
    .size = sizeof(Code),
    .flags = TF_WEAKREF,
    .slots = {.dealloc = code_dealloc, .repr = code_repr},
    .methods = code_methods,
    .getset = code_getset,
    .doc = "Create a code object.  Not for mere mortals.",
};
