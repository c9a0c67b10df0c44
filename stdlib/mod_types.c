/* `_types`: the type objects that have no name among the builtins, and types.coroutine. */
#include "stdlib/stdlib.h"

/* A generator function becomes one whose generators can be awaited: its code is replaced by a copy with the
 * flag. */
static Value types_coroutine(VM *vm, const Value *args, int n) {
    (void)n;
    Value f = args[0];
    if (!ou_type_of(vm, f)->slots.call) return ou_raise(vm, E_TYPE, "types.coroutine() expects a callable");
    if (!is_exact(f, T_FUNCTION)) return retain(f);
    Function *fn = as_function(f);
    if ((fn->code->flags & (CO_COROUTINE | CO_ITERABLE_COROUTINE)) || !(fn->code->flags & CO_GENERATOR))
        return retain(f);
    Code *copy = ou_code_copy(vm, fn->code);
    if (!copy) return V_NULL;
    copy->flags |= CO_ITERABLE_COROUTINE;
    Code *old = fn->code;
    fn->code = copy;
    obj_release(vm, old);
    return retain(f);
}

static Value share_patterns(VM *vm, const Value *args, int n) {
    (void)n;
    if (!ou_is_a(vm, args[0], T_TYPE) || !ou_is_a(vm, args[1], T_TYPE))
        return ou_raise(vm, E_TYPE, "share_patterns() arguments must be classes");
    ou_type_share_patterns((Type *)v_obj(args[0]), (Type *)v_obj(args[1]));
    return V_NONE;
}

/* A script class that stands for a native one: messages call it by its full name, and it cannot be changed any more. */
static Value as_native(VM *vm, const Value *args, int n) {
    (void)n;
    if (!ou_is_a(vm, args[0], T_TYPE) || !(((Type *)v_obj(args[0]))->flags & TF_HEAP))
        return ou_raise(vm, E_TYPE, "_as_native() argument must be a class");
    Type *t = (Type *)v_obj(args[0]);
    Value module = ou_getattr(vm, args[0], name_of(vm, N_DU_module));
    Value full = module == V_NULL ? V_NULL : ou_str_format(vm, "%S.%Q", module, t->qualname);
    xrelease(vm, module);
    if (full == V_NULL) return V_NULL;
    Str *old = t->shown;
    t->shown = as_str(full);
    t->flags |= TF_IMMUTABLE;
    obj_xrelease(vm, old);
    return V_NONE;
}

static const NativeDef functions[] = {
    {"_as_native(cls, /)", as_native, "Make a class look like one that is written in C.", 0},
    {"_share_patterns(cls, subclass, /)", share_patterns, "Let a class match the patterns of another.", 0},
    {"coroutine(func, /)", types_coroutine, "Convert regular generator function to a coroutine.", 0},
    {0},
};

static const struct {
    const char *name;
    uint16_t id;
} types[] = {
    {"AsyncGeneratorType", T_ASYNC_GENERATOR},
    {"BuiltinFunctionType", T_NATIVE},
    {"CellType", T_CELL},
    {"CodeType", T_CODE},
    {"CoroutineType", T_COROUTINE},
    {"EllipsisType", T_ELLIPSIS},
    {"FrameType", T_FRAME},
    {"FunctionType", T_FUNCTION},
    {"GeneratorType", T_GENERATOR},
    {"GenericAlias", T_GENERIC_ALIAS},
    {"GetSetDescriptorType", T_GETSET},
    {"MappingProxyType", T_MAPPINGPROXY},
    {"MemberDescriptorType", T_MEMBER},
    {"MethodDescriptorType", T_METHOD_DESC},
    {"ClassMethodDescriptorType", T_CLASSMETHOD_DESC},
    {"MethodType", T_METHOD},
    {"MethodWrapperType", T_METHOD_WRAPPER},
    {"ModuleType", T_MODULE},
    {"NoneType", T_NONE},
    {"NotImplementedType", T_NOTIMPL},
    {"SimpleNamespace", T_NAMESPACE},
    {"TracebackType", T_TRACEBACK},
    {"UnionType", T_UNION},
    {"WrapperDescriptorType", T_SLOT_WRAPPER},
};

bool ou_mod__types(VM *vm, Module *m) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!ou_module_builtin_type(vm, m, types[i].name, (TypeId)types[i].id)) return false;
    return ou_module_add(vm, m, functions);
}
