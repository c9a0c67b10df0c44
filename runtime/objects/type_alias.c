/* list[int] and int | str: generic aliases and unions.
 * Entry points: ou_generic_alias_new, ou_union_of. What a type parameter is, both ask by attribute
 * (__typing_subst__, __parameters__), so that the classes of the typing module take part. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

typedef struct Alias {
    Obj h;
    Value origin, args;
    Value params; /* tuple; V_NULL until asked for */
    bool starred; /* *tuple[int, ...] */
} Alias;
typedef struct Union {
    Obj h;
    Value args;
    Value params;
} Union;

static Alias *as_alias(Value v) {
    return (Alias *)v_obj(v);
}
static Union *as_union(Value v) {
    return (Union *)v_obj(v);
}

/* ---- shared: texts and parameters -------------------------------------------------------------------- */

static bool put_item(VM *vm, StrBuf *b, Value v) {
    if (v == V_ELLIPSIS) {
        ou_sb_puts(b, "...");
        return true;
    }
    if (v == V_NONE || v == v_of(vm->types[T_NONE])) {
        ou_sb_puts(b, "None");
        return true;
    }
    if (is_exact(v, T_LIST)) { /* Callable[[int], str] */
        ou_sb_putc(b, '[');
        for (uint32_t i = 0; i < as_list(v)->n; i++) {
            if (i) ou_sb_puts(b, ", ");
            if (!put_item(vm, b, as_list(v)->items[i])) return false;
        }
        ou_sb_putc(b, ']');
        return true;
    }
    if (ou_is_a(vm, v, T_TYPE)) {
        Value d = ou_type_display(vm, (Type *)v_obj(v));
        if (d == V_NULL) return false;
        ou_sb_str(b, d);
        release(vm, d);
        return true;
    }
    return ou_sb_repr(b, v);
}

static Value attr_opt(VM *vm, Value v, const char *name) {
    Str *s = ou_intern_c(vm, name);
    bool missing;
    Value r = s ? ou_getattr_opt(vm, v, s, &missing) : V_NULL;
    obj_xrelease(vm, s);
    return r;
}

static bool add_once(VM *vm, List *l, Value v) {
    for (uint32_t i = 0; i < l->n; i++)
        if (l->items[i] == v) return true;
    return ou_list_append(vm, l, v);
}

static bool collect(VM *vm, List *out, const Value *items, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        Value v = items[i];
        if (!is_obj(v) || ou_is_a(vm, v, T_TYPE)) continue;
        if (is_exact(v, T_TUPLE) || is_exact(v, T_LIST)) {
            bool ok = is_exact(v, T_TUPLE) ? collect(vm, out, as_tuple(v)->items, as_tuple(v)->n)
                                           : collect(vm, out, as_list(v)->items, as_list(v)->n);
            if (!ok) return false;
            continue;
        }
        Value subst = attr_opt(vm, v, "__typing_subst__");
        if (subst != V_NULL) {
            release(vm, subst);
            if (!add_once(vm, out, v)) return false;
            continue;
        }
        if (vm->exc != V_NULL) return false;
        Value params = attr_opt(vm, v, "__parameters__");
        if (params == V_NULL) {
            if (vm->exc != V_NULL) return false;
            continue;
        }
        bool ok = true;
        for (uint32_t k = 0; ok && is_exact(params, T_TUPLE) && k < as_tuple(params)->n; k++)
            ok = add_once(vm, out, as_tuple(params)->items[k]);
        release(vm, params);
        if (!ok) return false;
    }
    return true;
}

static Value parameters_of(VM *vm, Tuple *args) {
    Value list = ou_list_new(vm, 0);
    if (list == V_NULL) return V_NULL;
    Value t = collect(vm, as_list(list), args->items, args->n)
                  ? ou_tuple_of(vm, as_list(list)->items, as_list(list)->n)
                  : V_NULL;
    release(vm, list);
    return t;
}

static int64_t index_in(Tuple *t, Value v) {
    for (uint32_t i = 0; i < t->n; i++)
        if (t->items[i] == v) return i;
    return -1;
}

