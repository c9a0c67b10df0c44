/* The traceback and frame types: what a script can see of where an exception passed. ou_exc_add_traceback (errors.c) makes the
 * entries while frames unwind; frames are snapshots, made only when somebody asks for tb_frame or sys._getframe(). An entry keeps the locals of a frame that the exception has left. */
#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/func.h"
#include "runtime/objects/gc.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"

static Traceback *as_tb(Value v) { return (Traceback *)v_obj(v); }
static Frame *as_frame(Value v) { return (Frame *)v_obj(v); }

/* ---- traceback -------------------------------------------------------------------------------------------------------- */

static void drop_locals(VM *vm, Traceback *tb)
{
    Value *locals = tb->locals;
    tb->locals = NULL;
    if (!locals)
        return;
    for (uint32_t k = 0; k < tb->nlocals; k++)
        release(vm, locals[k]);
    ou_free(&vm->heap, locals, tb->nlocals * sizeof(Value));
}

/* The innermost entry goes first, and its frame's locals with it. Long chains (a recursion of a thousand frames) are turned round and
 * freed here step by step instead of by recursion. */
static void tb_dealloc(VM *vm, Obj *o)
{
    Traceback *tb = (Traceback *)o;
    Value next = tb->next, inner = V_NONE;
    tb->next = V_NONE;
    while (next != V_NULL && next != V_NONE && v_obj(next)->refs == 1) {
        Value after = as_tb(next)->next;
        as_tb(next)->next = inner;
        inner = next;
        next = after;
    }
    xrelease(vm, next);
    while (inner != V_NONE) {
        Value after = as_tb(inner)->next;
        as_tb(inner)->next = V_NONE;
        release(vm, inner);
        inner = after;
    }
    drop_locals(vm, tb);
    xrelease(vm, tb->func);
    xrelease(vm, tb->frame);
    ou_finish_dealloc(vm, o, 0);
}

static void tb_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Traceback *tb = (Traceback *)o;
    ou_visit(vm, tb->next, visit, arg);
    ou_visit(vm, tb->func, visit, arg);
    ou_visit(vm, tb->frame, visit, arg);
    for (uint32_t k = 0; tb->locals && k < tb->nlocals; k++)
        ou_visit(vm, tb->locals[k], visit, arg);
}

static void tb_clear(VM *vm, Obj *o)
{
    Traceback *tb = (Traceback *)o;
    set_owned(vm, &tb->next, V_NONE);
    set_owned(vm, &tb->frame, V_NULL);
    drop_locals(vm, tb);
}

static Value tb_get_next(VM *vm, Value self)
{
    (void)vm;
    return retain(as_tb(self)->next);
}

static bool tb_set_next(VM *vm, Value self, Value v)
{
    if (v == V_NULL)
        return ou_raise(vm, E_TYPE, "can't delete tb_next attribute"), false;
    if (v != V_NONE && !is_exact(v, T_TRACEBACK))
        return ou_raise(vm, E_TYPE, "expected traceback object or None, got '%T'", v), false;
    for (Value t = v; t != V_NONE; t = as_tb(t)->next) {
        if (t == self)
            return ou_raise(vm, E_VALUE, "traceback loop detected"), false;
    }
    set_owned(vm, &as_tb(self)->next, retain(v));
    return true;
}

static Value tb_get_lineno(VM *vm, Value self)
{
    (void)vm;
    return v_smallint(as_tb(self)->lineno);
}

static Value tb_get_lasti(VM *vm, Value self)
{
    (void)vm;
    return v_smallint(as_tb(self)->pc == OU_PC_NOT_BEGUN ? -1 : (int64_t)as_tb(self)->pc * 2); /* CPython counts bytes, two for an instruction */
}

