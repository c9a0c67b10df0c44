/* _random: the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), seeded and read as CPython does, so that a seed gives
 * the same sequence. The random module is a script on top of it. */
#include <time.h>
#if defined(__linux__)
#include <sys/random.h>
#endif

#include "runtime/objects/numbers_impl.h"
#include "runtime/objects/containers_impl.h"
#include "stdlib/stdlib.h"

enum { N = 624, M = 397 };

typedef struct Random {
    Obj h;
    uint32_t index;
    uint32_t state[N];
} Random;

static Random *as_random(Value v) { return (Random *)v_obj(v); }

static uint32_t next32(Random *r)
{
    uint32_t *mt = r->state, y;
    if (r->index >= N) {
        static const uint32_t mag[2] = {0, 0x9908b0dfu};
        int k = 0;
        for (; k < N - M; k++) {
            y = (mt[k] & 0x80000000u) | (mt[k + 1] & 0x7fffffffu);
            mt[k] = mt[k + M] ^ (y >> 1) ^ mag[y & 1];
        }
        for (; k < N - 1; k++) {
            y = (mt[k] & 0x80000000u) | (mt[k + 1] & 0x7fffffffu);
            mt[k] = mt[k + (M - N)] ^ (y >> 1) ^ mag[y & 1];
        }
        y = (mt[N - 1] & 0x80000000u) | (mt[0] & 0x7fffffffu);
        mt[N - 1] = mt[M - 1] ^ (y >> 1) ^ mag[y & 1];
        r->index = 0;
    }
    y = mt[r->index++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

static void seed_word(Random *r, uint32_t s)
{
    r->state[0] = s;
    for (uint32_t i = 1; i < N; i++) r->state[i] = 1812433253u * (r->state[i - 1] ^ r->state[i - 1] >> 30) + i;
    r->index = N;
}

static void seed_words(Random *r, const uint32_t *key, size_t n)
{
    uint32_t *mt = r->state;
    seed_word(r, 19650218u);
    size_t i = 1, j = 0;
    for (size_t k = N > n ? N : n; k; k--) {
        mt[i] = (mt[i] ^ (mt[i - 1] ^ mt[i - 1] >> 30) * 1664525u) + key[j] + (uint32_t)j;
        if (++i >= N) {
            mt[0] = mt[N - 1];
            i = 1;
        }
        if (++j >= n) j = 0;
    }
    for (size_t k = N - 1; k; k--) {
        mt[i] = (mt[i] ^ (mt[i - 1] ^ mt[i - 1] >> 30) * 1566083941u) - (uint32_t)i;
        if (++i >= N) {
            mt[0] = mt[N - 1];
            i = 1;
        }
    }
    mt[0] = 0x80000000u;
}

static void seed_from_system(VM *vm, Random *r)
{
    uint32_t words[N];
#if defined(__linux__)
    if (getrandom(words, sizeof words, GRND_NONBLOCK) == (ssize_t)sizeof words) {
        seed_words(r, words, N);
        return;
    }
#endif
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    words[0] = (uint32_t)now.tv_nsec;
    words[1] = (uint32_t)now.tv_sec;
    words[2] = (uint32_t)(uintptr_t)r;
    words[3] = vm->seed;
    seed_words(r, words, 4);
}

static bool seed_from_int(VM *vm, Random *r, Value n)
{
    Value a = ou_int_sign(vm, n) < 0 ? ou_int_neg(vm, n) : ou_int_value(vm, n);
    if (a == V_NULL) return false;
    int64_t bits = ou_int_bit_length(vm, a);
    size_t words = bits ? (size_t)((bits - 1) / 32 + 1) : 1;
    uint8_t fixed[64], *p = fixed;
    if (words * 4 > sizeof fixed && !(p = ou_alloc(&vm->heap, words * 4))) {
        release(vm, a);
        return ou_raise_memory(vm), false;
    }
    bool ok = ou_int_to_bytes(vm, a, p, words * 4, true, false);
    release(vm, a);
    if (ok) {
        for (size_t i = 0; i < words; i++) { /* little-endian bytes to words, in place */
            uint32_t w = (uint32_t)p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 | (uint32_t)p[4 * i + 3] << 24;
            memcpy(p + 4 * i, &w, 4);
        }
        seed_words(r, (const uint32_t *)(const void *)p, words);
    }
    if (p != fixed) ou_free(&vm->heap, p, words * 4);
    return ok;
}

static bool seed_from(VM *vm, Random *r, Value v)
{
    if (v == V_NONE) {
        seed_from_system(vm, r);
        return true;
    }
    if (is_intlike(vm, v)) return seed_from_int(vm, r, v);
    int64_t h;
    if (!ou_hash(vm, v, &h)) return false;
    Value n = ou_int_u64(vm, (uint64_t)h);
    bool ok = n != V_NULL && seed_from_int(vm, r, n);
    xrelease(vm, n);
    return ok;
}

static Value random_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (kw_given(kwnames) && cls->def && !ou_no_kw(vm, "Random", kwnames)) return V_NULL;
    if (cls->def && !ou_arg_count(vm, "Random", n, 0, 1)) return V_NULL;
    Random *r = ou_new(vm, cls, 0);
    if (!r) return V_NULL;
    if (!cls->def) { /* the subclass' __init__ seeds */
        r->index = N;
        return v_of(r);
    }
    if (seed_from(vm, r, n ? args[0] : V_NONE)) return v_of(r);
    obj_release(vm, r);
    return V_NULL;
}

static Value random_random(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    Random *r = as_random(args[0]);
    uint32_t a = next32(r) >> 5, b = next32(r) >> 6;
    return v_float(((double)a * 67108864.0 + (double)b) * (1.0 / 9007199254740992.0));
}

static Value random_seed(VM *vm, const Value *args, int n)
{
    return seed_from(vm, as_random(args[0]), n > 1 ? args[1] : V_NONE) ? V_NONE : V_NULL;
}

static Value random_getrandbits(VM *vm, const Value *args, int n)
{
    (void)n;
    Random *r = as_random(args[0]);
    int64_t k;
    if (!ou_index_i64(vm, args[1], &k)) return V_NULL;
    if (k < 0) return ou_raise(vm, E_VALUE, "number of bits must be non-negative");
    if (k == 0) return v_smallint(0);
    if (k <= 32) return v_smallint(next32(r) >> (32 - k));
    if (!ou_int_room(vm, (uint64_t)k)) return V_NULL;
    size_t words = (size_t)((k - 1) / 32 + 1);
    uint8_t fixed[64], *p = fixed;
    if (words * 4 > sizeof fixed && !(p = ou_alloc(&vm->heap, words * 4))) return ou_raise_memory(vm);
    for (size_t i = 0; i < words; i++, k -= 32) {
        uint32_t w = next32(r);
        if (k < 32) w >>= 32 - k;
        for (int b = 0; b < 4; b++) p[4 * i + (size_t)b] = (uint8_t)(w >> (8 * b));
    }
    Value v = ou_int_from_bytes(vm, p, words * 4, true, false);
    if (p != fixed) ou_free(&vm->heap, p, words * 4);
    return v;
}

/* What a script's loop over getrandbits() would find: as many bits as n has, until they are less than n. */
static Value random_below(VM *vm, const Value *args, int n)
{
    Random *r = as_random(args[0]);
    if (is_small(args[1]) && v_small(args[1]) > 0 && v_small(args[1]) <= UINT32_MAX) {
        uint32_t limit = (uint32_t)v_small(args[1]), x;
        int shift = __builtin_clz(limit);
        do x = next32(r) >> shift;
        while (x >= limit);
        return v_smallint(x);
    }
    if (!is_intlike(vm, args[1])) return ou_raise(vm, E_TYPE, "'%T' object cannot be interpreted as an integer", args[1]);
    if (ou_int_sign(vm, args[1]) <= 0) return ou_raise(vm, E_VALUE, "the limit must be positive");
    for (;;) {
        Value both[2] = {args[0], ou_int(vm, ou_int_bit_length(vm, args[1]))};
        Value x = random_getrandbits(vm, both, n);
        if (x == V_NULL || ou_int_compare(vm, x, args[1]) < 0) return x;
        release(vm, x);
    }
}

static Value random_getstate(VM *vm, const Value *args, int n)
{
    (void)n;
    Random *r = as_random(args[0]);
    Value t = ou_tuple_new(vm, N + 1);
    if (t == V_NULL) return V_NULL;
    for (int i = 0; i < N; i++) as_tuple(t)->items[i] = v_smallint(r->state[i]);
    as_tuple(t)->items[N] = v_smallint(r->index);
    return t;
}

static Value random_setstate(VM *vm, const Value *args, int n)
{
    (void)n;
    Random *r = as_random(args[0]);
    if (!is_a_fast(vm, args[1], T_TUPLE)) return ou_raise(vm, E_TYPE, "state vector must be a tuple");
    Tuple *t = as_tuple(args[1]);
    if (t->n != N + 1) return ou_raise(vm, E_VALUE, "state vector is the wrong size");
    uint32_t state[N];
    for (int i = 0; i <= N; i++) {
        int64_t x;
        if (!is_intlike(vm, t->items[i])) return ou_raise(vm, E_TYPE, "an integer is required");
        if (!ou_int_i64(vm, t->items[i], &x)) return V_NULL;
        if (i < N) state[i] = (uint32_t)x;
        else if (x < 0 || x > N) return ou_raise(vm, E_VALUE, "invalid state");
        else r->index = (uint32_t)x;
    }
    memcpy(r->state, state, sizeof state);
    return V_NONE;
}

static const NativeDef random_methods[] = {
    {"random()", random_random, "random() -> x in the interval [0, 1).", 0},
    {"seed(n=None, /)", random_seed, "seed([n]) -> None.\n\nDefaults to use urandom and falls back to a combination\nof the current time and the process identifier.", 0},
    {"getstate()", random_getstate, "getstate() -> tuple containing the current state.", 0},
    {"setstate(state, /)", random_setstate, "setstate(state) -> None.  Restores generator state.", 0},
    {"_below(n, /)", random_below, "A random int from 0 to n - 1.", 0},
    {"getrandbits(k, /)", random_getrandbits, "getrandbits(k) -> x.  Generates an int with k random bits.", 0},
    {0}};

static const TypeDef random_def = {.name = "_random.Random",
                                   .size = sizeof(Random),
                                   .flags = TF_BASE,
                                   .slots = {.make = random_make},
                                   .methods = random_methods,
                                   .doc = "Random() -> create a random number generator with its own internal state."};

bool ou_mod__random(VM *vm, Module *m) { return ou_module_type(vm, m, &random_def, NULL) != NULL; }
