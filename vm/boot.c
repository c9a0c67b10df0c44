/* The evaluator's part of starting and ending a VM or a thread: register stacks and limits. */
#include <stdlib.h>

#include "vm/eval.h"

enum { STACK_WORDS = 2 * 1024 * 1024, AWAIT_LIMIT = 1000000 };

/* Nesting of C activations: as deep as CPython's containers, which take two activations a level here. What bounds it before that,
 * where frames are large or the thread's stack is small, is the end of the stack (cstack.h); where the system does not tell
 * it, a number that half a megabyte for frames of half a kilobyte each suffices for. */
enum { C_DEPTH_MAX = 20000, C_DEPTH_BLIND = 900 };

/* The stack never moves (registers are addressed by pointers); pages that are never reached cost nothing, so it is made
 * large at once, straight from the host's allocator, and is not counted as script memory. */
bool ou_thread_stack_make(VM *vm, ThreadState *t)
{
    size_t bytes = STACK_WORDS * sizeof(Value);
    t->stack = vm->heap.fn ? vm->heap.fn(vm->heap.ud, NULL, 0, bytes) : malloc(bytes);
    if (!t->stack)
        return false;
    t->stack_end = t->stack + STACK_WORDS;
    t->R = NULL;
    t->pc = NULL;
    t->top = t->stack + FRAME_DETACHED;
    t->stack_floor = NULL;
    t->stack_limit_real = t->stack + SOFT_LIMIT_FIRST;
    t->entry = NULL;
    t->root = NULL;
    t->exc = V_NULL;
    t->handled = V_NONE;
    t->c_depth = 0;
    t->async_exc = V_NULL;
    t->thread_object = V_NULL;
    t->context = V_NULL;
    t->loop_policy_loop = V_NULL;
    t->current_task = V_NONE;
    t->asyncgen_firstiter = t->asyncgen_finalizer = V_NONE;
    return true;
}

void ou_thread_stack_free(VM *vm, ThreadState *t)
{
    if (!t->stack)
        return;
    if (vm->heap.fn)
        vm->heap.fn(vm->heap.ud, t->stack, STACK_WORDS * sizeof(Value), 0);
    else
        free(t->stack);
    t->stack = NULL;
}

bool ou_eval_boot(VM *vm)
{
    vm->recursion_limit = 1000;
    vm->await_limit = AWAIT_LIMIT;
    vm->ret = V_NONE;
    vm->handled = V_NONE;
    vm->exc = V_NULL;
    vm->thread = vm->threads = &vm->main_thread;
    vm->main_thread.next = vm->main_thread.prev = NULL;
    if (!ou_thread_stack_make(vm, &vm->main_thread))
        return false;
    vm->main_thread.c_floor = ou_cstack_floor();
    vm->c_depth_max = vm->main_thread.c_floor ? C_DEPTH_MAX : C_DEPTH_BLIND;
    ou_thread_load(vm, &vm->main_thread);
    return true;
}

void ou_eval_fini(VM *vm)
{
    ou_poly_fini(vm);
    ou_thread_stack_free(vm, &vm->main_thread);
}
