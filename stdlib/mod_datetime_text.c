/* datetime: ISO 8601 text and strftime. The codes that everybody uses are written here, the others by the C
 * library, one at a time; %f, %z, %:z and %Z are no business of the C library's. */
#include "stdlib/datetime_impl.h"

static void put_digits(char **p, unsigned v, int width) {
    for (int i = width; i-- > 0; v /= 10) (*p)[i] = (char)('0' + v % 10);
    *p += width;
}

void ou_dt_put_date(char **p, const Moment *m) {
    put_digits(p, m->year, 4);
    *(*p)++ = '-';
    put_digits(p, m->month, 2);
    *(*p)++ = '-';
    put_digits(p, m->day, 2);
}

bool ou_dt_put_time(VM *vm, char **p, const Moment *m, Value timespec) {
    static const char *const names[] = {"auto",    "hours",        "minutes",
                                        "seconds", "milliseconds", "microseconds"};
    int k = 0;
    if (timespec != V_NULL) {
        if (!ou_is_a(vm, timespec, T_STR))
            return ou_raise(vm, E_TYPE, "isoformat() argument 'timespec' must be str, not %K", timespec),
                   false;
        while (k < 6 && !ou_str_eq_c(as_str(timespec), names[k])) k++;
        if (k == 6) return ou_raise(vm, E_VALUE, "Unknown timespec value"), false;
    }
    if (k == 0) k = m->us ? 5 : 3;
    put_digits(p, m->hour, 2);
    if (k >= 2) *(*p)++ = ':', put_digits(p, m->minute, 2);
    if (k >= 3) *(*p)++ = ':', put_digits(p, m->second, 2);
    if (k == 4) *(*p)++ = '.', put_digits(p, (unsigned)m->us / 1000, 3);
    if (k == 5) *(*p)++ = '.', put_digits(p, (unsigned)m->us, 6);
    return true;
}

void ou_dt_put_offset(char **p, const Delta *offset, const char *sep) {
    int seconds = offset->days * 86400 + offset->seconds, us = offset->us;
    if (offset->days < 0) {
        seconds = -seconds - (us > 0);
        us = us ? 1000000 - us : 0;
    }
    size_t n = strlen(sep);
    *(*p)++ = offset->days < 0 ? '-' : '+';
    put_digits(p, (unsigned)seconds / 3600, 2);
    memcpy(*p, sep, n);
    *p += n;
    put_digits(p, (unsigned)seconds / 60 % 60, 2);
    if (seconds % 60 || us) {
        memcpy(*p, sep, n);
        *p += n;
        put_digits(p, (unsigned)seconds % 60, 2);
    }
    if (us) *(*p)++ = '.', put_digits(p, (unsigned)us, 6);
}

/* ---- strftime ------------------------------------------------------------------------------------------- */

static bool put_offset(VM *vm, StrBuf *b, Value tz, Value tzarg, const char *sep) {
    Value off = ou_dt_offset(vm, tz, "utcoffset", tzarg);
    if (off == V_NULL) return false;
    char text[32], *p = text;
    if (off != V_NONE) ou_dt_put_offset(&p, as_delta(off), sep);
    release(vm, off);
    ou_sb_put(b, text, (size_t)(p - text));
    return true;
}

static bool put_zone_name(VM *vm, StrBuf *b, Value tz, Value tzarg) {
    Value name = ou_dt_tzname(vm, tz, tzarg);
    if (name == V_NULL) return false;
    if (name != V_NONE && !is_str(name)) { /* CPython doubles the percent signs, which a subclass notices */
        Value percents[2] = {ou_str_c(vm, "%"), ou_str_c(vm, "%%")}, doubled = V_NULL;
        if (percents[0] != V_NULL && percents[1] != V_NULL)
            doubled = ou_call_method_c(vm, name, "replace", percents, 2);
        bool ok = doubled != V_NULL && ou_is_a(vm, doubled, T_STR);
        if (doubled != V_NULL && !ok) ou_raise(vm, E_TYPE, "tzname.replace() did not return a string");
        xrelease(vm, percents[0]);
        xrelease(vm, percents[1]);
        xrelease(vm, doubled);
        if (!ok) return release(vm, name), false;
    }
    if (name != V_NONE) ou_sb_str(b, name);
    release(vm, name);
    return true;
}

static bool fill_tm(VM *vm, const Moment *m, bool has_date, Value tz, Value tzarg, struct tm *tm) {
    memset(tm, 0, sizeof *tm);
    int year = has_date ? m->year : 1900, month = has_date ? m->month : 1, day = has_date ? m->day : 1;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    tm->tm_hour = m->hour;
    tm->tm_min = m->minute;
    tm->tm_sec = m->second;
    tm->tm_wday = has_date ? (ou_dt_weekday(m) + 1) % 7 : 1;
    tm->tm_yday = ou_dt_days_before(year, month) + day - 1;
    tm->tm_isdst = -1;
    if (!has_date) return true;
    Value dst = ou_dt_offset(vm, tz, "dst", tzarg);
    if (dst == V_NULL) return false;
    if (dst != V_NONE) tm->tm_isdst = as_delta(dst)->days || as_delta(dst)->seconds || as_delta(dst)->us;
    release(vm, dst);
    return true;
}

