/* types.SimpleNamespace and struct sequences (time.struct_time, sys.version_info ...).
 * Entry points: ou_structseq_type, ou_structseq_new. A struct sequence is a tuple of its visible fields; the
 * fields beyond stand behind them in the same object, so that only attributes reach them. Its type's
 * native_data is its StructSeqDef. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

/* ---- SimpleNamespace --------------------------------------------------------------------------------- */

static Value ns_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    (void)args;
    (void)n;
    (void)kwnames;
    return v_of(ou_new(vm, cls, 0));
}

static bool set_item(VM *vm, Value self, Value key, Value v) {
    if (!ou_is_a(vm, key, T_STR)) {
        ou_raise(vm, E_TYPE, "keywords must be strings");
        return false;
    }
    Str *in = ou_intern_str(vm, as_str(key));
    bool ok = in && ou_instance_set(vm, v_obj(self), in, v);
    obj_xrelease(vm, in);
    return ok;
}

static int ns_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    if (!ou_arg_count(vm, "SimpleNamespace", n, 0, 1)) return -1;
    if (n == 1) {
        Value d = ou_dict_new(vm);
        bool ok = d != V_NULL && ou_dict_update(vm, as_dict(d), args[0]);
        uint32_t pos = 0;
        Value key, v;
        while (ok && ou_dict_next(as_dict(d), &pos, &key, &v)) ok = set_item(vm, self, key, v);
        xrelease(vm, d);
        if (!ok) return -1;
    }
    for (uint32_t i = 0; kwnames && i < kwnames->n; i++)
        if (!set_item(vm, self, kwnames->items[i], args[n + (int)i])) return -1;
    return 0;
}

static Value ns_repr(VM *vm, Value self) {
    ReprGuard g;
    Type *t = ou_type_of(vm, self);
    const char *name = t->id == T_NAMESPACE ? "namespace" : t->name->data;
    int in = ou_repr_enter(vm, &g, self);
    if (in < 0) return V_NULL;
    if (in == 0) return ou_str_format(vm, "%s(...)", name);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, name);
    ou_sb_putc(&b, '(');
    Dict *d = ou_instance_dict(vm, v_obj(self));
    Value copy = d ? ou_dict_copy(vm, d) : V_NULL;
    bool ok = copy != V_NULL, first = true;
    uint32_t pos = 0;
    Value key, v;
    while (ok && ou_dict_next(as_dict(copy), &pos, &key, &v)) {
        if (!is_str(key) || as_str(key)->size == 0) continue;
        if (!first) ou_sb_puts(&b, ", ");
        first = false;
        ou_sb_str(&b, key);
        ou_sb_putc(&b, '=');
        ok = ou_sb_repr(&b, v);
    }
    ou_sb_putc(&b, ')');
    ou_repr_leave(vm, &g);
    xrelease(vm, copy);
    if (!ok) {
        ou_sb_drop(&b);
        return V_NULL;
    }
    return ou_sb_finish(&b);
}

static Value ns_compare(VM *vm, Value a, Value b, CmpOp op) {
    if (!ou_is_a(vm, a, T_NAMESPACE) || !ou_is_a(vm, b, T_NAMESPACE)) return V_NOTIMPL;
    Dict *x = ou_instance_dict(vm, v_obj(a)), *y = x ? ou_instance_dict(vm, v_obj(b)) : NULL;
    return y ? ou_compare(vm, v_of(x), v_of(y), op) : V_NULL;
}

static Value ns_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    Dict *d = ou_instance_dict(vm, v_obj(args[0]));
    if (!d) return V_NULL;
    Value parts[3] = {v_of(ou_type_of(vm, args[0])), vm->empty_tuple, v_of(d)};
    return ou_tuple_of(vm, parts, 3);
}
static Value ns_replace(VM *vm, const Value *args, int n) {
    (void)n;
    Value r = ou_call0(vm, v_of(ou_type_of(vm, args[0])));
    Dict *d = r == V_NULL ? NULL : ou_instance_dict(vm, v_obj(args[0])),
         *to = d ? ou_instance_dict(vm, v_obj(r)) : NULL;
    if (!to || !ou_dict_update(vm, to, v_of(d)) || !ou_dict_update(vm, to, args[1])) {
        xrelease(vm, r);
        return V_NULL;
    }
    return r;
}
static const NativeDef ns_methods[] = {
    {"__reduce__()", ns_reduce, "Return state information for pickling", 0},
    {"__replace__(**changes)", ns_replace,
     "Return a copy of the namespace object with new values for the specified attributes.", 0},
    {0},
};
const TypeDef ou_type_namespace = {
    .name = "types.SimpleNamespace",
    .size = sizeof(Obj),
    .flags = TF_GC | TF_DICT | TF_BASE,
    .slots = {.make = ns_make, .init = ns_init, .repr = ns_repr, .compare = ns_compare},
    .methods = ns_methods,
    .doc = "A simple attribute-based namespace.",
};

