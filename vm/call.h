/* The one upward door: how everything below and beside vm/ runs script code. May be included by everybody above base.
 * Arguments are borrowed, results are owned; V_NULL means an exception is pending. */
#ifndef OU_CALL_H
#define OU_CALL_H

#include "runtime/objects/func.h"
#include "runtime/objects/object.h"

/* f(*args[0..n), **kw): the values of the keyword arguments follow args[n] in the order of kwnames (a tuple of str, or NULL).
 * Recurses on the C stack: bounded by vm->c_depth_max, then RecursionError. */
Value ou_call(VM *vm, Value f, const Value *args, int n, Tuple *kwnames);
static inline Value ou_call0(VM *vm, Value f) { return ou_call(vm, f, NULL, 0, NULL); }
static inline Value ou_call1(VM *vm, Value f, Value a) { return ou_call(vm, f, &a, 1, NULL); }
Value ou_call2(VM *vm, Value f, Value a, Value b);
Value ou_call3(VM *vm, Value f, Value a, Value b, Value c);
Value ou_call_ex(VM *vm, Value f, Tuple *args, Dict *kwargs); /* kwargs may be NULL */
Value ou_call_method(VM *vm, Value self, Str *name, const Value *args, int n, Tuple *kwnames);
Value ou_call_method_c(VM *vm, Value self, const char *name, const Value *args, int n);

/* The arguments of throw(type, value, tb), n of them: an instance. ou_throw_args warns of more than one. */
Value ou_throw_args(VM *vm, const Value *args, int n);
Value ou_throw_exc(VM *vm, const Value *args, int n);

/* Runs code as a module/class/exec body. locals V_NULL: the globals. The value of an expression code (CODE_EXPR). */
Value ou_exec(VM *vm, Code *code, Dict *globals, Value locals, Tuple *closure);

/* compile(): mode "exec", "eval" or "single"; flags are CPython's (PyCF_ALLOW_TOP_LEVEL_AWAIT 0x2000, future flags) and, from
 * COMPILE_OPTIMIZE on, the optimization level + 1 (0: the VM's). A Code. */
enum { COMPILE_OPTIMIZE = 28, COMPILE_FROM_FILE = 1 << 27 /* the file that is run: errors about its bytes are worded differently */ };
Value ou_compile(VM *vm, const char *src, size_t n, Value filename, const char *mode, uint32_t flags);

Value ou_code_disassemble(VM *vm, Code *c); /* text for --dis: a str */
/* Code as bytes and back (marshal.c), good within one build. Load: V_NULL without an exception: not of this build. */
bool ou_code_thaw(VM *vm, Code *c);
Value ou_code_dump(VM *vm, Code *c);
Value ou_code_load(VM *vm, const uint8_t *p, size_t n, bool lasting); /* lasting: the bytes outlive the VM */
/* A function of a frozen module is read when it is first called or looked into: what code.c, type_code.c and callers read of a
 * Code beyond its counts, flags, names, doc and captures is there only after this. false: raised. */
static inline bool ou_code_ready(VM *vm, Code *c) { return !c->frozen || ou_code_thaw(vm, c); }

/* The current script frame and its callers, innermost first. */
typedef struct FrameRef {
    Function *fn;      /* borrowed */
    Value *R;
    uint32_t pc;       /* index of the instruction that is running (a call, for callers) */
    struct EvalEntry *entry;
    bool is_heap;      /* R == as Gen regs */
} FrameRef;
bool ou_frame_current(VM *vm, FrameRef *out);
struct ThreadState;
bool ou_frame_of_thread(VM *vm, const struct ThreadState *t, FrameRef *out); /* of one that waits for the lock, or the running one */
bool ou_frame_back(VM *vm, FrameRef *f); /* false: no caller */
Value ou_frame_object(VM *vm, const FrameRef *f); /* the Frame of an activation that has not ended: always the same; owned */
Value ou_frame_elsewhere(VM *vm, FrameRef f);      /* of another thread, which goes on: without locals, with all callers; owned */
bool ou_frame_here(VM *vm, Frame *f);            /* brings f->pc and f->lineno up to date; false: it is not on the stack */
Value ou_frame_caller(VM *vm, Frame *f);         /* f_back: owned */
bool ou_frame_clear(VM *vm, Frame *f);           /* frame.clear() */
void ou_frames_fini(VM *vm);                     /* no script runs any more */
Value *ou_frame_variable(const FrameRef *f, Str *name, bool *in_register); /* where a variable's value stands; NULL: no variable */
Value ou_frame_locals(VM *vm, const FrameRef *f); /* a fresh dict for functions, else the namespace; owned */
Dict *ou_current_globals(VM *vm);        /* borrowed; NULL when no script runs */
Dict *ou_current_builtins(VM *vm);
Value ou_current_locals(VM *vm);         /* what locals() returns: owned */
void ou_stack_limit_reset(VM *vm); /* after vm->recursion_limit was changed */
bool ou_safepoint(VM *vm);               /* handles vm->attention; false: an exception is pending. For long-running natives. */

/* Start and end of the evaluator's part of a VM (state.c calls them: boot first of all, fini last), and of a thread. */
bool ou_eval_boot(VM *vm);
void ou_eval_fini(VM *vm);
bool ou_thread_stack_make(VM *vm, struct ThreadState *t);
void ou_thread_stack_free(VM *vm, struct ThreadState *t);

#endif
