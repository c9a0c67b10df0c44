/* One thread at a time imports a module; others that want it wait, so that nobody of them sees it half made. Entry points:
 * ou_import_begin, ou_import_end, ou_import_wait. The one thing to know: threads that import each other's modules in a circle would
 * wait for ever; as in CPython the one that would close the circle goes on with the half-made module. */
#include "runtime/objects/import_impl.h"

#include "runtime/objects/errors.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"

typedef struct ImportWait {
    ThreadState *thread, *owner; /* who waits, and for whom */
    struct ImportWait *next;
} ImportWait;

void ou_import_begin(VM *vm, ImportRun *run, Str *name)
{
    *run = (ImportRun){name, vm->thread, vm->imports};
    vm->imports = run;
}

void ou_import_end(VM *vm, const ImportRun *run)
{
    for (ImportRun **p = &vm->imports; *p; p = &(*p)->next) {
        if (*p == run) {
            *p = run->next;
            return;
        }
    }
}

void ou_import_forked(VM *vm)
{
    for (ImportRun **p = &vm->imports; *p;) {
        if ((*p)->thread == vm->thread)
            p = &(*p)->next;
        else
            *p = (*p)->next;
    }
    vm->import_waits = NULL;
}

/* The other thread that imports `name`, or NULL. What this thread imports itself does not count: a circular import. */
static ThreadState *other_owner(VM *vm, const Str *name)
{
    ThreadState *owner = NULL;
    for (const ImportRun *r = vm->imports; r; r = r->next) {
        if (r->name != name && !ou_str_equal(r->name, name))
            continue;
        if (r->thread == vm->thread)
            return NULL;
        owner = r->thread;
    }
    return owner;
}

static bool waits_for_me(VM *vm, const ThreadState *owner)
{
    while (owner) {
        const ImportWait *w = vm->import_waits;
        while (w && w->thread != owner)
            w = w->next;
        owner = w ? w->owner : NULL;
        if (owner == vm->thread)
            return true;
    }
    return false;
}

bool ou_import_wait(VM *vm, Str *name)
{
    ThreadState *owner = other_owner(vm, name);
    if (!owner || waits_for_me(vm, owner))
        return true;
    ImportWait me = {vm->thread, owner, vm->import_waits};
    vm->import_waits = &me;
    bool ok = true;
    while (ok && (owner = other_owner(vm, name))) {
        me.owner = owner;
        if (waits_for_me(vm, owner))
            break;
        vm->nap(vm);
        ok = !vm->attention || ou_safepoint(vm);
    }
    for (ImportWait **p = &vm->import_waits; *p; p = &(*p)->next) {
        if (*p == &me) {
            *p = me.next;
            break;
        }
    }
    return ok;
}
