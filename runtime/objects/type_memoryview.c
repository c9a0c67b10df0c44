/* memoryview: a window on the bytes of another object, with items, shape and strides.
 * Entry points: ou_type_memoryview, ou_type_memoryview_iter. The one thing to know: every view pins the object that owns the
 * bytes (b.owner) itself, so views of views do not form chains; `exports` counts who uses this very view as a buffer. */
#include "runtime/objects/bytesimpl.h"

static MemoryView *as_mv(Value v) { return (MemoryView *)v_obj(v); }

static MemoryView *live(VM *vm, Value v)
{
    MemoryView *m = as_mv(v);
    if (!m->released)
        return m;
    ou_raise(vm, E_VALUE, "operation forbidden on released memoryview object");
    return NULL;
}

/* ---- making ------------------------------------------------------------------------------------------------------------------------- */

/* A view with the same window as `from`, which keeps its own pin. */
static MemoryView *copy_view(VM *vm, const Buffer *from, const char *format)
{
    MemoryView *m = ou_new(vm, vm->types[T_MEMORYVIEW], 0);
    if (!m)
        return NULL;
    m->b = *from;
    m->b.owner = retain(from->owner);
    if (ou_is_bytearray(vm, from->owner))
        ((ByteArray *)v_obj(from->owner))->exports++;
    m->format[0] = format[0];
    m->b.format = m->format;
    return m;
}

Value ou_memoryview_new(VM *vm, Value o)
{
    if (is_exact(o, T_MEMORYVIEW)) {
        MemoryView *from = live(vm, o), *m = from ? copy_view(vm, &from->b, from->format) : NULL;
        return m ? v_of(m) : V_NULL;
    }
    if (!ou_type_of(vm, o)->slots.buffer)
        return ou_raise(vm, E_TYPE, "memoryview: a bytes-like object is required, not '%T'", o);
    Buffer b;
    if (!ou_buffer_get(vm, o, &b, false))
        return V_NULL;
    MemoryView *m = ou_new(vm, vm->types[T_MEMORYVIEW], 0);
    if (!m) {
        ou_buffer_release(vm, &b);
        return V_NULL;
    }
    m->b = b;
    m->format[0] = b.format ? b.format[0] : 'B';
    m->b.format = m->format;
    return v_of(m);
}

static Value memoryview_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)cls;
    Value a[1] = {V_NULL};
    if (!ou_bind(vm, "memoryview(object)", args, n, kwnames, a))
        return V_NULL;
    return ou_memoryview_new(vm, a[0]);
}

static void memoryview_dealloc(VM *vm, Obj *o)
{
    ou_buffer_release(vm, &((MemoryView *)o)->b);
    ou_finish_dealloc(vm, o, 0);
}

static void memoryview_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ou_visit(vm, ((MemoryView *)o)->b.owner, visit, arg);
}

static Value memoryview_repr(VM *vm, Value self)
{
    return ou_str_format(vm, as_mv(self)->released ? "<released memory at %p>" : "<memory at %p>", (void *)v_obj(self));
}

/* ---- layout ---------------------------------------------------------------------------------------------------------------------------- */

static bool is_contiguous(const Buffer *b, bool fortran)
{
    int64_t step = b->itemsize;
    for (int k = 0; k < b->ndim; k++) {
        int i = fortran ? k : b->ndim - 1 - k;
        if (b->shape[i] > 1 && b->strides[i] != step)
            return b->n == 0;
        step *= b->shape[i];
    }
    return true;
}

/* Copies all items in C order. */
static uint8_t *gather(const Buffer *b, int dim, const uint8_t *p, uint8_t *d)
{
    if (dim == b->ndim) {
        memcpy(d, p, (size_t)b->itemsize);
        return d + b->itemsize;
    }
    for (int64_t i = 0; i < b->shape[dim]; i++)
        d = gather(b, dim + 1, p + i * b->strides[dim], d);
    return d;
}