/* ---- struct sequences -------------------------------------------------------------------------------- */

static const StructSeqDef *def_of(VM *vm, Value v) {
    Type *t = ou_type_of(vm, v);
    while (t && !t->native_data) t = t->base;
    return t ? t->native_data : NULL;
}
static uint32_t field_count(const StructSeqDef *d) {
    uint32_t n = 0;
    while (d->fields[n]) n++;
    return n;
}

static void seq_dealloc(VM *vm, Obj *o) {
    Tuple *t = (Tuple *)o;
    uint32_t n = field_count(def_of(vm, v_of(o)));
    for (uint32_t i = 0; i < n; i++) xrelease(vm, t->items[i]);
    ou_finish_dealloc(vm, o, n * sizeof(Value));
}
static void seq_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    uint32_t n = field_count(def_of(vm, v_of(o)));
    for (uint32_t i = 0; i < n; i++) ou_visit(vm, ((Tuple *)o)->items[i], visit, arg);
}

Value ou_structseq_new(VM *vm, Type *type, Value *items) {
    const StructSeqDef *d = type->native_data;
    uint32_t n = field_count(d);
    Tuple *t = ou_new(vm, type, n * sizeof(Value));
    for (uint32_t i = 0; i < n; i++) {
        if (t)
            t->items[i] = items[i];
        else
            release(vm, items[i]);
    }
    if (t) t->n = (uint32_t)d->visible;
    return v_of(t);
}

static const char structseq_sig[] = "structseq(sequence, dict={})";
static Value seq_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    const StructSeqDef *d = cls->native_data;
    if (!d || d->no_new)
        return ou_raise(vm, E_TYPE, "cannot create '%s' instances", d ? d->name : cls->name->data);
    Value a[2];
    if (!ou_bind(vm, structseq_sig, args, n, kwnames, a)) return V_NULL;
    if (a[1] != V_NULL && !ou_is_a(vm, a[1], T_DICT))
        return ou_raise(vm, E_TYPE, "%s() takes a dict as second arg, if any", d->name);
    Value seq = ou_tuple_from(vm, a[0]);
    if (seq == V_NULL) {
        if (ou_exc_matches(vm, E_TYPE)) {
            ou_exc_clear(vm);
            ou_raise(vm, E_TYPE, "constructor requires a sequence");
        }
        return V_NULL;
    }
    uint32_t total = field_count(d), given = as_tuple(seq)->n;
    if (given < (uint32_t)d->visible || given > total) {
        bool exact = total == (uint32_t)d->visible;
        ou_raise(vm, E_TYPE, "%s() takes %s%d-sequence (%d-sequence given)", d->name,
                 exact                          ? "a "
                 : given < (uint32_t)d->visible ? "an at least "
                                                : "an at most ",
                 given < (uint32_t)d->visible || exact ? d->visible : (int)total, (int)given);
        release(vm, seq);
        return V_NULL;
    }
    Value items[64];
    uint32_t named = 0;
    for (uint32_t i = 0; i < total && i < 64; i++) {
        Value v = i < given        ? as_tuple(seq)->items[i]
                  : a[1] != V_NULL ? ou_dict_get_c(vm, as_dict(a[1]), d->fields[i])
                                   : V_NONE;
        named += i >= given && a[1] != V_NULL && v != V_NULL;
        items[i] = v == V_NULL ? V_NONE : retain(v);
    }
    release(vm, seq);
    if (a[1] != V_NULL && as_dict(a[1])->n > named) {
        for (uint32_t i = 0; i < total && i < 64; i++) release(vm, items[i]);
        return ou_raise(vm, E_TYPE, "%s() got duplicate or unexpected field name(s)", d->name);
    }
    return ou_structseq_new(vm, cls, items);
}

static Value seq_repr(VM *vm, Value self) {
    const StructSeqDef *d = def_of(vm, self);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, d->name);
    ou_sb_putc(&b, '(');
    for (int i = 0; i < d->visible; i++) {
        if (i) ou_sb_puts(&b, ", ");
        ou_sb_puts(&b, d->fields[i]);
        ou_sb_putc(&b, '=');
        if (!ou_sb_repr(&b, as_tuple(self)->items[i])) {
            ou_sb_drop(&b);
            return V_NULL;
        }
    }
    ou_sb_putc(&b, ')');
    return ou_sb_finish(&b);
}

static Value seq_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    const StructSeqDef *d = def_of(vm, args[0]);
    Tuple *t = as_tuple(args[0]);
    Value hidden = ou_dict_new(vm);
    for (uint32_t i = (uint32_t)d->visible; hidden != V_NULL && d->fields[i]; i++)
        if (!ou_dict_set_c(vm, as_dict(hidden), d->fields[i], t->items[i])) {
            release(vm, hidden);
            return V_NULL;
        }
    Value pair[2] = {hidden == V_NULL ? V_NULL : ou_tuple_of(vm, t->items, t->n), hidden};
    if (pair[0] == V_NULL) {
        xrelease(vm, hidden);
        return V_NULL;
    }
    Value parts[2] = {retain(v_of(ou_type_of(vm, args[0]))), ou_tuple_take(vm, pair, 2)};
    if (parts[1] == V_NULL) {
        release(vm, parts[0]);
        return V_NULL;
    }
    return ou_tuple_take(vm, parts, 2);
}

