/* The builtins that compile and run code or look at the running frame: eval, exec, compile, globals, locals, __import__,
 * __build_class__. Entry point: the table ou_builtins_code. */
#include "runtime/objects/bytes.h"
#include "runtime/objects/import.h"
#include "stdlib/builtins.h"
#include "stdlib/fspath.h"
#include "vm/call.h"

/* ---- source text ------------------------------------------------------------------------------------------------------ */

enum { PYCF_ONLY_AST = 0x400, PYCF_KNOWN = 0x2000 | 0x1fe0000 | 0x1000 | 0x4000 | 0x200 | 0x400 | 0x100 | 0x0010 };

typedef struct Source {
    const char *p;
    size_t n;
    bool is_buffer;
    Buffer buffer;
} Source;

/* str, bytes or another buffer; what != NULL names the caller for the TypeError. */
static bool source_get(VM *vm, Value v, const char *what, const char *wants, Source *out)
{
    out->is_buffer = false;
    if (ou_is_a(vm, v, T_STR)) {
        out->p = as_str(v)->data;
        out->n = as_str(v)->size;
    } else if (ou_type_of(vm, v)->slots.buffer) {
        if (!ou_buffer_get(vm, v, &out->buffer, false))
            return false;
        out->is_buffer = true;
        out->p = (const char *)out->buffer.p;
        out->n = (size_t)out->buffer.n;
    } else {
        ou_raise(vm, E_TYPE, "%s() arg 1 must be a %s object", what, wants);
        return false;
    }
    if (memchr(out->p, 0, out->n)) {
        if (out->is_buffer)
            ou_buffer_release(vm, &out->buffer);
        ou_raise(vm, E_SYNTAX, "source code string cannot contain null bytes");
        return false;
    }
    return true;
}

static void source_done(VM *vm, Source *s)
{
    if (s->is_buffer)
        ou_buffer_release(vm, &s->buffer);
}

/* The future flags of the code that calls compile, eval or exec: they are inherited. */
static uint32_t inherited_flags(VM *vm)
{
    FrameRef f;
    return ou_frame_current(vm, &f) ? f.fn->code->flags & CO_FUTURE_ANNOTATIONS : 0;
}

static Value compile_source(VM *vm, const Source *s, Value filename, const char *mode, uint32_t flags)
{
    return ou_compile(vm, s->p, s->n, filename, mode, flags);
}

static Value builtin_compile(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t flags = 0, optimize = -1;
    int dont_inherit = 0;
    Value filename = ou_fspath(vm, args[1]);
    if (filename != V_NULL && ou_is_a(vm, filename, T_BYTES)) {
        Value s = ou_fs_decode(vm, (const char *)as_bytes(filename)->data, as_bytes(filename)->n);
        release(vm, filename);
        filename = s;
    }
    if (filename == V_NULL)
        return V_NULL;
    const char *mode = ou_is_a(vm, args[2], T_STR) ? as_str(args[2])->data : NULL;
    Source s;
    Value code = V_NULL;
    if (!mode)
        ou_raise(vm, E_TYPE, "compile() argument 'mode' must be str, not %K", args[2]);
    else if ((args[3] != V_NULL && !ou_index_i64(vm, args[3], &flags)) ||
             (args[4] != V_NULL && (dont_inherit = ou_truth(vm, args[4])) < 0) ||
             (args[5] != V_NULL && !ou_index_i64(vm, args[5], &optimize)))
        ; /* raised */
    else if (flags & ~(int64_t)PYCF_KNOWN)
        ou_raise(vm, E_VALUE, "compile(): unrecognised flags");
    else if (optimize < -1 || optimize > 2)
        ou_raise(vm, E_VALUE, "compile(): invalid optimize value");
    else if (strcmp(mode, "exec") && strcmp(mode, "eval") && strcmp(mode, "single"))
        ou_raise(vm, E_VALUE, "compile() mode must be 'exec', 'eval' or 'single'");
    else if (flags & PYCF_ONLY_AST)
        ou_raise(vm, E_NOT_IMPLEMENTED, "compile() does not give syntax trees to scripts");
    else if (source_get(vm, args[0], "compile", "string, bytes or AST", &s)) {
        code = compile_source(vm, &s, filename, mode,
                              (uint32_t)flags | (dont_inherit ? 0 : inherited_flags(vm)) | (uint32_t)(optimize + 1) << COMPILE_OPTIMIZE);
        source_done(vm, &s);
    }
    release(vm, filename);
    return code;
}

