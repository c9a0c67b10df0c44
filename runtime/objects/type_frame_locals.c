/* FrameLocalsProxy (PEP 667): the variables of a function's frame as a mapping that writes through. What has no variable of its name
 * goes into a dict of the frame. Reading the whole goes by a snapshot. */
#include "runtime/objects/errors.h"
#include "runtime/objects/frame_impl.h"
#include "runtime/objects/str.h"

typedef struct LocalsProxy {
    Obj h;
    Value frame;
} LocalsProxy;

static Frame *frame_of(Value self) { return (Frame *)v_obj(((LocalsProxy *)v_obj(self))->frame); }

Value ou_frame_locals_proxy(VM *vm, Frame *f)
{
    LocalsProxy *p = ou_new(vm, ou_builtin(vm, T_FRAME_LOCALS), 0);
    if (!p)
        return V_NULL;
    p->frame = retain(v_of(f));
    return v_of(p);
}

static FrameRef ref_of(const Frame *f) { return (FrameRef){.fn = as_function(f->func), .R = f->R, .is_heap = f->is_heap}; }

Value ou_frame_snapshot(VM *vm, Frame *f)
{
    FrameRef ref = ref_of(f);
    Value d = f->R ? ou_frame_locals(vm, &ref) : ou_dict_new(vm);
    if (d != V_NULL && !f->live && f->extra != V_NULL && !ou_dict_update(vm, as_dict(d), f->extra)) {
        release(vm, d);
        return V_NULL;
    }
    return d;
}

static Value snapshot(VM *vm, Value self) { return ou_frame_snapshot(vm, frame_of(self)); }

/* ---- single entries ---------------------------------------------------------------------------------------------------- */

static Value *place_of(const Frame *f, Value key, bool *in_register)
{
    FrameRef ref = ref_of(f);
    *in_register = false;
    return f->R && is_exact(key, T_STR) ? ou_frame_variable(&ref, as_str(key), in_register) : NULL;
}

/* Borrowed; V_NULL: there is none, or raised. */
static Value look_up(VM *vm, Value self, Value key)
{
    Frame *f = frame_of(self);
    bool in_register;
    Value *place = place_of(f, key, &in_register);
    if (place)
        return *place == V_UNBOUND ? V_NULL : *place;
    int64_t hash;
    if (f->extra == V_NULL)
        return ou_hash(vm, key, &hash), V_NULL; /* may raise */
    return ou_dict_get(vm, as_dict(f->extra), key);
}

/* Instructions read locals in place: one that is running may still need the value that is replaced. The frame keeps it until it ends, or
 * until it is the frame itself that writes again, which means that it has come to another instruction. */
static bool put_away(VM *vm, Frame *f, Value old)
{
    if (!is_obj(old))
        return true;
    if (vm->R == f->R)
        set_owned(vm, &f->kept, V_NULL);
    if (f->kept == V_NULL && (f->kept = ou_list_new(vm, 1)) == V_NULL)
        return false;
    return ou_list_append(vm, as_list(f->kept), old);
}

static bool store(VM *vm, Frame *f, Value key, Value v)
{
    bool in_register;
    Value *place = place_of(f, key, &in_register);
    if (!place) {
        if (f->extra == V_NULL && (f->extra = ou_dict_new(vm)) == V_NULL)
            return false;
        return ou_dict_set(vm, as_dict(f->extra), key, v);
    }
    if (in_register && f->live && !put_away(vm, f, *place))
        return false;
    Value old = *place;
    *place = retain(v);
    release(vm, old);
    return true;
}

static Value proxy_getitem(VM *vm, Value self, Value key)
{
    Value v = look_up(vm, self, key);
    if (v == V_NULL && vm->exc == V_NULL) {
        Value text = ou_str_format(vm, "local variable '%R' is not defined", key);
        if (text != V_NULL)
            ou_raise_key(vm, text);
        xrelease(vm, text);
    }
    return v == V_NULL ? V_NULL : retain(v);
}

