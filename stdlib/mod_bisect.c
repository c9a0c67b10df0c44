/* _bisect: binary search in sorted sequences and insertion that keeps them sorted. */
#include "runtime/objects/containers_impl.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

/* args: a, x, lo, hi, key. The position, or -1 raised. `x` is compared as it is: insort applies the key before. */
static int64_t search(VM *vm, const Value *args, Value x, bool right)
{
    int64_t lo = 0, hi = -1;
    if (args[2] != V_NULL && !ou_index_i64(vm, args[2], &lo)) return -1;
    if (lo < 0) return ou_raise(vm, E_VALUE, "lo must be non-negative"), -1;
    if (args[3] != V_NULL && args[3] != V_NONE && !ou_index_i64(vm, args[3], &hi)) return -1;
    if (hi < 0 && (args[3] == V_NULL || args[3] == V_NONE)) hi = ou_len(vm, args[0]);
    if (hi < 0 && vm->exc) return -1;
    Value key = args[4] == V_NULL ? V_NONE : args[4];
    while (lo < hi) {
        int64_t mid = (int64_t)(((uint64_t)lo + (uint64_t)hi) / 2);
        Value item;
        if (is_exact(args[0], T_LIST) && mid < as_list(args[0])->n) { /* a comparison may have changed it */
            item = as_list(args[0])->items[mid];
            if (are_small(x, item) && key == V_NONE) {
                if (right ? x < item : x <= item) hi = mid;
                else lo = mid + 1;
                continue;
            }
            retain(item);
        } else {
            Value i = ou_int(vm, mid);
            item = i == V_NULL ? V_NULL : ou_getitem(vm, args[0], i);
            xrelease(vm, i);
        }
        if (item != V_NULL && key != V_NONE) {
            Value k = ou_call1(vm, key, item);
            release(vm, item);
            item = k;
        }
        if (item == V_NULL) return -1;
        int less = right ? ou_compare_bool(vm, x, item, CMP_LT) : ou_compare_bool(vm, item, x, CMP_LT);
        release(vm, item);
        if (less < 0) return -1;
        if (right ? less : !less) hi = mid;
        else lo = mid + 1;
    }
    return lo;
}

static Value bisect(VM *vm, const Value *args, bool right)
{
    int64_t i = search(vm, args, args[1], right);
    return i < 0 ? V_NULL : ou_int(vm, i);
}

static Value insort(VM *vm, const Value *args, bool right)
{
    bool keyed = args[4] != V_NULL && args[4] != V_NONE;
    Value x = keyed ? ou_call1(vm, args[4], args[1]) : retain(args[1]);
    if (x == V_NULL) return V_NULL;
    int64_t i = search(vm, args, x, right);
    release(vm, x);
    if (i < 0) return V_NULL;
    if (is_exact(args[0], T_LIST)) return ou_list_insert(vm, as_list(args[0]), i, args[1]) ? V_NONE : V_NULL;
    Value a[2] = {ou_int(vm, i), args[1]};
    Value r = a[0] == V_NULL ? V_NULL : ou_call_method_c(vm, args[0], "insert", a, 2);
    xrelease(vm, a[0]);
    if (r == V_NULL) return V_NULL;
    release(vm, r);
    return V_NONE;
}

static Value bisect_left(VM *vm, const Value *args, int n)
{
    (void)n;
    return bisect(vm, args, false);
}
static Value bisect_right(VM *vm, const Value *args, int n)
{
    (void)n;
    return bisect(vm, args, true);
}
static Value insort_left(VM *vm, const Value *args, int n)
{
    (void)n;
    return insort(vm, args, false);
}
static Value insort_right(VM *vm, const Value *args, int n)
{
    (void)n;
    return insort(vm, args, true);
}

static const NativeDef functions[] = {
    {"bisect_left(a, x, lo=0, hi=None, *, key=None)", bisect_left, "Return the index where to insert item x in list a, assuming a is sorted.", 0},
    {"bisect_right(a, x, lo=0, hi=None, *, key=None)", bisect_right, "Return the index where to insert item x in list a, assuming a is sorted.", 0},
    {"insort_left(a, x, lo=0, hi=None, *, key=None)", insort_left, "Insert item x in list a, and keep it sorted assuming a is sorted.", 0},
    {"insort_right(a, x, lo=0, hi=None, *, key=None)", insort_right, "Insert item x in list a, and keep it sorted assuming a is sorted.", 0},
    {0}};

bool ou_mod__bisect(VM *vm, Module *m) { return ou_module_add(vm, m, functions); }
