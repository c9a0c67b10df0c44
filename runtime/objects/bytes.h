/* bytes, bytearray, memoryview and the buffer they share. May be included by objects/ and above.
 * A Buffer pins its owner: a bytearray with exports refuses to change its size. */
#ifndef OU_BYTES_H
#define OU_BYTES_H

#include "runtime/objects/object.h"

typedef struct Bytes {
    Obj h;
    uint32_t n;
    bool hashed;
    int64_t hash;
    uint8_t data[]; /* NUL-terminated */
} Bytes;
typedef struct ByteArray {
    Obj h;
    uint32_t n, cap, exports;
    uint8_t *data, *start; /* start: the block (data may have moved forward by deletes at the front) */
} ByteArray;
struct Buffer {
    uint8_t *p;
    int64_t n;          /* bytes */
    Value owner;        /* owned */
    bool readonly;
    const char *format; /* struct format of one item, "B" for bytes; lives as long as the owner */
    int itemsize;
    int ndim;           /* 1 unless a cast memoryview */
    int64_t shape[8], strides[8];
};
typedef struct MemoryView {
    Obj h;
    Buffer b;
    bool released;
    uint32_t exports;
    char format[4];
} MemoryView;

static inline Bytes *as_bytes(Value v) { return (Bytes *)v_obj(v); }
Value ou_bytes_new(VM *vm, const void *p, size_t n);       /* p NULL: to be filled */
Value ou_bytearray_new(VM *vm, const void *p, size_t n);
/* Any bytes-like object. TypeError "a bytes-like object is required, not 'X'" otherwise. */
bool ou_buffer_get(VM *vm, Value v, Buffer *out, bool writable);
void ou_buffer_release(VM *vm, Buffer *b);
int64_t ou_hash_bytes(VM *vm, const void *p, size_t n);    /* hash of a bytes object with that content */
/* One item in native byte order, format is one of "bBhHiIlLqQnNefd?cP" (struct.c's letters). load: owned; store: false raised. */
int ou_item_size(char format);                             /* 0: no such format */
Value ou_item_load(VM *vm, char format, const uint8_t *p);
bool ou_item_store(VM *vm, char format, uint8_t *p, Value v);
double ou_half_load(uint16_t h);
bool ou_half_store(double d, uint16_t *out);               /* false: too large, nothing raised */
Value ou_memoryview_new(VM *vm, Value o);

#endif