/* The C library's text for one code. */
static bool put_code(VM *vm, StrBuf *b, const char *code, size_t n, const struct tm *tm) {
    char fmt[40] = " ", fixed[256]; /* the blank: an empty result differs from a full buffer */
    if (n + 2 > sizeof fmt) return ou_sb_put(b, code, n), true;
    memcpy(fmt + 1, code, n);
    fmt[n + 1] = 0;
    char *p = fixed;
    size_t cap = sizeof fixed, len;
    for (;;) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        len = strftime(p, cap, fmt, tm);
#pragma GCC diagnostic pop
        if (len || cap >= 65536) break; /* widths can ask for much */
        if (p != fixed) ou_free(&vm->heap, p, cap);
        cap *= 4;
        if (!(p = ou_alloc(&vm->heap, cap))) return ou_raise_memory(vm), false;
    }
    Value text = len ? ou_str_decode(vm, p + 1, len - 1, "utf-8", "surrogateescape") : ou_str_c(vm, "");
    if (p != fixed) ou_free(&vm->heap, p, cap);
    if (text == V_NULL) return false;
    ou_sb_str(b, text);
    release(vm, text);
    return true;
}

/* Writes the code at *s behind its percent sign and moves *s behind it. */
static bool put_one(VM *vm, StrBuf *b, const char **s, const char *end, const Moment *m, Value tz,
                    Value tzarg, const struct tm *tm, bool is_date) {
    const char *start = *s, *p = start;
    char two[8], *q = two, c = *p++;
    *s = p;
    switch (c) {
    case 'Y':
        if (tm->tm_year + 1900 < 1000) break; /* the C library pads those, or not */
        put_digits(&q, (unsigned)(tm->tm_year + 1900), 4);
        return ou_sb_put(b, two, 4), true;
    case 'm': put_digits(&q, (unsigned)tm->tm_mon + 1, 2); return ou_sb_put(b, two, 2), true;
    case 'd': put_digits(&q, (unsigned)tm->tm_mday, 2); return ou_sb_put(b, two, 2), true;
    case 'H': put_digits(&q, (unsigned)tm->tm_hour, 2); return ou_sb_put(b, two, 2), true;
    case 'M': put_digits(&q, (unsigned)tm->tm_min, 2); return ou_sb_put(b, two, 2), true;
    case 'S': put_digits(&q, (unsigned)tm->tm_sec, 2); return ou_sb_put(b, two, 2), true;
    case 'y': put_digits(&q, (unsigned)(tm->tm_year + 1900) % 100, 2); return ou_sb_put(b, two, 2), true;
    case 'f': put_digits(&q, is_date ? 0 : (unsigned)m->us, 6); return ou_sb_put(b, two, 6), true;
    case '%': return ou_sb_putc(b, '%'), true;
    case 'z': return is_date || put_offset(vm, b, tz, tzarg, "");
    case 'Z': return is_date || put_zone_name(vm, b, tz, tzarg);
    case ':':
        if (p < end && *p == 'z') {
            *s = p + 1;
            return is_date || put_offset(vm, b, tz, tzarg, ":");
        }
        break;
    default: break;
    }
    p = start;
    while (p < end && strchr("_-0^#+", *p)) p++;
    while (p < end && *p >= '0' && *p <= '9') p++;
    if (p + 1 < end && (*p == 'E' || *p == 'O')) p++;
    if (p < end) p++;
    while (p < end && ((unsigned char)*p & 0xC0) == 0x80) p++; /* the rest of a character that is not ASCII */
    *s = p;
    return put_code(vm, b, start - 1, (size_t)(p - start) + 1, tm);
}

Value ou_dt_strftime(VM *vm, Value self, Value format, Value tzarg) {
    if (!ou_is_a(vm, format, T_STR))
        return ou_raise(vm, E_TYPE, "strftime() argument 1 must be str, not %K", format);
    const Moment *m = as_moment(self);
    bool has_date = dt_is(vm, self, &ou_dt_date_def),
         is_date = has_date && !dt_is(vm, self, &ou_dt_datetime_def);
    Value tz = is_date ? V_NONE : m->tz;
    const char *s = as_str(format)->data, *end = s + strlen(s); /* a NUL ends it */
    struct tm tm;
    if (!fill_tm(vm, m, has_date, tz, tzarg, &tm)) return V_NULL;
    StrBuf b;
    ou_sb_init(&b, vm);
    while (s < end) {
        const char *percent = memchr(s, '%', (size_t)(end - s));
        if (!percent || percent + 1 == end) {
            ou_sb_put(&b, s, (size_t)(end - s));
            break;
        }
        ou_sb_put(&b, s, (size_t)(percent - s));
        s = percent + 1;
        if (!put_one(vm, &b, &s, end, m, tz, tzarg, &tm, is_date)) {
            ou_sb_drop(&b);
            return V_NULL;
        }
    }
    return ou_sb_finish(&b);
}

Value ou_dt_format(VM *vm, Value self, Value spec) {
    if (!ou_is_a(vm, spec, T_STR))
        return ou_raise(vm, E_TYPE, "__format__() argument 1 must be str, not %K", spec);
    if (as_str(spec)->size == 0) return ou_str(vm, self);
    return ou_call_method_c(vm, self, "strftime", &spec, 1);
}
