/* datetime: reading ISO 8601, with and without separators, calendar and week dates. Nothing here raises: who
 * calls does, with the whole text. Texts are NUL-terminated, so that looking at the character behind the last
 * one is legal. */
#include "stdlib/datetime_impl.h"

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool digits(const char *s, size_t n, size_t *pos, int count, int *out) {
    int v = 0;
    if (n - *pos < (size_t)count) return false;
    for (int i = 0; i < count; i++) {
        char c = s[*pos + (size_t)i];
        if (!is_digit(c)) return false;
        v = v * 10 + (c - '0');
    }
    *pos += (size_t)count;
    *out = v;
    return true;
}

/* YYYY-MM-DD, YYYYMMDD, YYYY-Www[-D] or YYYYWww[D] */
bool ou_dt_parse_date(const char *s, size_t n, DtFields *f) {
    size_t pos = 0;
    if (!digits(s, n, &pos, 4, &f->year)) return false;
    bool dashed = s[pos] == '-' && pos < n;
    pos += dashed;
    if (pos < n && s[pos] == 'W') {
        int week, day = 1;
        int64_t ordinal;
        pos++;
        if (!digits(s, n, &pos, 2, &week)) return false;
        if (pos < n) {
            if ((s[pos] == '-') != dashed) return false;
            pos += dashed;
            if (!digits(s, n, &pos, 1, &day)) return false;
        }
        if (pos != n || f->year < 1 || day < 1 || day > 7 || !ou_dt_iso_week(f->year, week, day, &ordinal) ||
            ordinal < 1)
            return false;
        ou_dt_from_ordinal(ordinal, &f->year, &f->month, &f->day);
        return true;
    }
    if (!digits(s, n, &pos, 2, &f->month) || (pos < n && s[pos] == '-') != dashed) return false;
    pos += dashed;
    return digits(s, n, &pos, 2, &f->day) && pos == n;
}

/* HH[:MM[:SS[.ffffff]]], with or without colons; digits behind the sixth are skipped. A fraction may follow
 * any part, as in CPython. 0: read to the end of the text, 1: something follows, -1: malformed. */
static int parse_hms(const char *p, const char *end, int *hms, int *us) {
    bool colons = false;
    hms[0] = hms[1] = hms[2] = *us = 0;
    for (int i = 0; i < 3; i++) {
        if (!is_digit(p[0]) || !is_digit(p[1])) return -1;
        hms[i] = (p[0] - '0') * 10 + p[1] - '0';
        char c = p[2];
        p += 3;
        if (i == 0) colons = c == ':';
        if (p >= end) return c != 0;
        if (colons && c == ':') continue;
        if (c == '.' || c == ',') break;
        if (colons) return -1;
        p--;
    }
    int scale = 100000, count = end - p >= 6 ? 6 : (int)(end - p);
    for (; count > 0; count--, p++, scale /= 10) {
        if (!is_digit(*p)) return -1;
        *us += (*p - '0') * scale;
    }
    while (is_digit(*p)) p++;
    return *p != 0;
}

bool ou_dt_parse_time(const char *s, size_t n, DtFields *f, DtOffset *offset) {
    const char *end = s + n, *zone = s;
    int hms[3], us;
    *offset = (DtOffset){0};
    do {
        if (*zone == '+' || *zone == '-' || *zone == 'Z') break;
    } while (++zone < end);
    int more = parse_hms(s, zone, hms, &f->us);
    if (more < 0 || (zone >= end && more)) return false;
    f->hour = hms[0], f->minute = hms[1], f->second = hms[2];
    if (zone >= end) return true;
    offset->given = true;
    if (*zone == 'Z') return zone[1] == 0;
    if (parse_hms(zone + 1, end, hms, &us) != 0) return false;
    int sign = *zone == '-' ? -1 : 1;
    offset->seconds = sign * (hms[0] * 3600 + hms[1] * 60 + hms[2]);
    offset->us = sign * us;
    return true;
}

size_t ou_dt_find_time(const char *s, size_t n, bool *ok) {
    *ok = true;
    if (n == 7) return 7;
    if (s[4] == '-') {
        if (s[5] != 'W') return 10;
        if (n > 8 && s[8] == '-') {
            if (n == 9) return *ok = false, 0;
            return n > 10 && is_digit(s[10]) ? 8 : 10; /* YYYY-Www-Thh: the dash was the separator */
        }
        return 8;
    }
    if (s[4] == 'W') {
        size_t pos = 7;
        while (pos < n && is_digit(s[pos])) pos++;
        if (pos < 9) return pos;
        return pos % 2 == 0 ? 7 : 8;
    }
    return 8;
}

Value ou_dt_parsed_zone(VM *vm, const DtOffset *offset) {
    if (!offset->given) return V_NONE;
    Value delta = ou_dt_delta(vm, 0, offset->seconds, offset->us),
          zone = delta == V_NULL ? V_NULL : ou_dt_zone(vm, delta, V_NONE);
    xrelease(vm, delta);
    return zone;
}
