/* Objects from C: shapes and dict mode of instances, renewal when a class changes, weak references, cycles,
 * teardown without leaks, and a VM that is short of memory while it boots. */
#include <stdlib.h>

#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "runtime/objects/weakref.h"
#include "tests/unit/check.h"

static Type *make_class(VM *vm, const char *name) {
    Str *s = ou_intern_c(vm, name);
    Value bases = ou_tuple_new(vm, 0), ns = ou_dict_new(vm);
    Value t = ou_type_new(vm, ou_builtin(vm, T_TYPE), s, as_tuple(bases), as_dict(ns), NULL, NULL);
    release(vm, ns);
    release(vm, bases);
    obj_release(vm, s);
    return (Type *)v_obj(t);
}

static Shape *shape_of(VM *vm, Value o) {
    return vm->shapes[v_obj(o)->shape];
}

static void set(VM *vm, Value o, const char *name, int64_t i) {
    CHECK(ou_setattr_c(vm, o, name, v_smallint(i)));
}

static bool has(VM *vm, Value o, const char *name, int64_t i) {
    Value v = ou_getattr_c(vm, o, name);
    bool ok = v == v_smallint(i);
    xrelease(vm, v);
    return ok;
}

static void test_shapes(VM *vm) {
    Type *t = make_class(vm, "Point");
    Value a = v_of(ou_new(vm, t, 0)), b = v_of(ou_new(vm, t, 0)), c = v_of(ou_new(vm, t, 0));
    CHECK(shape_of(vm, a) == t->root && shape_of(vm, a)->nkeys == 0);
    set(vm, a, "x", 1);
    set(vm, a, "y", 2);
    set(vm, b, "x", 3);
    CHECK(shape_of(vm, b)->nkeys == 1 && shape_of(vm, a)->parent == shape_of(vm, b));
    set(vm, b, "y", 4);
    set(vm, c, "y", 5);
    set(vm, c, "x", 6);
    CHECK(shape_of(vm, a) == shape_of(vm, b) && shape_of(vm, a) != shape_of(vm, c));
    CHECK(has(vm, a, "x", 1) && has(vm, b, "y", 4) && has(vm, c, "x", 6));

    /* An attribute is deleted: the instance goes on as a dict, the others do not notice. */
    CHECK(ou_setattr_c(vm, b, "x", V_NULL));
    CHECK(shape_of(vm, b)->dict_mode && !shape_of(vm, a)->dict_mode && has(vm, b, "y", 4));

    char name[16];
    for (int i = 0; i < 2 * SHAPE_MAX_KEYS; i++) {
        snprintf(name, sizeof name, "k%d", i);
        set(vm, c, name, i);
    }
    CHECK(shape_of(vm, c)->dict_mode && has(vm, c, "k7", 7) && has(vm, c, "k200", 200));

    /* A data descriptor comes into the class: whoever compared the old id finds another one. */
    uint32_t before = v_obj(a)->shape, version = t->version;
    ou_type_modified(vm, t);
    CHECK(v_obj(a)->shape != before && t->version != version && shape_of(vm, a)->type == t &&
          has(vm, a, "y", 2));
    CHECK(vm->shapes[before] == shape_of(vm, a));
    release(vm, a);
    release(vm, b);
    release(vm, c);
    obj_release(vm, t);
}

static void test_cycle(VM *vm) {
    ou_gc_collect(vm, 2);
    uint64_t alive = vm->objects_alive;
    Type *t = make_class(vm, "Ring");
    Value a = v_of(ou_new(vm, t, 0)), b = v_of(ou_new(vm, t, 0));
    CHECK(ou_setattr_c(vm, a, "next", b) && ou_setattr_c(vm, b, "next", a));
    Value ref = ou_weakref_new(vm, a, V_NULL);
    CHECK(ref != V_NULL && ou_weakref_count(vm, a) == 1);
    release(vm, a);
    release(vm, b);
    Value there = ou_weakref_get(vm, ref);
    CHECK(there == a);
    release(vm, there);
    obj_release(vm, t);
    CHECK(ou_gc_collect(vm, 2) > 0);
    CHECK(ou_weakref_get(vm, ref) == V_NONE);
    release(vm, ref);
    ou_gc_collect(vm, 2);
    CHECK(vm->objects_alive <= alive + 4); /* interned names may stay in shapes and caches */
}

/* A list in a list in a list ...: its end must not use the C stack up. */
static void test_deep(VM *vm) {
    Value l = ou_list_new(vm, 0);
    for (int i = 0; i < 1000000 && l != V_NULL; i++) {
        Value outer = ou_list_new(vm, 1);
        CHECK(ou_list_append_take(vm, as_list(outer), l));
        l = outer;
    }
    release(vm, l);
    CHECK(vm->dealloc_depth == 0 && vm->trash == NULL);
}

typedef struct Budget {
    size_t left;
} Budget;

static void *limited(void *ud, void *p, size_t old_size, size_t new_size) {
    Budget *b = ud;
    if (new_size == 0) {
        free(p);
        return NULL;
    }
    if (new_size > old_size || !p) {
        if (b->left == 0) return NULL;
        b->left--;
    }
    return realloc(p, new_size);
}

static void test_boot_without_memory(void) {
    int booted = 0;
    /* A sanitized build takes every block from the host, tens of thousands until it is up: longer and longer steps then. */
    for (size_t n = 0; n < 1000000 && !booted; n += n < 200 ? 1 : n / 20) {
        Budget b = {n};
        VM *vm = ou_vm_new(limited, &b, 0);
        if (vm) {
            b.left = SIZE_MAX;
            VmLeaks leaks;
            ou_vm_free_report(vm, &leaks);
            CHECK(leaks.objects == 0 && leaks.bytes == 0);
            booted = 1;
        }
    }
    CHECK(booted);
}

int main(void) {
    VM *vm = ou_vm_new(NULL, NULL, 0);
    CHECK(vm != NULL);
    if (vm) {
        test_shapes(vm);
        test_cycle(vm);
        test_deep(vm);
        VmLeaks leaks;
        ou_vm_free_report(vm, &leaks);
        CHECK(leaks.objects == 0 && leaks.bytes == 0);
    }
    test_boot_without_memory();
    return finish_checks();
}