static Value to_bytes(VM *vm, const Buffer *b)
{
    if (is_contiguous(b, false))
        return ou_bytes_new(vm, b->p, (size_t)b->n);
    Value r = ou_bytes_new(vm, NULL, (size_t)b->n);
    if (r != V_NULL)
        gather(b, 0, b->p, as_bytes(r)->data);
    return r;
}

static bool memoryview_buffer(VM *vm, Value self, Buffer *out, bool writable)
{
    MemoryView *m = live(vm, self);
    if (!m)
        return false;
    if (writable && m->b.readonly) {
        ou_raise(vm, E_BUFFER, "memoryview: underlying buffer is not writable");
        return false;
    }
    if (!is_contiguous(&m->b, false)) {
        if (writable) {
            ou_raise(vm, E_BUFFER, "memoryview: underlying buffer is not C-contiguous");
            return false;
        }
        Value copy = to_bytes(vm, &m->b); /* readers want one run of bytes */
        if (copy == V_NULL)
            return false;
        out->p = as_bytes(copy)->data;
        out->n = m->b.n;
        out->shape[0] = out->n;
        out->strides[0] = 1;
        out->readonly = true;
        out->owner = copy;
        return true;
    }
    *out = m->b;
    out->owner = retain(self);
    m->exports++;
    return true;
}

/* ---- items ---------------------------------------------------------------------------------------------------------------------------------- */

static uint8_t *item_at(VM *vm, MemoryView *m, Value key, int dim, uint8_t *p)
{
    int64_t i;
    if (!is_small(key)) {
        Value index = ou_index(vm, key);
        if (index == V_NULL)
            return NULL;
        bool fits = ou_int_fits_i64(vm, index, &i);
        release(vm, index);
        if (!fits) {
            ou_raise(vm, E_INDEX, "cannot fit '%T' into an index-sized integer", key);
            return NULL;
        }
    } else {
        i = v_small(key);
    }
    if (m->released) {
        live(vm, v_of(m));
        return NULL;
    }
    if (i < 0)
        i += m->b.shape[dim];
    if (i < 0 || i >= m->b.shape[dim]) {
        ou_raise(vm, E_INDEX, "index out of bounds on dimension %d", dim + 1);
        return NULL;
    }
    return p + i * m->b.strides[dim];
}

static bool is_index(VM *vm, Value v) { return is_small(v) || is_bool(v) || ou_type_of(vm, v)->slots.to_index; }

/* The address of the item a key means; NULL raised. */
static uint8_t *locate(VM *vm, MemoryView *m, Value key)
{
    if (is_index(vm, key)) {
        if (m->b.ndim == 0) {
            ou_raise(vm, E_TYPE, "invalid indexing of 0-dim memory");
            return NULL;
        }
        if (m->b.ndim > 1) {
            ou_raise(vm, E_NOT_IMPLEMENTED, "multi-dimensional sub-views are not implemented");
            return NULL;
        }
        return item_at(vm, m, key, 0, m->b.p);
    }
    if (is_exact(key, T_TUPLE)) {
        Tuple *t = as_tuple(key);
        bool all = true, slices = t->n > 0;
        for (uint32_t i = 0; i < t->n; i++) {
            all = all && is_index(vm, t->items[i]);
            slices = slices && (is_exact(t->items[i], T_SLICE) || is_index(vm, t->items[i]));
        }
        if (all) {
            if (t->n < (uint32_t)m->b.ndim) {
                ou_raise(vm, E_NOT_IMPLEMENTED, "sub-views are not implemented");
                return NULL;
            }
            if (t->n > (uint32_t)m->b.ndim) {
                ou_raise(vm, E_TYPE, "cannot index %d-dimension view with %d-element tuple", m->b.ndim, (int)t->n);
                return NULL;
            }
            uint8_t *p = m->b.p;
            for (uint32_t i = 0; p && i < t->n; i++)
                p = item_at(vm, m, t->items[i], (int)i, p);
            return p;
        }
        if (slices) {
            ou_raise(vm, E_NOT_IMPLEMENTED, "multi-dimensional slicing is not implemented");
            return NULL;
        }
    }
    ou_raise(vm, E_TYPE, "memoryview: invalid slice key");
    return NULL;
}