/* ---- eval and exec ---------------------------------------------------------------------------------------------------------- */

/* Fills in what was not given. Both are owned; *locals V_NULL: the globals. */
static bool namespaces(VM *vm, const char *what, Value g, Value l, Value *globals, Value *locals)
{
    bool eval = what[1] == 'v';
    if (g == V_NULL)
        g = V_NONE;
    if (l == V_NULL)
        l = V_NONE;
    bool bad_locals = l != V_NONE && !ou_type_of(vm, l)->slots.getitem;
    if (bad_locals && eval)
        return ou_raise(vm, E_TYPE, "locals must be a mapping"), false;
    if (g != V_NONE && !ou_is_a(vm, g, T_DICT)) {
        if (eval)
            ou_raise(vm, E_TYPE, ou_type_of(vm, g)->slots.getitem ? "globals must be a real dict; try eval(expr, {}, mapping)"
                                                                  : "globals must be a dict");
        else
            ou_raise(vm, E_TYPE, "exec() globals must be a dict, not %T", g);
        return false;
    }
    if (bad_locals)
        return ou_raise(vm, E_TYPE, "locals must be a mapping or None, not %T", l), false;
    *locals = V_NULL;
    if (g == V_NONE) {
        Dict *current = ou_current_globals(vm);
        if (!current) {
            if (!vm->main_module) {
                ou_raise(vm, E_SYSTEM, "globals and locals cannot be NULL");
                return false;
            }
            current = ((Module *)v_obj(vm->main_module))->dict;
        }
        g = v_of(current);
        if (l == V_NONE) {
            *locals = ou_current_locals(vm);
            if (*locals == V_NULL)
                return false;
        }
    }
    *globals = retain(g);
    if (l != V_NONE)
        *locals = retain(l);
    if (*locals == *globals) {
        release(vm, *locals);
        *locals = V_NULL;
    }
    Dict *d = as_dict(g);
    if (ou_dict_get_str(vm, d, name_of(vm, N_DU_builtins)) == V_NULL) {
        Dict *b = ou_current_builtins(vm);
        if (!ou_dict_set_str(vm, d, name_of(vm, N_DU_builtins), v_of(b ? b : vm->builtins))) {
            release(vm, *globals);
            xrelease(vm, *locals);
            return false;
        }
    }
    return true;
}

static Value run_code(VM *vm, const char *what, Value source, Value globals, Value locals, Value closure)
{
    Value code = V_NULL, r = V_NULL;
    if (is_exact(source, T_CODE)) {
        uint32_t nfree = as_code(source)->nfree;
        if (closure == V_NONE && nfree) {
            if (what[1] == 'v')
                return ou_raise(vm, E_TYPE, "code object passed to eval() may not contain free variables");
            return ou_raise(vm, E_TYPE, "code object requires a closure of exactly length %d", (int)nfree);
        }
        if (closure != V_NONE) {
            if (nfree == 0)
                return ou_raise(vm, E_TYPE, "cannot use a closure with this code object");
            if (!is_exact(closure, T_TUPLE) || as_tuple(closure)->n != nfree)
                return ou_raise(vm, E_TYPE, "code object requires a closure of exactly length %d", (int)nfree);
            for (uint32_t i = 0; i < nfree; i++) {
                if (!is_exact(as_tuple(closure)->items[i], T_CELL))
                    return ou_raise(vm, E_TYPE, "code object requires a closure of exactly length %d", (int)nfree);
            }
        }
        code = retain(source);
    } else {
        if (closure != V_NONE)
            return ou_raise(vm, E_TYPE, "closure can only be used when source is a code object");
        Source s;
        if (!source_get(vm, source, what, "string, bytes or code", &s))
            return V_NULL;
        Source cut = s;
        if (what[1] == 'v') {
            while (cut.n && (*cut.p == ' ' || *cut.p == '\t')) {
                cut.p++;
                cut.n--;
            }
        }
        Value filename = ou_str_c(vm, "<string>");
        if (filename != V_NULL) {
            code = compile_source(vm, &cut, filename, what[1] == 'v' ? "eval" : "exec", inherited_flags(vm));
            release(vm, filename);
        }
        source_done(vm, &s);
    }
    if (code != V_NULL) {
        r = ou_exec(vm, as_code(code), as_dict(globals), locals, closure == V_NONE ? NULL : as_tuple(closure));
        release(vm, code);
    }
    return r;
}

