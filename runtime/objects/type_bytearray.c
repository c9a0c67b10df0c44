/* The type bytearray: a growing block with room in front after deletes there.
 * Entry points: ou_type_bytearray, ou_bytearray_resize, ou_bytearray_splice. Methods shared with bytes are in bytes_*.c.
 * The one thing to know: while a buffer is exported the size must not change; what is assigned is copied first, since the
 * source may be the array itself. */
#include "runtime/objects/bytesimpl.h"

static ByteArray *as_ba(Value v) { return (ByteArray *)v_obj(v); }

bool ou_bytearray_resize(VM *vm, ByteArray *b, size_t n)
{
    if (n == b->n && b->start)
        return true;
    if (b->exports) {
        ou_raise(vm, E_BUFFER, "Existing exports of data: object cannot be re-sized");
        return false;
    }
    size_t front = (size_t)(b->data - b->start);
    if (!b->start || front + n + 1 > b->cap || n + 1 < b->cap / 4) {
        size_t cap = n + 1;
        if (b->start && b->n && n > b->n)
            cap += n / 8 + (n < 9 ? 3 : 6);
        uint8_t *p = cap > UINT32_MAX ? NULL : ou_alloc(&vm->heap, cap);
        if (!p) {
            ou_raise_memory(vm);
            return false;
        }
        if (b->start) {
            memcpy(p, b->data, b->n < n ? b->n : n);
            ou_free(&vm->heap, b->start, b->cap);
        }
        b->start = b->data = p;
        b->cap = (uint32_t)cap;
    }
    b->n = (uint32_t)n;
    b->data[n] = 0;
    return true;
}

bool ou_bytearray_splice(VM *vm, ByteArray *b, size_t at, size_t old, const void *p, size_t n)
{
    size_t size = b->n, tail = size - at - old;
    if (n < old && at == 0 && b->exports == 0) { /* a delete at the front moves the beginning instead of the rest */
        b->data += old - n;
        b->n = (uint32_t)(size - old + n);
        if (n)
            memmove(b->data, p, n);
        return ou_bytearray_resize(vm, b, b->n);
    }
    if (n > old && !ou_bytearray_resize(vm, b, size - old + n))
        return false;
    if (n < old && b->exports) {
        ou_raise(vm, E_BUFFER, "Existing exports of data: object cannot be re-sized");
        return false;
    }
    memmove(b->data + at + n, b->data + at + old, tail);
    if (n)
        memcpy(b->data + at, p, n);
    return n >= old || ou_bytearray_resize(vm, b, size - old + n);
}

static Value bytearray_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args, (void)n, (void)kwnames;
    ByteArray *b = ou_new(vm, cls, 0);
    if (!b)
        return V_NULL;
    if (!ou_bytearray_resize(vm, b, 0)) {
        obj_release(vm, b);
        return V_NULL;
    }
    return v_of(b);
}

static int bytearray_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value v = ou_bytes_from_source(vm, "bytearray", args, n, kwnames);
    if (v == V_NULL)
        return -1;
    ByteArray *b = as_ba(self);
    bool ok = ou_bytearray_resize(vm, b, as_bytes(v)->n);
    if (ok)
        memcpy(b->data, as_bytes(v)->data, as_bytes(v)->n);
    release(vm, v);
    return ok ? 0 : -1;
}

static void bytearray_dealloc(VM *vm, Obj *o)
{
    ByteArray *b = (ByteArray *)o;
    if (b->start)
        ou_free(&vm->heap, b->start, b->cap);
    ou_finish_dealloc(vm, o, 0);
}

static Value bytearray_repr(VM *vm, Value self)
{
    View v = ou_bytes_view(vm, self);
    StrBuf b;
    ou_sb_init(&b, vm);
    const char *name = ou_type_name(vm, self), *dot = strrchr(name, '.');
    ou_sb_puts(&b, dot ? dot + 1 : name);
    ou_sb_put(&b, "(", 2);
    Value r = b.failed ? V_NULL : ou_bytes_repr(vm, v, b.p, ")");
    ou_sb_drop(&b);
    return r;
}

static bool bytearray_buffer(VM *vm, Value self, Buffer *out, bool writable)
{
    (void)vm, (void)writable;
    ByteArray *b = as_ba(self);
    out->p = b->data;
    out->n = b->n;
    out->shape[0] = b->n;
    out->strides[0] = 1;
    out->readonly = false;
    out->owner = retain(self);
    b->exports++;
    return true;
}

