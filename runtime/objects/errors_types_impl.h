/* What errors_types.c, errors_base.c and errors_fields.c share: how an exception class is made of BaseException's parts.
 * May be included by these only. Behind struct Exc every layout is a row of Values (V_NULL: unset), so freeing, visiting and clearing
 * need only their number, which is (size of the type's struct - sizeof(Exc)) / sizeof(Value). */
#ifndef OU_ERRORS_TYPES_IMPL_H
#define OU_ERRORS_TYPES_IMPL_H

#include "runtime/objects/errors_impl.h"
#include "runtime/objects/state.h"

#define EXC_FLAGS (TF_GC | TF_BASE | TF_DICT | TF_EXC | TF_IMMUTABLE)
#define EXC_STORAGE .dealloc = ou_exc_base_dealloc, .traverse = ou_exc_base_traverse, .clear = ou_exc_base_clear
#define EXC_LAYOUT(cname, type, make_fn, init_fn)                                                                     \
    .name = (cname), .size = sizeof(type), .flags = EXC_FLAGS,                                                        \
    .slots = {.make = (make_fn), .init = (init_fn), EXC_STORAGE}

static inline void put(VM *vm, Value *place, Value v) { set_owned(vm, place, retain(v)); }

/* Getter and setter of a field, for FIELD_ROW; what is unset reads as None. */
#define FIELD(layout, field)                                                                                         \
    static Value get_##layout##_##field(VM *vm, Value self)                                                           \
    {                                                                                                                 \
        (void)vm;                                                                                                     \
        Value v = ((layout *)v_obj(self))->field;                                                                     \
        return v == V_NULL ? V_NONE : retain(v);                                                                      \
    }                                                                                                                 \
    static bool set_##layout##_##field(VM *vm, Value self, Value v)                                                   \
    {                                                                                                                 \
        set_owned(vm, &((layout *)v_obj(self))->field, v == V_NULL ? V_NULL : retain(v));                             \
        return true;                                                                                                  \
    }
#define FIELD_ROW(layout, field, name) {name, get_##layout##_##field, set_##layout##_##field, NULL}

/* errors_base.c */
void ou_exc_base_clear(VM *vm, Obj *o);
void ou_exc_base_dealloc(VM *vm, Obj *o);
void ou_exc_base_traverse(VM *vm, Obj *o, VisitFn visit, void *arg);
Value ou_exc_base_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames);
int ou_exc_base_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames);
Value ou_exc_base_str(VM *vm, Value self);
bool ou_exc_set_args(VM *vm, Value self, const Value *args, int n); /* self.args = (*args) */
bool ou_exc_no_kwargs(VM *vm, Value self, Tuple *kwnames);          /* raises if there are any */
Value ou_exc_attr_getstate(VM *vm, const Value *args, int n);       /* AttributeError.__getstate__ */
extern const TypeDef ou_exc_def_base;

/* errors_fields.c */
extern const TypeDef ou_exc_def_os, ou_exc_def_syntax, ou_exc_def_decode, ou_exc_def_encode, ou_exc_def_translate;

#endif
