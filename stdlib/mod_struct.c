/* The module _struct: packing values into bytes and back (the module struct only renames it).
 * Entry points: ou_mod__struct. The one thing to know: a format is compiled once into rows of (code, count, offset); sizes and
 * alignment are settled there, so packing and unpacking just walk over the rows. */
#include <math.h>

#include "runtime/objects/bytes.h"
#include "runtime/objects/containers_impl.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

enum { CACHE_MAX = 100 };

typedef struct Field {
    char code;
    uint8_t size;    /* of one item; 's' and 'p': 1 */
    int64_t count;   /* items; 's' and 'p': bytes of the one item */
    int64_t offset;
} Field;

typedef struct Struct {
    Obj h;
    Value format;     /* str */
    int64_t size, nitems;
    uint32_t nfields, cap;
    Field *fields;
    bool little, native; /* native: '@' */
} Struct;

typedef struct UnpackIter {
    Obj h;
    Struct *s;
    Buffer b;
    int64_t at;
} UnpackIter;

typedef struct StructState {
    Value keep;   /* list of the types, the cache, the error class */
    Type *struct_type, *iter_type;
    Value cache, error;
} StructState;

static StructState *state_of(VM *vm) { return ou_module_record(vm, MOD__struct, sizeof(StructState)); }

static Value fail(VM *vm, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    Value msg = ou_str_vformat(vm, fmt, ap), exc = V_NULL;
    va_end(ap);
    StructState *st = state_of(vm);
    if (msg != V_NULL && st)
        exc = ou_call1(vm, st->error, msg);
    xrelease(vm, msg);
    if (exc != V_NULL) {
        ou_raise_value(vm, exc);
        release(vm, exc);
    }
    return V_NULL;
}

/* ---- compiling a format ---------------------------------------------------------------------------------------------------------- */

static int standard_size(char c, bool native)
{
    switch (c) {
    case 'x': case 'c': case 'b': case 'B': case '?': case 's': case 'p':
        return 1;
    case 'h': case 'H': case 'e':
        return 2;
    case 'i': case 'I': case 'f':
        return 4;
    case 'l': case 'L':
        return native ? (int)sizeof(long) : 4;
    case 'q': case 'Q': case 'd':
        return 8;
    case 'n': case 'N': case 'P':
        return native ? (int)sizeof(size_t) : 0;
    default:
        return 0;
    }
}

static bool add_field(VM *vm, Struct *s, Field f)
{
    if (s->nfields == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 4;
        Field *p = ou_realloc(&vm->heap, s->fields, s->cap * sizeof *p, cap * sizeof *p);
        if (!p) {
            ou_raise_memory(vm);
            return false;
        }
        s->fields = p;
        s->cap = cap;
    }
    s->fields[s->nfields++] = f;
    return true;
}

static bool compile(VM *vm, Struct *s, const char *p)
{
    s->native = true;
    s->little = true; /* of the machine: native formats are packed byte by byte like the others */
    switch (*p) {
    case '>': case '!':
        s->little = false;
        s->native = false;
        p++;
        break;
    case '<': case '=':
        s->native = false;
        p++;
        break;
    case '@':
        p++;
        break;
    default:
        break;
    }
    const int64_t max = INT64_MAX / 2;
    for (; *p; p++) {
        if (*p == ' ' || (*p >= 9 && *p <= 13))
            continue;
        int64_t count = 1;
        bool given = false;
        for (; *p >= '0' && *p <= '9'; p++) {
            count = given ? count * 10 + (*p - '0') : *p - '0';
            given = true;
            if (count > max / 16)
                return fail(vm, "total struct size too long");
        }
        if (given && !*p)
            return fail(vm, "repeat count given without format specifier");
        int size = standard_size(*p, s->native);
        if (!size)
            return fail(vm, "bad char in struct format");
        if (s->native && size > 1)
            s->size = (s->size + size - 1) / size * size;
        if (count > (max - s->size) / size)
            return fail(vm, "total struct size too long");
        bool text = *p == 's' || *p == 'p';
        if (*p != 'x' && (count || text) && !add_field(vm, s, (Field){*p, (uint8_t)size, count, s->size}))
            return false;
        s->nitems += *p == 'x' ? 0 : text ? 1 : count;
        s->size += count * size;
    }
    return true;
}

