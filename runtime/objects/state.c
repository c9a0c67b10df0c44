/* The life of a VM: boot in the order of dependencies, teardown in the reverse order, until no object is
 * left. Entry points: ou_vm_new, ou_vm_free, ou_vm_free_report, ou_vm_end. Teardown first lets scripts end (atexit,
 * finalizers of what the modules hold) while everything still works, then takes the library away, then the
 * types, then the strings. What objects_alive says at the very end is the leak report. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "runtime/objects/bind.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/import.h"
#include "runtime/objects/typeimpl.h"
#include "runtime/objects/weakref.h"
#include "vm/call.h"

static uint32_t random_seed(const VM *vm) {
    uint32_t seed = 0;
    if (getentropy(&seed, sizeof seed) != 0) seed = (uint32_t)time(NULL) ^ (uint32_t)((uintptr_t)vm >> 4);
    return seed;
}

/* The VM itself comes from the host's allocator and is not counted as script memory. */
static VM *vm_memory(HeapAllocFn fn, void *ud) {
    VM *vm = fn ? fn(ud, NULL, 0, sizeof *vm) : malloc(sizeof *vm);
    if (vm) memset(vm, 0, sizeof *vm);
    return vm;
}
static void vm_memory_free(VM *vm) {
    HeapAllocFn fn = vm->heap.fn;
    void *ud = vm->heap.ud;
    fn(ud, vm, sizeof *vm, 0);
}

VM *ou_vm_new(HeapAllocFn fn, void *ud, uint32_t caps) {
    return ou_vm_open(&(VmSetup){.fn = fn, .ud = ud, .caps = caps});
}

VM *ou_vm_open(const VmSetup *setup) {
    VM *vm = vm_memory(setup->fn, setup->ud);
    if (!vm) return NULL;
    ou_heap_init(&vm->heap, setup->fn, setup->ud);
    vm->heap.fail_at = setup->fail_at;
    vm->heap.fail_n = setup->fail_n;
    vm->caps = setup->caps;
    vm->seed = setup->hash_seed ? setup->hash_seed : random_seed(vm);
    ou_gc_init(vm);
    vm->gc.enabled = false; /* not before everything is there */
    if (!ou_eval_boot(vm) || !ou_types_boot(vm) || !ou_errors_boot(vm) || !ou_library_boot(vm)) {
        ou_vm_free(vm);
        return NULL;
    }
    vm->gc.enabled = true;
    return vm;
}

/* ---- teardown ---------------------------------------------------------------------------------------- */

static void drop(VM *vm, Value *place) {
    Value v = *place;
    *place = V_NULL;
    xrelease(vm, v);
}

static void drop_dict(VM *vm, Dict **place) {
    Dict *d = *place;
    *place = NULL;
    if (d) obj_release(vm, d);
}

static void drop_thread(VM *vm, ThreadState *t) {
    Loop *loop = t->running_loop;
    t->running_loop = NULL;
    xrelease(vm, v_of(loop));
    drop(vm, &t->loop_policy_loop);
    drop(vm, &t->context);
    drop(vm, &t->thread_object);
    drop(vm, &t->async_exc);
    set_owned(vm, &t->asyncgen_firstiter, V_NONE);
    set_owned(vm, &t->asyncgen_finalizer, V_NONE);
}

/* Values in a module's namespace, from that entry on, become None, those with an underscore first: destructors of the others
 * may need them least. */
static void empty_namespace(VM *vm, Dict *d, uint32_t first) {
    for (int pass = 0; pass < 2; pass++) {
        uint32_t pos = first;
        Value key, v;
        while (ou_dict_next(d, &pos, &key, &v)) {
            if (v == V_NONE || !is_exact(key, T_STR)) continue;
            const char *s = as_str(key)->data;
            bool under = s[0] == '_' && s[1] != '_';
            if (under == (pass == 0) && strcmp(s, "__builtins__") != 0) {
                retain(key);
                if (!ou_dict_set(vm, d, key, V_NONE)) ou_exc_clear(vm);
                release(vm, key);
            }
        }
    }
}

static bool is_core(VM *vm, Value module) {
    Dict *d = is_obj(module) && ou_is_a(vm, module, T_MODULE) ? ((Module *)v_obj(module))->dict : NULL;
    return d && (d == vm->sysdict || d == vm->builtins);
}

/* Modules go as CPython's do: first the references to them, so that whole modules are freed in one piece;
 * those that something still holds lose their contents, the newest first. */
