/* `time`: clocks, sleeping, calendar times. strptime is in the script module _strptime.
 * The one thing to know: sleep gives the VM's lock away and wakes up for signals; it is not the loop's sleep. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "runtime/objects/import.h"
#include "stdlib/fspath.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

typedef struct TimeState {
    Value struct_time; /* owned type */
} TimeState;

/* ---- clocks ----------------------------------------------------------------------------------------------------------- */

static bool clock_ns(VM *vm, clockid_t id, int64_t *out)
{
    struct timespec ts;
    if (clock_gettime(id, &ts) < 0) {
        ou_raise_errno(vm, errno, V_NULL);
        return false;
    }
    *out = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
    return true;
}

static Value clock_float(VM *vm, clockid_t id)
{
    int64_t ns;
    return clock_ns(vm, id, &ns) ? v_float((double)ns / 1e9) : V_NULL;
}

static Value clock_int(VM *vm, clockid_t id)
{
    int64_t ns;
    return clock_ns(vm, id, &ns) ? ou_int(vm, ns) : V_NULL;
}

#define CLOCK(name, id)                                                                                               \
    static Value time_##name(VM *vm, const Value *args, int n) { return (void)args, (void)n, clock_float(vm, id); }   \
    static Value time_##name##_ns(VM *vm, const Value *args, int n) { return (void)args, (void)n, clock_int(vm, id); }
CLOCK(time, CLOCK_REALTIME)
CLOCK(monotonic, CLOCK_MONOTONIC)
CLOCK(perf_counter, CLOCK_MONOTONIC)
CLOCK(process_time, CLOCK_PROCESS_CPUTIME_ID)
CLOCK(thread_time, CLOCK_THREAD_CPUTIME_ID)

static bool clock_arg(VM *vm, Value v, clockid_t *out)
{
    int64_t id;
    if (!ou_index_i64(vm, v, &id))
        return false;
    *out = (clockid_t)id;
    return true;
}

static Value time_clock_gettime(VM *vm, const Value *args, int n)
{
    (void)n;
    clockid_t id;
    return clock_arg(vm, args[0], &id) ? clock_float(vm, id) : V_NULL;
}

static Value time_clock_gettime_ns(VM *vm, const Value *args, int n)
{
    (void)n;
    clockid_t id;
    return clock_arg(vm, args[0], &id) ? clock_int(vm, id) : V_NULL;
}

static Value time_clock_getres(VM *vm, const Value *args, int n)
{
    (void)n;
    clockid_t id;
    struct timespec ts;
    if (!clock_arg(vm, args[0], &id))
        return V_NULL;
    if (clock_getres(id, &ts) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    return v_float((double)ts.tv_sec + (double)ts.tv_nsec / 1e9);
}

static Value time_get_clock_info(VM *vm, const Value *args, int n)
{
    (void)n;
    static const struct {
        const char *name, *impl;
        bool monotonic, adjustable;
    } clocks[] = {
        {"time", "clock_gettime(CLOCK_REALTIME)", false, true},
        {"monotonic", "clock_gettime(CLOCK_MONOTONIC)", true, false},
        {"perf_counter", "clock_gettime(CLOCK_MONOTONIC)", true, false},
        {"process_time", "clock_gettime(CLOCK_PROCESS_CPUTIME_ID)", true, false},
        {"thread_time", "clock_gettime(CLOCK_THREAD_CPUTIME_ID)", true, false},
    };
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "get_clock_info() argument 1 must be str, not %K", args[0]);
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        if (!ou_str_eq_c(as_str(args[0]), clocks[i].name))
            continue;
        Value d = ou_dict_new(vm), impl = ou_str_c(vm, clocks[i].impl), r = V_NULL;
        if (d != V_NULL && impl != V_NULL && ou_dict_set_c(vm, as_dict(d), "implementation", impl) &&
            ou_dict_set_c(vm, as_dict(d), "monotonic", v_bool(clocks[i].monotonic)) &&
            ou_dict_set_c(vm, as_dict(d), "adjustable", v_bool(clocks[i].adjustable)) &&
            ou_dict_set_c(vm, as_dict(d), "resolution", v_float(1e-9)))
            r = ou_call_ex(vm, v_of(ou_builtin(vm, T_NAMESPACE)), as_tuple(vm->empty_tuple), as_dict(d));
        xrelease(vm, d);
        xrelease(vm, impl);
        return r;
    }
    return ou_raise(vm, E_VALUE, "unknown clock");
}

/* ---- seconds given by scripts ---------------------------------------------------------------------------------------------- */

