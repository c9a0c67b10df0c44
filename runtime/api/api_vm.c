/* Opening and closing a VM, handles, scopes, pins. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/api/api.h"
#include "runtime/loop/threads.h"
#include "runtime/objects/import.h"
#include "stdlib/stdlib.h"

#include "ou_config.h"

enum { DEPTH_DEFAULT = 1000, CLOSE_BYTES = 4 << 20, CLOSE_STEPS = 1000000 };

void ouro_config_init(ouro_config *cfg)
{
    memset(cfg, 0, sizeof *cfg);
    cfg->struct_size = sizeof *cfg;
}

const char *ouro_version(void) { return OU_VERSION; }

ouro_vm *ouro_open(const ouro_config *cfg)
{
    ouro_config dflt;
    if (!cfg) {
        ouro_config_init(&dflt);
        cfg = &dflt;
    }
    VM *vm = ou_vm_open(&(VmSetup){.fn = cfg->alloc, .ud = cfg->ud, .caps = cfg->caps, .hash_seed = cfg->hash_seed,
                                   .fail_at = cfg->fail_alloc, .fail_n = cfg->fail_count});
    if (!vm)
        return NULL;
    vm->write = cfg->write;
    vm->write_ud = cfg->ud;
    vm->optimize = (uint8_t)(cfg->optimize < 0 ? 0 : cfg->optimize > 2 ? 2 : cfg->optimize);
    vm->safe_path = cfg->safe_path;
    vm->dev_mode = cfg->dev_mode;
    vm->lost_output = cfg->lost_output;
    for (size_t i = 0; cfg->options && cfg->options[i] && i + 1 < sizeof vm->options; i++)
        vm->options[i] = cfg->options[i];
    if (strchr(vm->options, 'u'))
        ou_io_unbuffered(vm);
    if (!ou_threads_boot(vm) || !ou_api_boot(vm, cfg->ud)) {
        ou_vm_free(vm);
        return NULL;
    }
    ouro_set_limits(vm, &cfg->limits);
    return vm;
}

void ouro_set_limits(ouro_vm *vm, const ouro_limits *limits)
{
    vm->heap.limit = limits->max_heap;
    vm->budget.max = limits->max_steps;
    vm->budget.depth_max = limits->max_depth;
    vm->recursion_limit = limits->max_depth ? limits->max_depth : DEPTH_DEFAULT;
    ou_stack_limit_reset(vm);
}

void ou_api_enter(VM *vm)
{
    if (vm->budget.nested++ == 0) {
        ou_budget_begin(vm);
        if (vm->main_thread.ident != (uint64_t)pthread_self()) { /* the host has moved to another thread */
            vm->main_thread.ident = (uint64_t)pthread_self();
            vm->main_thread.c_floor = ou_cstack_floor();
            if (vm->thread == &vm->main_thread)
                vm->c_floor = vm->main_thread.c_floor;
        }
    }
}

ouro_rc ou_api_leave(VM *vm, ouro_rc rc)
{
    bool outermost = vm->budget.nested == 1;
    if (vm->budget.spent && (outermost || rc == OURO_EXC)) { /* whatever the script made of the exception */
        if (vm->exc == V_NULL)
            ou_raise(vm, E_KEYBOARD_INTERRUPT, "step limit exceeded");
        rc = OURO_LIMIT;
    } else if (rc == OURO_EXC && vm->budget.interrupted && ou_exc_matches(vm, E_KEYBOARD_INTERRUPT)) {
        rc = OURO_LIMIT;
    }
    ou_api_leave_quiet(vm);
    return rc;
}

void ou_api_leave_quiet(VM *vm)
{
    if (--vm->budget.nested == 0)
        ou_budget_end(vm);
}

/* threading._shutdown(): waits for the threads that are no daemons. */
static void join_threads(VM *vm)
{
    Value m = ou_dict_get_c(vm, vm->modules, "threading");
    Value v = m == V_NULL ? V_NONE : ou_call_method_c(vm, m, "_shutdown", NULL, 0);
    if (v == V_NULL)
        ou_unraisable(vm, "Exception ignored in threading._shutdown", V_NONE);
    xrelease(vm, v);
}

/* What both ways to close begin with. False: threads are left that may want the VM at any time, so that it has to stay, its
 * lock held for good. */
static bool begin_close(VM *vm)
{
    vm->heap.fail_at = 0;
    /* What runs at the end gets its share even when the limits are used up, and is limited all the same. */
    if (vm->heap.limit)
        vm->heap.limit = (vm->heap.used > vm->heap.limit ? vm->heap.used : vm->heap.limit) + CLOSE_BYTES;
    if (vm->budget.max && vm->budget.max < CLOSE_STEPS)
        vm->budget.max = CLOSE_STEPS;
    ou_api_enter(vm);
    ou_exc_clear(vm);
    ou_api_loop_close(vm);
    join_threads(vm);
    ou_atexit_run(vm); /* its functions may start threads */
    ou_exc_clear(vm);
    if (ou_thread_count(vm) > 1) {
        ou_io_flush_std(vm);
        return false;
    }
    ou_api_fini(vm);
    ou_threads_fini(vm);
    return true;
}