static void drop_modules(VM *vm) {
    if (!vm->modules) return;
    Value list = ou_list_new(vm, vm->modules->n);
    uint32_t pos = 0;
    Value key, v;
    while (list != V_NULL && ou_dict_next(vm->modules, &pos, &key, &v))
        if (ou_is_a(vm, v, T_MODULE) && !is_core(vm, v)) {
            Value ref = ou_weakref_new(vm, v, V_NULL);
            if (ref == V_NULL || !ou_list_append_take(vm, as_list(list), ref)) break;
        }
    ou_exc_clear(vm);
    if (vm->main_module != V_NULL && ou_is_a(vm, vm->main_module, T_MODULE))
        empty_namespace(vm, ((Module *)v_obj(vm->main_module))->dict, 0);
    drop(vm, &vm->main_module);
    if (vm->builtins) empty_namespace(vm, vm->builtins, vm->nbuiltins);
    pos = 0;
    while (ou_dict_next(vm->modules, &pos, &key, &v)) {
        if (is_core(vm, v)) continue;
        retain(key);
        if (!ou_dict_set(vm, vm->modules, key, V_NONE)) ou_exc_clear(vm);
        release(vm, key);
    }
    ou_gc_collect(vm, 2);
    bool left = list == V_NULL;
    for (uint32_t i = left ? 0 : as_list(list)->n; i-- > 0;) {
        Value m = ou_weakref_get(vm, as_list(list)->items[i]);
        if (m != V_NONE) empty_namespace(vm, ((Module *)v_obj(m))->dict, 0), left = true;
        release(vm, m);
    }
    xrelease(vm, list);
    if (left) ou_gc_collect(vm, 2);
}

/* The MemoryError that exists from the start remembers its last use. */
static void forget_memory_error(VM *vm) {
    Exc *e = as_exc(vm->memory_error);
    set_owned(vm, &e->traceback, V_NONE);
    set_owned(vm, &e->context, V_NONE);
    set_owned(vm, &e->cause, V_NONE);
}

/* All that scripts can notice of the end. */
static void end_scripts(VM *vm) {
    ou_library_fini(vm);
    ou_exc_clear(vm);
    forget_memory_error(vm);
    drop_modules(vm);
    forget_memory_error(vm);
    vm->finalizing = true;
    ou_exc_clear(vm);
    set_owned(vm, &vm->handled, V_NONE);
    for (ThreadState *t = vm->threads; t; t = t->next) drop_thread(vm, t);
    if (vm->modules) ou_dict_clear(vm, vm->modules);
    vm->library_gone = true;
    ou_module_records_free(vm);
    drop(vm, &vm->gc.callbacks);
    drop(vm, &vm->gc.garbage);
    drop(vm, &vm->source_cache);
    drop(vm, &vm->argv);
    drop(vm, &vm->path);
    drop(vm, &vm->interrupt_exc);
    if (vm->sysdict) ou_dict_clear(vm, vm->sysdict);
    ou_gc_collect(vm, 2);
}

static void drop_library(VM *vm) {
    if (vm->builtins) ou_dict_clear(vm, vm->builtins);
    drop_dict(vm, &vm->modules);
    drop_dict(vm, &vm->sysdict);
    drop_dict(vm, &vm->builtins);
    Type *spec = vm->module_spec;
    vm->module_spec = NULL;
    if (spec) obj_release(vm, spec);
    ou_exc_clear(vm);
    ou_method_cache_clear(vm);
    for (int rounds = 0; rounds < 100 && ou_gc_collect(vm, 2) > 0; rounds++) {
    }
}

static void report_tracked(VM *vm) {
    uint64_t *count = ou_alloc0(&vm->heap, vm->nshapes * sizeof *count);
    GcHead *heads[2] = {&vm->gc.young, &vm->gc.old};
    if (!count) return;
    for (int i = 0; i < 2; i++)
        for (GcHead *g = heads[i]->next; g && g != heads[i]; g = g->next) count[gc_obj(g)->shape]++;
    for (uint32_t i = 0; i < vm->nshapes; i++)
        if (count[i] && vm->shapes[i]) {
            Type *t = vm->shapes[i]->type;
            fprintf(stderr, "leak: %llu x %s\n", (unsigned long long)count[i],
                    t->def    ? t->def->name
                    : t->name ? t->name->data
                              : "?");
        }
    ou_free(&vm->heap, count, vm->nshapes * sizeof *count);
}

void ou_vm_end(VM *vm) {
    ou_exc_clear(vm);
    end_scripts(vm);
}

void ou_vm_free_report(VM *vm, VmLeaks *out) {
    VmLeaks leaks = {0};
    bool booted = vm->types[T_OBJECT] && vm->memory_error != V_NULL;
    if (vm->thread) ou_exc_clear(vm);
    if (booted) {
        end_scripts(vm);
        drop_library(vm);
        ou_frames_fini(vm);
    }
    drop(vm, &vm->memory_error);
    if (vm->verbose_leaks) report_tracked(vm);
    for (int i = 0; i < N_COUNT; i++) {
        Str *s = vm->names[i];
        vm->names[i] = NULL;
        if (s) obj_release(vm, s);
    }
    if (vm->shapes) {
        ou_types_clear(vm);
        drop(vm, &vm->empty_bytes);
        drop(vm, &vm->empty_frozenset);
        drop(vm, &vm->empty_tuple);
        ou_strings_fini(vm);
    }
    ou_weakrefs_fini(vm);
    ou_sigs_fini(vm);
    if (vm->shapes) ou_types_fini(vm); /* the names in the shapes go last */
    ou_intern_fini(vm);
    leaks.objects = vm->objects_alive;
    ou_eval_fini(vm);
    leaks.bytes = vm->heap.used;
    if (out) *out = leaks;
    ou_heap_fini(&vm->heap);
    vm_memory_free(vm);
}

void ou_vm_free(VM *vm) {
    ou_vm_free_report(vm, NULL);
}