/* An int or float; floats are rounded down to whole nanoseconds. */
static bool seconds_ns(VM *vm, Value v, double *seconds)
{
    if (ou_is_floatlike(vm, v)) {
        *seconds = ou_float_of(vm, v);
        if (isnan(*seconds)) {
            ou_raise(vm, E_VALUE, "Invalid value NaN (not a number)");
            return false;
        }
        return true;
    }
    int64_t i;
    Value x = ou_index(vm, v);
    if (x == V_NULL)
        return false;
    bool fits = ou_int_fits_i64(vm, x, &i);
    release(vm, x);
    *seconds = fits ? (double)i : 1e300;
    return true;
}

static Value set_clock(VM *vm, Value clock, const struct timespec *ts)
{
    clockid_t id;
    if (!clock_arg(vm, clock, &id) || !ou_require_cap(vm, CAP_PROCESS, "setting a clock"))
        return V_NULL;
    return clock_settime(id, ts) < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
}

static Value time_clock_settime(VM *vm, const Value *args, int n)
{
    (void)n;
    double seconds;
    if (!seconds_ns(vm, args[1], &seconds))
        return V_NULL;
    if (fabs(seconds) >= 9223372036.0)
        return ou_raise(vm, E_OVERFLOW, "timestamp out of range for platform time_t");
    double whole = floor(seconds);
    return set_clock(vm, args[0], &(struct timespec){(time_t)whole, (long)((seconds - whole) * 1e9)});
}

static Value time_clock_settime_ns(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t ns;
    if (!ou_is_intlike(vm, args[1]))
        return ou_raise(vm, E_TYPE, "expect int, got %T", args[1]);
    if (!ou_int_i64(vm, args[1], &ns))
        return V_NULL;
    int64_t whole = ns / 1000000000 - (ns % 1000000000 < 0);
    return set_clock(vm, args[0], &(struct timespec){(time_t)whole, (long)(ns - whole * 1000000000)});
}

enum { NAP_NANOS = 100 * 1000 * 1000 };

static Value time_sleep(VM *vm, const Value *args, int n)
{
    (void)n;
    double seconds;
    if (!seconds_ns(vm, args[0], &seconds))
        return V_NULL;
    if (seconds < 0)
        return ou_raise(vm, E_VALUE, "sleep length must be non-negative");
    if (seconds >= 9223372036.0)
        return ou_raise(vm, E_OVERFLOW, "timestamp out of range for platform time_t");
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t at = now.tv_sec * INT64_C(1000000000) + now.tv_nsec, end = at + (int64_t)ceil(seconds * 1e9);
    int err;
    do {
        ou_blocking_begin(vm);
        do { /* in naps: ouro_interrupt on another thread sends no signal */
            at = end - at > NAP_NANOS ? at + NAP_NANOS : end;
            struct timespec until = {.tv_sec = (time_t)(at / 1000000000), .tv_nsec = (long)(at % 1000000000)};
            err = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        } while (!err && at < end && !(vm->attention & ATT_INTERRUPT));
        ou_blocking_end(vm);
        if (!ou_safepoint(vm))
            return V_NULL;
    } while (err == EINTR || (!err && at < end));
    return err ? ou_raise_errno(vm, err, V_NULL) : V_NONE;
}

static bool time_arg(VM *vm, const Value *args, int n, time_t *out)
{
    if (n == 0 || args[0] == V_NONE) {
        *out = time(NULL);
        return true;
    }
    double seconds;
    if (!seconds_ns(vm, args[0], &seconds))
        return false;
    if (!(fabs(seconds) < 9.2e18)) {
        ou_raise(vm, E_OVERFLOW, "timestamp out of range for platform time_t");
        return false;
    }
    *out = (time_t)floor(seconds);
    return true;
}

/* ---- struct_time ------------------------------------------------------------------------------------------------------------- */

static const char *const time_fields[] = {"tm_year", "tm_mon", "tm_mday", "tm_hour", "tm_min", "tm_sec", "tm_wday", "tm_yday",
                                          "tm_isdst", "tm_zone", "tm_gmtoff", NULL};
static const StructSeqDef struct_time_def = {"time.struct_time", "The time value as returned by gmtime(), localtime(), and strptime()",
                                             time_fields, 9, false};