static bool struct_set(VM *vm, Struct *s, Value format)
{
    Value text;
    if (ou_is_a(vm, format, T_STR)) {
        Value bytes = ou_str_encode(vm, format, "ascii", NULL); /* for the error */
        if (bytes == V_NULL)
            return false;
        release(vm, bytes);
        text = ou_str_exact(vm, format);
    } else if (ou_is_a(vm, format, T_BYTES)) {
        text = ou_str_decode(vm, (const char *)as_bytes(format)->data, as_bytes(format)->n, "latin-1", NULL);
    } else {
        ou_raise(vm, E_TYPE, "Struct() argument 1 must be a str or bytes object, not %T", format);
        return false;
    }
    if (text == V_NULL)
        return false;
    if (strlen(as_str(text)->data) != as_str(text)->size) {
        release(vm, text);
        fail(vm, "embedded null character");
        return false;
    }
    s->size = s->nitems = s->nfields = 0;
    set_owned(vm, &s->format, text);
    if (compile(vm, s, as_str(text)->data))
        return true;
    s->size = s->nitems = -1;
    return false;
}

/* An instance of a subclass gets its format from __init__, which may not pass on what the class was called with. */
static Value struct_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[1];
    bool later = cls->flags & TF_HEAP;
    if (!later && !ou_bind(vm, "Struct(format)", args, n, kwnames, a))
        return V_NULL;
    Struct *s = ou_new(vm, cls, 0);
    if (!s)
        return V_NULL;
    s->format = retain(vm->empty_str);
    s->size = s->nitems = -1;
    if (later || struct_set(vm, s, a[0]))
        return v_of(s);
    obj_release(vm, s);
    return V_NULL;
}

/* Only the first time: a method may be at work with the fields. */
static int struct_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[1];
    Struct *s = (Struct *)v_obj(self);
    if (!ou_bind(vm, "Struct(format)", args, n, kwnames, a))
        return -1;
    return s->size >= 0 || struct_set(vm, s, a[0]) ? 0 : -1;
}

static void struct_dealloc(VM *vm, Obj *o)
{
    Struct *s = (Struct *)o;
    if (s->fields)
        ou_free(&vm->heap, s->fields, s->cap * sizeof *s->fields);
    xrelease(vm, s->format);
    ou_finish_dealloc(vm, o, 0);
}

static Value struct_repr(VM *vm, Value self) { return ou_str_format(vm, "Struct(%R)", ((Struct *)v_obj(self))->format); }

/* ---- one item -------------------------------------------------------------------------------------------------------------------------- */

static void put_bytes(uint8_t *d, uint64_t v, int size, bool little)
{
    for (int i = 0; i < size; i++)
        d[little ? i : size - 1 - i] = (uint8_t)(v >> 8 * i);
}

static uint64_t get_bytes(const uint8_t *p, int size, bool little)
{
    uint64_t v = 0;
    for (int i = 0; i < size; i++)
        v |= (uint64_t)p[little ? i : size - 1 - i] << 8 * i;
    return v;
}

static bool out_of_range(VM *vm, char c, int size, bool is_signed)
{
    if (is_signed) {
        int64_t max = size == 8 ? INT64_MAX : ((int64_t)1 << (8 * size - 1)) - 1;
        fail(vm, "'%c' format requires %ld <= number <= %ld", c, -max - 1, max);
    } else {
        uint64_t max = size == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * size) - 1;
        fail(vm, "'%c' format requires 0 <= number <= %zu", c, (size_t)max);
    }
    return false;
}