static Value tb_get_frame(VM *vm, Value self)
{
    Traceback *tb = as_tb(self);
    if (tb->frame == V_NULL) {
        tb->frame = ou_frame_new(vm, tb->func, tb->pc, V_NONE, V_NULL);
        if (tb->frame == V_NULL)
            return V_NULL;
        as_frame(tb->frame)->R = tb->R;
    }
    if (tb->locals) { /* the frame object owns them from now on: frame.clear() drops them */
        FrameRef left = {.fn = as_function(tb->func), .R = tb->locals, .pc = tb->pc};
        Value locals = ou_frame_locals(vm, &left);
        if (locals == V_NULL)
            return V_NULL;
        set_owned(vm, &as_frame(tb->frame)->locals, locals);
        as_frame(tb->frame)->R = NULL;
        drop_locals(vm, tb);
    }
    return retain(tb->frame);
}

static Value tb_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[4];
    if (!ou_bind(vm, "traceback(tb_next, tb_frame, tb_lasti, tb_lineno)", args, n, kwnames, a))
        return V_NULL;
    if (a[0] != V_NONE && !is_exact(a[0], T_TRACEBACK))
        return ou_raise(vm, E_TYPE, "traceback() argument 'tb_next' must be traceback or None, not %T", a[0]);
    if (!is_exact(a[1], T_FRAME))
        return ou_raise(vm, E_TYPE, "traceback() argument 'tb_frame' must be frame, not %K", a[1]);
    int64_t lasti, lineno;
    if (!ou_index_i64(vm, a[2], &lasti) || !ou_index_i64(vm, a[3], &lineno))
        return V_NULL;
    Traceback *tb = ou_new(vm, cls, 0);
    if (!tb)
        return V_NULL;
    tb->next = retain(a[0]);
    tb->func = retain(as_frame(a[1])->func);
    tb->frame = retain(a[1]);
    uint32_t ncode = as_function(tb->func)->code->ncode;
    tb->pc = lasti >= 0 && (uint64_t)lasti / 2 < ncode ? (uint32_t)(lasti / 2) : UINT32_MAX;
    tb->lineno = (uint32_t)lineno;
    return v_of(tb);
}

static Value tb_dir(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    static const char *const names[] = {"tb_frame", "tb_next", "tb_lasti", "tb_lineno"};
    Value list = ou_list_new(vm, 4);
    for (int i = 0; list != V_NULL && i < 4; i++) {
        Value s = ou_str_c(vm, names[i]);
        if (s == V_NULL || !ou_list_append_take(vm, as_list(list), s)) {
            release(vm, list);
            return V_NULL;
        }
    }
    return list;
}

static const NativeDef tb_methods[] = {{"__dir__()", tb_dir, NULL, 0}, {0}};
static const GetSetDef tb_getset[] = {
    {"tb_next", tb_get_next, tb_set_next, NULL},
    {"tb_lineno", tb_get_lineno, NULL, NULL},
    {"tb_lasti", tb_get_lasti, NULL, NULL},
    {"tb_frame", tb_get_frame, NULL, NULL},
    {0},
};

const TypeDef ou_type_traceback = {
    .name = "traceback",
    .size = sizeof(Traceback),
    .flags = TF_GC | TF_IMMUTABLE,
    .slots = {.make = tb_make, .dealloc = tb_dealloc, .traverse = tb_traverse, .clear = tb_clear},
    .methods = tb_methods,
    .getset = tb_getset,
    .doc = "Create a new traceback object.",
};

/* ---- frame ------------------------------------------------------------------------------------------------------------- */

Value ou_frame_new(VM *vm, Value func, uint32_t pc, Value back, Value locals)
{
    Frame *f = ou_new(vm, ou_builtin(vm, T_FRAME), 0);
    if (!f)
        return V_NULL;
    f->func = retain(func);
    f->back = retain(back);
    f->locals = locals == V_NULL ? V_NULL : retain(locals);
    f->pc = pc;
    f->lineno = ou_code_line(as_function(func)->code, pc);
    return v_of(f);
}

