/* What the files of the public interface share. May be included by runtime/api/ only.
 * Handles: h = generation << 32 | index + 1 into state->slots; closing a scope pops slots and bumps their generation. */
#ifndef OU_API_IMPL_H
#define OU_API_IMPL_H

#include "runtime/api/ouro.h"
#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"

typedef struct ApiSlot {
    Value v;
    uint32_t generation;
} ApiSlot;
struct ouro_pin {
    Value v;
    ouro_pin *next, *prev;
};
typedef struct ApiState {
    ApiSlot *slots;
    uint32_t n, cap;
    ouro_pin pins; /* list head */
    void *ud;
} ApiState;
struct ApiState;

static inline ApiState *api_of(const VM *vm) { return (ApiState *)vm->api; }

bool ou_api_boot(VM *vm, void *ud);
void ou_api_fini(VM *vm);
Value ou_api_get(VM *vm, ouro_val v);                     /* borrowed; V_NULL: stale */
ouro_rc ou_api_give(VM *vm, Value v, ouro_val *out);      /* takes v over (V_NULL: OURO_EXC); out may be NULL */
ouro_rc ou_api_rc(VM *vm, bool ok);
/* What can run script code stands between enter and leave: the limit of steps is one call's. leave passes rc on, or answers
 * OURO_LIMIT; the quiet one is for functions without an rc. */
void ou_api_enter(VM *vm);
ouro_rc ou_api_leave(VM *vm, ouro_rc rc);
void ou_api_leave_quiet(VM *vm);
TypeId ou_api_type(const char *name);                     /* T_COUNT: unknown */
void ou_api_loop_close(VM *vm);                           /* cancels what the host's loop still holds, closes it */
Value ou_main_dict(VM *vm);                               /* __main__.__dict__, borrowed; V_NULL raised */

#endif