static bool extend_from(VM *vm, List *out, Value tuple) {
    bool ok = true;
    for (uint32_t i = 0; ok && i < as_tuple(tuple)->n; i++)
        ok = ou_list_append(vm, out, as_tuple(tuple)->items[i]);
    return ok;
}

/* One argument with the parameters replaced by items, appended to out. */
static bool substitute_one(VM *vm, List *out, Value arg, Tuple *params, Tuple *items) {
    if (!is_obj(arg) || ou_is_a(vm, arg, T_TYPE)) return ou_list_append(vm, out, arg);
    if (is_exact(arg, T_TUPLE) || is_exact(arg, T_LIST)) {
        Value inner = ou_list_new(vm, 0);
        bool ok = inner != V_NULL, tup = is_exact(arg, T_TUPLE);
        uint32_t n = tup ? as_tuple(arg)->n : as_list(arg)->n;
        for (uint32_t i = 0; ok && i < n; i++)
            ok = substitute_one(vm, as_list(inner), tup ? as_tuple(arg)->items[i] : as_list(arg)->items[i],
                                params, items);
        if (ok && tup) {
            Value t = ou_tuple_from(vm, inner);
            ok = t != V_NULL && ou_list_append_take(vm, out, t);
        } else if (ok) {
            ok = ou_list_append(vm, out, inner);
        }
        xrelease(vm, inner);
        return ok;
    }
    int64_t at = index_in(params, arg);
    if (at >= 0) {
        if (is_exact(arg, T_TYPEVARTUPLE) && is_exact(items->items[at], T_TUPLE))
            return extend_from(vm, out, items->items[at]);
        Value f = attr_opt(vm, arg, "__typing_subst__");
        if (f == V_NULL) return false;
        Value r = ou_call1(vm, f, items->items[at]);
        release(vm, f);
        return r != V_NULL && ou_list_append_take(vm, out, r);
    }
    Value sub = attr_opt(vm, arg, "__parameters__");
    if (sub == V_NULL && vm->exc != V_NULL) return false;
    if (sub == V_NULL || !is_exact(sub, T_TUPLE) || as_tuple(sub)->n == 0) {
        xrelease(vm, sub);
        return ou_list_append(vm, out, arg);
    }
    Value list = ou_list_new(vm, 0);
    bool ok = list != V_NULL;
    for (uint32_t i = 0; ok && i < as_tuple(sub)->n; i++) {
        int64_t k = index_in(params, as_tuple(sub)->items[i]);
        Value v = k < 0 ? as_tuple(sub)->items[i] : items->items[k];
        if (is_exact(as_tuple(sub)->items[i], T_TYPEVARTUPLE) && is_exact(v, T_TUPLE))
            ok = extend_from(vm, as_list(list), v);
        else
            ok = ou_list_append(vm, as_list(list), v);
    }
    release(vm, sub);
    Value key = ok ? ou_tuple_of(vm, as_list(list)->items, as_list(list)->n) : V_NULL;
    xrelease(vm, list);
    Value r = key == V_NULL ? V_NULL : ou_getitem(vm, arg, key);
    xrelease(vm, key);
    if (r == V_NULL) return false;
    if (is_exact(r, T_TUPLE)) { /* *Ts */
        ok = extend_from(vm, out, r);
        release(vm, r);
        return ok;
    }
    return ou_list_append_take(vm, out, r);
}

/* The items with *tuple[int, str] among them written out: a tuple, owned. */
static Value unpack_items(VM *vm, Value key) {
    Value out = ou_list_new(vm, 0);
    bool ok = out != V_NULL, any = false;
    uint32_t n = is_exact(key, T_TUPLE) ? as_tuple(key)->n : 1;
    for (uint32_t i = 0; ok && i < n; i++) {
        Value arg = is_exact(key, T_TUPLE) ? as_tuple(key)->items[i] : key;
        Value inner = !is_obj(arg) || ou_is_a(vm, arg, T_TYPE) ? V_NULL : attr_opt(vm, arg, "__typing_unpacked_tuple_args__");
        if (vm->exc != V_NULL) ok = false;
        if (ok && inner != V_NULL && is_exact(inner, T_TUPLE) &&
            (as_tuple(inner)->n == 0 || as_tuple(inner)->items[as_tuple(inner)->n - 1] != V_ELLIPSIS)) {
            any = true;
            ok = extend_from(vm, as_list(out), inner);
        } else if (ok) {
            ok = ou_list_append(vm, as_list(out), arg);
        }
        xrelease(vm, inner);
    }
    Value r = V_NULL;
    if (ok) r = !any && is_exact(key, T_TUPLE) ? retain(key) : ou_tuple_from(vm, out);
    xrelease(vm, out);
    return r;
}