static bool pack_int(VM *vm, const Struct *s, const Field *f, uint8_t *d, Value v)
{
    bool is_signed = strchr("bhilqn", f->code) != NULL;
    int64_t i;
    Value index = V_NULL;
    if (is_small(v)) {
        i = v_small(v);
    } else {
        if (!is_bool(v) && !ou_type_of(vm, v)->slots.to_index) {
            fail(vm, "required argument is not an integer");
            return false;
        }
        index = ou_index(vm, v);
        if (index == V_NULL)
            return false;
        if (!ou_int_fits_i64(vm, index, &i)) {
            uint8_t raw[8];
            bool ok = !is_signed && f->size == 8 && ou_int_to_bytes(vm, index, raw, 8, true, false);
            release(vm, index);
            if (!ok) {
                ou_exc_clear(vm);
                if (f->code == 'P')
                    fail(vm, "int too large to convert");
                else
                    out_of_range(vm, f->code, f->size, is_signed);
                return false;
            }
            put_bytes(d, get_bytes(raw, 8, true), 8, s->little);
            return true;
        }
        release(vm, index);
    }
    int bits = 8 * f->size;
    bool fits = is_signed ? bits == 64 || (i >= -((int64_t)1 << (bits - 1)) && i < (int64_t)1 << (bits - 1))
                          : (i >= 0 || f->code == 'P') && (bits == 64 || i < (int64_t)1 << bits);
    if (!fits)
        return out_of_range(vm, f->code, f->size, is_signed);
    put_bytes(d, (uint64_t)i, f->size, s->little);
    return true;
}

static bool pack_float(VM *vm, const Struct *s, const Field *f, uint8_t *d, Value v)
{
    double x;
    if (!ou_to_double(vm, v, &x)) {
        if (ou_exc_matches(vm, E_TYPE)) {
            ou_exc_clear(vm);
            fail(vm, "required argument is not a float");
        }
        return false;
    }
    if (isnan(x)) x = copysign((double)NAN, x); /* what tells nans apart inside stays inside */
    uint64_t bits = 0;
    if (f->code == 'd') {
        memcpy(&bits, &x, 8);
    } else if (f->code == 'f') {
        float y = (float)x;
        uint32_t b;
        if (isinf(y) && !isinf(x) && !s->native) {
            ou_raise(vm, E_OVERFLOW, "float too large to pack with f format");
            return false;
        }
        memcpy(&b, &y, 4);
        bits = b;
    } else {
        uint16_t h;
        if (!ou_half_store(x, &h)) {
            ou_raise(vm, E_OVERFLOW, "float too large to pack with e format");
            return false;
        }
        bits = h;
    }
    put_bytes(d, bits, f->size, s->little);
    return true;
}

static bool pack_text(VM *vm, const Field *f, uint8_t *d, Value v)
{
    bool array = ou_is_a(vm, v, T_BYTEARRAY);
    if (!array && !ou_is_a(vm, v, T_BYTES)) {
        fail(vm, "argument for '%c' must be a bytes object", f->code);
        return false;
    }
    const uint8_t *p = array ? ((ByteArray *)v_obj(v))->data : as_bytes(v)->data;
    int64_t n = array ? ((ByteArray *)v_obj(v))->n : as_bytes(v)->n, room = f->count;
    if (f->code == 'p') {
        if (room == 0)
            return true;
        room--;
        if (n > room)
            n = room;
        *d++ = (uint8_t)(n > 255 ? 255 : n);
    }
    memcpy(d, p, (size_t)(n < room ? n : room)); /* the rest is zero already */
    return true;
}

static bool pack_item(VM *vm, const Struct *s, const Field *f, uint8_t *d, Value v)
{
    switch (f->code) {
    case 'c': {
        bool array = ou_is_a(vm, v, T_BYTEARRAY);
        if ((!array && !ou_is_a(vm, v, T_BYTES)) || (array ? ((ByteArray *)v_obj(v))->n : as_bytes(v)->n) != 1) {
            fail(vm, "char format requires a bytes object of length 1");
            return false;
        }
        *d = array ? ((ByteArray *)v_obj(v))->data[0] : as_bytes(v)->data[0];
        return true;
    }
    case '?': {
        int t = ou_truth(vm, v);
        *d = t > 0;
        return t >= 0;
    }
    case 'e': case 'f': case 'd':
        return pack_float(vm, s, f, d, v);
    case 's': case 'p':
        return pack_text(vm, f, d, v);
    default:
        return pack_int(vm, s, f, d, v);
    }
}