static bool slice_view(VM *vm, Buffer *b, Value key)
{
    int64_t start, stop, step, count;
    if (!ou_slice_unpack(vm, key, b->shape[0], &start, &stop, &step, &count))
        return false;
    if (count < 0)
        count = 0;
    if (count)
        b->p += start * b->strides[0];
    b->shape[0] = count;
    b->strides[0] *= step;
    b->n = b->itemsize;
    for (int i = 0; i < b->ndim; i++)
        b->n *= b->shape[i];
    return true;
}

static Value memoryview_getitem(VM *vm, Value self, Value key)
{
    MemoryView *m = live(vm, self);
    if (!m)
        return V_NULL;
    if (is_exact(key, T_SLICE) && m->b.ndim > 0) {
        Buffer b = m->b;
        if (!slice_view(vm, &b, key) || !live(vm, self))
            return V_NULL;
        MemoryView *r = copy_view(vm, &b, m->format);
        return r ? v_of(r) : V_NULL;
    }
    if (m->b.ndim == 0 && ((is_exact(key, T_TUPLE) && as_tuple(key)->n == 0)))
        return ou_item_load(vm, m->format[0], m->b.p);
    uint8_t *p = locate(vm, m, key);
    return p ? ou_item_load(vm, m->format[0], p) : V_NULL;
}

static bool assign_slice(VM *vm, MemoryView *m, Value key, Value v)
{
    Buffer dst = m->b, src;
    if (!slice_view(vm, &dst, key) || !live(vm, v_of(m))) /* a bound's __index__ may have released it */
        return false;
    if (is_exact(v, T_MEMORYVIEW)) {
        if (!live(vm, v))
            return false;
        src = as_mv(v)->b;
    } else if (!ou_buffer_get(vm, v, &src, false)) {
        return false;
    }
    bool same = src.format[0] == dst.format[0] && src.ndim == dst.ndim && src.shape[0] == dst.shape[0] && dst.ndim == 1, ok = same;
    if (same && dst.n) {
        Value copy = to_bytes(vm, &src); /* the two may overlap */
        ok = copy != V_NULL && !m->released;
        for (int64_t i = 0; ok && i < dst.shape[0]; i++)
            memcpy(dst.p + i * dst.strides[0], as_bytes(copy)->data + i * dst.itemsize, (size_t)dst.itemsize);
        xrelease(vm, copy);
    }
    if (!is_exact(v, T_MEMORYVIEW))
        ou_buffer_release(vm, &src);
    if (!same)
        ou_raise(vm, E_VALUE, "memoryview assignment: lvalue and rvalue have different structures");
    return ok;
}

static bool memoryview_setitem(VM *vm, Value self, Value key, Value v)
{
    MemoryView *m = live(vm, self);
    if (!m)
        return false;
    if (m->b.readonly) {
        ou_raise(vm, E_TYPE, "cannot modify read-only memory");
        return false;
    }
    if (v == V_NULL) {
        ou_raise(vm, E_TYPE, "cannot delete memory");
        return false;
    }
    if (is_exact(key, T_SLICE) && m->b.ndim == 1)
        return assign_slice(vm, m, key, v);
    if (is_exact(key, T_SLICE)) {
        ou_raise(vm, E_NOT_IMPLEMENTED, "memoryview slice assignments are currently restricted to ndim = 1");
        return false;
    }
    m->exports++; /* the item's conversion may run a script that would release the view */
    uint8_t *p = locate(vm, m, key);
    bool ok = p && ou_item_store(vm, m->format[0], p, v);
    m->exports--;
    return ok;
}

static int64_t memoryview_len(VM *vm, Value self)
{
    MemoryView *m = live(vm, self);
    if (!m)
        return -1;
    if (m->b.ndim == 0) {
        ou_raise(vm, E_TYPE, "0-dim memory has no length");
        return -1;
    }
    return m->b.shape[0];
}

