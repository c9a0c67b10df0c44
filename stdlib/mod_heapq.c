/* _heapq: binary heaps on lists, with heapq's exact steps: the order among equal items can be seen, and asyncio's timers depend
 * on it. A comparison may run script code that changes the list, which is noticed by its length. */
#include "runtime/objects/containers_impl.h"
#include "stdlib/stdlib.h"

/* a < b, or with max b < a; 1, 0, -1. */
static int before(VM *vm, Value a, Value b, bool max)
{
    if (are_small(a, b)) return max ? b < a : a < b;
    retain(a), retain(b);
    int r = max ? ou_compare_bool(vm, b, a, CMP_LT) : ou_compare_bool(vm, a, b, CMP_LT);
    release(vm, a), release(vm, b);
    return r;
}

static bool changed(VM *vm) { return ou_raise(vm, E_RUNTIME, "list changed size during iteration"), false; }

static void swap(List *l, uint32_t i, uint32_t j)
{
    Value t = l->items[i];
    l->items[i] = l->items[j];
    l->items[j] = t;
}

/* Moves the item at pos towards the root until its parent is not after it. */
static bool sift_down(VM *vm, List *l, uint32_t start, uint32_t pos, bool max)
{
    uint32_t n = l->n;
    if (pos >= n) return ou_raise(vm, E_INDEX, "index out of range"), false;
    while (pos > start) {
        uint32_t parent = (pos - 1) >> 1;
        int r = before(vm, l->items[pos], l->items[parent], max);
        if (r < 0) return false;
        if (l->n != n) return changed(vm);
        if (r == 0) break;
        swap(l, pos, parent);
        pos = parent;
    }
    return true;
}

/* Moves the item at pos to a leaf along the smaller children, then up to its place. */
static bool sift_up(VM *vm, List *l, uint32_t pos, bool max)
{
    uint32_t n = l->n, start = pos, limit = n >> 1;
    if (pos >= n) return ou_raise(vm, E_INDEX, "index out of range"), false;
    while (pos < limit) {
        uint32_t child = 2 * pos + 1;
        if (child + 1 < n) {
            int r = before(vm, l->items[child], l->items[child + 1], max);
            if (r < 0) return false;
            if (l->n != n) return changed(vm);
            child += (uint32_t)r ^ 1;
        }
        swap(l, pos, child);
        pos = child;
    }
    return sift_down(vm, l, start, pos, max);
}

static List *heap_arg(VM *vm, const char *what, Value v)
{
    if (is_a_fast(vm, v, T_LIST)) return as_list(v);
    ou_raise(vm, E_TYPE, "%s must be list, not %K", what, v);
    return NULL;
}

static Value heappush(VM *vm, const Value *args, int n)
{
    (void)n;
    List *l = heap_arg(vm, "heappush() argument 1", args[0]);
    return l && ou_list_append(vm, l, args[1]) && sift_down(vm, l, 0, l->n - 1, false) ? V_NONE : V_NULL;
}

static Value pop(VM *vm, List *l, bool max)
{
    if (!l) return V_NULL;
    if (!l->n) return ou_raise(vm, E_INDEX, "index out of range");
    Value last = retain(l->items[l->n - 1]);
    ou_list_remove_at(vm, l, l->n - 1);
    if (!l->n) return last;
    Value top = l->items[0];
    l->items[0] = last;
    if (sift_up(vm, l, 0, max)) return top;
    release(vm, top);
    return V_NULL;
}
static Value heappop(VM *vm, const Value *args, int n)
{
    (void)n;
    return pop(vm, heap_arg(vm, "heappop() argument", args[0]), false);
}
static Value heappop_max(VM *vm, const Value *args, int n)
{
    (void)n;
    return pop(vm, heap_arg(vm, "_heappop_max() argument", args[0]), true);
}

static Value replace(VM *vm, List *l, Value item, bool max)
{
    if (!l) return V_NULL;
    if (!l->n) return ou_raise(vm, E_INDEX, "index out of range");
    Value top = l->items[0];
    l->items[0] = retain(item);
    if (sift_up(vm, l, 0, max)) return top;
    release(vm, top);
    return V_NULL;
}
static Value heapreplace(VM *vm, const Value *args, int n)
{
    (void)n;
    return replace(vm, heap_arg(vm, "heapreplace() argument 1", args[0]), args[1], false);
}
static Value heapreplace_max(VM *vm, const Value *args, int n)
{
    (void)n;
    return replace(vm, heap_arg(vm, "_heapreplace_max() argument 1", args[0]), args[1], true);
}

static Value heappushpop(VM *vm, const Value *args, int n)
{
    (void)n;
    List *l = heap_arg(vm, "heappushpop() argument 1", args[0]);
    if (!l) return V_NULL;
    if (!l->n) return retain(args[1]);
    int r = before(vm, l->items[0], args[1], false);
    if (r < 0) return V_NULL;
    if (r == 0) return retain(args[1]);
    return replace(vm, l, args[1], false);
}

static Value heapify_list(VM *vm, List *l, bool max)
{
    if (!l) return V_NULL;
    for (uint32_t i = l->n / 2; i-- > 0;)
        if (!sift_up(vm, l, i, max)) return V_NULL;
    return V_NONE;
}
static Value heapify(VM *vm, const Value *args, int n)
{
    (void)n;
    return heapify_list(vm, heap_arg(vm, "heapify() argument", args[0]), false);
}
static Value heapify_max(VM *vm, const Value *args, int n)
{
    (void)n;
    return heapify_list(vm, heap_arg(vm, "_heapify_max() argument", args[0]), true);
}

static const NativeDef functions[] = {
    {"heappush(heap, item, /)", heappush, "Push item onto heap, maintaining the heap invariant.", 0},
    {"heappop(heap, /)", heappop, "Pop the smallest item off the heap, maintaining the heap invariant.", 0},
    {"heapify(heap, /)", heapify, "Transform list into a heap, in-place, in O(len(heap)) time.", 0},
    {"heapreplace(heap, item, /)", heapreplace, "Pop and return the current smallest value, and add the new item.", 0},
    {"heappushpop(heap, item, /)", heappushpop, "Push item on the heap, then pop and return the smallest item from the heap.", 0},
    {"_heappop_max(heap, /)", heappop_max, "Maxheap variant of heappop.", 0},
    {"_heapify_max(heap, /)", heapify_max, "Maxheap variant of heapify.", 0},
    {"_heapreplace_max(heap, item, /)", heapreplace_max, "Maxheap variant of heapreplace.", 0},
    {0}};

bool ou_mod__heapq(VM *vm, Module *m) { return ou_module_add(vm, m, functions); }