void ouro_close_at_exit(ouro_vm *vm)
{
    if (!vm || !begin_close(vm))
        return;
    if (HEAP_PLAIN) /* the sanitizer would report what is left */
        ou_vm_free(vm);
    else
        ou_vm_end(vm);
}

uint64_t ouro_close(ouro_vm *vm)
{
    if (!vm || !begin_close(vm))
        return 0;
    const char *check = getenv("OURO_LEAKCHECK"); /* 2: say what is left, by type */
    vm->verbose_leaks = check && check[0] == '2';
    VmLeaks leaks;
    ou_vm_free_report(vm, &leaks);
    return leaks.objects;
}

void *ouro_userdata(const ouro_vm *vm) { return api_of(vm)->ud; }

/* ---- handles ---- */

bool ou_api_boot(VM *vm, void *ud)
{
    ApiState *s = ou_alloc0(&vm->heap, sizeof *s);
    if (!s)
        return false;
    s->pins.next = s->pins.prev = &s->pins;
    s->ud = ud;
    vm->api = (struct ApiState *)s;
    return true;
}

void ou_api_fini(VM *vm)
{
    ApiState *s = api_of(vm);
    ouro_scope all = {0};
    ouro_scope_close(vm, all);
    while (s->pins.next != &s->pins)
        ouro_pin_drop(vm, s->pins.next);
    ou_free(&vm->heap, s->slots, s->cap * sizeof *s->slots);
    ou_free(&vm->heap, s, sizeof *s);
    vm->api = NULL;
}

Value ou_api_get(VM *vm, ouro_val v)
{
    ApiState *s = api_of(vm);
    uint32_t at = (uint32_t)v.h - 1;
    if (v.h == 0 || at >= s->n || s->slots[at].generation != v.h >> 32)
        return V_NULL;
    return s->slots[at].v;
}

ouro_rc ou_api_rc(VM *vm, bool ok)
{
    if (ok)
        return OURO_OK;
    return vm->exc != V_NULL ? OURO_EXC : OURO_NOMEM;
}

ouro_rc ou_api_give(VM *vm, Value v, ouro_val *out)
{
    if (v == V_NULL)
        return ou_api_rc(vm, false);
    if (!out) {
        release(vm, v);
        return OURO_OK;
    }
    ApiState *s = api_of(vm);
    if (s->n == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 64;
        ApiSlot *p = ou_realloc(&vm->heap, s->slots, s->cap * sizeof *p, cap * sizeof *p);
        if (!p) {
            release(vm, v);
            ou_raise_memory(vm);
            return OURO_EXC;
        }
        memset(p + s->cap, 0, (cap - s->cap) * sizeof *p);
        s->slots = p;
        s->cap = cap;
    }
    s->slots[s->n].v = v;
    out->h = (uint64_t)s->slots[s->n].generation << 32 | (s->n + 1);
    s->n++;
    return OURO_OK;
}

ouro_scope ouro_scope_open(ouro_vm *vm) { return (ouro_scope){api_of(vm)->n}; }

void ouro_scope_close(ouro_vm *vm, ouro_scope sc)
{
    ApiState *s = api_of(vm);
    ou_api_enter(vm);
    while (s->n > sc.mark) {
        ApiSlot *p = &s->slots[--s->n];
        Value v = p->v;
        p->v = V_NONE;
        p->generation++;
        release(vm, v);
        s = api_of(vm);
    }
    ou_api_leave_quiet(vm);
}

ouro_val ouro_scope_escape(ouro_vm *vm, ouro_scope sc, ouro_val v)
{
    Value x = ou_api_get(vm, v);
    ouro_val out = {0};
    if (x != V_NULL)
        retain(x);
    ouro_scope_close(vm, sc);
    if (x != V_NULL)
        ou_api_give(vm, x, &out);
    return out;
}

ouro_pin *ouro_pin_new(ouro_vm *vm, ouro_val v)
{
    Value x = ou_api_get(vm, v);
    ouro_pin *p = x == V_NULL ? NULL : ou_alloc(&vm->heap, sizeof *p);
    if (!p)
        return NULL;
    ouro_pin *head = &api_of(vm)->pins;
    p->v = retain(x);
    p->next = head->next;
    p->prev = head;
    head->next->prev = p;
    head->next = p;
    return p;
}

ouro_val ouro_pin_get(ouro_vm *vm, const ouro_pin *p)
{
    ouro_val out = {0};
    ou_api_give(vm, retain(p->v), &out);
    return out;
}

void ouro_pin_drop(ouro_vm *vm, ouro_pin *p)
{
    if (!p)
        return;
    p->next->prev = p->prev;
    p->prev->next = p->next;
    Value v = p->v;
    ou_free(&vm->heap, p, sizeof *p);
    ou_api_enter(vm);
    release(vm, v);
    ou_api_leave_quiet(vm);
}

void ouro_get_stats(const ouro_vm *vm, ouro_stats *out)
{
    out->heap = vm->heap.used;
    out->heap_peak = vm->heap.peak;
    out->allocations = vm->heap.count;
    out->objects = vm->objects_alive;
    out->steps = vm->budget.max - vm->budget.left;
}

void ouro_interrupt(ouro_vm *vm) { ou_interrupt_main(vm); }
