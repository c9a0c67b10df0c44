/* The module binascii: hexadecimal, base64, uuencode and quoted-printable text, and checksums.
 * Entry points: ou_mod_binascii. The one thing to know: decoders accept ASCII str as well as bytes. */
#include "runtime/objects/bytesimpl.h"
#include "stdlib/stdlib.h"

typedef struct BinState {
    Value error, incomplete;
    uint32_t crc[16][256]; /* what a byte 0 to 15 places ahead does to a CRC-32; filled when first needed */
} BinState;

static BinState *state_of(VM *vm) { return ou_module_record(vm, MOD_binascii, sizeof(BinState)); }

static Value fail(VM *vm, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    Value msg = ou_str_vformat(vm, fmt, ap), exc = V_NULL;
    va_end(ap);
    BinState *st = state_of(vm);
    if (msg != V_NULL && st)
        exc = ou_call1(vm, st->error, msg);
    xrelease(vm, msg);
    if (exc != V_NULL) {
        ou_raise_value(vm, exc);
        release(vm, exc);
    }
    return V_NULL;
}

/* The argument of a decoder: a str is taken by its characters. */
static bool ascii_arg(VM *vm, Value v, Buffer *b)
{
    if (!ou_is_a(vm, v, T_STR)) {
        if (!ou_type_of(vm, v)->slots.buffer) {
            ou_raise(vm, E_TYPE, "argument should be bytes, buffer or ASCII string, not '%T'", v);
            return false;
        }
        return ou_buffer_get(vm, v, b, false);
    }
    if (!str_is_ascii(as_str(v))) {
        ou_raise(vm, E_VALUE, "string argument should contain only ASCII characters");
        return false;
    }
    memset(b, 0, sizeof *b);
    b->p = (uint8_t *)as_str(v)->data;
    b->n = as_str(v)->size;
    b->owner = retain(v);
    return true;
}

static Value finish(VM *vm, StrBuf *out)
{
    Value r = out->failed ? V_NULL : ou_bytes_new(vm, out->p, out->n);
    ou_sb_drop(out);
    return r;
}

/* ---- hexadecimal -------------------------------------------------------------------------------------------------------------------- */

static Value bin_hexlify(VM *vm, const Value *args, int n)
{
    (void)n;
    Buffer b;
    if (!ou_buffer_get(vm, args[0], &b, false))
        return V_NULL;
    if (args[1] == V_NULL && (size_t)b.n < UINT32_MAX / 2) {
        Value plain = ou_bytes_new(vm, NULL, (size_t)b.n * 2);
        for (int64_t i = 0; plain != V_NULL && i < b.n; i++) {
            as_bytes(plain)->data[2 * i] = (uint8_t)"0123456789abcdef"[b.p[i] >> 4];
            as_bytes(plain)->data[2 * i + 1] = (uint8_t)"0123456789abcdef"[b.p[i] & 15];
        }
        ou_buffer_release(vm, &b);
        return plain;
    }
    Value s = ou_bytes_hex(vm, b.p, (size_t)b.n, args[1], args[2]);
    ou_buffer_release(vm, &b);
    if (s == V_NULL)
        return V_NULL;
    Value r = ou_bytes_new(vm, as_str(s)->data, as_str(s)->size);
    release(vm, s);
    return r;
}

