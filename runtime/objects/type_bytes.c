/* The type bytes: construction, slots, iteration. Methods shared with bytearray are in bytes_*.c.
 * Entry points: ou_type_bytes, ou_type_bytes_iter, ou_type_bytearray_iter. The one thing to know: an exact bytes is one block of
 * struct, data and NUL, made by ou_bytes_new without ou_new. */
#include "runtime/objects/bytesimpl.h"

static Value bytes_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value v = ou_bytes_from_source(vm, "bytes", args, n, kwnames);
    if (v == V_NULL || cls->id == T_BYTES)
        return v;
    Bytes *from = as_bytes(v), *b = ou_new(vm, cls, (size_t)from->n + 1);
    if (b) {
        b->n = from->n;
        memcpy(b->data, from->data, (size_t)from->n + 1);
    }
    release(vm, v);
    return b ? v_of(b) : V_NULL;
}

static void bytes_dealloc(VM *vm, Obj *o) { ou_finish_dealloc(vm, o, (size_t)((Bytes *)o)->n + 1); /* ORDER: bytes block */ }

static Value bytes_repr(VM *vm, Value self) { return ou_bytes_repr(vm, ou_bytes_view(vm, self), "", ""); }

static bool bytes_hash(VM *vm, Value self, int64_t *out)
{
    Bytes *b = as_bytes(self);
    if (!b->hashed) {
        b->hash = ou_hash_bytes(vm, b->data, b->n);
        b->hashed = true;
    }
    *out = b->hash;
    return true;
}

static Value bytes_getitem(VM *vm, Value self, Value key)
{
    Bytes *b = as_bytes(self);
    int64_t i;
    if (is_small(key)) {
        i = v_small(key);
    } else if (is_exact(key, T_SLICE)) {
        int64_t start, stop, step, count;
        if (!ou_slice_unpack(vm, key, b->n, &start, &stop, &step, &count))
            return V_NULL;
        if (step == 1)
            return count == b->n && is_exact(self, T_BYTES) ? retain(self)
                                                            : ou_bytes_new(vm, b->data + start, count > 0 ? (size_t)count : 0);
        Value r = ou_bytes_new(vm, NULL, (size_t)count);
        if (r != V_NULL)
            for (int64_t k = 0; k < count; k++)
                as_bytes(r)->data[k] = b->data[start + k * step];
        return r;
    } else {
        if (!is_bool(key) && !ou_type_of(vm, key)->slots.to_index)
            return ou_raise(vm, E_TYPE, "byte indices must be integers or slices, not %T", key);
        if (!ou_index_i64(vm, key, &i)) {
            if (ou_exc_matches(vm, E_OVERFLOW)) {
                ou_exc_clear(vm);
                ou_raise(vm, E_INDEX, "cannot fit '%T' into an index-sized integer", key);
            }
            return V_NULL;
        }
    }
    if (i < 0)
        i += b->n;
    if (i < 0 || i >= b->n)
        return ou_raise(vm, E_INDEX, "index out of range");
    return v_smallint(b->data[i]);
}

static bool bytes_buffer(VM *vm, Value self, Buffer *out, bool writable)
{
    if (writable) {
        ou_raise(vm, E_BUFFER, "Object is not writable.");
        return false;
    }
    out->p = as_bytes(self)->data;
    out->n = as_bytes(self)->n;
    out->shape[0] = out->n;
    out->strides[0] = 1;
    out->readonly = true;
    out->owner = retain(self);
    return true;
}

static Value bytes_dunder_bytes(VM *vm, const Value *args, int n)
{
    (void)n;
    if (is_exact(args[0], T_BYTES))
        return retain(args[0]);
    return ou_bytes_new(vm, as_bytes(args[0])->data, as_bytes(args[0])->n);
}

static Value bytes_getnewargs(VM *vm, const Value *args, int n)
{
    Value b = bytes_dunder_bytes(vm, args, n);
    return b == V_NULL ? V_NULL : ou_tuple_take(vm, &b, 1);
}

static const NativeDef bytes_methods[] = {BYTES_METHODS,
                                          {"__bytes__()", bytes_dunder_bytes, "Convert this value to exact type bytes.", 0},
                                          {"__getnewargs__()", bytes_getnewargs, NULL, 0},
                                          {0}};

/* ---- iterators of bytes and bytearray: SeqIter with the size read anew at each step --------------------------------------------- */

static Value bytes_iter(VM *vm, Value self) { return ou_seqiter_new(vm, T_BYTES_ITER, self, 0); }

static Value bytes_iter_next(VM *vm, Value self)
{
    SeqIter *it = (SeqIter *)v_obj(self);
    if (it->seq == V_NULL)
        return V_NULL;
    View v = ou_bytes_view(vm, it->seq);
    if (it->index < (int64_t)v.n)
        return v_smallint((uint8_t)v.p[it->index++]);
    Value seq = it->seq;
    it->seq = V_NULL;
    release(vm, seq);
    return V_NULL;
}

static Value bytes_iter_hint(VM *vm, const Value *args, int n)
{
    (void)n;
    SeqIter *it = (SeqIter *)v_obj(args[0]);
    int64_t left = it->seq == V_NULL ? 0 : ou_by_len(vm, it->seq) - it->index;
    return v_smallint(left < 0 ? 0 : left);
}

static const NativeDef bytes_iter_methods[] = {
    {"__length_hint__()", bytes_iter_hint, "Private method returning an estimate of len(list(it)).", 0},
    SEQITER_METHODS,
    {0}};

#define BYTES_ITER(cname)                                                                                                         \
    {.name = (cname),                                                                                                             \
     .size = sizeof(SeqIter),                                                                                                     \
     .flags = TF_GC | TF_NO_NEW,                                                                                                  \
     .slots = {.dealloc = ou_seqiter_dealloc, .traverse = ou_seqiter_traverse, .iter = ou_iter_self, .next = bytes_iter_next},     \
     .methods = bytes_iter_methods}

const TypeDef ou_type_bytes_iter = BYTES_ITER("bytes_iterator");
const TypeDef ou_type_bytearray_iter = BYTES_ITER("bytearray_iterator");

const TypeDef ou_type_bytes = {
    .name = "bytes",
    .size = sizeof(Bytes),
    .flags = TF_BASE | TF_VAR | TF_MATCH_SELF,
    .slots = {.make = bytes_make,
              .dealloc = bytes_dealloc,
              .repr = bytes_repr,
              .hash = bytes_hash,
              .compare = ou_by_compare,
              .iter = bytes_iter,
              .len = ou_by_len,
              .getitem = bytes_getitem,
              .contains = ou_by_contains,
              .binary = {[BIN_ADD] = ou_by_add, [BIN_MUL] = ou_by_mul, [BIN_MOD] = ou_by_mod},
              .buffer = bytes_buffer},
    .methods = bytes_methods,
    .doc = "bytes(iterable_of_ints) -> bytes\nbytes(string, encoding[, errors]) -> bytes\n"
           "bytes(bytes_or_buffer) -> immutable copy of bytes_or_buffer\n"
           "bytes(int) -> bytes object of size given by the parameter initialized with null bytes\n"
           "bytes() -> empty bytes object",
    .new_sig = "(source=b'', encoding='utf-8', errors='strict')",
};