static bool memoryview_hash(VM *vm, Value self, int64_t *out)
{
    MemoryView *m = live(vm, self);
    if (!m)
        return false;
    if (!m->b.readonly) {
        ou_raise(vm, E_VALUE, "cannot hash writable memoryview object");
        return false;
    }
    if (!strchr("Bbc", m->format[0])) {
        ou_raise(vm, E_VALUE, "memoryview: hashing is restricted to formats 'B', 'b' or 'c'");
        return false;
    }
    Value b = to_bytes(vm, &m->b);
    if (b == V_NULL)
        return false;
    *out = ou_hash_bytes(vm, as_bytes(b)->data, as_bytes(b)->n);
    release(vm, b);
    return true;
}

/* 1, 0, -1 raised */
static int equal_items(VM *vm, const Buffer *a, const uint8_t *p, const Buffer *b, const uint8_t *q, int dim)
{
    if (dim == a->ndim) {
        Value x = ou_item_load(vm, a->format[0], p);
        Value y = x == V_NULL ? V_NULL : ou_item_load(vm, b->format[0], q);
        int r = y == V_NULL ? -1 : ou_compare_bool(vm, x, y, CMP_EQ);
        if (y != V_NULL && is_float(x) && v_double(x) != v_double(x))
            r = 0;
        xrelease(vm, x);
        xrelease(vm, y);
        return r;
    }
    if (a->shape[dim] != b->shape[dim])
        return 0;
    for (int64_t i = 0; i < a->shape[dim]; i++) {
        int r = equal_items(vm, a, p + i * a->strides[dim], b, q + i * b->strides[dim], dim + 1);
        if (r != 1)
            return r;
    }
    return 1;
}

static Value memoryview_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (op != CMP_EQ && op != CMP_NE)
        return V_NOTIMPL;
    if (!is_exact(a, T_MEMORYVIEW)) {
        Value t = a;
        a = b;
        b = t;
    }
    MemoryView *m = as_mv(a);
    if (a == b)
        return v_bool(op == CMP_EQ);
    if (m->released || (is_exact(b, T_MEMORYVIEW) && as_mv(b)->released))
        return v_bool(op == CMP_NE);
    if (!ou_type_of(vm, b)->slots.buffer)
        return V_NOTIMPL;
    Buffer other;
    bool view = is_exact(b, T_MEMORYVIEW);
    if (view)
        other = as_mv(b)->b;
    else if (!ou_buffer_get(vm, b, &other, false))
        return V_NULL;
    int same = m->b.ndim == other.ndim ? equal_items(vm, &m->b, m->b.p, &other, other.p, 0) : 0;
    if (!view)
        ou_buffer_release(vm, &other);
    return same < 0 ? V_NULL : v_bool((same == 1) == (op == CMP_EQ));
}

/* ---- methods ---------------------------------------------------------------------------------------------------------------------------------- */

static Value memoryview_tobytes(VM *vm, const Value *args, int n)
{
    (void)n;
    MemoryView *m = live(vm, args[0]);
    if (!m)
        return V_NULL;
    if (args[1] != V_NULL && args[1] != V_NONE) {
        if (!str_like(vm, args[1]))
            return ou_raise(vm, E_TYPE, "tobytes() argument 'order' must be str or None, not %s", arg_type_name(vm, args[1]));
        const char *o = as_str(args[1])->data;
        if (strcmp(o, "C") != 0 && strcmp(o, "A") != 0 && strcmp(o, "F") != 0)
            return ou_raise(vm, E_VALUE, "order must be 'C', 'F' or 'A'");
        if (o[0] == 'F' && m->b.ndim > 1) {
            Buffer t = m->b; /* Fortran order is C order with the dimensions turned around */
            for (int i = 0; i < t.ndim; i++) {
                t.shape[i] = m->b.shape[t.ndim - 1 - i];
                t.strides[i] = m->b.strides[t.ndim - 1 - i];
            }
            return to_bytes(vm, &t);
        }
    }
    return to_bytes(vm, &m->b);
}

