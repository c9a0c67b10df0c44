/* The table of interned strings: open addressing, borrowed pointers (a dying string removes itself).
 * Entry points: ou_intern, ou_intern_str. The one thing to know: the table counts nobody, so names cost nothing once
 * the last user is gone; removal shifts the following cells back, so that no deleted marks pile up. */
#include "runtime/base/utf8.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"

static bool grow(VM *vm)
{
    uint32_t old = vm->interned.cells ? vm->interned.mask + 1 : 0;
    uint32_t cap = old ? old * 2 : 1024;
    Str **cells = ou_alloc0(&vm->heap, cap * sizeof *cells);
    if (!cells) {
        ou_raise_memory(vm);
        return false;
    }
    for (uint32_t i = 0; i < old; i++) {
        Str *s = vm->interned.cells[i];
        if (!s)
            continue;
        uint32_t at = (uint32_t)s->hash & (cap - 1);
        while (cells[at])
            at = (at + 1) & (cap - 1);
        cells[at] = s;
    }
    ou_free(&vm->heap, vm->interned.cells, old * sizeof *cells);
    vm->interned.cells = cells;
    vm->interned.mask = cap - 1;
    return true;
}

/* The cell of that text, or the empty one where it belongs. */
static Str **find(VM *vm, const char *p, size_t n, int64_t hash)
{
    uint32_t at = (uint32_t)hash & vm->interned.mask;
    Str *s;
    while ((s = vm->interned.cells[at]) != NULL && !(s->hash == hash && s->size == n && memcmp(s->data, p, n) == 0))
        at = (at + 1) & vm->interned.mask;
    return &vm->interned.cells[at];
}

static bool room(VM *vm)
{
    return (vm->interned.cells && vm->interned.n < vm->interned.mask / 3 * 2) || grow(vm);
}

static Str *enter(VM *vm, Str **cell, Str *s)
{
    s->flags |= STR_INTERNED;
    *cell = s;
    vm->interned.n++;
    return s;
}

Str *ou_intern(VM *vm, const char *p, size_t n)
{
    if (!room(vm))
        return NULL;
    int64_t hash = n ? (int64_t)ou_mem_hash(p, n, vm->seed) : 0;
    hash = hash == -1 ? -2 : hash;
    Str **cell = find(vm, p, n, hash);
    if (*cell)
        return obj_retain(*cell);
    Value v = ou_str_new(vm, p, n);
    if (v == V_NULL)
        return NULL;
    ou_str_hash(vm, as_str(v));
    return enter(vm, cell, as_str(v));
}

Str *ou_intern_c(VM *vm, const char *s) { return ou_intern(vm, s, strlen(s)); }

Str *ou_intern_str(VM *vm, Str *s)
{
    if (s->flags & STR_INTERNED)
        return obj_retain(s);
    if (!room(vm))
        return NULL;
    Str **cell = find(vm, s->data, s->size, ou_str_hash(vm, s));
    if (*cell)
        return obj_retain(*cell);
    if (s->h.shape != T_STR) { /* an instance of a subclass stands for its text */
        Value v = ou_str_counted(vm, s->data, s->size, s->length);
        if (v == V_NULL)
            return NULL;
        s = as_str(v);
        ou_str_hash(vm, s);
        return enter(vm, cell, s);
    }
    return enter(vm, cell, obj_retain(s));
}

void ou_intern_forget(VM *vm, Str *s)
{
    if (!vm->interned.cells)
        return;
    uint32_t mask = vm->interned.mask, at = (uint32_t)s->hash & mask;
    Str **cells = vm->interned.cells;
    while (cells[at] && cells[at] != s)
        at = (at + 1) & mask;
    if (!cells[at])
        return;
    vm->interned.n--;
    uint32_t hole = at;
    for (;;) {
        cells[hole] = NULL;
        do {
            at = (at + 1) & mask;
            if (!cells[at])
                return;
            /* A cell may fill the hole only if its own place is not behind the hole. */
        } while (((at - (uint32_t)cells[at]->hash) & mask) < ((at - hole) & mask));
        cells[hole] = cells[at];
        hole = at;
    }
}

void ou_intern_fini(VM *vm)
{
    if (vm->interned.cells)
        ou_free(&vm->heap, vm->interned.cells, ((size_t)vm->interned.mask + 1) * sizeof(Str *));
    vm->interned.cells = NULL;
    vm->interned.n = 0;
}
