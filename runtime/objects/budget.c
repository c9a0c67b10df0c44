/* The limit of steps for a call from the host: a step is a safepoint (backward jump, call, await), an item that a native takes
 * from an iterator, or what natives charge for long work. Entries: ou_budget_begin/_end around the call, ou_budget_step,
 * ou_charge.
 * While a limit is in force ATT_BUDGET stays set, so that every safepoint comes here; without one nothing is counted. Once
 * the steps are spent every further safepoint raises, whatever the script catches, until the call returns to the host. */
#include "runtime/objects/errors.h"
#include "runtime/objects/state.h"

enum { CHURN_PER_STEP_LOG2 = 12 }; /* large blocks are work too: one step for 4 KiB */

void ou_budget_begin(VM *vm)
{
    vm->budget.interrupted = vm->budget.spent = false;
    vm->budget.on = vm->budget.max != 0;
    if (!vm->budget.on)
        return;
    vm->budget.left = vm->budget.max;
    vm->budget.churned = vm->heap.churned;
    ou_attention(vm, ATT_BUDGET);
}

void ou_budget_end(VM *vm) { vm->budget.on = vm->budget.spent = false; } /* the next safepoint drops ATT_BUDGET */

static bool spend(VM *vm, uint64_t steps)
{
    uint64_t churn = (vm->heap.churned - vm->budget.churned) >> CHURN_PER_STEP_LOG2;
    vm->budget.churned += churn << CHURN_PER_STEP_LOG2;
    steps += churn;
    if (!vm->budget.spent && steps <= vm->budget.left) {
        vm->budget.left -= steps;
        return true;
    }
    vm->budget.left = 0;
    vm->budget.spent = true;
    ou_raise(vm, E_KEYBOARD_INTERRUPT, "step limit exceeded");
    return false;
}

bool ou_budget_step(VM *vm) { return !vm->budget.on || spend(vm, 1); }

bool ou_charge_slow(VM *vm, uint64_t steps)
{
    if (vm->budget.on && !spend(vm, steps))
        return false;
    uint32_t why = vm->attention & (ATT_INTERRUPT | ATT_SIGNAL);
    if (!why || vm->thread != &vm->main_thread || !vm->on_attention)
        return true;
    __atomic_fetch_and(&vm->attention, ~why, __ATOMIC_RELAXED);
    if (why & ATT_INTERRUPT)
        vm->budget.interrupted = true;
    return vm->on_attention(vm, why);
}
