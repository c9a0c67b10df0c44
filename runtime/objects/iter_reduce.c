/* How the iterators of built-in types are copied and pickled: the call that makes one again, and the index where it stands.
 * Entry points: ou_iter_call, ou_iter_rest, ou_seqiter_reduce, ou_seqiter_setstate. An iterator over a table that has no
 * index to go back to (dict, set) is copied as the list of what is left. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers.h"
#include "vm/call.h"

Value ou_iter_call(VM *vm, const char *fn, Value arg, int64_t index)
{
    Value f = ou_dict_get_c(vm, vm->builtins, fn);
    if (arg == V_NULL || f == V_NULL) {
        xrelease(vm, arg);
        return V_NULL;
    }
    Value a = ou_tuple_take(vm, &arg, 1);
    if (a == V_NULL) return V_NULL;
    Value parts[3] = {retain(f), a, index == ITER_NO_INDEX ? V_NONE : v_smallint(index)};
    return ou_tuple_take(vm, parts, index == ITER_NO_INDEX ? 2 : 3);
}

Value ou_iter_rest(VM *vm, Value copy)
{
    Value l = copy == V_NULL ? V_NULL : ou_list_from(vm, copy);
    xrelease(vm, copy);
    return ou_iter_call(vm, "iter", l, ITER_NO_INDEX);
}

static bool backwards(VM *vm, Value it) { return is_exact(it, T_LIST_REVITER) || ou_is_a(vm, it, T_REVERSED); }

Value ou_seqiter_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    SeqIter *it = (SeqIter *)v_obj(args[0]);
    const char *fn = backwards(vm, args[0]) ? "reversed" : "iter";
    if (it->seq != V_NULL) return ou_iter_call(vm, fn, retain(it->seq), it->index);
    bool list = is_exact(args[0], T_LIST_ITER) || is_exact(args[0], T_LIST_REVITER);
    return ou_iter_call(vm, fn, list ? ou_list_new(vm, 0) : ou_tuple_new(vm, 0), ITER_NO_INDEX);
}

Value ou_seqiter_setstate(VM *vm, const Value *args, int n)
{
    (void)n;
    SeqIter *it = (SeqIter *)v_obj(args[0]);
    int64_t i;
    if (!ou_is_intlike(vm, args[1])) return ou_raise(vm, E_TYPE, "an integer is required");
    if (!ou_index_i64(vm, args[1], &i)) return V_NULL;
    if (it->seq == V_NULL) return V_NONE;
    if (is_exact(args[0], T_LIST_ITER) && i < 0) { /* as if at the end */
        set_owned(vm, &it->seq, V_NULL);
        return V_NONE;
    }
    bool back = backwards(vm, args[0]);
    int64_t low = back ? -1 : 0, high = SMALL_MAX;
    if (!is_exact(args[0], T_SEQ_ITER) && (high = ou_len(vm, it->seq)) < 0) return V_NULL;
    if (back) high--;
    it->index = i < low ? low : i > high ? high : i;
    return V_NONE;
}