static Value list_of(VM *vm, MemoryView *m, int dim, const uint8_t *p)
{
    if (dim == m->b.ndim)
        return ou_item_load(vm, m->format[0], p);
    Value list = ou_list_new(vm, (size_t)m->b.shape[dim]);
    for (int64_t i = 0; list != V_NULL && i < m->b.shape[dim]; i++) {
        Value v = list_of(vm, m, dim + 1, p + i * m->b.strides[dim]);
        if (v == V_NULL || !ou_list_append_take(vm, as_list(list), v)) {
            release(vm, list);
            return V_NULL;
        }
    }
    return list;
}

static Value memoryview_tolist(VM *vm, const Value *args, int n)
{
    (void)n;
    MemoryView *m = live(vm, args[0]);
    return m ? list_of(vm, m, 0, m->b.p) : V_NULL;
}

static Value memoryview_hex(VM *vm, const Value *args, int n)
{
    (void)n;
    MemoryView *m = live(vm, args[0]);
    Value b = m ? to_bytes(vm, &m->b) : V_NULL;
    if (b == V_NULL)
        return V_NULL;
    Value r = ou_bytes_hex(vm, as_bytes(b)->data, as_bytes(b)->n, args[1], args[2]);
    release(vm, b);
    return r;
}

static Value memoryview_toreadonly(VM *vm, const Value *args, int n)
{
    (void)n;
    MemoryView *m = live(vm, args[0]), *r = m ? copy_view(vm, &m->b, m->format) : NULL;
    if (!r)
        return V_NULL;
    r->b.readonly = true;
    return v_of(r);
}

static Value memoryview_release(VM *vm, const Value *args, int n)
{
    (void)n;
    MemoryView *m = as_mv(args[0]);
    if (m->released)
        return V_NONE;
    if (m->exports)
        return ou_raise(vm, E_BUFFER, "memoryview has %d exported buffer%s", (int)m->exports, m->exports == 1 ? "" : "s");
    m->released = true;
    ou_buffer_release(vm, &m->b);
    return V_NONE;
}

static Value memoryview_enter(VM *vm, const Value *args, int n)
{
    (void)n;
    return live(vm, args[0]) ? retain(args[0]) : V_NULL;
}

static Value memoryview_exit(VM *vm, const Value *args, int n) { return memoryview_release(vm, args, n); }

static bool cast_shape(VM *vm, Buffer *b, Value shape)
{
    if (!is_exact(shape, T_LIST) && !is_exact(shape, T_TUPLE)) {
        ou_raise(vm, E_TYPE, "shape must be a list or a tuple");
        return false;
    }
    size_t n;
    Value own = V_NULL;
    const Value *items = ou_seq_items(vm, shape, &n, &own, "");
    if (!items)
        return false;
    bool ok = true;
    int64_t product = b->itemsize;
    if (n > 8) {
        ou_raise(vm, E_VALUE, "memoryview: number of dimensions must not exceed 8");
        ok = false;
    }
    if (ok && b->ndim > 1 && n > 1) {
        ou_raise(vm, E_TYPE, "memoryview: cast must be 1D -> ND or ND -> 1D");
        ok = false;
    }
    for (size_t i = 0; ok && i < n; i++) {
        int64_t k;
        if (!is_int(items[i])) {
            ou_raise(vm, E_TYPE, "memoryview.cast(): elements of shape must be integers");
            ok = false;
        } else if (!ou_int_fits_i64(vm, items[i], &k) || k <= 0) {
            ou_raise(vm, E_VALUE, "memoryview.cast(): elements of shape must be integers > 0");
            ok = false;
        } else if (k > INT64_MAX / product) {
            ou_raise(vm, E_VALUE, "memoryview.cast(): product(shape) > SSIZE_MAX");
            ok = false;
        } else {
            b->shape[i] = k;
            product *= k;
        }
    }
    xrelease(vm, own);
    if (!ok)
        return false;
    if (product != b->n) {
        ou_raise(vm, E_TYPE, "memoryview: product(shape) * itemsize != buffer size");
        return false;
    }
    b->ndim = (int)n;
    int64_t step = b->itemsize;
    for (int i = b->ndim - 1; i >= 0; i--) {
        b->strides[i] = step;
        step *= b->shape[i];
    }
    return true;
}

