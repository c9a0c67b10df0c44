/* `_json`: writing JSON. dumps(value, ...) returns None when it meets what only the script encoder knows how to treat (skipped keys,
 * mistakes), which then does it all again. Without a default() only plain values are written here, so that nothing
 * has been called by then. With one, script code may run, and what is walked through is kept alive. */
#include "runtime/base/numtext.h"
#include "stdlib/json_impl.h"
#include "vm/call.h"

typedef struct Level {
    Value v;
    const struct Level *up;
} Level;

typedef struct Writer {
    VM *vm;
    char *data;
    size_t n, cap;
    const Level *level;        /* what is being written, the innermost first */
    uint32_t depth, marked_depth;
    Value marked; /* without default(): the container at that depth of those being written: one that meets it again is in a cycle (Brent's method) */
    const Str *item, *key, *indent; /* the separators; the step of indentation or NULL */
    bool utf8, sorted, no_nan;
    Value fallback;            /* default(), or V_NULL */
} Writer;

typedef enum Outcome { FAILED = -1, NOT_PLAIN = 0, DONE = 1 } Outcome;

static bool room(Writer *w, size_t more)
{
    if (w->cap - w->n >= more)
        return true;
    size_t cap = w->cap ? w->cap * 2 : 256;
    while (cap - w->n < more)
        cap *= 2;
    char *data = ou_realloc(&w->vm->heap, w->data, w->cap, cap);
    if (!data)
        return ou_raise_memory(w->vm), false;
    w->data = data;
    w->cap = cap;
    return true;
}

static Outcome put(Writer *w, const char *p, size_t n)
{
    if (!room(w, n))
        return FAILED;
    memcpy(w->data + w->n, p, n);
    w->n += n;
    return DONE;
}

static Outcome put_line(Writer *w, uint32_t depth)
{
    Outcome o = put(w, "\n", 1);
    for (uint32_t i = 0; i < depth && o == DONE; i++)
        o = put(w, w->indent->data, w->indent->size);
    return o;
}

static void put_u(Writer *w, uint32_t c) /* there is room */
{
    static const char hex[] = "0123456789abcdef";
    char *out = w->data + w->n;
    out[0] = '\\';
    out[1] = 'u';
    for (int i = 0; i < 4; i++)
        out[2 + i] = hex[c >> (12 - 4 * i) & 15];
    w->n += 6;
}

