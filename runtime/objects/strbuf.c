/* StrBuf, the growing text, and the message formats of ou_raise and ou_str_format.
 * Entry points: str.h. The one thing to know: failure is sticky, so that a builder may check once, at ou_sb_finish. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/base/utf8.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"

void ou_sb_init(StrBuf *b, VM *vm)
{
    b->vm = vm;
    b->p = b->fixed;
    b->n = 0;
    b->cap = sizeof b->fixed;
    b->failed = false;
}

char *ou_sb_room(StrBuf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (b->cap - b->n >= n)
        return b->p + b->n;
    size_t cap = b->cap * 2;
    if (n > UINT32_MAX || b->n > UINT32_MAX) {
        cap = 0;
    } else {
        while (cap - b->n < n)
            cap *= 2;
    }
    char *p = NULL;
    if (cap)
        p = b->p == b->fixed ? ou_alloc(&b->vm->heap, cap) : ou_realloc(&b->vm->heap, b->p, b->cap, cap);
    if (!p) {
        b->failed = true;
        ou_raise_memory(b->vm);
        return NULL;
    }
    if (b->p == b->fixed)
        memcpy(p, b->fixed, b->n);
    b->p = p;
    b->cap = cap;
    return p + b->n;
}

void ou_sb_put(StrBuf *b, const char *p, size_t n)
{
    char *d = n ? ou_sb_room(b, n) : NULL;
    if (d) {
        memcpy(d, p, n);
        b->n += n;
    }
}

void ou_sb_puts(StrBuf *b, const char *s) { ou_sb_put(b, s, strlen(s)); }

void ou_sb_putc(StrBuf *b, char c)
{
    char *d = ou_sb_room(b, 1);
    if (d) {
        *d = c;
        b->n++;
    }
}

void ou_sb_cp(StrBuf *b, uint32_t cp)
{
    char *d = ou_sb_room(b, 4);
    if (d)
        b->n += utf8_put(d, cp);
}

void ou_sb_fill(StrBuf *b, uint32_t cp, size_t count)
{
    char one[4];
    size_t k = utf8_put(one, cp);
    char *d = count > UINT32_MAX ? ou_sb_room(b, SIZE_MAX) : ou_sb_room(b, k * count);
    if (!d)
        return;
    if (k == 1)
        memset(d, one[0], count);
    else
        for (size_t i = 0; i < count; i++)
            memcpy(d + i * k, one, k);
    b->n += k * count;
}

void ou_sb_str(StrBuf *b, Value s) { ou_sb_put(b, as_str(s)->data, as_str(s)->size); }

static bool put_owned(StrBuf *b, Value s)
{
    if (s == V_NULL)
        return false;
    ou_sb_str(b, s);
    release(b->vm, s);
    return !b->failed;
}

bool ou_sb_repr(StrBuf *b, Value v) { return put_owned(b, ou_repr(b->vm, v)); }

bool ou_sb_value(StrBuf *b, Value v)
{
    if (is_str(v)) {
        ou_sb_str(b, v);
        return !b->failed;
    }
    return put_owned(b, ou_str(b->vm, v));
}

void ou_sb_printf(StrBuf *b, const char *fmt, ...)
{
    char *d = ou_sb_room(b, 64);
    if (!d)
        return;
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(d, b->cap - b->n, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n >= b->cap - b->n) {
        d = ou_sb_room(b, (size_t)n + 1);
        if (!d)
            return;
        va_start(ap, fmt);
        vsnprintf(d, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    b->n += (size_t)n;
}

Value ou_sb_finish(StrBuf *b)
{
    Value r = b->failed ? V_NULL : ou_str_new(b->vm, b->p, b->n);
    ou_sb_drop(b);
    return r;
}

void ou_sb_drop(StrBuf *b)
{
    if (b->p != b->fixed)
        ou_free(&b->vm->heap, b->p, b->cap);
    b->p = b->fixed;
    b->n = 0;
    b->cap = sizeof b->fixed;
}

/* At most `limit` code points of a text, which may be no UTF-8 at all when it came from the C library or a host. */
static void put_text(StrBuf *b, const char *p, size_t n, long limit)
{
    if (limit >= 0 && (size_t)limit < n) {
        const char *q = p, *end = p + n;
        while (limit-- > 0 && q < end) {
            q++;
            while (q < end && ((uint8_t)*q & 0xC0) == 0x80)
                q++;
        }
        n = (size_t)(q - p);
    }
    ou_sb_put(b, p, n);
}

