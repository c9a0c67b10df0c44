/* Host functions as script functions: one row of a table, bound by its signature string.
 * Each becomes a builtin bound to a capsule that remembers the row; the shared trampoline opens a scope for its handles. */
#include "runtime/api/api.h"

typedef struct Capsule {
    Obj h;
    const ouro_def *row;
    NativeDef def; /* what the builtin's signature is read from */
} Capsule;

static void capsule_dealloc(VM *vm, Obj *o) { ou_finish_dealloc(vm, o, 0); }

static const TypeDef capsule_def = {
    .name = "ouro.native",
    .size = sizeof(Capsule),
    .flags = TF_NO_NEW,
    .slots = {.dealloc = capsule_dealloc},
};

static Value trampoline(VM *vm, const Value *args, int n)
{
    const ouro_def *row = ((Capsule *)v_obj(args[0]))->row;
    ouro_val fixed[16], ret = {0};
    ouro_scope s = ouro_scope_open(vm);
    int argc = n - 1;
    size_t bytes = (size_t)argc * sizeof(ouro_val);
    ouro_val *argv = argc <= 16 ? fixed : ou_alloc(&vm->heap, bytes);
    if (!argv)
        return ou_raise_memory(vm);
    bool ok = true;
    for (int k = 0; ok && k < argc; k++) {
        argv[k].h = 0;
        if (args[k + 1] != V_NULL)
            ok = ou_api_give(vm, retain(args[k + 1]), &argv[k]) == OURO_OK;
    }
    Value out = V_NULL;
    if (ok) {
        ouro_args a = {argc, argv, row->data};
        ouro_rc rc = row->fn(vm, &a, &ret);
        if (rc == OURO_OK) {
            out = ret.h ? ou_api_get(vm, ret) : V_NONE;
            if (out == V_NULL)
                ou_raise(vm, E_RUNTIME, "a native function returned a stale handle");
            else
                retain(out);
        } else if (vm->exc == V_NULL) {
            ou_raise(vm, rc == OURO_NOMEM ? E_MEMORY : E_RUNTIME, "a native function failed (%d) without an exception", (int)rc);
        }
    }
    if (argv != fixed)
        ou_free(&vm->heap, argv, bytes);
    ouro_scope_close(vm, s);
    return out;
}

ouro_rc ouro_module(ouro_vm *vm, const char *name, const ouro_def *rows)
{
    Value m = ou_module_new(vm, name, strlen(name));
    if (m == V_NULL)
        return OURO_EXC;
    Type *t = ou_type_from_def(vm, &capsule_def, ou_builtin(vm, T_OBJECT));
    bool ok = t != NULL;
    for (const ouro_def *r = rows; ok && r->sig; r++) {
        if ((vm->caps & r->caps) != r->caps)
            continue;
        Capsule *c = ou_new(vm, t, 0);
        Value f = V_NULL;
        ok = c != NULL;
        if (ok) {
            c->row = r;
            c->def = (NativeDef){r->sig, trampoline, r->doc, 0};
            f = ou_native_new(vm, &c->def, v_of(c), V_NULL);
            size_t n = strcspn(r->sig, "(");
            Str *key = f == V_NULL ? NULL : ou_intern(vm, r->sig, n);
            ok = key && ou_dict_set_str(vm, ((Module *)v_obj(m))->dict, key, f);
            if (key)
                release(vm, v_of(key));
            xrelease(vm, f);
            release(vm, v_of(c));
        }
    }
    ok = ok && ou_dict_set_c(vm, vm->modules, name, m);
    if (t)
        release(vm, v_of(t));
    release(vm, m);
    return ou_api_rc(vm, ok);
}
