/* time.strptime: a backtracking match of the format against the text, since a directive may take one digit or two.
 * Month and day names are those of the C locale. */
#include <ctype.h>
#include <stdio.h>

#include "stdlib/time_impl.h"

typedef struct Parse {
    int64_t year;
    int mon, mday, hour, hour12, min, sec, yday, wday, ampm, week, week_kind /* 'U', 'W', 'V' or 0 */, iso_year;
    bool has_year, has_yday, has_wday, has_hour12, has_offset, has_iso_year, has_mon_day;
    int64_t offset;
    int isdst;
    char zone[16];
} Parse;

static const char *const day_names[] = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"};
static const char *const month_names[] = {"january", "february", "march", "april", "may", "june", "july", "august", "september",
                                          "october", "november", "december"};

static bool same_letters(const char *s, const char *name, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (tolower((unsigned char)s[i]) != name[i])
            return false;
    }
    return true;
}

static bool match(const char *f, const char *s, Parse *p, const char **end);

/* A number of at most `digits` digits between lo and hi; longer ones are tried first. */
static bool number(const char *f, const char *s, Parse *p, const char **end, int digits, int lo, int hi, int *field, int exact)
{
    for (int n = digits; n >= (exact ? digits : 1); n--) {
        int v = 0, i = 0;
        while (i < n && isdigit((unsigned char)s[i]))
            v = v * 10 + (s[i++] - '0');
        if (i < n || v < lo || v > hi)
            continue;
        Parse saved = *p;
        *field = v;
        if (match(f, s + n, p, end))
            return true;
        *p = saved;
    }
    return false;
}

static bool word(const char *f, const char *s, Parse *p, const char **end, const char *const *names, int count, bool full, int *field,
                 int base)
{
    for (int i = 0; i < count; i++) {
        size_t n = full ? strlen(names[i]) : 3;
        if (!same_letters(s, names[i], n))
            continue;
        Parse saved = *p;
        *field = i + base;
        if (match(f, s + n, p, end))
            return true;
        *p = saved;
    }
    return false;
}

static bool offset(const char *f, const char *s, Parse *p, const char **end)
{
    if (*s == 'Z') {
        p->has_offset = true;
        p->offset = 0;
        return match(f, s + 1, p, end);
    }
    int sign = *s == '-' ? -1 : 1, part[3] = {0, 0, 0};
    if (*s != '+' && *s != '-')
        return false;
    s++;
    bool colon = false;
    for (int i = 0; i < 3; i++) {
        if (i == 1 && *s == ':') {
            colon = true;
            s++;
        } else if (i == 2) {
            if (colon ? *s != ':' : !isdigit((unsigned char)*s))
                break;
            s += colon;
        }
        if (!isdigit((unsigned char)s[0]) || !isdigit((unsigned char)s[1]))
            return false;
        part[i] = (s[0] - '0') * 10 + s[1] - '0';
        s += 2;
    }
    if (*s == '.') {
        s++;
        while (isdigit((unsigned char)*s))
            s++;
    }
    p->has_offset = true;
    p->offset = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
    return match(f, s, p, end);
}

static bool zone(const char *f, const char *s, Parse *p, const char **end)
{
    static const char *const zones[] = {"utc", "gmt"};
    for (int i = 0; i < 2; i++) {
        if (same_letters(s, zones[i], 3)) {
            p->isdst = 0;
            snprintf(p->zone, sizeof p->zone, "%.3s", s);
            return match(f, s + 3, p, end);
        }
    }
    return match(f, s, p, end);
}