static Value unpack_item(VM *vm, const Struct *s, const Field *f, const uint8_t *p)
{
    switch (f->code) {
    case 'c':
        return ou_bytes_new(vm, p, 1);
    case '?':
        return v_bool(*p != 0);
    case 's':
        return ou_bytes_new(vm, p, (size_t)f->count);
    case 'p': {
        int64_t n = f->count ? *p : 0;
        if (n > f->count - 1)
            n = f->count ? f->count - 1 : 0;
        return ou_bytes_new(vm, p + 1, (size_t)n);
    }
    default:
        break;
    }
    uint64_t v = get_bytes(p, f->size, s->little);
    switch (f->code) {
    case 'd': {
        double x;
        memcpy(&x, &v, 8);
        return v_float(x);
    }
    case 'f': {
        uint32_t b = (uint32_t)v;
        float x;
        memcpy(&x, &b, 4);
        return v_float((double)x);
    }
    case 'e':
        return v_float(ou_half_load((uint16_t)v));
    case 'b': case 'h': case 'i': case 'l': case 'q': case 'n': {
        int shift = 64 - 8 * f->size;
        return ou_int(vm, (int64_t)(v << shift) >> shift);
    }
    default:
        return ou_int_u64(vm, v);
    }
}

/* ---- whole structs -------------------------------------------------------------------------------------------------------------------------- */

static bool pack_all(VM *vm, const Struct *s, uint8_t *d, const Value *items)
{
    memset(d, 0, (size_t)s->size);
    for (uint32_t i = 0; i < s->nfields; i++) {
        const Field *f = &s->fields[i];
        int64_t times = f->code == 's' || f->code == 'p' ? 1 : f->count;
        for (int64_t k = 0; k < times; k++)
            if (!pack_item(vm, s, f, d + f->offset + k * f->size, *items++)) {
                if (ou_is_intlike(vm, items[-1]) && ou_exc_matches(vm, E_OVERFLOW)) {
                    ou_exc_clear(vm);
                    fail(vm, "int too large to convert");
                }
                return false;
            }
    }
    return true;
}

static Value unpack_all(VM *vm, const Struct *s, const uint8_t *p)
{
    Value t = ou_tuple_new(vm, (size_t)s->nitems);
    uint32_t at = 0;
    for (uint32_t i = 0; t != V_NULL && i < s->nfields; i++) {
        const Field *f = &s->fields[i];
        int64_t times = f->code == 's' || f->code == 'p' ? 1 : f->count;
        for (int64_t k = 0; k < times; k++) {
            Value v = unpack_item(vm, s, f, p + f->offset + k * f->size);
            if (v == V_NULL) {
                release(vm, t);
                return V_NULL;
            }
            as_tuple(t)->items[at++] = v;
        }
    }
    return t;
}

static Value pack_with(VM *vm, Struct *s, const Value *items, int64_t n)
{
    if (n != s->nitems)
        return fail(vm, "pack expected %ld items for packing (got %ld)", s->nitems, n);
    if (s->size > UINT32_MAX - 64)
        return ou_raise_memory(vm);
    Value r = ou_bytes_new(vm, NULL, (size_t)s->size);
    if (r != V_NULL && !pack_all(vm, s, as_bytes(r)->data, items)) {
        release(vm, r);
        return V_NULL;
    }
    return r;
}

/* Settles an offset against a buffer of n bytes. */
static bool settle(VM *vm, const Struct *s, int64_t *offset, int64_t n, bool packing)
{
    int64_t given = *offset;
    if (*offset < 0) {
        if (*offset + s->size > 0) {
            fail(vm, packing ? "no space to pack %ld bytes at offset %ld" : "not enough data to unpack %ld bytes at offset %ld", s->size,
                 given);
            return false;
        }
        if (*offset + n < 0) {
            fail(vm, "offset %ld out of range for %ld-byte buffer", given, n);
            return false;
        }
        *offset += n;
    }
    if (n - *offset < s->size) {
        fail(vm, packing ? "pack_into requires a buffer of at least %zu bytes for packing %ld bytes at offset %ld (actual buffer size is %ld)"
                         : "unpack_from requires a buffer of at least %zu bytes for unpacking %ld bytes at offset %ld (actual buffer size is %ld)",
             (size_t)s->size + (size_t)*offset, s->size, *offset, n);
        return false;
    }
    return true;
}