static Value seq_replace(VM *vm, const Value *args, int n) {
    (void)n;
    const StructSeqDef *d = def_of(vm, args[0]);
    Dict *kw = as_dict(args[1]);
    uint32_t total = field_count(d), used = 0;
    Value items[64];
    for (uint32_t i = 0; i < total && i < 64; i++) {
        Value v = ou_dict_get_c(vm, kw, d->fields[i]);
        used += v != V_NULL;
        items[i] = retain(v == V_NULL ? as_tuple(args[0])->items[i] : v);
    }
    if (used == kw->n) return ou_structseq_new(vm, ou_type_of(vm, args[0]), items);
    for (uint32_t i = 0; i < total && i < 64; i++) release(vm, items[i]);
    Value names = ou_list_from(vm, args[1]);
    if (names != V_NULL) ou_raise(vm, E_TYPE, "Got unexpected field name(s): %R", names);
    xrelease(vm, names);
    return V_NULL;
}

static const NativeDef seq_methods[] = {
    {"__reduce__()", seq_reduce, NULL, 0},
    {"__replace__(**changes)", seq_replace,
     "Return a copy of the structure with new values for the specified fields.", 0},
    {0},
};
const TypeDef ou_type_structseq = {
    .name = "structseq",
    .size = sizeof(Tuple),
    .flags = TF_GC | TF_BASE,
    .slots = {.make = seq_make, .dealloc = seq_dealloc, .traverse = seq_traverse, .repr = seq_repr},
    .methods = seq_methods,
};

static bool set_int(VM *vm, Dict *d, const char *name, int64_t i) {
    return ou_dict_set_c(vm, d, name, v_smallint(i));
}

Type *ou_structseq_type(VM *vm, const StructSeqDef *def) {
    const char *dot = strrchr(def->name, '.');
    const char *plain = dot ? dot + 1 : def->name;
    Str *name = ou_intern_c(vm, plain);
    Value module = ou_str_new(vm, def->name, dot ? (size_t)(dot - def->name) : 0),
          doc = def->doc ? ou_str_c(vm, def->doc) : V_NONE;
    Value ns = ou_dict_new(vm), base = v_of(vm->types[T_STRUCTSEQ]), bases = ou_tuple_of(vm, &base, 1),
          match = V_NULL;
    uint32_t total = field_count(def);
    Type *t = NULL;
    bool ok = name && module != V_NULL && doc != V_NULL && ns != V_NULL && bases != V_NULL;
    if (ok) {
        match = ou_tuple_new(vm, (size_t)def->visible);
        ok = match != V_NULL;
        for (int i = 0; ok && i < def->visible; i++) {
            Str *f = ou_intern_c(vm, def->fields[i]);
            ok = f != NULL;
            if (ok) as_tuple(match)->items[i] = v_of(f);
        }
    }
    ok = ok && ou_dict_set_c(vm, as_dict(ns), "__slots__", vm->empty_tuple) &&
         ou_dict_set_c(vm, as_dict(ns), "__module__", module) &&
         ou_dict_set_c(vm, as_dict(ns), "__doc__", doc) &&
         ou_dict_set_c(vm, as_dict(ns), "__match_args__", match) &&
         set_int(vm, as_dict(ns), "n_fields", total) &&
         set_int(vm, as_dict(ns), "n_sequence_fields", def->visible) &&
         set_int(vm, as_dict(ns), "n_unnamed_fields", 0);
    if (ok)
        t = (Type *)v_obj(ou_type_new(vm, vm->types[T_TYPE], name, as_tuple(bases), as_dict(ns), NULL, NULL));
    if (t) {
        t->native_data = (void *)(uintptr_t)def;
        for (uint32_t i = 0; t && i < total; i++) {
            Str *f = ou_intern_c(vm, def->fields[i]);
            Value m = f ? ou_member_new(vm, f, t, i | MEMBER_ITEM) : V_NULL;
            if (m == V_NULL || !ou_dict_set_str(vm, t->ns, f, m)) {
                obj_release(vm, t);
                t = NULL;
            }
            xrelease(vm, m);
            obj_xrelease(vm, f);
        }
    }
    if (t) {
        t->flags = (t->flags & ~(uint32_t)TF_BASE) | TF_IMMUTABLE;
        if (def->no_new) t->slots.make = NULL;
        ou_type_modified(vm, t);
    }
    xrelease(vm, match);
    xrelease(vm, bases);
    xrelease(vm, ns);
    xrelease(vm, doc);
    xrelease(vm, module);
    obj_xrelease(vm, name);
    return t;
}