static Value from_tm(VM *vm, const struct tm *tm)
{
    TimeState *st = ou_module_record(vm, MOD_time, sizeof(TimeState));
    if (!st)
        return V_NULL;
    Value zone = tm->tm_zone ? ou_str_decode(vm, tm->tm_zone, strlen(tm->tm_zone), "utf-8", "surrogateescape") : V_NONE;
    Value offset = ou_int(vm, tm->tm_gmtoff);
    Value year = ou_int(vm, tm->tm_year + INT64_C(1900));
    Value items[11] = {year, v_smallint(tm->tm_mon + 1), v_smallint(tm->tm_mday), v_smallint(tm->tm_hour), v_smallint(tm->tm_min),
                       v_smallint(tm->tm_sec), v_smallint((tm->tm_wday + 6) % 7), v_smallint(tm->tm_yday + 1),
                       v_smallint(tm->tm_isdst), zone, offset};
    if (zone == V_NULL || offset == V_NULL || year == V_NULL) {
        xrelease(vm, zone);
        xrelease(vm, offset);
        xrelease(vm, year);
        return V_NULL;
    }
    return ou_structseq_new(vm, (Type *)v_obj(st->struct_time), items);
}

static Value time_gmtime(VM *vm, const Value *args, int n)
{
    time_t when;
    struct tm tm;
    if (!time_arg(vm, args, n, &when))
        return V_NULL;
    if (!gmtime_r(&when, &tm))
        return ou_raise_errno(vm, EOVERFLOW, V_NULL);
    tm.tm_zone = "GMT";
    return from_tm(vm, &tm);
}

static Value time_localtime(VM *vm, const Value *args, int n)
{
    time_t when;
    struct tm tm;
    if (!time_arg(vm, args, n, &when))
        return V_NULL;
    if (!localtime_r(&when, &tm))
        return ou_raise_errno(vm, EOVERFLOW, V_NULL);
    return from_tm(vm, &tm);
}

/* A tuple of nine numbers. */
static bool tm_arg(VM *vm, Value v, const char *fn, struct tm *tm)
{
    int64_t f[9];
    memset(tm, 0, sizeof *tm);
    if (!ou_is_a(vm, v, T_TUPLE)) {
        ou_raise(vm, E_TYPE, "Tuple or struct_time argument required");
        return false;
    }
    Tuple *t = as_tuple(v);
    if (t->n != 9) {
        ou_raise(vm, E_TYPE, "%s(): illegal time tuple argument", fn);
        return false;
    }
    for (int i = 0; i < 9; i++) {
        if (!ou_is_intlike(vm, t->items[i])) {
            ou_raise(vm, E_TYPE, "'%T' object cannot be interpreted as an integer", t->items[i]);
            return false;
        }
        if (!ou_index_i64(vm, t->items[i], &f[i]))
            return false;
        if (f[i] > INT32_MAX || f[i] < INT32_MIN) {
            ou_raise(vm, E_OVERFLOW, "signed integer is %s", f[i] > 0 ? "greater than maximum" : "less than minimum");
            return false;
        }
        if (i == 0 && f[i] < INT32_MIN + 1900) {
            ou_raise(vm, E_OVERFLOW, "year out of range");
            return false;
        }
    }
    tm->tm_year = (int)(f[0] - 1900);
    tm->tm_mon = (int)f[1] - 1;
    tm->tm_mday = (int)f[2];
    tm->tm_hour = (int)f[3];
    tm->tm_min = (int)f[4];
    tm->tm_sec = (int)f[5];
    tm->tm_wday = (int)((f[6] + 1) % 7);
    tm->tm_yday = (int)f[7] - 1;
    tm->tm_isdst = (int)f[8];
    if (is_obj(v) && ou_type_of(vm, v)->struct_id == T_STRUCTSEQ) {
        Value off = ou_getattr_c(vm, v, "tm_gmtoff");
        int64_t seconds;
        if (off != V_NULL && off != V_NONE && ou_index_i64(vm, off, &seconds))
            tm->tm_gmtoff = (long)seconds;
        xrelease(vm, off);
        ou_exc_clear(vm);
    }
    return true;
}

/* Zero stands for "not known" in months, days; strftime must not be given nonsense. */
static bool check_tm(VM *vm, struct tm *tm)
{
    if (tm->tm_mon == -1)
        tm->tm_mon = 0;
    if (tm->tm_mday == 0)
        tm->tm_mday = 1;
    if (tm->tm_yday == -1)
        tm->tm_yday = 0;
    const char *what = tm->tm_mon < 0 || tm->tm_mon > 11    ? "month"
                       : tm->tm_mday < 0 || tm->tm_mday > 31 ? "day of month"
                       : tm->tm_hour < 0 || tm->tm_hour > 23 ? "hour"
                       : tm->tm_min < 0 || tm->tm_min > 59   ? "minute"
                       : tm->tm_sec < 0 || tm->tm_sec > 61   ? "seconds"
                       : tm->tm_wday < 0                     ? "day of week"
                       : tm->tm_yday < 0 || tm->tm_yday > 365 ? "day of year"
                                                              : NULL;
    if (what)
        ou_raise(vm, E_VALUE, "%s out of range", what);
    return !what;
}