/* The items for params, checked: a TypeVarTuple takes what the others leave; defaults fill up. A tuple,
 * owned. */
static Value prepare_items(VM *vm, Value self, Tuple *params, Value key) {
    Value items = unpack_items(vm, key);
    for (uint32_t i = 0; items != V_NULL && i < params->n; i++) {
        Value f = attr_opt(vm, params->items[i], "__typing_prepare_subst__");
        if (f == V_NULL) {
            if (vm->exc != V_NULL) {
                release(vm, items);
                return V_NULL;
            }
            continue;
        }
        Value next = ou_call2(vm, f, self, items);
        release(vm, f);
        release(vm, items);
        items = next;
        if (items != V_NULL && !is_exact(items, T_TUPLE)) {
            Value t = ou_tuple_from(vm, items);
            release(vm, items);
            items = t;
        }
    }
    if (items == V_NULL) return V_NULL;
    uint32_t n = as_tuple(items)->n;
    if (n != params->n) {
        ou_raise(vm, E_TYPE, "Too %s arguments for %R; actual %d, expected %d",
                 n > params->n ? "many" : "few", self, (int)n, (int)params->n);
        release(vm, items);
        return V_NULL;
    }
    return items;
}

/* The arguments of self[key], a list. */
static Value substitute(VM *vm, Value self, Tuple *args, Tuple *params, Value key) {
    if (params->n == 0) return ou_raise(vm, E_TYPE, "%R is not a generic class", self);
    Value items = prepare_items(vm, self, params, key);
    if (items == V_NULL) return V_NULL;
    Value out = ou_list_new(vm, args->n);
    bool ok = out != V_NULL;
    for (uint32_t i = 0; ok && i < args->n; i++)
        ok = substitute_one(vm, as_list(out), args->items[i], params, as_tuple(items));
    release(vm, items);
    if (!ok && out != V_NULL) {
        release(vm, out);
        return V_NULL;
    }
    return out;
}

/* ---- generic aliases --------------------------------------------------------------------------------- */

static Value alias_make(VM *vm, Type *cls, Value origin, Value args, bool starred) {
    Alias *a = ou_new(vm, cls, 0);
    if (!a) return V_NULL;
    a->origin = retain(origin);
    a->args = is_exact(args, T_TUPLE) ? retain(args) : ou_tuple_of(vm, &args, 1);
    a->starred = starred;
    if (a->args == V_NULL) {
        obj_release(vm, a);
        return V_NULL;
    }
    return v_of(a);
}

Value ou_generic_alias_new(VM *vm, Value origin, Value args) {
    return alias_make(vm, vm->types[T_GENERIC_ALIAS], origin, args, false);
}