/* Matches the rest of the format; *end is where the text was left. */
static bool match(const char *f, const char *s, Parse *p, const char **end)
{
    for (;;) {
        if (*f == 0) {
            *end = s;
            return true;
        }
        if (isspace((unsigned char)*f)) {
            while (isspace((unsigned char)*f))
                f++;
            if (!isspace((unsigned char)*s))
                return false;
            while (isspace((unsigned char)*s))
                s++;
            continue;
        }
        if (*f == '%')
            break;
        if (tolower((unsigned char)*f) != tolower((unsigned char)*s))
            return false;
        f++;
        s++;
    }
    char c = f[1];
    f += 2;
    switch (c) {
    case '%': return *s == '%' && match(f, s + 1, p, end);
    case 'a': p->has_wday = true; return word(f, s, p, end, day_names, 7, false, &p->wday, 0);
    case 'A': p->has_wday = true; return word(f, s, p, end, day_names, 7, true, &p->wday, 0);
    case 'b':
    case 'h': p->has_mon_day = true; return word(f, s, p, end, month_names, 12, false, &p->mon, 1);
    case 'B': p->has_mon_day = true; return word(f, s, p, end, month_names, 12, true, &p->mon, 1);
    case 'd':
        p->has_mon_day = true;
        if (*s == ' ' && s[1] >= '1' && s[1] <= '9')
            return number(f, s + 1, p, end, 1, 1, 9, &p->mday, 0);
        return number(f, s, p, end, 2, 1, 31, &p->mday, 0);
    case 'f':
        for (int n = 6; n >= 1; n--) {
            int i = 0;
            while (i < n && isdigit((unsigned char)s[i]))
                i++;
            if (i == n && match(f, s + n, p, end))
                return true;
        }
        return false;
    case 'H': return number(f, s, p, end, 2, 0, 23, &p->hour, 0);
    case 'I': p->has_hour12 = true; return number(f, s, p, end, 2, 1, 12, &p->hour12, 0);
    case 'j': p->has_yday = true; return number(f, s, p, end, 3, 1, 366, &p->yday, 0);
    case 'm': p->has_mon_day = true; return number(f, s, p, end, 2, 1, 12, &p->mon, 0);
    case 'M': return number(f, s, p, end, 2, 0, 59, &p->min, 0);
    case 'p':
        for (int i = 0; i < 2; i++) {
            if (same_letters(s, i ? "pm" : "am", 2)) {
                p->ampm = i + 1;
                return match(f, s + 2, p, end);
            }
        }
        return false;
    case 'S': return number(f, s, p, end, 2, 0, 61, &p->sec, 0);
    case 'U':
    case 'W':
    case 'V': p->week_kind = c; return number(f, s, p, end, 2, c == 'V', 53, &p->week, 0);
    case 'w': {
        p->has_wday = true;
        if (*s < '0' || *s > '6')
            return false;
        p->wday = (*s - '0' + 6) % 7;
        return match(f, s + 1, p, end);
    }
    case 'u':
        p->has_wday = true;
        if (*s < '1' || *s > '7')
            return false;
        p->wday = *s - '1';
        return match(f, s + 1, p, end);
    case 'y': {
        if (!isdigit((unsigned char)s[0]) || !isdigit((unsigned char)s[1]))
            return false;
        int y = (s[0] - '0') * 10 + s[1] - '0';
        p->year = y <= 68 ? 2000 + y : 1900 + y;
        p->has_year = true;
        return match(f, s + 2, p, end);
    }
    case 'Y':
    case 'G': {
        int y = 0;
        for (int i = 0; i < 4; i++) {
            if (!isdigit((unsigned char)s[i]))
                return false;
            y = y * 10 + s[i] - '0';
        }
        if (c == 'Y') {
            p->year = y;
            p->has_year = true;
        } else {
            p->iso_year = y;
            p->has_iso_year = true;
        }
        return match(f, s + 4, p, end);
    }
    case 'z': return offset(f, s, p, end);
    case 'Z': return zone(f, s, p, end);
    case 'c':
    case 'x':
    case 'X': {
        /* The C locale's forms, spelled out in front of what follows. */
        char longer[256];
        const char *form = c == 'c' ? "%a %b %d %H:%M:%S %Y" : c == 'x' ? "%m/%d/%y" : "%H:%M:%S";
        if (snprintf(longer, sizeof longer, "%s%s", form, f) >= (int)sizeof longer)
            return false;
        return match(longer, s, p, end);
    }
    default: return false;
    }
}

static bool leap(int64_t y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }
static int days_in(int64_t y, int m)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[m - 1] + (m == 2 && leap(y));
}

/* Days from 0001-01-01, which is day 1. */
static int64_t ordinal(int64_t y, int m, int d)
{
    int64_t before = y - 1, n = before * 365 + before / 4 - before / 100 + before / 400;
    for (int i = 1; i < m; i++)
        n += days_in(y, i);
    return n + d;
}

static int weekday(int64_t ord) { return (int)((ord + 6) % 7); } /* Monday is 0 */