static Value now_struct(VM *vm) { return time_localtime(vm, NULL, 0); }

static Value time_asctime(VM *vm, const Value *args, int n)
{
    struct tm tm;
    Value v = n > 0 ? retain(args[0]) : now_struct(vm);
    if (v == V_NULL)
        return V_NULL;
    bool ok = tm_arg(vm, v, "asctime", &tm) && check_tm(vm, &tm);
    release(vm, v);
    if (!ok)
        return V_NULL;
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char buf[64];
    snprintf(buf, sizeof buf, "%.3s %.3s%3d %.2d:%.2d:%.2d %d", days + 3 * tm.tm_wday, months + 3 * tm.tm_mon, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec, tm.tm_year + 1900);
    return ou_str_c(vm, buf);
}

static Value time_ctime(VM *vm, const Value *args, int n)
{
    Value st = time_localtime(vm, args, n);
    if (st == V_NULL)
        return V_NULL;
    Value s = time_asctime(vm, &st, 1);
    release(vm, st);
    return s;
}

static Value time_mktime(VM *vm, const Value *args, int n)
{
    (void)n;
    struct tm tm;
    if (!tm_arg(vm, args[0], "mktime", &tm))
        return V_NULL;
    tm.tm_wday = -1; /* mktime fills it in: the sign of success */
    time_t t = mktime(&tm);
    if (t == (time_t)-1 && tm.tm_wday == -1)
        return ou_raise(vm, E_OVERFLOW, "mktime argument out of range");
    return v_float((double)t);
}

static Value time_strftime(VM *vm, const Value *args, int n)
{
    struct tm tm;
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "strftime() argument 1 must be str, not %K", args[0]);
    if (memchr(as_str(args[0])->data, 0, as_str(args[0])->size)) return ou_raise(vm, E_VALUE, "embedded null character");
    Value v = n > 1 ? retain(args[1]) : now_struct(vm);
    if (v == V_NULL)
        return V_NULL;
    bool ok = tm_arg(vm, v, "strftime", &tm) && check_tm(vm, &tm);
    Value zone = V_NULL;
    if (ok && ou_type_of(vm, v)->struct_id == T_STRUCTSEQ && (zone = ou_getattr_c(vm, v, "tm_zone")) == V_NULL)
        ou_exc_clear(vm);
    release(vm, v);
    if (!ok)
        return V_NULL;
    if (zone != V_NULL && is_str(zone))
        tm.tm_zone = as_str(zone)->data;
    else
        tm.tm_zone = tzname[tm.tm_isdst > 0];
    Str *fmt = as_str(args[0]);
    Value r = V_NULL;
    for (size_t cap = 256;; cap *= 2) {
        char *buf = ou_alloc(&vm->heap, cap);
        if (!buf) {
            ou_raise_memory(vm);
            break;
        }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        size_t len = strftime(buf, cap, fmt->data, &tm);
#pragma GCC diagnostic pop
        /* Zero may mean "too small" or an empty result, which a format of nothing but %Z or %p gives. */
        if (len > 0 || cap >= 256 * (size_t)fmt->size + 256)
            r = ou_str_decode(vm, buf, len, "utf-8", "surrogateescape");
        ou_free(&vm->heap, buf, cap);
        if (r != V_NULL || vm->exc != V_NULL)
            break;
    }
    xrelease(vm, zone);
    return r;
}

static Value time_strptime(VM *vm, const Value *args, int n)
{
    Value m = ou_import_module(vm, "_strptime"), r = V_NULL;
    if (m != V_NULL) r = ou_call_method_c(vm, m, "_strptime_time", args, n);
    xrelease(vm, m);
    return r;
}

static bool fill_zone(VM *vm, Module *m)
{
    tzset();
    /* Standard time and summer time are what January and July of this year say. */
    time_t now = time(NULL);
    struct tm tm, jan, jul;
    localtime_r(&now, &tm);
    jan = (struct tm){.tm_year = tm.tm_year, .tm_mon = 0, .tm_mday = 1, .tm_isdst = -1};
    jul = (struct tm){.tm_year = tm.tm_year, .tm_mon = 6, .tm_mday = 1, .tm_isdst = -1};
    mktime(&jan);
    mktime(&jul);
    bool south = jan.tm_gmtoff > jul.tm_gmtoff;
    const struct tm *std = south ? &jul : &jan, *dst = south ? &jan : &jul;
    Value names[2] = {ou_fs_decode(vm, std->tm_zone, strlen(std->tm_zone)), ou_fs_decode(vm, dst->tm_zone, strlen(dst->tm_zone))};
    if (names[0] == V_NULL || names[1] == V_NULL) {
        xrelease(vm, names[0]);
        xrelease(vm, names[1]);
        return false;
    }
    return ou_module_take(vm, m, "tzname", ou_tuple_take(vm, names, 2)) && ou_module_int(vm, m, "timezone", -std->tm_gmtoff) &&
           ou_module_int(vm, m, "altzone", -dst->tm_gmtoff) && ou_module_int(vm, m, "daylight", jan.tm_gmtoff != jul.tm_gmtoff);
}