static void alias_dealloc(VM *vm, Obj *o) {
    Alias *a = (Alias *)o;
    xrelease(vm, a->origin);
    xrelease(vm, a->args);
    xrelease(vm, a->params);
    ou_finish_dealloc(vm, o, 0);
}
static void alias_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    Alias *a = (Alias *)o;
    ou_visit(vm, a->origin, visit, arg);
    ou_visit(vm, a->args, visit, arg);
    ou_visit(vm, a->params, visit, arg);
}
static Value alias_new(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    if (!ou_no_kw(vm, "GenericAlias", kwnames) || !ou_arg_count(vm, "GenericAlias", n, 2, 2)) return V_NULL;
    return alias_make(vm, cls, args[0], args[1], false);
}
/* The constructor takes the arguments that __new__ took. */
static int alias_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    (void)vm;
    (void)self;
    (void)args;
    (void)n;
    (void)kwnames;
    return 0;
}
static Value alias_repr(VM *vm, Value self) {
    StrBuf b;
    ou_sb_init(&b, vm);
    if (as_alias(self)->starred) ou_sb_putc(&b, '*');
    bool ok = put_item(vm, &b, as_alias(self)->origin);
    ou_sb_putc(&b, '[');
    Tuple *args = as_tuple(as_alias(self)->args);
    for (uint32_t i = 0; ok && i < args->n; i++) {
        if (i) ou_sb_puts(&b, ", ");
        ok = put_item(vm, &b, args->items[i]);
    }
    if (ok && args->n == 0) ou_sb_puts(&b, "()");
    ou_sb_putc(&b, ']');
    if (!ok) {
        ou_sb_drop(&b);
        return V_NULL;
    }
    return ou_sb_finish(&b);
}
static bool alias_hash(VM *vm, Value self, int64_t *out) {
    int64_t a, b;
    if (!ou_hash(vm, as_alias(self)->origin, &a) || !ou_hash(vm, as_alias(self)->args, &b)) return false;
    *out = a ^ b;
    if (*out == -1) *out = -2;
    return true;
}
static Value alias_compare(VM *vm, Value a, Value b, CmpOp op) {
    if ((op != CMP_EQ && op != CMP_NE) || !ou_is_a(vm, b, T_GENERIC_ALIAS)) return V_NOTIMPL;
    int eq = as_alias(a)->starred == as_alias(b)->starred;
    if (eq) eq = ou_eq(vm, as_alias(a)->origin, as_alias(b)->origin);
    if (eq == 1) eq = ou_eq(vm, as_alias(a)->args, as_alias(b)->args);
    return eq < 0 ? V_NULL : v_bool((eq == 1) == (op == CMP_EQ));
}
static Value alias_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    Value r = ou_call(vm, as_alias(self)->origin, args, n, kwnames);
    if (r != V_NULL && !ou_setattr(vm, r, vm->names[N_DU_orig_class], self)) {
        if (!ou_exc_matches(vm, E_ATTRIBUTE) && !ou_exc_matches(vm, E_TYPE)) {
            release(vm, r);
            return V_NULL;
        }
        ou_exc_clear(vm);
    }
    return r;
}
/* What is the alias's own; the rest is its origin's. */
static const char *const own_names[] = {"__class__",       "__origin__",    "__args__",
                                        "__parameters__",  "__bases__",     "__unpacked__", "__typing_unpacked_tuple_args__",
                                        "__mro_entries__", "__reduce_ex__", "__reduce__",
                                        "__copy__",        "__deepcopy__",  NULL};
static Value alias_getattr(VM *vm, Value self, Str *name) {
    for (int i = 0; own_names[i]; i++)
        if (ou_str_eq_c(name, own_names[i])) return ou_generic_getattr(vm, self, name);
    return ou_getattr(vm, as_alias(self)->origin, name);
}
static Value alias_params(VM *vm, Value self) {
    Alias *a = as_alias(self);
    if (a->params == V_NULL) a->params = parameters_of(vm, as_tuple(a->args));
    return a->params == V_NULL ? V_NULL : retain(a->params);
}
static Value alias_getitem(VM *vm, Value self, Value key) {
    Value params = alias_params(vm, self);
    if (params == V_NULL) return V_NULL;
    Value list = substitute(vm, self, as_tuple(as_alias(self)->args), as_tuple(params), key);
    release(vm, params);
    Value t = list == V_NULL ? V_NULL : ou_tuple_of(vm, as_list(list)->items, as_list(list)->n);
    xrelease(vm, list);
    Value r = t == V_NULL
                  ? V_NULL
                  : alias_make(vm, ou_type_of(vm, self), as_alias(self)->origin, t, as_alias(self)->starred);
    xrelease(vm, t);
    return r;
}
static Value alias_iter(VM *vm, Value self) {
    Value star =
        alias_make(vm, vm->types[T_GENERIC_ALIAS], as_alias(self)->origin, as_alias(self)->args, true);
    if (star == V_NULL) return V_NULL;
    Value t = ou_tuple_take(vm, &star, 1);
    Value it = t == V_NULL ? V_NULL : ou_iter(vm, t);
    xrelease(vm, t);
    return it;
}
static Value type_or(VM *vm, Value a, Value b) {
    return ou_union_of(vm, a, b);
}