/* ---- items ------------------------------------------------------------------------------------------------------------------------ */

static bool item_index(VM *vm, ByteArray *b, Value key, int64_t *i)
{
    if (is_small(key)) {
        *i = v_small(key);
    } else {
        if (!is_bool(key) && !ou_type_of(vm, key)->slots.to_index) {
            ou_raise(vm, E_TYPE, "bytearray indices must be integers or slices, not %T", key);
            return false;
        }
        if (!ou_index_i64(vm, key, i)) {
            if (ou_exc_matches(vm, E_OVERFLOW)) {
                ou_exc_clear(vm);
                ou_raise(vm, E_INDEX, "cannot fit '%T' into an index-sized integer", key);
            }
            return false;
        }
    }
    if (*i < 0)
        *i += b->n;
    if (*i < 0 || *i >= b->n) {
        ou_raise(vm, E_INDEX, "bytearray index out of range");
        return false;
    }
    return true;
}

static Value bytearray_getitem(VM *vm, Value self, Value key)
{
    ByteArray *b = as_ba(self);
    int64_t i;
    if (is_exact(key, T_SLICE)) {
        int64_t start, stop, step, count;
        if (!ou_slice_bounds(vm, key, &start, &stop, &step))
            return V_NULL;
        count = ou_slice_fit(b->n, &start, &stop, step);
        Value r = ou_bytearray_new(vm, NULL, count > 0 ? (size_t)count : 0);
        if (r != V_NULL)
            for (int64_t k = 0; k < count; k++)
                as_ba(r)->data[k] = b->data[start + k * step];
        return r;
    }
    return item_index(vm, b, key, &i) ? v_smallint(b->data[i]) : V_NULL;
}

/* What may be assigned to a slice, as owned bytes. */
static Value slice_source(VM *vm, Value v)
{
    Type *t = ou_type_of(vm, v);
    bool number = is_bool(v) || t->slots.to_index || is_float(v);
    if (number || ou_is_a(vm, v, T_STR) || (!t->slots.buffer && !t->slots.iter && !t->slots.getitem))
        return ou_raise(vm, E_TYPE, "can assign only bytes, buffers, or iterables of ints in range(0, 256)");
    if (!t->slots.buffer)
        return ou_bytes_from_iterable(vm, v, "byte must be in range(0, 256)");
    Buffer b;
    if (!ou_buffer_get(vm, v, &b, false))
        return V_NULL;
    Value r = ou_bytes_new(vm, b.p, (size_t)b.n);
    ou_buffer_release(vm, &b);
    return r;
}

static bool set_slice(VM *vm, Value self, Value key, Value v)
{
    ByteArray *b = as_ba(self);
    int64_t start, stop, step, count;
    Value source = v == V_NULL ? ou_bytes_new(vm, "", 0) : slice_source(vm, v);
    if (source == V_NULL)
        return false;
    bool ok = ou_slice_bounds(vm, key, &start, &stop, &step);
    count = ok ? ou_slice_fit(b->n, &start, &stop, step) : 0;
    uint32_t n = as_bytes(source)->n;
    const uint8_t *p = as_bytes(source)->data;
    if (!ok) {
        /* raised */
    } else if (step == 1) {
        ok = ou_bytearray_splice(vm, b, (size_t)start, (size_t)count, p, n);
    } else if (n && n != count) {
        ou_raise(vm, E_VALUE, "attempt to assign bytes of size %d to extended slice of size %ld", (int)n, count);
        ok = false;
    } else if (n) {
        for (int64_t k = 0; k < count; k++)
            b->data[start + k * step] = p[k];
    } else if (count > 0) { /* assigning nothing deletes, too */
        if (step < 0) { /* the same items in ascending order */
            start += (count - 1) * step;
            step = -step;
        }
        if (b->exports) {
            ou_raise(vm, E_BUFFER, "Existing exports of data: object cannot be re-sized");
            ok = false;
        } else {
            int64_t to = start;
            for (int64_t i = start, k = 0; i < b->n; i++) {
                if (k < count && i == start + k * step)
                    k++;
                else
                    b->data[to++] = b->data[i];
            }
            ok = ou_bytearray_resize(vm, b, (size_t)to);
        }
    }
    release(vm, source);
    return ok;
}

