/* Numbers as text both ways, UTF-8 in and out, searching, and properties of code points. */
#include "runtime/base/numtext.h"
#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"
#include "tests/unit/check.h"
#include <math.h>
#include <stdlib.h>

static void test_repr(void)
{
    static const struct {
        double d;
        const char *text;
    } rows[] = {
        {0.0, "0.0"}, {-0.0, "-0.0"}, {1.0, "1.0"}, {0.1, "0.1"}, {0.1 + 0.2, "0.30000000000000004"}, {1e15, "1000000000000000.0"},
        {1e16, "1e+16"}, {1e22, "1e+22"}, {1e-4, "0.0001"}, {1e-5, "1e-05"}, {5e-324, "5e-324"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
        {123456789.125, "123456789.125"}, {1e100, "1e+100"}, {2.0 / 3, "0.6666666666666666"}, {-1.5e-10, "-1.5e-10"}, {9007199254740993.0, "9007199254740992.0"},
        {INFINITY, "inf"}, {-INFINITY, "-inf"},
    };
    char buf[DOUBLE_REPR_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = ou_double_repr(rows[i].d, buf);
        CHECK(n == strlen(rows[i].text) && memcmp(buf, rows[i].text, n) == 0);
    }
    CHECK(ou_double_repr(NAN, buf) == 3 && memcmp(buf, "nan", 3) == 0);
    /* Whatever is printed reads back as the same bits. */
    uint64_t x = 88172645463325252u;
    int wrong = 0;
    for (int i = 0; i < 200000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        double d, back;
        memcpy(&d, &x, 8);
        if (!isfinite(d)) continue;
        size_t n = ou_double_repr(d, buf);
        wrong += !ou_double_parse(buf, n, &back) || memcmp(&d, &back, 8) != 0;
    }
    CHECK(wrong == 0);
}

static bool formats(Heap *h, double d, char type, int precision, unsigned flags, const char *want)
{
    NumText t;
    if (!ou_double_format(h, d, type, precision, flags, &t)) return false;
    bool same = t.n == strlen(want) && memcmp(t.p, want, t.n) == 0;
    if (!same) printf("got %.*s for %s\n", (int)t.n, t.p, want);
    ou_numtext_drop(h, &t);
    return same;
}

static void test_format(void)
{
    Heap h;
    ou_heap_init(&h, NULL, NULL);
    CHECK(formats(&h, 3.14159, 'f', 2, 0, "3.14"));
    CHECK(formats(&h, 2.5, 'f', 0, 0, "2"));
    CHECK(formats(&h, 3.5, 'f', 0, DBL_ALT, "4."));
    CHECK(formats(&h, 12345.678, 'e', 3, 0, "1.235e+04"));
    CHECK(formats(&h, 12345.678, 'E', 0, 0, "1E+04"));
    CHECK(formats(&h, 1e10, 'g', -1, 0, "1e+10"));
    CHECK(formats(&h, 100000, 'g', -1, 0, "100000"));
    CHECK(formats(&h, 0.0001, 'G', 3, DBL_PLUS, "+0.0001"));
    CHECK(formats(&h, 1, 'g', 3, DBL_DOT_0, "1.0"));
    CHECK(formats(&h, 1, 'r', 0, DBL_DOT_0 | DBL_SPACE, " 1.0"));
    CHECK(formats(&h, -0.04, 'f', 1, DBL_Z, "0.0"));
    CHECK(formats(&h, -0.04, 'f', 1, 0, "-0.0"));
    CHECK(formats(&h, INFINITY, 'F', 2, 0, "INF"));
    CHECK(formats(&h, -INFINITY, 'f', 2, DBL_PLUS, "-inf"));
    NumText t;
    CHECK(ou_double_format(&h, 1e300, 'f', 500, 0, &t) && t.n == 301 + 1 + 500);
    ou_numtext_drop(&h, &t);
    CHECK(h.used == 0);
    ou_heap_fini(&h);
}

static void test_scan(void)
{
    double d;
    CHECK(ou_double_scan("1.5e3x", 6, &d) == 5 && d == 1500);
    CHECK(ou_double_scan("1e", 2, &d) == 1 && d == 1);
    CHECK(ou_double_scan("-.5", 3, &d) == 3 && d == -0.5);
    CHECK(ou_double_scan(".", 1, &d) == 0);
    CHECK(ou_double_scan("-", 1, &d) == 0);
    CHECK(ou_double_scan("", 0, &d) == 0);
    CHECK(ou_double_scan("iNfinity!", 9, &d) == 8 && isinf(d));
    CHECK(ou_double_scan("-nan", 4, &d) == 4 && isnan(d));
    CHECK(ou_double_scan("1e400", 5, &d) == 5 && isinf(d));
    CHECK(ou_double_scan("0x10", 4, &d) == 1 && d == 0);
    CHECK(ou_double_parse("5.", 2, &d) && d == 5);
    CHECK(!ou_double_parse("5. ", 3, &d) && !ou_double_parse("1_0", 3, &d) && !ou_double_parse("", 0, &d));
}

static void test_utf8(void)
{
    char buf[4];
    for (uint32_t c = 0; c < 0x110000; c += c < 0x900 ? 1 : 97) {
        size_t n = utf8_put(buf, c);
        const char *p = buf;
        CHECK(n == utf8_len(c) && utf8_next(&p) == c && p == buf + n);
        CHECK(utf8_prev(&p) == c && p == buf);
        CHECK(ou_utf8_check(buf, n, NULL, NULL) == !(c >= 0xD800 && c < 0xE000));
    }
    static const struct {
        const char *bytes;
        size_t at;
    } bad[] = {{"a\xff", 1}, {"\xc0\xaf", 0}, {"ab\xe2\x82", 2}, {"\xed\xa0\x80", 0}, {"\xf4\x90\x80\x80", 0}, {"\xf0\x80\x80\x80", 0}, {"\x80", 0}, {"\xc3(", 0}, {"0123456789abcdef0123456789\xfe", 26}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t at = 99;
        CHECK(!ou_utf8_check(bad[i].bytes, strlen(bad[i].bytes), NULL, &at) && at == bad[i].at);
    }
    size_t count;
    const char *text = "h\xc3\xa9llo w\xc3\xb6rld \xe6\x97\xa5 \xf0\x9f\x98\x80 and a longer ASCII tail of it";
    CHECK(ou_utf8_check(text, strlen(text), &count, NULL) && count == strlen(text) - 7 && ou_utf8_count(text, strlen(text)) == count);
    static char many[9000]; /* counted in blocks */
    for (size_t n = 0; n < sizeof many; n++) {
        many[n] = text[n % strlen(text)];
        size_t tails = 0;
        for (size_t i = 0; n % 97 == 0 && i < n; i++)
            tails += ((unsigned char)many[i] & 0xC0) == 0x80;
        CHECK(n % 97 || ou_utf8_count(many, n) == n - tails);
    }
    CHECK(ou_utf8_ascii_run(text, strlen(text)) == 1 && ou_utf8_ascii_run("abc", 3) == 3 && ou_utf8_ascii_run("", 0) == 0);
    char ascii[100];
    memset(ascii, 'a', sizeof ascii);
    for (size_t i = 0; i < sizeof ascii; i++) {
        ascii[i] = (char)0xC3;
        CHECK(ou_utf8_ascii_run(ascii, sizeof ascii) == i);
        ascii[i] = 'a';
    }
    uint32_t cp;
    int wrong;
    const char *reason;
    CHECK(ou_utf8_decode("\xe6\x97\xa5", 3, &cp, &wrong, &reason) == 3 && cp == 0x65E5);
    CHECK(ou_utf8_decode("\xe6\x97", 2, &cp, &wrong, &reason) == 0 && wrong == 2 && strcmp(reason, "unexpected end of data") == 0);
    CHECK(ou_utf8_decode("\xff", 1, &cp, &wrong, &reason) == 0 && wrong == 1 && strcmp(reason, "invalid start byte") == 0);
    CHECK(ou_utf8_decode("\xc3(", 2, &cp, &wrong, &reason) == 0 && wrong == 1 && strcmp(reason, "invalid continuation byte") == 0);
}

/* The searches against the obvious loop, over strings that nearly match. */
static void test_search(void)
{
    unsigned seed = 7;
    for (int round = 0; round < 3000; round++) {
        char hay[80], needle[6];
        size_t n = (size_t)(round % 80), m = 1 + (size_t)(round % 5);
        for (size_t i = 0; i < n; i++) hay[i] = (char)('a' + (seed = seed * 1103515245 + 12345) / 65536 % 2);
        for (size_t i = 0; i < m; i++) needle[i] = (char)('a' + (seed = seed * 1103515245 + 12345) / 65536 % 2);
        const char *first = NULL, *last = NULL;
        size_t count = 0, next = 0;
        for (size_t i = 0; i + m <= n; i++) {
            if (memcmp(hay + i, needle, m) != 0) continue;
            if (first == NULL) first = hay + i;
            last = hay + i;
            if (i >= next) {
                count++;
                next = i + m;
            }
        }
        CHECK(ou_mem_find(hay, n, needle, m) == first);
        CHECK(ou_mem_rfind(hay, n, needle, m) == last);
        CHECK(ou_mem_count(hay, n, needle, m, SIZE_MAX) == count);
    }
    CHECK(ou_mem_hash("abc", 3, 1) == ou_mem_hash("abc", 3, 1) && ou_mem_hash("abc", 3, 1) != ou_mem_hash("abd", 3, 1));
}

static void test_unicode(void)
{
    CHECK(ou_uni_is_alpha('a') && !ou_uni_is_alpha('1') && ou_uni_is_alpha(0xE9) && ou_uni_is_alpha(0x65E5));
    CHECK(ou_uni_is_space(' ') && ou_uni_is_space(0xA0) && ou_uni_is_space(0x1C) && !ou_uni_is_space(0x200B));
    CHECK(ou_uni_is_linebreak('\n') && ou_uni_is_linebreak(0x2028) && ou_uni_is_linebreak(0x85) && !ou_uni_is_linebreak(' '));
    CHECK(ou_uni_decimal('7') == 7 && ou_uni_decimal(0x663) == 3 && ou_uni_decimal('a') == -1);
    CHECK(ou_uni_is_digit(0xB2) && !ou_uni_is_decimal(0xB2) && ou_uni_is_numeric(0xBD) && !ou_uni_is_digit(0xBD));
    CHECK(ou_uni_is_upper('A') && ou_uni_is_lower(0xDF) && ou_uni_is_title(0x1C5) && !ou_uni_is_upper(0x1C5));
    CHECK(ou_uni_is_id_start('_') && ou_uni_is_id_start(0x53D8) && !ou_uni_is_id_start('1') && ou_uni_is_id_continue('1') && !ou_uni_is_id_continue('-'));
    CHECK(!ou_uni_is_printable(0xD800) && !ou_uni_is_printable(0x7F) && ou_uni_is_printable(' ') && !ou_uni_is_printable(0xAD));
    uint32_t out[4];
    CHECK(ou_uni_upper(0xDF, out) == 2 && out[0] == 'S' && out[1] == 'S');
    CHECK(ou_uni_lower(0x130, out) == 2 && out[0] == 'i' && out[1] == 0x307);
    CHECK(ou_uni_title(0x1C6, out) == 1 && out[0] == 0x1C5);
    CHECK(ou_uni_fold(0xDF, out) == 2 && out[0] == 's');
    CHECK(ou_uni_lower1('A') == 'a' && ou_uni_upper1(0xE9) == 0xC9);
}

int main(void)
{
    test_repr();
    test_format();
    test_scan();
    test_utf8();
    test_search();
    test_unicode();
    return finish_checks();
}
