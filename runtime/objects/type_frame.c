/* The frame type: an activation as scripts see it (sys._getframe(), gi_frame, tb_frame). A live Frame answers from the activation's
 * registers, one whose activation has ended from the copies that it was left (vm/frame.c). Entry: ou_frame_new. */
#include "runtime/objects/errors.h"
#include "runtime/objects/frame_impl.h"
#include "runtime/objects/str.h"

static Frame *as_frame(Value v) { return (Frame *)v_obj(v); }
static Function *function_of(Value self) { return as_function(as_frame(self)->func); }

Frame *ou_frame_new(VM *vm, Value func, uint32_t pc)
{
    Frame *f = ou_new(vm, ou_builtin(vm, T_FRAME), 0);
    if (!f)
        return NULL;
    f->func = retain(func);
    f->back = V_NONE;
    f->pc = pc;
    f->lineno = ou_code_line(as_function(func)->code, pc);
    return f;
}

static void frame_dealloc(VM *vm, Obj *o)
{
    Frame *f = (Frame *)o;
    Value back = f->back;
    f->back = V_NONE;
    for (uint32_t k = 0; k < f->nown; k++)
        release(vm, f->R[k]);
    if (f->nown)
        ou_free(&vm->heap, f->R, f->nown * sizeof(Value));
    xrelease(vm, f->func);
    xrelease(vm, f->extra);
    xrelease(vm, f->kept);
    xrelease(vm, f->trace);
    ou_finish_dealloc(vm, o, 0);
    while (back != V_NULL && back != V_NONE && v_obj(back)->refs == 1) { /* long chains are freed step by step */
        Value after = as_frame(back)->back;
        as_frame(back)->back = V_NONE;
        release(vm, back);
        back = after;
    }
    xrelease(vm, back);
}

static void frame_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Frame *f = (Frame *)o;
    ou_visit(vm, f->func, visit, arg);
    ou_visit(vm, f->back, visit, arg);
    ou_visit(vm, f->extra, visit, arg);
    ou_visit(vm, f->kept, visit, arg);
    ou_visit(vm, f->trace, visit, arg);
    for (uint32_t k = 0; k < f->nown; k++)
        ou_visit(vm, f->R[k], visit, arg);
}

static void frame_clear_refs(VM *vm, Obj *o)
{
    Frame *f = (Frame *)o;
    set_owned(vm, &f->back, f->live ? V_NULL : V_NONE);
    set_owned(vm, &f->trace, V_NULL);
    if (!f->live)
        ou_frame_clear(vm, f);
}

static uint32_t line_of(VM *vm, Value self)
{
    ou_frame_here(vm, as_frame(self));
    return as_frame(self)->lineno;
}

static Value frame_repr(VM *vm, Value self)
{
    Code *c = function_of(self)->code;
    return ou_str_format(vm, "<frame at 0x%zx, file %R, line %d, code %U>", (size_t)self, v_of(c->filename), (int)line_of(vm, self),
                         v_of(c->name));
}

static Value frame_code(VM *vm, Value self)
{
    (void)vm;
    return retain(v_of(function_of(self)->code));
}

static Value frame_globals(VM *vm, Value self)
{
    (void)vm;
    return retain(v_of(function_of(self)->globals));
}

static Value frame_builtins(VM *vm, Value self)
{
    (void)vm;
    return retain(v_of(function_of(self)->builtins));
}

/* The variables of a function are seen through a proxy; modules and classes have a namespace. */
static Value frame_locals(VM *vm, Value self)
{
    Frame *f = as_frame(self);
    uint32_t kind = function_of(self)->code->module_kind;
    if (kind == CODE_FUNCTION)
        return ou_frame_locals_proxy(vm, f);
    if (f->R)
        return ou_frame_snapshot(vm, f);
    return kind == CODE_MODULE ? frame_globals(vm, self) : ou_dict_new(vm);
}

static Value frame_back(VM *vm, Value self) { return ou_frame_caller(vm, as_frame(self)); }
static Value frame_lineno(VM *vm, Value self) { return v_smallint(line_of(vm, self)); }

static bool frame_set_lineno(VM *vm, Value self, Value v)
{
    (void)self;
    if (v == V_NULL)
        return ou_raise(vm, E_ATTRIBUTE, "cannot delete attribute"), false;
    return ou_raise(vm, E_VALUE, "f_lineno can only be set in a trace function"), false;
}

static Value frame_lasti(VM *vm, Value self)
{
    ou_frame_here(vm, as_frame(self));
    uint32_t pc = as_frame(self)->pc;
    return v_smallint(pc == OU_PC_NOT_BEGUN ? -1 : (int64_t)pc * 2);
}

static Value frame_trace(VM *vm, Value self)
{
    (void)vm;
    Value v = as_frame(self)->trace;
    return v == V_NULL ? V_NONE : retain(v);
}

static bool frame_set_trace(VM *vm, Value self, Value v)
{
    set_owned(vm, &as_frame(self)->trace, v == V_NULL || v == V_NONE ? V_NULL : retain(v));
    return true;
}

static Value frame_trace_lines(VM *vm, Value self)
{
    (void)vm;
    return v_bool(!as_frame(self)->no_trace_lines);
}

static Value frame_trace_opcodes(VM *vm, Value self)
{
    (void)vm;
    return v_bool(as_frame(self)->trace_opcodes);
}

static bool bool_of(VM *vm, Value v)
{
    if (v == V_NULL)
        ou_raise(vm, E_TYPE, "can't delete numeric/char attribute");
    else if (v != V_TRUE && v != V_FALSE)
        ou_raise(vm, E_TYPE, "attribute value type must be bool");
    return v == V_TRUE;
}

static bool frame_set_trace_lines(VM *vm, Value self, Value v)
{
    as_frame(self)->no_trace_lines = !bool_of(vm, v);
    return vm->exc == V_NULL;
}

static bool frame_set_trace_opcodes(VM *vm, Value self, Value v)
{
    as_frame(self)->trace_opcodes = bool_of(vm, v);
    return vm->exc == V_NULL;
}

static Value frame_clear(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_frame_clear(vm, as_frame(args[0])) ? V_NONE : V_NULL;
}

static const NativeDef frame_methods[] = {{"clear()", frame_clear, "Clear all references held by the frame.", 0}, {0}};
static const GetSetDef frame_getset[] = {
    {"f_code", frame_code, NULL, NULL},
    {"f_globals", frame_globals, NULL, NULL},
    {"f_builtins", frame_builtins, NULL, NULL},
    {"f_locals", frame_locals, NULL, NULL},
    {"f_back", frame_back, NULL, NULL},
    {"f_lineno", frame_lineno, frame_set_lineno, NULL},
    {"f_lasti", frame_lasti, NULL, NULL},
    {"f_trace", frame_trace, frame_set_trace, NULL},
    {"f_trace_lines", frame_trace_lines, frame_set_trace_lines, NULL},
    {"f_trace_opcodes", frame_trace_opcodes, frame_set_trace_opcodes, NULL},
    {0},
};

const TypeDef ou_type_frame = {
    .name = "frame",
    .size = sizeof(Frame),
    .flags = TF_GC | TF_IMMUTABLE | TF_NO_NEW,
    .slots = {.dealloc = frame_dealloc, .traverse = frame_traverse, .clear = frame_clear_refs, .repr = frame_repr},
    .methods = frame_methods,
    .getset = frame_getset,
};