static bool bytearray_setitem(VM *vm, Value self, Value key, Value v)
{
    ByteArray *b = as_ba(self);
    int64_t i;
    uint8_t c;
    if (is_exact(key, T_SLICE))
        return set_slice(vm, self, key, v);
    if (!item_index(vm, b, key, &i))
        return false;
    if (v == V_NULL)
        return ou_bytearray_splice(vm, b, (size_t)i, 1, NULL, 0);
    if (!ou_byte_arg(vm, v, &c, "byte must be in range(0, 256)"))
        return false;
    if (i >= b->n) { /* __index__ shrank it */
        ou_raise(vm, E_INDEX, "bytearray index out of range");
        return false;
    }
    b->data[i] = c;
    return true;
}

static Value bytearray_iadd(VM *vm, Value a, Value b)
{
    if (!ou_type_of(vm, b)->slots.buffer)
        return ou_raise(vm, E_TYPE, "can't concat %T to %T", b, a);
    ByteArray *x = as_ba(a);
    if (a == b && x->n) /* as in CPython, where its own buffer holds it while it grows */
        return ou_raise(vm, E_BUFFER, "Existing exports of data: object cannot be re-sized");
    Value source = slice_source(vm, b);
    if (source == V_NULL)
        return V_NULL;
    bool ok = ou_bytearray_splice(vm, x, x->n, 0, as_bytes(source)->data, as_bytes(source)->n);
    release(vm, source);
    return ok ? retain(a) : V_NULL;
}

static Value bytearray_imul(VM *vm, Value a, Value b)
{
    int64_t n;
    Value other;
    int kind = ou_seq_repeat_count(vm, a, b, a, b, &n, &other);
    if (kind != 1)
        return kind ? other : V_NULL;
    ByteArray *x = as_ba(a);
    size_t old = x->n;
    if (old && (uint64_t)n > UINT32_MAX / old)
        return ou_raise_memory(vm);
    if (!ou_bytearray_resize(vm, x, old * (size_t)n))
        return V_NULL;
    for (int64_t k = 1; k < n; k++)
        memcpy(x->data + (size_t)k * old, x->data, old);
    return retain(a);
}

/* ---- methods -------------------------------------------------------------------------------------------------------------------------- */

static Value bytearray_append(VM *vm, const Value *args, int n)
{
    (void)n;
    uint8_t c;
    ByteArray *b = as_ba(args[0]);
    if (!ou_byte_arg(vm, args[1], &c, "byte must be in range(0, 256)") || !ou_bytearray_resize(vm, b, (size_t)b->n + 1))
        return V_NULL;
    b->data[b->n - 1] = c;
    return V_NONE;
}

static Value bytearray_extend(VM *vm, const Value *args, int n)
{
    (void)n;
    Type *t = ou_type_of(vm, args[1]);
    if (ou_is_a(vm, args[1], T_STR))
        return ou_raise(vm, E_TYPE, "expected iterable of integers; got: 'str'");
    if (!t->slots.buffer && !t->slots.iter && !t->slots.getitem)
        return ou_raise(vm, E_TYPE, "can't extend bytearray with %T", args[1]);
    Value source = slice_source(vm, args[1]);
    if (source == V_NULL)
        return V_NULL;
    ByteArray *b = as_ba(args[0]);
    bool ok = ou_bytearray_splice(vm, b, b->n, 0, as_bytes(source)->data, as_bytes(source)->n);
    release(vm, source);
    return ok ? V_NONE : V_NULL;
}

static Value bytearray_insert(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t i;
    uint8_t c;
    if (!ou_index_i64(vm, args[1], &i) || !ou_byte_arg(vm, args[2], &c, "byte must be in range(0, 256)"))
        return V_NULL;
    ByteArray *b = as_ba(args[0]);
    if (i < 0)
        i = i + b->n < 0 ? 0 : i + b->n;
    if (i > b->n)
        i = b->n;
    return ou_bytearray_splice(vm, b, (size_t)i, 0, &c, 1) ? V_NONE : V_NULL;
}

static Value bytearray_pop(VM *vm, const Value *args, int n)
{
    int64_t i = -1;
    if (n > 1 && !ou_index_i64(vm, args[1], &i))
        return V_NULL;
    ByteArray *b = as_ba(args[0]);
    if (b->n == 0)
        return ou_raise(vm, E_INDEX, "pop from empty bytearray");
    if (i < 0)
        i += b->n;
    if (i < 0 || i >= b->n)
        return ou_raise(vm, E_INDEX, "pop index out of range");
    uint8_t c = b->data[i];
    return ou_bytearray_splice(vm, b, (size_t)i, 1, NULL, 0) ? v_smallint(c) : V_NULL;
}