static Value pack_into_with(VM *vm, Struct *s, const Value *args, int64_t n) /* buffer, offset, items... */
{
    int64_t offset;
    if (n < 1)
        return fail(vm, "pack_into expected buffer argument");
    if (n < 2)
        return fail(vm, "pack_into expected offset argument");
    if (n - 2 != s->nitems)
        return fail(vm, "pack_into expected %ld items for packing (got %ld)", s->nitems, n - 2);
    Buffer b;
    if (!ou_type_of(vm, args[0])->slots.buffer)
        return ou_raise(vm, E_TYPE, "argument must be read-write bytes-like object, not %K", args[0]);
    if (!ou_buffer_get(vm, args[0], &b, false))
        return V_NULL;
    Value r = V_NULL;
    if (b.readonly)
        ou_raise(vm, E_TYPE, "argument must be read-write bytes-like object, not %K", args[0]);
    else if (ou_index_i64(vm, args[1], &offset) && settle(vm, s, &offset, b.n, true) && pack_all(vm, s, b.p + offset, args + 2))
        r = V_NONE;
    ou_buffer_release(vm, &b);
    return r;
}

static Value unpack_with(VM *vm, Struct *s, Value buffer)
{
    Buffer b;
    if (!ou_buffer_get(vm, buffer, &b, false))
        return V_NULL;
    Value r = b.n == s->size ? unpack_all(vm, s, b.p) : fail(vm, "unpack requires a buffer of %ld bytes", s->size);
    ou_buffer_release(vm, &b);
    return r;
}

static Value unpack_from_with(VM *vm, Struct *s, Value buffer, Value offset)
{
    int64_t at = 0;
    Buffer b;
    if (offset != V_NULL && !ou_index_i64(vm, offset, &at))
        return V_NULL;
    if (!ou_buffer_get(vm, buffer, &b, false))
        return V_NULL;
    Value r = s->size < 0 ? fail(vm, "Struct object is not initialized") : settle(vm, s, &at, b.n, false) ? unpack_all(vm, s, b.p + at) : V_NULL;
    ou_buffer_release(vm, &b);
    return r;
}

static Value iter_unpack_with(VM *vm, Struct *s, Value buffer)
{
    if (s->size <= 0)
        return fail(vm, "cannot iteratively unpack with a struct of length 0");
    StructState *st = state_of(vm);
    UnpackIter *it = st ? ou_new(vm, st->iter_type, 0) : NULL;
    if (!it)
        return V_NULL;
    it->s = obj_retain(s);
    if (!ou_buffer_get(vm, buffer, &it->b, false)) {
        obj_release(vm, it);
        return V_NULL;
    }
    if (it->b.n % s->size) {
        obj_release(vm, it);
        return fail(vm, "iterative unpacking requires a buffer of a multiple of %ld bytes", s->size);
    }
    return v_of(it);
}

static Value iter_next(VM *vm, Value self)
{
    UnpackIter *it = (UnpackIter *)v_obj(self);
    if (it->at >= it->b.n)
        return V_NULL;
    Value v = unpack_all(vm, it->s, it->b.p + it->at);
    it->at += it->s->size;
    return v;
}

static Value iter_hint(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    UnpackIter *it = (UnpackIter *)v_obj(args[0]);
    return v_smallint((it->b.n - it->at) / it->s->size);
}

static void iter_dealloc(VM *vm, Obj *o)
{
    UnpackIter *it = (UnpackIter *)o;
    ou_buffer_release(vm, &it->b);
    if (it->s)
        obj_release(vm, it->s);
    ou_finish_dealloc(vm, o, 0);
}

/* ---- methods and functions -------------------------------------------------------------------------------------------------------------------- */