static void put_checked(StrBuf *b, const char *s, long limit)
{
    size_t n = strlen(s);
    if (ou_utf8_check(s, n, NULL, NULL)) {
        put_text(b, s, n, limit);
        return;
    }
    for (size_t i = 0; i < n; i++)
        ou_sb_cp(b, (uint8_t)s[i] < 0x80 ? (uint8_t)s[i] : 0xFFFD);
}

bool ou_sb_vformat(StrBuf *b, const char *fmt, va_list ap)
{
    VM *vm = b->vm;
    for (const char *p = fmt; *p;) {
        if (*p != '%') {
            const char *q = strchr(p, '%');
            size_t n = q ? (size_t)(q - p) : strlen(p);
            ou_sb_put(b, p, n);
            p += n;
            continue;
        }
        const char *spec = p++;
        while (*p == '0' || *p == '-' || *p == '+' || *p == '#' || *p == ' ')
            p++;
        while (*p >= '0' && *p <= '9')
            p++;
        long limit = -1;
        if (*p == '.') {
            p++;
            if (*p == '*') {
                limit = va_arg(ap, int);
                p++;
            } else {
                char *end;
                limit = strtol(p, &end, 10);
                p = end;
            }
        }
        int size = 0; /* 1: long, 2: long long, 3: size_t */
        for (; *p == 'l' || *p == 'z'; p++)
            size = *p == 'z' ? 3 : size + 1;
        char c = *p ? *p++ : '%';
        char f[24], flags[12];
        size_t nflags = 0;
        for (const char *q = spec + 1; q < p && nflags < sizeof flags - 1 && *q != 'l' && *q != 'z' && *q != c; q++)
            flags[nflags++] = *q;
        flags[nflags] = 0;
        switch (c) {
        case 'd':
        case 'i':
        case 'x':
        case 'X':
        case 'u': {
            snprintf(f, sizeof f, "%%%sll%c", flags, c);
            long long v;
            if (size == 0)
                v = c == 'd' || c == 'i' ? (long long)va_arg(ap, int) : (long long)va_arg(ap, unsigned);
            else if (size == 3)
                v = (long long)va_arg(ap, size_t);
            else
                v = va_arg(ap, long long);
            ou_sb_printf(b, f, v);
            break;
        }
        case 'g':
        case 'f':
        case 'e':
            snprintf(f, sizeof f, "%%%s%c", flags, c);
            ou_sb_printf(b, f, va_arg(ap, double));
            break;
        case 'p':
            ou_sb_printf(b, "%p", va_arg(ap, void *));
            break;
        case 'c':
            ou_sb_cp(b, (uint32_t)va_arg(ap, int));
            break;
        case 's': {
            const char *s = va_arg(ap, const char *);
            put_checked(b, s ? s : "(null)", limit);
            break;
        }
        case 'U': {
            Str *s = as_str(va_arg(ap, Value));
            put_text(b, s->data, s->size, limit);
            break;
        }
        case 'Q': {
            Str *s = va_arg(ap, Str *);
            put_text(b, s->data, s->size, limit);
            break;
        }
        case 'R':
        case 'S':
        case 'A': {
            Value v = va_arg(ap, Value);
            Value s = c == 'R' ? ou_repr(vm, v) : c == 'S' ? ou_str(vm, v) : ou_ascii(vm, v);
            if (s == V_NULL)
                return false;
            put_text(b, as_str(s)->data, as_str(s)->size, limit);
            release(vm, s);
            break;
        }
        case 'T':
            put_checked(b, ou_type_name(vm, va_arg(ap, Value)), limit);
            break;
        case 'K': {
            Value v = va_arg(ap, Value);
            put_checked(b, v == V_NONE ? "None" : ou_type_name(vm, v), limit);
            break;
        }
        case 'N': {
            put_checked(b, ou_tp_name(va_arg(ap, Type *)), limit);
            break;
        }
        default:
            ou_sb_putc(b, c);
        }
    }
    return !b->failed;
}

bool ou_sb_format(StrBuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool ok = ou_sb_vformat(b, fmt, ap);
    va_end(ap);
    return ok;
}

Value ou_str_vformat(VM *vm, const char *fmt, va_list ap)
{
    StrBuf b;
    ou_sb_init(&b, vm);
    if (!ou_sb_vformat(&b, fmt, ap)) {
        ou_sb_drop(&b);
        return V_NULL;
    }
    return ou_sb_finish(&b);
}

Value ou_str_format(VM *vm, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    Value r = ou_str_vformat(vm, fmt, ap);
    va_end(ap);
    return r;
}