/* The day of the year that week and weekday mean; may be below 1. */
static int64_t day_of_week_year(const Parse *p)
{
    if (p->week_kind == 'V') {
        int64_t correction = weekday(ordinal(p->iso_year, 1, 4)) + 4; /* ISO: week 1 holds the 4th of January */
        return (int64_t)p->week * 7 + p->wday + 1 - correction;
    }
    int first = weekday(ordinal(p->year, 1, 1)), day = p->wday, start = p->week_kind == 'W';
    if (!start) { /* weeks begin on Sunday */
        first = (first + 1) % 7;
        day = (day + 1) % 7;
    }
    int week0 = (7 - first) % 7;
    if (p->week == 0)
        return 1 + day - first;
    return 1 + week0 + 7 * (p->week - 1) + day;
}

static Value time_strptime(VM *vm, const Value *args, int n)
{
    if (!ou_is_a(vm, args[0], T_STR) || (n > 1 && !ou_is_a(vm, args[1], T_STR)))
        return ou_raise(vm, E_TYPE, "strptime() argument %d must be str, not %R", ou_is_a(vm, args[0], T_STR) ? 1 : 0,
                        v_of(ou_type_of(vm, ou_is_a(vm, args[0], T_STR) ? args[1] : args[0])));
    Str *text = as_str(args[0]);
    const char *format = n > 1 ? as_str(args[1])->data : "%a %b %d %H:%M:%S %Y", *end = NULL;
    for (const char *f = format; (f = strchr(f, '%')); f += 2) {
        if (!f[1])
            return ou_raise(vm, E_VALUE, "stray %% in format '%s'", format);
        if (!strchr("aAbBdfhHIjmMpSUwWyYzZ%cxXGuV", f[1]))
            return ou_raise(vm, E_VALUE, "'%c' is a bad directive in format '%s'", f[1], format);
    }
    Parse p = {.year = 1900, .mon = 1, .mday = 1, .isdst = -1};
    if (!match(format, text->data, &p, &end)) {
        Value fmt = ou_str_c(vm, format);
        if (fmt != V_NULL) {
            ou_raise(vm, E_VALUE, "time data %R does not match format %R", args[0], fmt);
            release(vm, fmt);
        }
        return V_NULL;
    }
    if (*end)
        return ou_raise(vm, E_VALUE, "unconverted data remains: %s", end);
    if (p.has_hour12)
        p.hour = p.hour12 % 12 + (p.ampm == 2 ? 12 : 0);
    if (p.has_iso_year != (p.week_kind == 'V') || (p.week_kind == 'V' && !p.has_wday))
        return ou_raise(vm, E_VALUE, p.has_iso_year ? "ISO year directive '%%G' must be used with the ISO week directive '%%V' and a "
                                                      "weekday directive ('%%A', '%%a', '%%w', or '%%u')."
                                                    : "ISO week directive '%%V' must be used with the ISO year directive '%%G' and a "
                                                      "weekday directive ('%%A', '%%a', '%%w', or '%%u').");
    int64_t ord;
    if (p.has_yday || (p.week_kind && p.has_wday && (p.has_year || p.has_iso_year))) {
        int64_t yday = p.has_yday ? p.yday : day_of_week_year(&p);
        ord = ordinal(p.week_kind == 'V' && !p.has_yday ? p.iso_year : p.year, 1, 1) + yday - 1;
        int64_t y = p.week_kind == 'V' && !p.has_yday ? p.iso_year : p.year;
        while (ord < ordinal(y, 1, 1))
            y--;
        while (ord >= ordinal(y + 1, 1, 1))
            y++;
        p.year = y;
        int64_t rest = ord - ordinal(y, 1, 1) + 1;
        for (p.mon = 1; rest > days_in(y, p.mon); p.mon++)
            rest -= days_in(y, p.mon);
        p.mday = (int)rest;
    } else {
        bool feb29 = !p.has_year && p.mon == 2 && p.mday == 29; /* only a day and a month: 1900 was no leap year */
        if (feb29)
            p.year = 1904;
        if (p.mday > days_in(p.year, p.mon))
            return ou_raise(vm, E_VALUE, "day is out of range for month");
        if (feb29)
            p.year = 1900;
    }
    ord = ordinal(p.year, p.mon, p.mday);
    TimeFields t = {p.year, p.mon, p.mday, p.hour, p.min, p.sec, p.has_wday ? p.wday : weekday(ord),
                    (int)(ord - ordinal(p.year, 1, 1) + 1), p.isdst, *p.zone ? p.zone : NULL, p.has_offset, p.offset};
    return ou_time_struct(vm, &t);
}

const NativeDef ou_time_parse_def[] = {
    {"strptime(string, format=None, /)", time_strptime, "Parse a string to a time tuple according to a format specification.", 0},
    {0},
};