static Value alias_mro_entries(VM *vm, const Value *args, int n) {
    (void)n;
    return ou_tuple_of(vm, &as_alias(args[0])->origin, 1);
}
static Value alias_instancecheck(VM *vm, const Value *args, int n) {
    (void)args;
    (void)n;
    return ou_raise(vm, E_TYPE, "isinstance() argument 2 cannot be a parameterized generic");
}
static Value alias_subclasscheck(VM *vm, const Value *args, int n) {
    (void)args;
    (void)n;
    return ou_raise(vm, E_TYPE, "issubclass() argument 2 cannot be a parameterized generic");
}
static Value alias_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    Value pair[2] = {as_alias(args[0])->origin, as_alias(args[0])->args}, parts[2];
    parts[0] = v_of(vm->types[T_GENERIC_ALIAS]);
    parts[1] = ou_tuple_of(vm, pair, 2);
    Value r = parts[1] == V_NULL ? V_NULL : ou_tuple_of(vm, parts, 2);
    xrelease(vm, parts[1]);
    return r;
}
static Value alias_dir(VM *vm, const Value *args, int n) {
    (void)n;
    Value f = ou_getattr(vm, as_alias(args[0])->origin, vm->names[N_DU_dir]);
    Value r = f == V_NULL ? V_NULL
                          : (ou_is_a(vm, as_alias(args[0])->origin, T_TYPE)
                                 ? ou_call_special(vm, as_alias(args[0])->origin, N_DU_dir, NULL, 0, NULL)
                                 : ou_call0(vm, f));
    xrelease(vm, f);
    Value list = r == V_NULL ? V_NULL : ou_list_from(vm, r);
    xrelease(vm, r);
    bool ok = list != V_NULL;
    for (int i = 0; ok && own_names[i]; i++) {
        Value name = ou_str_c(vm, own_names[i]);
        int known = name == V_NULL ? -1 : ou_contains(vm, list, name);
        ok = known >= 0 && (known || ou_list_append(vm, as_list(list), name));
        xrelease(vm, name);
    }
    if (!ok) {
        xrelease(vm, list);
        return V_NULL;
    }
    return list;
}
static Value alias_origin(VM *vm, Value self) {
    (void)vm;
    return retain(as_alias(self)->origin);
}
static Value alias_args(VM *vm, Value self) {
    (void)vm;
    return retain(as_alias(self)->args);
}
static Value alias_unpacked(VM *vm, Value self) {
    (void)vm;
    return v_bool(as_alias(self)->starred);
}
static Value alias_unpacked_args(VM *vm, Value self) {
    Alias *a = as_alias(self);
    return a->starred && a->origin == v_of(vm->types[T_TUPLE]) ? retain(a->args) : V_NONE;
}
static const NativeDef alias_methods[] = {
    {"__mro_entries__(bases, /)", alias_mro_entries, NULL, 0},
    {"__instancecheck__(instance, /)", alias_instancecheck, NULL, 0},
    {"__subclasscheck__(cls, /)", alias_subclasscheck, NULL, 0},
    {"__reduce__()", alias_reduce, NULL, 0},
    {"__dir__()", alias_dir, NULL, 0},
    {0},
};
static const GetSetDef alias_getset[] = {
    {"__origin__", alias_origin, NULL, NULL},
    {"__args__", alias_args, NULL, NULL},
    {"__parameters__", alias_params, NULL, "Type variables in the GenericAlias."},
    {"__unpacked__", alias_unpacked, NULL, NULL},
    {"__typing_unpacked_tuple_args__", alias_unpacked_args, NULL, NULL},
    {0},
};
const TypeDef ou_type_generic_alias = {
    .name = "types.GenericAlias",
    .size = sizeof(Alias),
    .flags = TF_GC | TF_BASE | TF_WEAKREF,
    .slots = {.make = alias_new,
              .init = alias_init,
              .dealloc = alias_dealloc,
              .traverse = alias_traverse,
              .repr = alias_repr,
              .hash = alias_hash,
              .compare = alias_compare,
              .call = alias_call,
              .iter = alias_iter,
              .getattr = alias_getattr,
              .getitem = alias_getitem,
              .binary[BIN_OR] = type_or},
    .methods = alias_methods,
    .getset = alias_getset,
    .doc = "Represent a PEP 585 generic type\n\nE.g. for t = list[int], t.__origin__ is list and t.__args__ "
           "is (int,).",
};