static Struct *as_struct(Value v) { return (Struct *)v_obj(v); }

static Value struct_pack(VM *vm, const Value *args, int n)
{
    (void)n;
    return pack_with(vm, as_struct(args[0]), as_tuple(args[1])->items, as_tuple(args[1])->n);
}
static Value struct_pack_into(VM *vm, const Value *args, int n)
{
    (void)n;
    return pack_into_with(vm, as_struct(args[0]), as_tuple(args[1])->items, as_tuple(args[1])->n);
}
static Value struct_unpack(VM *vm, const Value *args, int n)
{
    (void)n;
    return unpack_with(vm, as_struct(args[0]), args[1]);
}
static Value struct_unpack_from(VM *vm, const Value *args, int n)
{
    (void)n;
    return unpack_from_with(vm, as_struct(args[0]), args[1], args[2]);
}
static Value struct_iter_unpack(VM *vm, const Value *args, int n)
{
    (void)n;
    return iter_unpack_with(vm, as_struct(args[0]), args[1]);
}
static Value struct_get_format(VM *vm, Value self)
{
    (void)vm;
    return retain(as_struct(self)->format);
}
static Value struct_get_size(VM *vm, Value self)
{
    (void)vm;
    return ou_int(vm, as_struct(self)->size);
}

static const NativeDef struct_methods[] = {
    {"pack(*args)", struct_pack, "Return a bytes object containing values packed according to the format string.", 0},
    {"pack_into(*args)", struct_pack_into, "Pack the values according to the format string and write the packed bytes into a writable buffer.", 0},
    {"unpack(buffer, /)", struct_unpack, "Return a tuple containing unpacked values.", 0},
    {"unpack_from(buffer, offset=0)", struct_unpack_from, "Return a tuple containing unpacked values, starting at offset.", 0},
    {"iter_unpack(buffer, /)", struct_iter_unpack, "Return an iterator yielding tuples.", 0},
    {0}};
static const GetSetDef struct_getset[] = {{"format", struct_get_format, NULL, "struct format string"},
                                          {"size", struct_get_size, NULL, "struct size in bytes"},
                                          {0}};
static const TypeDef struct_def = {.name = "_struct.Struct", .size = sizeof(Struct), .flags = TF_BASE | TF_WEAKREF,
                                   .slots = {.make = struct_make, .init = struct_init, .dealloc = struct_dealloc, .repr = struct_repr},
                                   .methods = struct_methods, .getset = struct_getset,
                                   .doc = "Create a compiled struct object.", .new_sig = "(format)"};
static const NativeDef iter_methods[] = {{"__length_hint__()", iter_hint, NULL, 0}, {0}};
static const TypeDef iter_def = {.name = "_struct.unpack_iterator", .size = sizeof(UnpackIter), .flags = TF_NO_NEW,
                                 .slots = {.dealloc = iter_dealloc, .iter = ou_iter_self, .next = iter_next}, .methods = iter_methods};

/* The compiled form of a format, owned, through the cache. */
static Struct *compiled(VM *vm, Value format)
{
    StructState *st = state_of(vm);
    if (!st)
        return NULL;
    if (ou_type_of(vm, format) == st->struct_type)
        return obj_retain(as_struct(format));
    Value s = V_NULL;
    bool cacheable = is_str(format) || is_exact(format, T_BYTES);
    if (cacheable)
        s = ou_dict_get(vm, as_dict(st->cache), format);
    if (s != V_NULL)
        return obj_retain(as_struct(s));
    if (vm->exc != V_NULL)
        return NULL;
    s = struct_make(vm, st->struct_type, &format, 1, NULL);
    if (s == V_NULL)
        return NULL;
    if (as_dict(st->cache)->n >= CACHE_MAX)
        ou_dict_clear(vm, as_dict(st->cache));
    if (cacheable && !ou_dict_set(vm, as_dict(st->cache), format, s)) {
        release(vm, s);
        return NULL;
    }
    return as_struct(s);
}