static int hex_value(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static Value bin_unhexlify(VM *vm, const Value *args, int n)
{
    (void)n;
    Buffer b;
    if (!ascii_arg(vm, args[0], &b))
        return V_NULL;
    Value r = V_NULL;
    if (b.n & 1) {
        fail(vm, "Odd-length string");
    } else if ((r = ou_bytes_new(vm, NULL, (size_t)b.n / 2)) != V_NULL) {
        for (int64_t i = 0; i < b.n; i += 2) {
            int hi = hex_value(b.p[i]), lo = hex_value(b.p[i + 1]);
            if (hi < 0 || lo < 0) {
                release(vm, r);
                r = fail(vm, "Non-hexadecimal digit found");
                break;
            }
            as_bytes(r)->data[i / 2] = (uint8_t)(hi << 4 | lo);
        }
    }
    ou_buffer_release(vm, &b);
    return r;
}

/* ---- base64 ---------------------------------------------------------------------------------------------------------------------------- */

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static Value bin_b2a_base64(VM *vm, const Value *args, int n)
{
    (void)n;
    Buffer b;
    int newline = args[1] == V_NULL ? 1 : ou_truth(vm, args[1]);
    if (newline < 0 || !ou_buffer_get(vm, args[0], &b, false))
        return V_NULL;
    Value r = b.n > UINT32_MAX / 2 ? ou_raise_memory(vm) : ou_bytes_new(vm, NULL, (size_t)((b.n + 2) / 3 * 4 + newline));
    if (r != V_NULL && as_bytes(r)->n) {
        uint8_t *d = as_bytes(r)->data;
        for (int64_t i = 0; i < b.n; i += 3) {
            int64_t k = b.n - i;
            uint32_t v = (uint32_t)b.p[i] << 16 | (k > 1 ? (uint32_t)b.p[i + 1] << 8 : 0) | (k > 2 ? b.p[i + 2] : 0);
            *d++ = (uint8_t)base64[v >> 18];
            *d++ = (uint8_t)base64[v >> 12 & 63];
            *d++ = k > 1 ? (uint8_t)base64[v >> 6 & 63] : '=';
            *d++ = k > 2 ? (uint8_t)base64[v & 63] : '=';
        }
        if (newline)
            *d = '\n';
    }
    ou_buffer_release(vm, &b);
    return r;
}

static const uint8_t base64_values[256] = { /* 1 more; 0: not of the alphabet */
    ['+'] = 63, ['/'] = 64, ['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, ['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
    14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, ['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39,
    40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
};
static int base64_value(uint8_t c) { return base64_values[c] - 1; }

/* Fours of characters of the alphabet, as far as there are any; how many characters. */
static int64_t base64_fours(const uint8_t *p, int64_t n, StrBuf *out)
{
    char *d = ou_sb_room(out, (size_t)n / 4 * 3);
    int64_t i = 0;
    for (; d && n - i >= 4; i += 4) {
        uint32_t a = base64_values[p[i]], b = base64_values[p[i + 1]], c = base64_values[p[i + 2]], e = base64_values[p[i + 3]];
        if (!a || !b || !c || !e)
            break;
        uint32_t v = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (e - 1);
        *d++ = (char)(v >> 16);
        *d++ = (char)(v >> 8);
        *d++ = (char)v;
    }
    out->n += (size_t)i / 4 * 3;
    return i;
}

static Value bin_a2b_base64(VM *vm, const Value *args, int n)
{
    (void)n;
    Buffer b;
    int strict = args[1] == V_NULL ? 0 : ou_truth(vm, args[1]);
    if (strict < 0 || !ascii_arg(vm, args[0], &b))
        return V_NULL;
    StrBuf out;
    ou_sb_init(&out, vm);
    int quad = 0, pads = 0;
    uint32_t left = 0;
    int64_t i = 0;
    bool done = false;
    const char *wrong = strict && b.n > 0 && b.p[0] == '=' ? "Leading padding not allowed" : NULL;
    for (; !wrong && !done && i < b.n && !out.failed; i++) {
        if (!quad && !pads && b.n - i >= 4) {
            i += base64_fours(b.p + i, b.n - i, &out);
            if (i >= b.n)
                break;
        }
        uint8_t c = b.p[i];
        if (c == '=') {
            pads++;
            if (quad >= 2 && quad + pads >= 4) {
                done = true;
                if (strict && i + 1 < b.n)
                    wrong = "Excess data after padding";
            } else if (strict && quad == 0) {
                wrong = "Excess padding not allowed";
            }
            continue;
        }
        int v = base64_value(c);
        if (v < 0) {
            if (strict)
                wrong = "Only base64 data is allowed";
            continue;
        }
        if (strict && pads)
            wrong = "Discontinuous padding not allowed";
        pads = 0;
        left = left << 6 | (uint32_t)v;
        if (++quad > 1)
            ou_sb_putc(&out, (char)(left >> (quad == 2 ? 4 : quad == 3 ? 2 : 0)));
        if (quad == 4)
            quad = 0;
    }
    ou_buffer_release(vm, &b);
    if (!wrong && !done && quad) {
        if (quad == 1) {
            fail(vm, "Invalid base64-encoded string: number of data characters (%ld) cannot be 1 more than a multiple of 4",
                 (int64_t)(out.n / 3 * 4 + 1));
            ou_sb_drop(&out);
            return V_NULL;
        }
        wrong = "Incorrect padding";
    }
    if (wrong) {
        ou_sb_drop(&out);
        return fail(vm, "%s", wrong);
    }
    return finish(vm, &out);
}

/* ---- uuencode and quoted-printable ------------------------------------------------------------------------------------------------------ */

static Value bin_b2a_uu(VM *vm, const Value *args, int n)
{
    (void)n;
    Buffer b;
    int tick = args[1] == V_NULL ? 0 : ou_truth(vm, args[1]);
    if (tick < 0 || !ou_buffer_get(vm, args[0], &b, false))
        return V_NULL;
    if (b.n > 45) {
        ou_buffer_release(vm, &b);
        return fail(vm, "At most 45 bytes at once");
    }
    StrBuf out;
    ou_sb_init(&out, vm);
#define UU(v) (char)((v) || !tick ? (v) + 32 : '`')
    ou_sb_putc(&out, UU(b.n));
    for (int64_t i = 0; i < b.n; i += 3) {
        uint32_t v = (uint32_t)b.p[i] << 16 | (i + 1 < b.n ? (uint32_t)b.p[i + 1] << 8 : 0) | (i + 2 < b.n ? b.p[i + 2] : 0);
        for (int s = 18; s >= 0; s -= 6)
            ou_sb_putc(&out, UU(v >> s & 63));
    }
#undef UU
    ou_sb_putc(&out, '\n');
    ou_buffer_release(vm, &b);
    return finish(vm, &out);
}

static Value bin_a2b_uu(VM *vm, const Value *args, int n)
{
    (void)n;
    Buffer b;
    if (!ascii_arg(vm, args[0], &b))
        return V_NULL;
    StrBuf out;
    ou_sb_init(&out, vm);
    int64_t want = ((b.n ? b.p[0] : 0) - 32) & 63, i = 1; /* an empty line counts as one that begins with NUL */
    uint32_t left = 0;
    int bits = 0;
    const char *wrong = NULL;
    for (; (int64_t)out.n < want && !wrong && !out.failed; i++) {
        int c = i < b.n ? b.p[i] : '\n';
        if (c == '\n' || c == '\r') {
            c = 0; /* trailing blanks may have been stripped */
        } else if (c < ' ' || c > ' ' + 64) {
            wrong = "Illegal char";
            break;
        } else {
            c = (c - ' ') & 63;
        }
        left = left << 6 | (uint32_t)c;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            ou_sb_putc(&out, (char)(left >> bits));
        }
    }
    for (; !wrong && i < b.n; i++)
        if (b.p[i] != ' ' && b.p[i] != '`' && b.p[i] != '\n' && b.p[i] != '\r')
            wrong = "Trailing garbage";
    ou_buffer_release(vm, &b);
    if (wrong) {
        ou_sb_drop(&out);
        return fail(vm, "%s", wrong);
    }
    return finish(vm, &out);
}

static Value bin_a2b_qp(VM *vm, const Value *args, int n)
{
    (void)n;
    Buffer b;
    int header = args[1] == V_NULL ? 0 : ou_truth(vm, args[1]);
    if (header < 0 || !ascii_arg(vm, args[0], &b))
        return V_NULL;
    StrBuf out;
    ou_sb_init(&out, vm);
    for (int64_t i = 0; i < b.n; i++) {
        uint8_t c = b.p[i];
        if (c == '=' && i + 1 < b.n && (b.p[i + 1] == '\n' || b.p[i + 1] == '\r')) {
            while (i + 1 < b.n && b.p[i + 1] != '\n')
                i++;
            i++;
        } else if (c == '=' && i + 1 >= b.n) {
            break;
        } else if (c == '=' && i + 2 < b.n && hex_value(b.p[i + 1]) >= 0 && hex_value(b.p[i + 2]) >= 0) {
            ou_sb_putc(&out, (char)(hex_value(b.p[i + 1]) << 4 | hex_value(b.p[i + 2])));
            i += 2;
        } else {
            ou_sb_putc(&out, header && c == '_' ? ' ' : (char)c);
        }
    }
    ou_buffer_release(vm, &b);
    return finish(vm, &out);
}

static Value bin_b2a_qp(VM *vm, const Value *args, int n)
{
    (void)n;
    Buffer b;
    int quotetabs = args[1] == V_NULL ? 0 : ou_truth(vm, args[1]), istext = args[2] == V_NULL ? 1 : ou_truth(vm, args[2]);
    int header = args[3] == V_NULL ? 0 : ou_truth(vm, args[3]);
    if (quotetabs < 0 || istext < 0 || header < 0 || !ou_buffer_get(vm, args[0], &b, false))
        return V_NULL;
    StrBuf out;
    ou_sb_init(&out, vm);
    const uint8_t *first = b.n ? memchr(b.p, '\n', (size_t)b.n) : NULL;
    const char *eol = first && first > b.p && first[-1] == '\r' ? "\r\n" : "\n"; /* the first line's end is every line's */
    int column = 0;
    for (int64_t i = 0; i < b.n && !out.failed; i++) {
        int c = b.p[i], next = i + 1 < b.n ? b.p[i + 1] : -1;
        bool blank = c == ' ' || c == '\t', ends = c == '\n' || c == '\r';
        bool quote = c > 126 || c == '=' || (header && c == '_') ||
                     (c == '.' && column == 0 && (next <= 0 || next == '\n' || next == '\r')) ||
                     (blank ? quotetabs || next < 0 : ends ? !istext : c < 33);
        if (quote) {
            if (column + 3 >= 76) {
                ou_sb_printf(&out, "=%s", eol);
                column = 0;
            }
            ou_sb_printf(&out, "=%02X", (unsigned)c);
            column += 3;
        } else if (istext && (c == '\n' || (c == '\r' && next == '\n'))) {
            char last = out.n ? out.p[out.n - 1] : 0;
            if (last == ' ' || last == '\t') { /* a blank in front of a line's end would get lost */
                out.n--;
                ou_sb_printf(&out, "=%02X", (unsigned)last);
            }
            ou_sb_puts(&out, eol);
            i += c == '\r';
            column = 0;
        } else {
            if (next >= 0 && next != '\n' && column + 1 >= 76) {
                ou_sb_printf(&out, "=%s", eol);
                column = 0;
            }
            ou_sb_putc(&out, header && c == ' ' ? '_' : (char)c);
            column++;
        }
    }
    ou_buffer_release(vm, &b);
    return finish(vm, &out);
}

/* ---- checksums --------------------------------------------------------------------------------------------------------------------------------- */

static bool checksum_args(VM *vm, const Value *args, int n, Buffer *b, uint32_t *start)
{
    *start = 0;
    if (n > 1) {
        Value index = ou_index(vm, args[1]);
        if (index == V_NULL)
            return false;
        Value mask = ou_int(vm, 0xFFFFFFFF), low = mask == V_NULL ? V_NULL : ou_int_op(vm, BIN_AND, index, mask);
        release(vm, index);
        xrelease(vm, mask);
        if (low == V_NULL)
            return false;
        *start = (uint32_t)v_small(low);
        release(vm, low);
    }
    return ou_buffer_get(vm, args[0], b, false);
}

static void crc_tables(uint32_t t[16][256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
        t[0][i] = c;
    }
    for (int k = 1; k < 16; k++)
        for (int i = 0; i < 256; i++)
            t[k][i] = t[0][t[k - 1][i] & 255] ^ t[k - 1][i] >> 8;
}

static Value bin_crc32(VM *vm, const Value *args, int n)
{
    Buffer b;
    uint32_t crc;
    if (!checksum_args(vm, args, n, &b, &crc))
        return V_NULL;
    crc = ~crc;
    BinState *st = b.n < 32 ? NULL : state_of(vm);
    if (!st) { /* by half bytes: short, or at the very end */
        ou_exc_clear(vm);
        static const uint32_t half[16] = {0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
                                          0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
        for (int64_t i = 0; i < b.n; i++) {
            crc ^= b.p[i];
            crc = half[crc & 15] ^ crc >> 4;
            crc = half[crc & 15] ^ crc >> 4;
        }
        ou_buffer_release(vm, &b);
        return v_smallint(~crc);
    }
    if (!st->crc[0][1])
        crc_tables(st->crc);
    int64_t i = 0;
    for (; b.n - i >= 16; i += 16) {
        uint32_t w[4];
        memcpy(w, b.p + i, 16);
        w[0] ^= crc;
        crc = 0;
        for (int k = 0; k < 4; k++) {
            uint32_t (*t)[256] = st->crc + 12 - 4 * k;
            crc ^= t[3][w[k] & 255] ^ t[2][w[k] >> 8 & 255] ^ t[1][w[k] >> 16 & 255] ^ t[0][w[k] >> 24];
        }
    }
    for (; i < b.n; i++)
        crc = st->crc[0][(crc ^ b.p[i]) & 255] ^ crc >> 8;
    ou_buffer_release(vm, &b);
    return v_smallint(~crc);
}

static Value bin_crc_hqx(VM *vm, const Value *args, int n)
{
    Buffer b;
    uint32_t crc;
    if (!checksum_args(vm, args, n, &b, &crc))
        return V_NULL;
    crc &= 0xFFFF;
    for (int64_t i = 0; i < b.n; i++) {
        crc ^= (uint32_t)b.p[i] << 8;
        for (int k = 0; k < 8; k++)
            crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
        crc &= 0xFFFF;
    }
    ou_buffer_release(vm, &b);
    return v_smallint(crc);
}

static const NativeDef binascii_defs[] = {
    {"hexlify(data, sep=None, bytes_per_sep=1)", bin_hexlify, "Hexadecimal representation of binary data.", 0},
    {"b2a_hex(data, sep=None, bytes_per_sep=1)", bin_hexlify, "Hexadecimal representation of binary data.", 0},
    {"unhexlify(hexstr, /)", bin_unhexlify, "Binary data of hexadecimal representation.", 0},
    {"a2b_hex(hexstr, /)", bin_unhexlify, "Binary data of hexadecimal representation.", 0},
    {"b2a_base64(data, /, *, newline=True)", bin_b2a_base64, "Base64-code line of data.", 0},
    {"a2b_base64(data, /, *, strict_mode=False)", bin_a2b_base64, "Decode a line of base64 data.", 0},
    {"b2a_uu(data, /, *, backtick=False)", bin_b2a_uu, "Uuencode line of data.", 0},
    {"a2b_uu(data, /)", bin_a2b_uu, "Decode a line of uuencoded data.", 0},
    {"a2b_qp(data, header=False)", bin_a2b_qp, "Decode a string of qp-encoded data.", 0},
    {"b2a_qp(data, quotetabs=False, istext=True, header=False)", bin_b2a_qp, "Encode a string using quoted-printable encoding.", 0},
    {"crc32(data, crc=0, /)", bin_crc32, "Compute CRC-32 incrementally.", 0},
    {"crc_hqx(data, crc, /)", bin_crc_hqx, "Compute CRC-CCITT incrementally.", 0},
    {0}};

bool ou_mod_binascii(VM *vm, Module *m)
{
    BinState *st = state_of(vm);
    if (!st)
        return false;
    if (st->error == V_NULL && (st->error = ou_error_class(vm, "binascii.Error", E_VALUE)) == V_NULL)
        return false;
    if (st->incomplete == V_NULL && (st->incomplete = ou_error_class(vm, "binascii.Incomplete", E_EXCEPTION)) == V_NULL)
        return false;
    return ou_module_set(vm, m, "Error", st->error) && ou_module_set(vm, m, "Incomplete", st->incomplete) &&
           ou_module_add(vm, m, binascii_defs);
}