/* ---- unions ------------------------------------------------------------------------------------------ */

static bool is_unionable(VM *vm, Value v) {
    if (v == V_NONE) return true;
    if (!is_obj(v)) return false;
    Type *t = ou_type_of(vm, v);
    return ou_is_a(vm, v, T_TYPE) || ou_is_a(vm, v, T_GENERIC_ALIAS) || t->id == T_UNION ||
           t->id == T_TYPEALIAS;
}

static bool add_member(VM *vm, List *l, Value v) {
    if (v == V_NONE) v = v_of(vm->types[T_NONE]);
    if (is_exact(v, T_UNION)) {
        Tuple *t = as_tuple(as_union(v)->args);
        for (uint32_t i = 0; i < t->n; i++)
            if (!add_member(vm, l, t->items[i])) return false;
        return true;
    }
    for (uint32_t i = 0; i < l->n; i++) {
        int eq = l->items[i] == v                                             ? 1
                 : ou_is_a(vm, v, T_TYPE) && ou_is_a(vm, l->items[i], T_TYPE) ? 0
                                                                              : ou_eq(vm, l->items[i], v);
        if (eq) return eq > 0;
    }
    return ou_list_append(vm, l, v);
}

static Value union_from(VM *vm, const Value *items, uint32_t n) {
    Value list = ou_list_new(vm, n);
    bool ok = list != V_NULL;
    for (uint32_t i = 0; ok && i < n; i++) ok = add_member(vm, as_list(list), items[i]);
    Value r = V_NULL;
    if (ok && as_list(list)->n == 1) {
        r = retain(as_list(list)->items[0]);
    } else if (ok) {
        Value args = ou_tuple_of(vm, as_list(list)->items, as_list(list)->n);
        Union *u = args == V_NULL ? NULL : ou_new(vm, vm->types[T_UNION], 0);
        if (u)
            u->args = args;
        else
            xrelease(vm, args);
        r = v_of(u);
    }
    xrelease(vm, list);
    return r;
}

/* The usual: a few classes, which are the same only if they are one. V_NOTIMPL: something else. */
static Value union_of_classes(VM *vm, Value a, Value b) {
    enum { FEW = 16 };
    Value sides[2] = {a, b}, flat[FEW];
    uint32_t n = 0;
    for (int s = 0; s < 2; s++) {
        bool many = is_exact(sides[s], T_UNION);
        const Tuple *t = many ? as_tuple(as_union(sides[s])->args) : NULL;
        for (uint32_t i = 0; i < (many ? t->n : 1); i++) {
            Value v = many ? t->items[i] : sides[s] == V_NONE ? v_of(vm->types[T_NONE]) : sides[s];
            if (n == FEW || !is_obj(v) || !(is_exact(v, T_TYPE) || ou_is_a(vm, v, T_TYPE))) return V_NOTIMPL;
            uint32_t k = 0;
            while (k < n && flat[k] != v) k++;
            if (k == n) flat[n++] = v;
        }
    }
    if (n == 1) return retain(flat[0]);
    Value args = ou_tuple_of(vm, flat, n);
    Union *u = args == V_NULL ? NULL : ou_new(vm, vm->types[T_UNION], 0);
    if (u)
        u->args = args;
    else
        xrelease(vm, args);
    return v_of(u);
}

Value ou_union_of(VM *vm, Value a, Value b) {
    Value few = union_of_classes(vm, a, b);
    if (few != V_NOTIMPL) return few;
    if (!is_unionable(vm, a) || !is_unionable(vm, b)) return V_NOTIMPL;
    Value items[2] = {a, b};
    return union_from(vm, items, 2);
}