static Value memoryview_cast(VM *vm, const Value *args, int n)
{
    (void)n;
    MemoryView *m = live(vm, args[0]);
    if (!m)
        return V_NULL;
    if (!str_like(vm, args[1]))
        return ou_raise(vm, E_TYPE, "cast() argument 'format' must be str, not %s", arg_type_name(vm, args[1]));
    if (!is_contiguous(&m->b, false))
        return ou_raise(vm, E_TYPE, "memoryview: casts are restricted to C-contiguous views");
    if (args[2] != V_NULL && m->b.ndim != 1)
        return ou_raise(vm, E_TYPE, "memoryview: cast must be 1D -> ND or ND -> 1D");
    for (int i = 0; i < m->b.ndim; i++)
        if (m->b.shape[i] == 0 && (m->b.ndim > 1 || args[2] != V_NULL))
            return ou_raise(vm, E_TYPE, "memoryview: cannot cast view with zeros in shape or strides");
    const char *f = as_str(args[1])->data;
    if (*f == '@')
        f++;
    if (!f[0] || f[1] || !ou_item_size(f[0]))
        return ou_raise(vm, E_VALUE,
                        "memoryview: destination format must be a native single character format prefixed with an optional '@'");
    bool from_bytes = strchr("Bbc", m->format[0]) != NULL, to_byte = strchr("Bbc", f[0]) != NULL;
    if (!from_bytes && !to_byte)
        return ou_raise(vm, E_TYPE, "memoryview: cannot cast between two non-byte formats");
    Buffer b = m->b;
    b.itemsize = ou_item_size(f[0]);
    if (b.n % b.itemsize)
        return ou_raise(vm, E_TYPE, "memoryview: length is not a multiple of itemsize");
    b.ndim = 1;
    b.shape[0] = b.n / b.itemsize;
    b.strides[0] = b.itemsize;
    if (args[2] != V_NULL && !cast_shape(vm, &b, args[2]))
        return V_NULL;
    MemoryView *r = copy_view(vm, &b, f);
    return r ? v_of(r) : V_NULL;
}

static Value memoryview_from_flags(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_memoryview_new(vm, args[1]);
}

static const NativeDef memoryview_methods[] = {
    {"tobytes(order='C')", memoryview_tobytes, "Return the data in the buffer as a byte string.", 0},
    {"tolist()", memoryview_tolist, "Return the data in the buffer as a list of elements.", 0},
    {"hex(sep=None, bytes_per_sep=1)", memoryview_hex, "Return the data in the buffer as a str of hexadecimal numbers.", 0},
    {"toreadonly()", memoryview_toreadonly, "Return a readonly version of the memoryview.", 0},
    {"release()", memoryview_release, "Release the underlying buffer exposed by the memoryview object.", 0},
    {"cast(format, shape=None)", memoryview_cast, "Cast a memoryview to a new format or shape.", 0},
    {"_from_flags(object, flags, /)", memoryview_from_flags, NULL, ND_CLASS},
    {"__enter__()", memoryview_enter, NULL, 0},
    {"__exit__(*args)", memoryview_exit, NULL, 0},
    {0}};

static Value sizes(VM *vm, const int64_t *from, int n)
{
    Value v[8];
    for (int i = 0; i < n; i++)
        v[i] = v_smallint(from[i]);
    return ou_tuple_of(vm, v, (size_t)n);
}

#define GETTER(name, result)                                                                                                      \
    static Value memoryview_##name(VM *vm, Value self)                                                                            \
    {                                                                                                                             \
        MemoryView *m = live(vm, self);                                                                                           \
        return m ? (result) : V_NULL;                                                                                             \
    }