static Value time_tzset(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    Value m = ou_dict_get_c(vm, vm->modules, "time");
    if (m == V_NULL || !is_exact(m, T_MODULE))
        return V_NONE;
    return fill_zone(vm, (Module *)v_obj(m)) ? V_NONE : V_NULL;
}

static const NativeDef functions[] = {
    {"time()", time_time, "Return the current time in seconds since the Epoch.", 0},
    {"time_ns()", time_time_ns, NULL, 0},
    {"monotonic()", time_monotonic, "Monotonic clock, cannot go backward.", 0},
    {"monotonic_ns()", time_monotonic_ns, NULL, 0},
    {"perf_counter()", time_perf_counter, "Performance counter for benchmarking.", 0},
    {"perf_counter_ns()", time_perf_counter_ns, NULL, 0},
    {"process_time()", time_process_time, NULL, 0},
    {"process_time_ns()", time_process_time_ns, NULL, 0},
    {"thread_time()", time_thread_time, NULL, 0},
    {"thread_time_ns()", time_thread_time_ns, NULL, 0},
    {"clock_gettime(clk_id, /)", time_clock_gettime, NULL, 0},
    {"clock_gettime_ns(clk_id, /)", time_clock_gettime_ns, NULL, 0},
    {"clock_settime(clk_id, time, /)", time_clock_settime, "Set the time of the specified clock clk_id.", 0},
    {"clock_settime_ns(clk_id, time, /)", time_clock_settime_ns, "Set the time of the specified clock clk_id with nanoseconds.", 0},
    {"clock_getres(clk_id, /)", time_clock_getres, NULL, 0},
    {"get_clock_info(name, /)", time_get_clock_info, NULL, 0},
    {"sleep(seconds, /)", time_sleep, "Delay execution for a given number of seconds.", 0},
    {"gmtime(seconds=None, /)", time_gmtime, NULL, 0},
    {"localtime(seconds=None, /)", time_localtime, NULL, 0},
    {"asctime(tuple=None, /)", time_asctime, NULL, 0},
    {"ctime(seconds=None, /)", time_ctime, NULL, 0},
    {"mktime(tuple, /)", time_mktime, NULL, 0},
    {"strptime(string, format=<unrepresentable>, /)", time_strptime, "Parse a string to a time tuple according to a format specification.", 0},
    {"strftime(format, tuple=None, /)", time_strftime, NULL, 0},
    {"tzset()", time_tzset, NULL, 0},
    {0},
};

bool ou_mod_time(VM *vm, Module *m)
{
    TimeState *st = ou_module_record(vm, MOD_time, sizeof(TimeState));
    if (!st)
        return false;
    if (st->struct_time == V_NULL) {
        Type *t = ou_structseq_type(vm, &struct_time_def);
        if (!t)
            return false;
        st->struct_time = v_of(t);
    }
    return ou_module_add(vm, m, functions) &&
           ou_module_set(vm, m, "struct_time", st->struct_time) && fill_zone(vm, m) &&
           ou_module_int(vm, m, "CLOCK_REALTIME", CLOCK_REALTIME) && ou_module_int(vm, m, "CLOCK_MONOTONIC", CLOCK_MONOTONIC) &&
           ou_module_int(vm, m, "CLOCK_MONOTONIC_RAW", CLOCK_MONOTONIC_RAW) &&
           ou_module_int(vm, m, "CLOCK_BOOTTIME", CLOCK_BOOTTIME) && ou_module_int(vm, m, "CLOCK_TAI", CLOCK_TAI) &&
           ou_module_int(vm, m, "CLOCK_PROCESS_CPUTIME_ID", CLOCK_PROCESS_CPUTIME_ID) &&
           ou_module_int(vm, m, "CLOCK_THREAD_CPUTIME_ID", CLOCK_THREAD_CPUTIME_ID) && ou_module_int(vm, m, "_STRUCT_TM_ITEMS", 11);
}