static void union_dealloc(VM *vm, Obj *o) {
    xrelease(vm, ((Union *)o)->args);
    xrelease(vm, ((Union *)o)->params);
    ou_finish_dealloc(vm, o, 0);
}
static void union_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    ou_visit(vm, ((Union *)o)->args, visit, arg);
    ou_visit(vm, ((Union *)o)->params, visit, arg);
}
static Value union_repr(VM *vm, Value self) {
    StrBuf b;
    ou_sb_init(&b, vm);
    Tuple *t = as_tuple(as_union(self)->args);
    for (uint32_t i = 0; i < t->n; i++) {
        if (i) ou_sb_puts(&b, " | ");
        if (!put_item(vm, &b, t->items[i])) {
            ou_sb_drop(&b);
            return V_NULL;
        }
    }
    return ou_sb_finish(&b);
}
static Value members_set(VM *vm, Value self) {
    return ou_set_from(vm, T_FROZENSET, as_union(self)->args);
}
static bool union_hash(VM *vm, Value self, int64_t *out) {
    Value s = members_set(vm, self);
    bool ok = s != V_NULL && ou_hash(vm, s, out);
    xrelease(vm, s);
    return ok;
}
static Value union_compare(VM *vm, Value a, Value b, CmpOp op) {
    if ((op != CMP_EQ && op != CMP_NE) || !is_exact(b, T_UNION)) return V_NOTIMPL;
    Value x = members_set(vm, a), y = x == V_NULL ? V_NULL : members_set(vm, b);
    Value r = y == V_NULL ? V_NULL : ou_compare(vm, x, y, op);
    xrelease(vm, x);
    xrelease(vm, y);
    return r;
}
static Value union_params(VM *vm, Value self) {
    Union *u = as_union(self);
    if (u->params == V_NULL) u->params = parameters_of(vm, as_tuple(u->args));
    return u->params == V_NULL ? V_NULL : retain(u->params);
}
static Value union_getitem(VM *vm, Value self, Value key) {
    Value params = union_params(vm, self);
    if (params == V_NULL) return V_NULL;
    Value list = substitute(vm, self, as_tuple(as_union(self)->args), as_tuple(params), key);
    release(vm, params);
    Value r = list == V_NULL ? V_NULL : union_from(vm, as_list(list)->items, as_list(list)->n);
    xrelease(vm, list);
    return r;
}
static Value check_members(VM *vm, Value self, Value v, bool instance) {
    Tuple *t = as_tuple(as_union(self)->args);
    for (uint32_t i = 0; i < t->n; i++) {
        int r = instance ? ou_isinstance(vm, v, t->items[i]) : ou_issubclass(vm, v, t->items[i]);
        if (r) return r < 0 ? V_NULL : V_TRUE;
    }
    return V_FALSE;
}
static Value union_instancecheck(VM *vm, const Value *args, int n) {
    (void)n;
    return check_members(vm, args[0], args[1], true);
}
static Value union_subclasscheck(VM *vm, const Value *args, int n) {
    (void)n;
    if (!ou_is_a(vm, args[1], T_TYPE)) return ou_raise(vm, E_TYPE, "issubclass() arg 1 must be a class");
    return check_members(vm, args[0], args[1], false);
}
static Value union_args(VM *vm, Value self) {
    (void)vm;
    return retain(as_union(self)->args);
}
static const NativeDef union_methods[] = {
    {"__instancecheck__(instance, /)", union_instancecheck, NULL, 0},
    {"__subclasscheck__(cls, /)", union_subclasscheck, NULL, 0},
    {0},
};
static const GetSetDef union_getset[] = {
    {"__args__", union_args, NULL, NULL},
    {"__parameters__", union_params, NULL, "Type variables in the types.UnionType."},
    {0},
};
const TypeDef ou_type_union = {
    .name = "types.UnionType",
    .size = sizeof(Union),
    .flags = TF_GC | TF_WEAKREF,
    .slots = {.dealloc = union_dealloc,
              .traverse = union_traverse,
              .repr = union_repr,
              .hash = union_hash,
              .compare = union_compare,
              .getitem = union_getitem,
              .binary[BIN_OR] = type_or},
    .methods = union_methods,
    .getset = union_getset,
    .doc = "Represent a PEP 604 union type\n\nE.g. for int | str",
};