static bool proxy_setitem(VM *vm, Value self, Value key, Value v)
{
    if (v == V_NULL)
        return ou_raise(vm, E_TYPE, "cannot remove variables from FrameLocalsProxy"), false;
    return store(vm, frame_of(self), key, v);
}

static int proxy_contains(VM *vm, Value self, Value key)
{
    Value v = look_up(vm, self, key);
    return v != V_NULL ? 1 : vm->exc == V_NULL ? 0 : -1;
}

static Value proxy_get(VM *vm, const Value *args, int n)
{
    Value v = look_up(vm, args[0], args[1]);
    if (v == V_NULL && vm->exc != V_NULL)
        return V_NULL;
    return v != V_NULL ? retain(v) : n > 2 ? retain(args[2]) : V_NONE;
}

static Value proxy_setdefault(VM *vm, const Value *args, int n)
{
    Value v = look_up(vm, args[0], args[1]), given = n > 2 ? args[2] : V_NONE;
    if (v != V_NULL || vm->exc != V_NULL)
        return v == V_NULL ? V_NULL : retain(v);
    return store(vm, frame_of(args[0]), args[1], given) ? retain(given) : V_NULL;
}

/* ---- the whole ----------------------------------------------------------------------------------------------------------- */

static Value as_list_of(VM *vm, Value self, const char *view)
{
    Value d = snapshot(vm, self), v = V_NULL, list = V_NULL;
    if (d != V_NULL)
        v = ou_call_method_c(vm, d, view, NULL, 0);
    if (v != V_NULL)
        list = ou_list_from(vm, v);
    xrelease(vm, v);
    xrelease(vm, d);
    return list;
}

static Value proxy_keys(VM *vm, const Value *args, int n)
{
    (void)n;
    return as_list_of(vm, args[0], "keys");
}
static Value proxy_values(VM *vm, const Value *args, int n)
{
    (void)n;
    return as_list_of(vm, args[0], "values");
}
static Value proxy_items(VM *vm, const Value *args, int n)
{
    (void)n;
    return as_list_of(vm, args[0], "items");
}
static Value proxy_copy(VM *vm, const Value *args, int n)
{
    (void)n;
    return snapshot(vm, args[0]);
}

static Value proxy_iter(VM *vm, Value self)
{
    Value list = as_list_of(vm, self, "keys"), it = list == V_NULL ? V_NULL : ou_iter(vm, list);
    xrelease(vm, list);
    return it;
}

static Value proxy_reversed(VM *vm, const Value *args, int n)
{
    (void)n;
    Value list = as_list_of(vm, args[0], "keys"), it = list == V_NULL ? V_NULL : ou_call_method_c(vm, list, "__reversed__", NULL, 0);
    xrelease(vm, list);
    return it;
}

static int64_t proxy_len(VM *vm, Value self)
{
    Value d = snapshot(vm, self);
    int64_t n = d == V_NULL ? -1 : ou_len(vm, d);
    xrelease(vm, d);
    return n;
}

static Value proxy_repr(VM *vm, Value self)
{
    Value d = snapshot(vm, self), s = d == V_NULL ? V_NULL : ou_repr(vm, d);
    xrelease(vm, d);
    return s;
}

static Value proxy_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (op != CMP_EQ && op != CMP_NE)
        return V_NOTIMPL;
    if (is_exact(b, T_FRAME_LOCALS))
        return v_bool((frame_of(a) == frame_of(b)) == (op == CMP_EQ));
    if (!ou_is_a(vm, b, T_DICT))
        return V_NOTIMPL;
    Value d = snapshot(vm, a), r = d == V_NULL ? V_NULL : ou_compare(vm, d, b, op);
    xrelease(vm, d);
    return r;
}

static bool is_mapping(VM *vm, Value v) { return is_exact(v, T_FRAME_LOCALS) || ou_is_a(vm, v, T_DICT); }