static void frame_dealloc(VM *vm, Obj *o)
{
    Frame *f = (Frame *)o;
    Value back = f->back;
    f->back = V_NONE;
    xrelease(vm, f->func);
    xrelease(vm, f->locals);
    ou_finish_dealloc(vm, o, 0);
    while (back != V_NULL && back != V_NONE && v_obj(back)->refs == 1) {
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
    ou_visit(vm, f->locals, visit, arg);
}

static void frame_clear_refs(VM *vm, Obj *o)
{
    set_owned(vm, &((Frame *)o)->back, V_NONE);
    set_owned(vm, &((Frame *)o)->locals, V_NULL);
}

static Value frame_repr(VM *vm, Value self)
{
    Frame *f = as_frame(self);
    Code *c = as_function(f->func)->code;
    return ou_str_format(vm, "<frame at 0x%zx, file %R, line %d, code %U>", (size_t)self, v_of(c->filename), (int)f->lineno,
                         v_of(c->name));
}

static Value frame_code(VM *vm, Value self)
{
    (void)vm;
    return retain(v_of(as_function(as_frame(self)->func)->code));
}

static Value frame_globals(VM *vm, Value self)
{
    (void)vm;
    return retain(v_of(as_function(as_frame(self)->func)->globals));
}

static Value frame_builtins(VM *vm, Value self)
{
    (void)vm;
    return retain(v_of(as_function(as_frame(self)->func)->builtins));
}

/* The running activation that the frame was made of. One that has returned may be taken for a later one of the same function
 * in the same place: what a script sees then are that one's locals. */
static bool find_running(VM *vm, const Frame *f, FrameRef *ref)
{
    if (!f->R || !ou_frame_current(vm, ref))
        return false;
    do {
        if (ref->R == f->R && v_of(ref->fn) == f->func)
            return true;
    } while (ou_frame_back(vm, ref));
    return false;
}

static Value frame_locals(VM *vm, Value self)
{
    Frame *f = as_frame(self);
    FrameRef ref;
    if (find_running(vm, f, &ref))
        return ou_frame_locals(vm, &ref);
    if (f->locals == V_NULL) {
        if (as_function(f->func)->code->module_kind == CODE_MODULE)
            return frame_globals(vm, self);
        f->locals = ou_dict_new(vm);
    }
    return f->locals == V_NULL ? V_NULL : retain(f->locals);
}

static Value frame_back(VM *vm, Value self)
{
    (void)vm;
    return retain(as_frame(self)->back);
}

static Value frame_lineno(VM *vm, Value self)
{
    FrameRef ref;
    if (find_running(vm, as_frame(self), &ref))
        return v_smallint(ou_code_line(ref.fn->code, ref.pc));
    return v_smallint(as_frame(self)->lineno);
}

static Value frame_lasti(VM *vm, Value self)
{
    (void)vm;
    return v_smallint(as_frame(self)->pc == OU_PC_NOT_BEGUN ? -1 : (int64_t)as_frame(self)->pc * 2);
}

static Value frame_none(VM *vm, Value self)
{
    (void)vm;
    (void)self;
    return V_NONE;
}

static bool frame_set_ignored(VM *vm, Value self, Value v)
{
    (void)vm;
    (void)self;
    (void)v;
    return true;
}

static Value frame_clear(VM *vm, const Value *args, int n)
{
    (void)n;
    set_owned(vm, &as_frame(args[0])->locals, V_NULL);
    return V_NONE;
}

static const NativeDef frame_methods[] = {{"clear()", frame_clear, NULL, 0}, {0}};
static const GetSetDef frame_getset[] = {
    {"f_code", frame_code, NULL, NULL},       {"f_globals", frame_globals, NULL, NULL},
    {"f_builtins", frame_builtins, NULL, NULL}, {"f_locals", frame_locals, NULL, NULL},
    {"f_back", frame_back, NULL, NULL},       {"f_lineno", frame_lineno, NULL, NULL},
    {"f_lasti", frame_lasti, NULL, NULL},     {"f_trace", frame_none, frame_set_ignored, NULL},
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