static Outcome put_string(Writer *w, const Str *s)
{
    if (!room(w, (size_t)s->size * 6 + 2)) /* six bytes for each at most: a UTF-8 byte pair becomes one \uXXXX */
        return FAILED;
    w->data[w->n++] = '"';
    const unsigned char *p = (const unsigned char *)s->data, *end = p + s->size;
    while (p < end) {
        unsigned char c = *p++;
        if ((c >= ' ' && c < 0x7F && c != '"' && c != '\\') || (w->utf8 && c >= 0x7F)) {
            w->data[w->n++] = (char)c;
            continue;
        }
        static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
        const char *known = c && c < 0x7F ? strchr(from, c) : NULL;
        if (known) {
            w->data[w->n++] = '\\';
            w->data[w->n++] = to[known - from];
        } else if (c < 0x80) {
            put_u(w, c);
        } else if (c < 0xE0) {
            put_u(w, (uint32_t)(c & 0x1F) << 6 | (p[0] & 0x3F));
            p++;
        } else if (c < 0xF0) {
            put_u(w, (uint32_t)(c & 0x0F) << 12 | (uint32_t)(p[0] & 0x3F) << 6 | (p[1] & 0x3F));
            p += 2;
        } else {
            uint32_t cp = (uint32_t)(c & 0x07) << 18 | (uint32_t)(p[0] & 0x3F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
            put_u(w, 0xD800 | (cp - 0x10000) >> 10);
            put_u(w, 0xDC00 | (cp & 0x3FF));
            p += 3;
        }
    }
    w->data[w->n++] = '"';
    return DONE;
}

static Outcome put_double(Writer *w, double d)
{
    char text[DOUBLE_REPR_MAX];
    if (d - d != 0) {
        if (w->no_nan)
            return NOT_PLAIN;
        return d != d ? put(w, "NaN", 3) : d > 0 ? put(w, "Infinity", 8) : put(w, "-Infinity", 9);
    }
    size_t n = ou_double_repr(d, text);
    return put(w, text, n);
}

static Outcome put_int(Writer *w, Value v)
{
    if (is_small(v)) {
        char text[24];
        int n = snprintf(text, sizeof text, "%lld", (long long)v_small(v));
        return put(w, text, (size_t)n);
    }
    Value text = ou_repr(w->vm, v);
    if (text == V_NULL)
        return FAILED;
    Outcome o = put(w, as_str(text)->data, as_str(text)->size);
    release(w->vm, text);
    return o;
}

/* None, booleans and plain numbers. */
static Outcome put_atom(Writer *w, Value v)
{
    if (v == V_NONE)
        return put(w, "null", 4);
    if (v == V_TRUE)
        return put(w, "true", 4);
    if (v == V_FALSE)
        return put(w, "false", 5);
    if (is_float(v))
        return put_double(w, v_double(v));
    if (is_small(v) || is_exact(v, T_INT))
        return put_int(w, v);
    return NOT_PLAIN;
}

static Outcome put_value(Writer *w, Value v);

/* The items of a list as they are when their turn comes: default() may change it. */
static Outcome put_items(Writer *w, Value seq)
{
    bool is_list = is_exact(seq, T_LIST);
    size_t i = 0;
    Outcome o = put(w, "[", 1);
    for (; o == DONE && i < (is_list ? as_list(seq)->n : as_tuple(seq)->n); i++) {
        if (i)
            o = put(w, w->item->data, w->item->size);
        if (o == DONE && w->indent)
            o = put_line(w, w->depth);
        Value v = retain(is_list ? as_list(seq)->items[i] : as_tuple(seq)->items[i]);
        if (o == DONE)
            o = put_value(w, v);
        release(w->vm, v);
    }
    if (o == DONE && i && w->indent)
        o = put_line(w, w->depth - 1);
    return o == DONE ? put(w, "]", 1) : o;
}

static Outcome put_pair(Writer *w, Value key, Value value, bool first)
{
    Outcome o = first ? DONE : put(w, w->item->data, w->item->size);
    if (o == DONE && w->indent)
        o = put_line(w, w->depth);
    if (o != DONE)
        return o;
    if (is_str(key)) {
        o = put_string(w, as_str(key));
    } else {
        o = put(w, "\"", 1);
        if (o == DONE)
            o = put_atom(w, key);
        if (o == DONE)
            o = put(w, "\"", 1);
    }
    if (o == DONE)
        o = put(w, w->key->data, w->key->size);
    return o == DONE ? put_value(w, value) : o;
}

static bool before(const DictEntry *a, const DictEntry *b) { return ou_str_order(as_str(a->key), as_str(b->key)) < 0; }

/* Heap sort: the keys differ, so that no order among equals is to be kept. */
static void sift(DictEntry *e, size_t i, size_t n)
{
    DictEntry top = e[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && before(&e[child], &e[child + 1]);
        if (!before(&top, &e[child]))
            break;
        e[i] = e[child];
    }
    e[i] = top;
}
static void sort_entries(DictEntry *e, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift(e, i, n);
    while (n > 1) {
        DictEntry last = e[--n];
        e[n] = e[0];
        e[0] = last;
        sift(e, 0, n);
    }
}

static Outcome put_sorted(Writer *w, const Dict *d)
{
    size_t n = 0, size = d->n * sizeof(DictEntry);
    DictEntry *entries = ou_alloc(&w->vm->heap, size);
    if (!entries)
        return ou_raise_memory(w->vm), FAILED;
    Outcome o = DONE;
    Value key, value;
    for (uint32_t pos = 0; ou_dict_next(d, &pos, &key, &value); n++) {
        entries[n] = (DictEntry){0, retain(key), retain(value)};
        if (!is_str(key))
            o = NOT_PLAIN;
    }
    if (o == DONE)
        sort_entries(entries, n);
    for (size_t i = 0; i < n; i++) {
        if (o == DONE)
            o = put_pair(w, entries[i].key, entries[i].value, i == 0);
        release(w->vm, entries[i].key);
        release(w->vm, entries[i].value);
    }
    ou_free(&w->vm->heap, entries, size);
    return o;
}

static Outcome put_dict(Writer *w, const Dict *d)
{
    Outcome o = put(w, "{", 1);
    bool any = d->n > 0;
    if (o == DONE && any && w->sorted) {
        o = put_sorted(w, d);
    } else {
        Value key, value;
        bool first = true;
        for (uint32_t pos = 0; o == DONE && ou_dict_next(d, &pos, &key, &value); first = false) {
            retain(key), retain(value);
            o = put_pair(w, key, value, first);
            release(w->vm, key), release(w->vm, value);
        }
    }
    if (o == DONE && any && w->indent)
        o = put_line(w, w->depth - 1);
    return o == DONE ? put(w, "}", 1) : o;
}

/* Subclasses of the types that have a form in JSON: they never go to default(), and the script encoder knows their forms. */
static bool derived(VM *vm, Value v)
{
    static const TypeId with_form[] = {T_STR, T_INT, T_FLOAT, T_LIST, T_TUPLE, T_DICT};
    for (size_t i = 0; i < sizeof with_form / sizeof *with_form; i++)
        if (ou_is_a(vm, v, with_form[i]))
            return true;
    return false;
}

static bool is_container(Value v) { return is_exact(v, T_LIST) || is_exact(v, T_TUPLE) || is_exact(v, T_DICT); }

static Outcome circle(Writer *w)
{
    ou_raise(w->vm, E_VALUE, "Circular reference detected");
    return FAILED;
}

static Outcome put_container(Writer *w, Value v)
{
    if (w->fallback == V_NULL) {
        if (v == w->marked && w->depth > w->marked_depth)
            return circle(w);
        if ((w->depth & (w->depth - 1)) == 0) {
            w->marked = v;
            w->marked_depth = w->depth;
        }
    }
    w->depth++;
    Outcome o = is_exact(v, T_DICT) ? put_dict(w, as_dict(v)) : put_items(w, v);
    w->depth--;
    if (w->marked_depth >= w->depth) /* it is no ancestor of what comes next */
        w->marked = V_NULL;
    return o;
}

static Outcome put_other(Writer *w, Value v)
{
    Value other = ou_call1(w->vm, w->fallback, v);
    if (other == V_NULL)
        return FAILED;
    Outcome o = put_value(w, other);
    release(w->vm, other);
    return o;
}

static Outcome put_value(Writer *w, Value v)
{
    if (is_str(v))
        return put_string(w, as_str(v));
    Outcome o = put_atom(w, v);
    if (o != NOT_PLAIN || is_float(v))
        return o;
    bool container = is_container(v);
    if (!container && (w->fallback == V_NULL || derived(w->vm, v)))
        return NOT_PLAIN;
    for (const Level *l = w->fallback == V_NULL ? NULL : w->level; l; l = l->up)
        if (l->v == v)
            return circle(w);
    if (ou_c_deep(w->vm)) {
        ou_raise_recursion(w->vm, " while encoding a JSON object");
        return FAILED;
    }
    const Level here = {v, w->level};
    w->level = &here;
    w->vm->c_depth += 2;
    o = container ? put_container(w, v) : put_other(w, v);
    w->vm->c_depth -= 2;
    w->level = here.up;
    return o;
}

/* args: the value, indent (a str or None), the two separators, ensure_ascii, sort_keys, allow_nan, default (or None) */
Value ou_json_dumps(VM *vm, const Value *args, int n)
{
    (void)n;
    if ((args[1] != V_NONE && !is_str(args[1])) || !is_str(args[2]) || !is_str(args[3]))
        return V_NONE;
    Writer w = {.vm = vm, .fallback = args[7] == V_NONE ? V_NULL : args[7]};
    w.indent = args[1] == V_NONE ? NULL : as_str(args[1]);
    w.item = as_str(args[2]);
    w.key = as_str(args[3]);
    int ascii = ou_truth(vm, args[4]), sorted = ou_truth(vm, args[5]), nan = ou_truth(vm, args[6]);
    if (ascii < 0 || sorted < 0 || nan < 0)
        return V_NULL;
    w.utf8 = !ascii;
    w.sorted = sorted;
    w.no_nan = !nan;
    Outcome o = put_value(&w, args[0]);
    Value v = o == DONE ? ou_str_new(vm, w.data, w.n) : o == NOT_PLAIN ? V_NONE : V_NULL;
    ou_free(&vm->heap, w.data, w.cap);
    return v;
}
