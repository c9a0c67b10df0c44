/* _copy: the shallow copies of copy.copy() that need no script code: of the built-in containers, and of instances whose classes leave
 * copying to object. The one thing to know: what such a class must not have is looked for once per version
 * of the class. */
#include "runtime/objects/set_impl.h"
#include "stdlib/stdlib.h"

enum { KNOWN = 64 };
typedef struct State {
    uint64_t seen[KNOWN]; /* versions of classes, doubled, + 1: plain */
} State;

static bool same_as_object(VM *vm, Type *t, const char *name, bool absent)
{
    Str *s = ou_intern_c(vm, name);
    if (!s)
        return false;
    bool r = ou_type_lookup(vm, t, s) == (absent ? V_NULL : ou_type_lookup(vm, vm->types[T_OBJECT], s));
    obj_release(vm, s);
    return r;
}

/* Nothing of the class has a say in copying: object's reduction would make the instance and fill in its attributes. */
static bool look(VM *vm, Type *t)
{
    static const char *const absent[] = {"__copy__", "__setstate__", "__getnewargs__", "__getnewargs_ex__", "__slotnames__"};
    static const char *const inherited[] = {"__reduce_ex__", "__reduce__", "__getstate__", "__new__", "__class__"};
    if (ou_type_of(vm, v_of(t)) != vm->types[T_TYPE])
        return false;
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        if (!same_as_object(vm, t, absent[i], true))
            return false;
    for (size_t i = 0; i < sizeof inherited / sizeof *inherited; i++)
        if (!same_as_object(vm, t, inherited[i], false))
            return false;
    Value dict = ou_type_lookup(vm, t, name_of(vm, N_DU_dict));
    if (dict != V_NULL && !is_exact(dict, T_GETSET))
        return false;
    Shape *root = ou_shape_root(vm, t);
    for (uint32_t i = 0; root && i < t->nslots; i++)
        if (!is_exact(ou_type_lookup(vm, t, root->keys[i]), T_MEMBER))
            return false;
    return root != NULL;
}
static bool is_plain(VM *vm, Type *t)
{
    if (!(t->flags & TF_HEAP) || (t->flags & (TF_ABSTRACT | TF_GETATTR_HOOK)) || t->struct_id != T_OBJECT || t->tail <= 0 ||
        t->slots.getattr != ou_generic_getattr || (t->nslots && t->slots.setattr != ou_generic_setattr))
        return false;
    State *s = ou_module_record(vm, MOD__copy, sizeof(State));
    if (!s)
        return false;
    uint64_t *seen = &s->seen[t->version % KNOWN];
    if (!t->version || *seen >> 1 != t->version) {
        bool plain = look(vm, t);
        *seen = (uint64_t)t->version << 1 | plain;
    }
    return *seen & 1;
}
/* An instance may have attributes of its own by the names of the protocol. */
static bool is_special(const Str *name) { return name->size > 4 && name->data[0] == '_' && name->data[1] == '_'; }

static Value copy_instance(VM *vm, Value x, Type *t)
{
    Obj *o = v_obj(x);
    const Shape *s = vm->shapes[o->shape];
    Dict *d = NULL;
    if (s->dict_mode) {
        Value v = tail_of(t, o)->slots[t->nslots];
        d = v == V_UNBOUND ? NULL : as_dict(v);
        uint32_t pos = 0;
        Value key, value;
        while (d && ou_dict_next(d, &pos, &key, &value))
            if (!is_str(key) || is_special(as_str(key)))
                return V_NONE;
    } else {
        for (uint32_t i = t->nslots; i < s->nkeys; i++)
            if (is_special(s->keys[i]))
                return V_NONE;
    }
    Obj *y = ou_new(vm, t, 0);
    if (!y)
        return V_NULL;
    Value *from = tail_of(t, o)->slots;
    for (uint32_t i = 0; i < t->nslots; i++)
        tail_of(t, y)->slots[i] = retain(from[i]);
    bool ok = true;
    if (!s->dict_mode && tail_of(t, y)->cap >= s->nkeys && !vm->shapes[y->shape]->dict_mode) {
        for (uint32_t i = t->nslots; i < s->nkeys; i++)
            tail_of(t, y)->slots[i] = retain(from[i]);
        y->shape = o->shape;
    } else if (!s->dict_mode) {
        for (uint32_t i = t->nslots; ok && i < s->nkeys; i++)
            ok = ou_instance_set(vm, y, s->keys[i], from[i]);
    } else if (d) {
        uint32_t pos = 0;
        Value key, value;
        while (ok && ou_dict_next(d, &pos, &key, &value)) {
            Str *name = ou_intern_str(vm, as_str(key));
            ok = name && ou_instance_set(vm, y, name, value);
            if (name)
                obj_release(vm, name);
        }
    }
    if (ok)
        return v_of(y);
    release(vm, v_of(y));
    return V_NULL;
}

static Value shallow(VM *vm, const Value *args, int n)
{
    Value x = args[0];
    if (!is_obj(x))
        return retain(x);
    Type *t = ou_type_of(vm, x);
    switch (t->id) {
    case T_LIST: return ou_list_of(vm, as_list(x)->items, as_list(x)->n);
    case T_DICT: return ou_dict_copy(vm, as_dict(x));
    case T_SET: return ou_setm_copy(vm, &x, 1);
    case T_STR: case T_BYTES: case T_INT: case T_TUPLE: case T_FROZENSET: case T_FUNCTION: case T_NATIVE: case T_TYPE: return retain(x);
    default: break;
    }
    if (n < 2 || !is_exact(args[1], T_DICT) || !is_plain(vm, t))
        return vm->exc == V_NULL ? V_NONE : V_NULL;
    if (as_dict(args[1])->n) {
        Value known = ou_dict_get(vm, as_dict(args[1]), v_of(t));
        if (known != V_NULL || vm->exc != V_NULL)
            return vm->exc == V_NULL ? V_NONE : V_NULL;
    }
    return copy_instance(vm, x, t);
}

static const NativeDef functions[] = {
    {"shallow(x, dispatch_table, /)", shallow, "A shallow copy of x; None if its class has a say in it.", 0},
    {0},
};

bool ou_mod__copy(VM *vm, Module *m) { return ou_module_add(vm, m, functions); }