static Value proxy_or(VM *vm, Value a, Value b)
{
    if (!is_mapping(vm, a) || !is_mapping(vm, b))
        return V_NOTIMPL;
    Value d = ou_dict_new(vm);
    Value parts[2] = {a, b};
    for (int i = 0; i < 2 && d != V_NULL; i++) {
        Value part = is_exact(parts[i], T_FRAME_LOCALS) ? snapshot(vm, parts[i]) : retain(parts[i]);
        if (part == V_NULL || !ou_dict_update(vm, as_dict(d), part)) {
            release(vm, d);
            d = V_NULL;
        }
        xrelease(vm, part);
    }
    return d;
}

static bool merge(VM *vm, Value self, Value from)
{
    Value d = is_exact(from, T_FRAME_LOCALS) ? snapshot(vm, from) : retain(from);
    Value items = d == V_NULL ? V_NULL : ou_call_method_c(vm, d, "items", NULL, 0);
    Value list = items == V_NULL ? V_NULL : ou_list_from(vm, items);
    bool ok = list != V_NULL;
    for (uint32_t i = 0; ok && i < as_list(list)->n; i++) {
        const Tuple *pair = as_tuple(as_list(list)->items[i]);
        ok = store(vm, frame_of(self), pair->items[0], pair->items[1]);
    }
    xrelease(vm, list);
    xrelease(vm, items);
    xrelease(vm, d);
    return ok;
}

static Value proxy_ior(VM *vm, Value a, Value b)
{
    if (!is_mapping(vm, b))
        return V_NOTIMPL;
    return merge(vm, a, b) ? retain(a) : V_NULL;
}

static Value proxy_update(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!is_mapping(vm, args[1]))
        return ou_raise(vm, E_TYPE, "update() argument must be dict or another FrameLocalsProxy");
    return merge(vm, args[0], args[1]) ? V_NONE : V_NULL;
}

static Value proxy_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)cls;
    if (kwnames && kwnames->n)
        return ou_raise(vm, E_TYPE, "FrameLocalsProxy takes no keyword arguments");
    if (n != 1)
        return ou_raise(vm, E_TYPE, "FrameLocalsProxy expected 1 argument, got %d", n);
    if (!is_exact(args[0], T_FRAME))
        return ou_raise(vm, E_TYPE, "expect frame, not %T", args[0]);
    return ou_frame_locals_proxy(vm, (Frame *)v_obj(args[0]));
}

static void proxy_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((LocalsProxy *)o)->frame);
    ou_finish_dealloc(vm, o, 0);
}
static void proxy_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((LocalsProxy *)o)->frame, visit, arg); }

static const NativeDef proxy_methods[] = {
    {"get(key, default=None, /)", proxy_get, NULL, 0},
    {"setdefault(key, default=None, /)", proxy_setdefault, NULL, 0},
    {"keys()", proxy_keys, NULL, 0},
    {"values()", proxy_values, NULL, 0},
    {"items()", proxy_items, NULL, 0},
    {"copy()", proxy_copy, NULL, 0},
    {"update(other, /)", proxy_update, NULL, 0},
    {"__reversed__()", proxy_reversed, NULL, 0},
    {0},
};

const TypeDef ou_type_frame_locals = {
    .name = "FrameLocalsProxy",
    .size = sizeof(LocalsProxy),
    .flags = TF_GC | TF_MAPPING | TF_IMMUTABLE,
    .slots = {.make = proxy_make,
              .dealloc = proxy_dealloc,
              .traverse = proxy_traverse,
              .repr = proxy_repr,
              .compare = proxy_compare,
              .len = proxy_len,
              .getitem = proxy_getitem,
              .setitem = proxy_setitem,
              .contains = proxy_contains,
              .iter = proxy_iter,
              .binary = {[BIN_OR] = proxy_or},
              .inplace = {[BIN_OR] = proxy_ior}},
    .methods = proxy_methods,
};