static Value builtin_eval(VM *vm, const Value *args, int n)
{
    (void)n;
    Value globals, locals;
    if (!namespaces(vm, "eval", args[1], args[2], &globals, &locals))
        return V_NULL;
    Value r = run_code(vm, "eval", args[0], globals, locals, V_NONE);
    release(vm, globals);
    xrelease(vm, locals);
    return r;
}

static Value builtin_exec(VM *vm, const Value *args, int n)
{
    (void)n;
    Value globals, locals;
    if (!namespaces(vm, "exec", args[1], args[2], &globals, &locals))
        return V_NULL;
    Value r = run_code(vm, "exec", args[0], globals, locals, args[3] == V_NULL ? V_NONE : args[3]);
    release(vm, globals);
    xrelease(vm, locals);
    if (r == V_NULL)
        return V_NULL;
    release(vm, r);
    return V_NONE;
}

static Value builtin_globals(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    Dict *d = ou_current_globals(vm);
    return d ? retain(v_of(d)) : V_NONE;
}

static Value builtin_locals(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return ou_current_locals(vm);
}

/* ---- import and class ------------------------------------------------------------------------------------------------------------ */

static Value builtin_import(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "module name must be a string");
    int64_t level = 0;
    if (args[4] != V_NULL && !ou_index_i64(vm, args[4], &level))
        return V_NULL;
    Dict *globals = args[1] != V_NULL && ou_is_a(vm, args[1], T_DICT) ? as_dict(args[1]) : NULL;
    return ou_import_level(vm, as_str(args[0]), level > 1000 ? 1000 : level < 0 ? -1 : (int)level,
                           args[3] == V_NULL ? V_NONE : args[3], globals);
}

static Value builtin_build_class(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *bases = as_tuple(args[2]);
    Dict *kw = as_dict(args[3]);
    uint32_t total = 2 + bases->n + kw->n, i = 2;
    Value *all = ou_alloc(&vm->heap, total * sizeof(Value));
    Value names = ou_tuple_new(vm, kw->n), r = V_NULL;
    if (!all || names == V_NULL) {
        if (!all)
            ou_raise_memory(vm);
    } else {
        all[0] = args[0];
        all[1] = args[1];
        for (uint32_t k = 0; k < bases->n; k++)
            all[i++] = bases->items[k];
        uint32_t pos = 0, k = 0;
        Value key, v;
        while (ou_dict_next(kw, &pos, &key, &v)) {
            as_tuple(names)->items[k++] = retain(key);
            all[i++] = v;
        }
        r = ou_build_class(vm, all, (int)(2 + bases->n), as_tuple(names));
    }
    ou_free(&vm->heap, all, total * sizeof(Value));
    xrelease(vm, names);
    return r;
}

const NativeDef ou_builtins_code[] = {
    {"compile(source, filename, mode, flags=0, dont_inherit=False, optimize=-1, *, _feature_version=-1)", builtin_compile,
     "Compile source into a code object that can be executed by exec() or eval().", 0},
    {"eval(source, /, globals=None, locals=None)", builtin_eval, "Evaluate the source in the context of globals and locals.", 0},
    {"exec(source, /, globals=None, locals=None, *, closure=None)", builtin_exec,
     "Execute the source in the context of globals and locals.", 0},
    {"globals()", builtin_globals, "Return the dictionary containing the current scope's global variables.", 0},
    {"locals()", builtin_locals, "Return a dictionary containing the current scope's local variables.", 0},
    {"__import__(name, globals=None, locals=None, fromlist=(), level=0)", builtin_import, "Import a module.", 0},
    {"__build_class__(func, name, /, *bases, **kwds)", builtin_build_class, "Internal helper function used by the class statement.", 0},
    {0},
};