static Value bytearray_remove(VM *vm, const Value *args, int n)
{
    (void)n;
    uint8_t c;
    if (!ou_byte_arg(vm, args[1], &c, "byte must be in range(0, 256)"))
        return V_NULL;
    ByteArray *b = as_ba(args[0]);
    uint8_t *p = b->n ? memchr(b->data, c, b->n) : NULL;
    if (!p)
        return ou_raise(vm, E_VALUE, "value not found in bytearray");
    return ou_bytearray_splice(vm, b, (size_t)(p - b->data), 1, NULL, 0) ? V_NONE : V_NULL;
}

static Value bytearray_clear(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_bytearray_resize(vm, as_ba(args[0]), 0) ? V_NONE : V_NULL;
}

static Value bytearray_copy(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_bytearray_new(vm, as_ba(args[0])->data, as_ba(args[0])->n);
}

static Value bytearray_reverse(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    ByteArray *b = as_ba(args[0]);
    for (uint32_t i = 0, j = b->n; i + 1 < j; i++) {
        uint8_t c = b->data[i];
        b->data[i] = b->data[--j];
        b->data[j] = c;
    }
    return V_NONE;
}

static Value bytearray_alloc(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    return v_smallint(as_ba(args[0])->cap);
}

static Value bytearray_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Value b = ou_bytes_new(vm, as_ba(args[0])->data, as_ba(args[0])->n);
    if (b == V_NULL)
        return V_NULL;
    Value inner = ou_tuple_take(vm, &b, 1);
    if (inner == V_NULL)
        return V_NULL;
    Value state = ou_get_state(vm, args[0]);
    if (state == V_NULL) {
        release(vm, inner);
        return V_NULL;
    }
    Value parts[3] = {retain(v_of(ou_type_of(vm, args[0]))), inner, state};
    return ou_tuple_take(vm, parts, 3);
}

static const NativeDef bytearray_methods[] = {
    BYTES_METHODS,
    {"append(item, /)", bytearray_append, "Append a single item to the end of the bytearray.", 0},
    {"extend(iterable_of_ints, /)", bytearray_extend, "Append all the items from the iterator or sequence.", 0},
    {"insert(index, item, /)", bytearray_insert, "Insert a single item into the bytearray before the given index.", 0},
    {"pop(index=-1, /)", bytearray_pop, "Remove and return a single item.", 0},
    {"remove(value, /)", bytearray_remove, "Remove the first occurrence of a value.", 0},
    {"clear()", bytearray_clear, "Remove all items from the bytearray.", 0},
    {"copy()", bytearray_copy, "Return a copy.", 0},
    {"reverse()", bytearray_reverse, "Reverse the order of the values in place.", 0},
    {"__alloc__()", bytearray_alloc, "Return the number of bytes actually allocated.", 0},
    {"__reduce__()", bytearray_reduce, "Return state information for pickling.", 0},
    {0}};

static Value bytearray_iter(VM *vm, Value self) { return ou_seqiter_new(vm, T_BYTEARRAY_ITER, self, 0); }

const TypeDef ou_type_bytearray = {
    .name = "bytearray",
    .size = sizeof(ByteArray),
    .flags = TF_BASE | TF_MATCH_SELF,
    .slots = {.make = bytearray_make,
              .init = bytearray_init,
              .dealloc = bytearray_dealloc,
              .repr = bytearray_repr,
              .hash = ou_hash_not_implemented,
              .compare = ou_by_compare,
              .iter = bytearray_iter,
              .len = ou_by_len,
              .getitem = bytearray_getitem,
              .setitem = bytearray_setitem,
              .contains = ou_by_contains,
              .binary = {[BIN_ADD] = ou_by_add, [BIN_MUL] = ou_by_mul, [BIN_MOD] = ou_by_mod},
              .inplace = {[BIN_ADD] = bytearray_iadd, [BIN_MUL] = bytearray_imul},
              .buffer = bytearray_buffer},
    .methods = bytearray_methods,
    .doc = "bytearray(iterable_of_ints) -> bytearray\nbytearray(string, encoding[, errors]) -> bytearray\n"
           "bytearray(bytes_or_buffer) -> mutable copy of bytes_or_buffer\n"
           "bytearray(int) -> bytes array of size given by the parameter initialized with null bytes\n"
           "bytearray() -> empty bytes array",
    .new_sig = "(source=b'', encoding='utf-8', errors='strict')",
};
