/* The evaluator's part of starting and ending a VM or a thread: register stacks and limits. */
#include <stdlib.h>

#include "vm/eval.h"

enum { STACK_WORDS = 2 * 1024 * 1024, AWAIT_LIMIT = 1000000 };

/* Nesting of C activations. A dunder that runs another is two or three of them, of half a kilobyte each as a rule (3 KiB through
 * a sort): most recursions reach the default recursion limit first. Instrumented frames are several times as large. */
#if defined(__SANITIZE_ADDRESS__)
#define WIDE_FRAMES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WIDE_FRAMES 1
#endif
#endif
#if defined(WIDE_FRAMES) || !defined(__OPTIMIZE__)
enum { C_DEPTH_MAX = 900 };
#else
enum { C_DEPTH_MAX = 2400 };
#endif

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
    vm->c_depth_max = C_DEPTH_MAX;
    vm->await_limit = AWAIT_LIMIT;
    vm->ret = V_NONE;
    vm->handled = V_NONE;
    vm->exc = V_NULL;
    vm->thread = vm->threads = &vm->main_thread;
    vm->main_thread.next = vm->main_thread.prev = NULL;
    if (!ou_thread_stack_make(vm, &vm->main_thread))
        return false;
    vm->main_thread.c_floor = ou_cstack_floor();
    ou_thread_load(vm, &vm->main_thread);
    return true;
}

void ou_eval_fini(VM *vm)
{
    ou_poly_fini(vm);
    ou_thread_stack_free(vm, &vm->main_thread);
}