static Value mod_pack(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *t = as_tuple(args[0]);
    if (t->n == 0)
        return ou_raise(vm, E_TYPE, "missing format argument");
    Struct *s = compiled(vm, t->items[0]);
    if (!s)
        return V_NULL;
    Value r = pack_with(vm, s, t->items + 1, (int64_t)t->n - 1);
    obj_release(vm, s);
    return r;
}

static Value mod_pack_into(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *t = as_tuple(args[0]);
    if (t->n == 0)
        return ou_raise(vm, E_TYPE, "missing format argument");
    Struct *s = compiled(vm, t->items[0]);
    if (!s)
        return V_NULL;
    Value r = pack_into_with(vm, s, t->items + 1, (int64_t)t->n - 1);
    obj_release(vm, s);
    return r;
}

#define WITH_FORMAT(name, call)                                                                                                     \
    static Value mod_##name(VM *vm, const Value *args, int n)                                                                       \
    {                                                                                                                               \
        (void)n;                                                                                                                    \
        Struct *s = compiled(vm, args[0]);                                                                                          \
        if (!s)                                                                                                                     \
            return V_NULL;                                                                                                          \
        Value r = call;                                                                                                             \
        obj_release(vm, s);                                                                                                         \
        return r;                                                                                                                   \
    }
WITH_FORMAT(unpack, unpack_with(vm, s, args[1]))
WITH_FORMAT(unpack_from, unpack_from_with(vm, s, args[1], args[2]))
WITH_FORMAT(iter_unpack, iter_unpack_with(vm, s, args[1]))
WITH_FORMAT(calcsize, ou_int(vm, s->size))

static Value mod_clearcache(VM *vm, const Value *args, int n)
{
    (void)args, (void)n;
    StructState *st = state_of(vm);
    if (st)
        ou_dict_clear(vm, as_dict(st->cache));
    return V_NONE;
}

static const NativeDef struct_defs[] = {
    {"pack(*args)", mod_pack, "Return a bytes object containing the values packed according to the format string.", 0},
    {"pack_into(*args)", mod_pack_into, "Pack the values according to the format string and write the packed bytes into the writable buffer.", 0},
    {"unpack(format, buffer, /)", mod_unpack, "Return a tuple containing values unpacked according to the format string.", 0},
    {"unpack_from(format, /, buffer, offset=0)", mod_unpack_from, "Return a tuple containing values unpacked according to the format string, starting at offset.", 0},
    {"iter_unpack(format, buffer, /)", mod_iter_unpack, "Return an iterator yielding tuples unpacked from the given bytes source.", 0},
    {"calcsize(format, /)", mod_calcsize, "Return size in bytes of the struct described by the format string.", 0},
    {"_clearcache()", mod_clearcache, "Clear the internal cache.", 0},
    {0}};

bool ou_mod__struct(VM *vm, Module *m)
{
    StructState *st = state_of(vm);
    if (!st)
        return false;
    if (st->keep == V_NULL) {
        Value keep = ou_list_new(vm, 4), cache = ou_dict_new(vm);
        if (keep == V_NULL || cache == V_NULL || !ou_list_append_take(vm, as_list(keep), cache)) {
            if (keep == V_NULL) xrelease(vm, cache); /* else the list has taken it */
            xrelease(vm, keep);
            return false;
        }
        st->keep = keep;
        st->cache = cache;
        Value err = ou_error_class(vm, "struct.error", E_EXCEPTION);
        if (err == V_NULL || !ou_list_append_take(vm, as_list(keep), err))
            return false;
        st->error = err;
        st->iter_type = ou_module_type(vm, m, &iter_def, NULL);
        if (!st->iter_type || !ou_list_append(vm, as_list(keep), v_of(st->iter_type)))
            return false;
        st->struct_type = ou_module_type(vm, m, &struct_def, NULL);
        if (!st->struct_type || !ou_list_append(vm, as_list(keep), v_of(st->struct_type)))
            return false;
    }
    return ou_module_set(vm, m, "error", st->error) && ou_module_set(vm, m, "Struct", v_of(st->struct_type)) &&
           ou_module_add(vm, m, struct_defs);
}