GETTER(obj, retain(m->b.owner))
GETTER(nbytes, v_smallint(m->b.n))
GETTER(readonly, v_bool(m->b.readonly))
GETTER(itemsize, v_smallint(m->b.itemsize))
GETTER(format_, ou_str_c(vm, m->format))
GETTER(ndim, v_smallint(m->b.ndim))
GETTER(shape, sizes(vm, m->b.shape, m->b.ndim))
GETTER(strides, sizes(vm, m->b.strides, m->b.ndim))
GETTER(suboffsets, sizes(vm, m->b.shape, 0))
GETTER(c_contiguous, v_bool(is_contiguous(&m->b, false)))
GETTER(f_contiguous, v_bool(is_contiguous(&m->b, true)))
GETTER(contiguous, v_bool(is_contiguous(&m->b, false) || is_contiguous(&m->b, true)))

static const GetSetDef memoryview_getset[] = {
    {"obj", memoryview_obj, NULL, "The underlying object of the memoryview."},
    {"nbytes", memoryview_nbytes, NULL, "The amount of space in bytes that the array would use in a contiguous representation."},
    {"readonly", memoryview_readonly, NULL, "A bool indicating whether the memory is read only."},
    {"itemsize", memoryview_itemsize, NULL, "The size in bytes of each element of the memoryview."},
    {"format", memoryview_format_, NULL, "A string containing the format (in struct module style) for each element."},
    {"ndim", memoryview_ndim, NULL, "An integer indicating how many dimensions the memory represents."},
    {"shape", memoryview_shape, NULL, "A tuple giving the shape of the memory as an N-dimensional array."},
    {"strides", memoryview_strides, NULL, "A tuple giving the step in bytes for each dimension."},
    {"suboffsets", memoryview_suboffsets, NULL, "A tuple of integers used internally for PIL-style arrays."},
    {"c_contiguous", memoryview_c_contiguous, NULL, "A bool indicating whether the memory is C contiguous."},
    {"f_contiguous", memoryview_f_contiguous, NULL, "A bool indicating whether the memory is Fortran contiguous."},
    {"contiguous", memoryview_contiguous, NULL, "A bool indicating whether the memory is contiguous."},
    {0}};

/* ---- iteration --------------------------------------------------------------------------------------------------------------------------------------- */

static Value memoryview_iter(VM *vm, Value self)
{
    MemoryView *m = live(vm, self);
    if (!m)
        return V_NULL;
    if (m->b.ndim == 0)
        return ou_raise(vm, E_TYPE, "invalid indexing of 0-dim memory");
    if (m->b.ndim != 1)
        return ou_raise(vm, E_NOT_IMPLEMENTED, "multi-dimensional sub-views are not implemented");
    return ou_seqiter_new(vm, T_MEMORYVIEW_ITER, self, 0);
}

static Value memoryview_iter_next(VM *vm, Value self)
{
    SeqIter *it = (SeqIter *)v_obj(self);
    if (it->seq == V_NULL)
        return V_NULL;
    MemoryView *m = live(vm, it->seq);
    if (!m)
        return V_NULL;
    if (it->index < m->b.shape[0])
        return ou_item_load(vm, m->format[0], m->b.p + it->index++ * m->b.strides[0]);
    Value seq = it->seq;
    it->seq = V_NULL;
    release(vm, seq);
    return V_NULL;
}

const TypeDef ou_type_memoryview_iter = {
    .name = "memory_iterator",
    .size = sizeof(SeqIter),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = ou_seqiter_dealloc, .traverse = ou_seqiter_traverse, .iter = ou_iter_self, .next = memoryview_iter_next},
};

const TypeDef ou_type_memoryview = {
    .name = "memoryview",
    .size = sizeof(MemoryView),
    .flags = TF_GC | TF_SEQUENCE | TF_WEAKREF,
    .slots = {.make = memoryview_make,
              .dealloc = memoryview_dealloc,
              .traverse = memoryview_traverse,
              .repr = memoryview_repr,
              .hash = memoryview_hash,
              .compare = memoryview_compare,
              .iter = memoryview_iter,
              .len = memoryview_len,
              .getitem = memoryview_getitem,
              .setitem = memoryview_setitem,
              .buffer = memoryview_buffer},
    .methods = memoryview_methods,
    .getset = memoryview_getset,
    .doc = "Create a new memoryview object which references the given object.",
    .new_sig = "(object)",
};
