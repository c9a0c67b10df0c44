/* The traceback type: what a script can see of where an exception passed. ou_exc_add_traceback (errors.c) makes the entries while
 * frames unwind. An entry keeps the locals of a frame that the exception has left; their Frame is made when somebody asks. */
#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/func.h"
#include "runtime/objects/gc.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"

static Traceback *as_tb(Value v) { return (Traceback *)v_obj(v); }
static Frame *as_frame(Value v) { return (Frame *)v_obj(v); }

void ou_traceback_unlink(VM *vm, Traceback *tb)
{
    if (!tb->same_at)
        return;
    *tb->same_at = tb->same;
    if (tb->same)
        tb->same->same_at = tb->same_at;
    tb->same_at = NULL;
    vm->ncaught--;
}

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
    ou_traceback_unlink(vm, tb);
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

static bool make_frame(VM *vm, Traceback *tb);

/* Who walks from entry to entry and looks at the frames finds f_back, too: an exception leaves a frame for the one that called it. */
static Value tb_get_next(VM *vm, Value self)
{
    Value next = as_tb(self)->next, mine = as_tb(self)->frame;
    if (next != V_NONE && mine != V_NULL && as_tb(next)->frame == V_NULL && !as_tb(next)->same_at) {
        if (!make_frame(vm, as_tb(next)))
            return V_NULL;
        Frame *f = as_frame(as_tb(next)->frame);
        if (!f->live && f->back == V_NONE && mine != v_of(f))
            f->back = retain(mine);
    }
    return retain(next);
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

/* The frame object: that of the running frame, or one that takes over the locals. */
static bool make_frame(VM *vm, Traceback *tb)
{
    if (tb->frame != V_NULL)
        return true;
    if (tb->same_at) {
        FrameRef ref = {.fn = as_function(tb->func), .R = tb->R, .pc = tb->pc};
        ref.is_heap = (ref.fn->code->flags & CO_HEAP_FRAME) != 0;
        tb->frame = ou_frame_object(vm, &ref);
        return tb->frame != V_NULL;
    }
    Frame *f = ou_frame_new(vm, tb->func, tb->pc);
    if (!f)
        return false;
    uint32_t n = as_function(tb->func)->code->nlocals + 1u;
    if (!tb->locals && (tb->locals = ou_alloc(&vm->heap, n * sizeof(Value))) != NULL) { /* nothing was kept, but there may be free variables */
        tb->nlocals = n;
        for (uint32_t k = 0; k < n; k++)
            tb->locals[k] = V_UNBOUND;
    }
    f->R = tb->locals;
    f->nown = tb->locals ? tb->nlocals : 0;
    tb->locals = NULL;
    tb->frame = v_of(f);
    return true;
}

static Value tb_get_frame(VM *vm, Value self) { return make_frame(vm, as_tb(self)) ? retain(as_tb(self)->frame) : V_NULL; }

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
