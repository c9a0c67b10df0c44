/* Punycode and IDNA, the encodings of host names.
 * Entry points: ou_codec_puny_encode, ou_codec_puny_decode, ou_codec_idna_encode, ou_codec_idna_decode. The one thing to know: the
 * algorithm is that of RFC 3492, with its names for the constants; of the preparation of names (RFC 3491) only folding is done. */
#include "runtime/objects/codecs_impl.h"

#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"

static uint32_t puny_adapt(uint32_t delta, uint32_t count, bool first)
{
    uint32_t k = 0;
    delta = first ? delta / 700 : delta / 2;
    delta += delta / count;
    for (; delta > 455; k += 36)
        delta /= 35;
    return k + 36 * delta / (delta + 38);
}

void ou_codec_puny_encode(StrBuf *b, const char *s, size_t size)
{
    const char *end = s + size;
    uint32_t basic = 0, done, n = 128, bias = 72, delta = 0, total = 0;
    for (const char *p = s; p < end;) {
        uint32_t cp = utf8_next(&p);
        total++;
        if (cp < 128) {
            ou_sb_putc(b, (char)cp);
            basic++;
        }
    }
    if (basic)
        ou_sb_putc(b, '-');
    for (done = basic; done < total && !b->failed; delta++, n++) {
        uint32_t m = UINT32_MAX;
        for (const char *p = s; p < end;) {
            uint32_t cp = utf8_next(&p);
            if (cp >= n && cp < m)
                m = cp;
        }
        delta += (m - n) * (done + 1);
        n = m;
        for (const char *p = s; p < end;) {
            uint32_t cp = utf8_next(&p);
            if (cp < n)
                delta++;
            if (cp != n)
                continue;
            uint32_t q = delta;
            for (uint32_t k = 36;; k += 36) {
                uint32_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
                if (q < t)
                    break;
                uint32_t d = t + (q - t) % (36 - t);
                ou_sb_putc(b, (char)(d < 26 ? 'a' + d : '0' + d - 26));
                q = (q - t) / (36 - t);
            }
            ou_sb_putc(b, (char)(q < 26 ? 'a' + q : '0' + q - 26));
            bias = puny_adapt(delta, done + 1, done == basic);
            delta = 0;
            done++;
        }
    }
}

/* Appends the decoded text; false: malformed (nothing raised) or no memory. */
bool ou_codec_puny_decode(StrBuf *b, const char *s, size_t size)
{
    size_t at = 0, cut = 0, n_out = 0, cap = size + 1;
    uint32_t *out = ou_alloc(&b->vm->heap, cap * sizeof *out);
    if (!out)
        return false;
    for (size_t i = 0; i < size; i++)
        if (s[i] == '-')
            cut = i;
    for (; n_out < cut; n_out++)
        out[n_out] = (uint8_t)s[n_out];
    at = cut ? cut + 1 : 0;
    uint32_t n = 128, i = 0, bias = 72;
    bool ok = true;
    while (ok && at < size) {
        uint32_t old = i, w = 1;
        for (uint32_t k = 36; ok; k += 36) {
            int c = at < size ? s[at++] : -1;
            uint32_t d = c >= 'a' && c <= 'z'   ? (uint32_t)(c - 'a')
                         : c >= 'A' && c <= 'Z' ? (uint32_t)(c - 'A')
                         : c >= '0' && c <= '9' ? (uint32_t)(c - '0' + 26)
                                                : 99;
            ok = d < 36 && d <= (UINT32_MAX - i) / w;
            if (!ok)
                break;
            i += d * w;
            uint32_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
            if (d < t)
                break;
            ok = w <= UINT32_MAX / (36 - t);
            w *= 36 - t;
        }
        if (!ok)
            break;
        uint32_t count = (uint32_t)n_out + 1;
        bias = puny_adapt(i - old, count, old == 0);
        n += i / count;
        i %= count;
        ok = n <= 0x10FFFF && n_out < cap;
        if (!ok)
            break;
        memmove(out + i + 1, out + i, (n_out - i) * sizeof *out);
        out[i++] = n;
        n_out++;
    }
    for (size_t k = 0; ok && k < n_out; k++)
        ou_sb_cp(b, out[k]);
    ou_free(&b->vm->heap, out, cap * sizeof *out);
    return ok && !b->failed;
}

/* Host names label by label: those beyond ASCII are folded and written in punycode. */
bool ou_codec_idna_encode(Coding *c)
{
    const char *p = c->text->data, *end = p + c->text->size;
    while (p <= end) {
        const char *q = p, *dot = NULL;
        bool ascii = true;
        while (q < end) {
            dot = q;
            uint32_t cp = utf8_next(&q);
            if (cp == '.' || cp == 0x3002 || cp == 0xFF0E || cp == 0xFF61)
                break;
            ascii = ascii && cp < 128;
            dot = NULL;
        }
        const char *stop = dot ? dot : q;
        size_t start = c->out.n;
        if (ascii) {
            ou_sb_put(&c->out, p, (size_t)(stop - p));
        } else {
            StrBuf folded;
            ou_sb_init(&folded, c->vm);
            for (const char *r = p; r < stop;) {
                uint32_t to[4];
                int k = ou_uni_fold(utf8_next(&r), to);
                for (int i = 0; i < k; i++)
                    ou_sb_cp(&folded, to[i]);
            }
            ou_sb_puts(&c->out, "xn--");
            if (!folded.failed)
                ou_codec_puny_encode(&c->out, folded.p, folded.n);
            ou_sb_drop(&folded);
        }
        size_t len = c->out.n - start;
        if (c->out.failed)
            return false;
        if (len > 63 || (len == 0 && dot)) {
            size_t at = (size_t)ou_str_pos(c->vm, c->text, (size_t)(p - c->text->data));
            return ou_codec_raise(c, at, at + 1, len ? "label too long" : "label empty");
        }
        if (!dot)
            break;
        ou_sb_putc(&c->out, '.');
        p = q;
    }
    return true;
}

bool ou_codec_idna_decode(Coding *c, size_t *at)
{
    for (size_t i = *at; i < c->n; i++) {
        if ((uint8_t)c->p[i] >= 0x80) {
            size_t end = i + 1;
            return ou_codec_decode_error(c, i, &end, "ordinal not in range(128)");
        }
    }
    size_t i = *at;
    for (;;) {
        const char *dot = memchr(c->p + i, '.', c->n - i);
        size_t end = dot ? (size_t)(dot - c->p) : c->n;
        bool puny = end - i > 4 && strncmp(c->p + i, "xn--", 4) == 0;
        if (!puny)
            ou_sb_put(&c->out, c->p + i, end - i);
        else if (!ou_codec_puny_decode(&c->out, c->p + i + 4, end - i - 4))
            return ou_codec_raise(c, i, end, "Invalid character U+002d");
        if (!dot)
            break;
        ou_sb_putc(&c->out, '.');
        i = end + 1;
    }
    *at = c->n;
    return !c->out.failed;
}
