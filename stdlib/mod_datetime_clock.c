/* datetime: timestamps and local time. Where the clocks are put back a local time happens twice, and fold
 * says which is meant; which of the two a timestamp is, is found by looking at the local time a day before
 * (no clock moves twice a day). */
#include <errno.h>
#include <math.h>

#include "stdlib/datetime_clock.h"

#define EPOCH_ORDINAL INT64_C(719163)
#define MAX_FOLD INT64_C(86400)

/* ---- timestamps ----------------------------------------------------------------------------------------- */

static bool break_down(VM *vm, int64_t seconds, bool utc, struct tm *tm) {
    time_t t = (time_t)seconds;
    errno = 0;
    if (t != seconds) return ou_raise(vm, E_OVERFLOW, "timestamp out of range for platform time_t"), false;
    if (!(utc ? gmtime_r(&t, tm) : localtime_r(&t, tm)))
        return ou_raise_errno(vm, errno ? errno : EINVAL, V_NULL), false;
    return true;
}

/* Seconds since the epoch, with the fields read as if they were UTC. */
static int64_t tm_seconds(const struct tm *tm) {
    return (ou_dt_ordinal(tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday) - EPOCH_ORDINAL) * 86400 +
           tm->tm_hour * 3600 + tm->tm_min * 60 + (tm->tm_sec > 59 ? 59 : tm->tm_sec);
}

static bool local(VM *vm, int64_t u, int64_t *out) {
    struct tm tm;
    if (!break_down(vm, u, false, &tm)) return false;
    if (tm.tm_year < -1899 || tm.tm_year > 9999 - 1900)
        return ou_raise(vm, E_VALUE, "year %d is out of range", tm.tm_year + 1900), false;
    *out = tm_seconds(&tm);
    return true;
}

static bool split_float(VM *vm, double d, int64_t *seconds, int *us) {
    if (isnan(d)) return ou_raise(vm, E_VALUE, "Invalid value NaN (not a number)"), false;
    double whole, part = nearbyint(modf(d, &whole) * 1e6); /* half to even */
    if (part >= 1e6)
        part -= 1e6, whole += 1.0;
    else if (part < 0.0)
        part += 1e6, whole -= 1.0;
    if (!(whole >= -9223372036854775808.0 && whole < 9223372036854775808.0))
        return ou_raise(vm, E_OVERFLOW, "timestamp out of range for platform time_t"), false;
    *seconds = (int64_t)whole;
    *us = (int)part;
    return true;
}

static bool whole_seconds(VM *vm, Value timestamp, int64_t *seconds) {
    Value i = ou_index(vm, timestamp);
    if (i == V_NULL) return false;
    bool fits = ou_int_fits_i64(vm, i, seconds);
    release(vm, i);
    return fits || (ou_raise(vm, E_OVERFLOW, "timestamp out of range for platform time_t"), false);
}

static bool split(VM *vm, Value timestamp, int64_t *seconds, int *us) {
    *us = 0;
    if (ou_is_floatlike(vm, timestamp)) return split_float(vm, ou_float_of(vm, timestamp), seconds, us);
    return whole_seconds(vm, timestamp, seconds);
}

bool ou_dt_local_date(VM *vm, Value timestamp, DtFields *f) {
    int64_t seconds;
    struct tm tm;
    if (ou_is_floatlike(vm, timestamp)) {
        double d = floor(ou_float_of(vm, timestamp));
        int us;
        if (!split_float(vm, d, &seconds, &us)) return false;
    } else if (!whole_seconds(vm, timestamp, &seconds)) {
        return false;
    }
    if (!break_down(vm, seconds, false, &tm)) return false;
    f->year = tm.tm_year + 1900, f->month = tm.tm_mon + 1, f->day = tm.tm_mday;
    return true;
}

/* cls(...) of a time, in UTC or local time. */
static Value from_seconds(VM *vm, Type *cls, int64_t seconds, int us, bool utc, Value tz) {
    struct tm tm;
    if (!break_down(vm, seconds, utc, &tm)) return V_NULL;
    DtFields f = {tm.tm_year + 1900,
                  tm.tm_mon + 1,
                  tm.tm_mday,
                  tm.tm_hour,
                  tm.tm_min,
                  tm.tm_sec > 59 ? 59 : tm.tm_sec,
                  us,
                  0,
                  tz};
    if (tz == V_NONE && !utc && f.year >= 1 && f.year <= DT_MAX_YEAR && seconds > MAX_FOLD) {
        int64_t here = tm_seconds(&tm), before, again;
        if (!local(vm, seconds - MAX_FOLD, &before)) return V_NULL;
        int64_t moved = here - before - MAX_FOLD;
        if (moved < 0) {
            if (!local(vm, seconds + moved, &again)) return V_NULL;
            f.fold = again == here;
        }
    }
    return ou_dt_call_full(vm, cls, &f);
}

/* The time in a zone, or local time. */
static Value in_zone(VM *vm, Type *cls, int64_t seconds, int us, Value tz) {
    if (!ou_dt_check_tz(vm, tz)) return V_NULL;
    Value v = from_seconds(vm, cls, seconds, us, tz != V_NONE, tz);
    if (v == V_NULL || tz == V_NONE) return v;
    Value moved = ou_call_method_c(vm, tz, "fromutc", &v, 1);
    release(vm, v);
    return moved;
}

static Type *cls_of(const Value *args) {
    return (Type *)v_obj(args[0]);
}

Value ou_dt_fromtimestamp(VM *vm, const Value *args, int n) {
    (void)n;
    Value tz = args[2] == V_NULL ? V_NONE : args[2];
    int64_t seconds;
    int us;
    return ou_dt_check_tz(vm, tz) && split(vm, args[1], &seconds, &us)
               ? in_zone(vm, cls_of(args), seconds, us, tz)
               : V_NULL;
}

Value ou_dt_now(VM *vm, const Value *args, int n) {
    (void)n;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return in_zone(vm, cls_of(args), now.tv_sec, (int)(now.tv_nsec / 1000),
                   args[1] == V_NULL ? V_NONE : args[1]);
}

static bool warn_naive(VM *vm, const char *what, const char *instead) {
    return ou_warn(vm, E_DEPRECATION_WARNING, 1,
                   "datetime.datetime.%s() is deprecated and scheduled for removal in a future version. Use "
                   "timezone-aware objects to "
                   "represent datetimes in UTC: datetime.datetime.%s.",
                   what, instead);
}

Value ou_dt_utcnow(VM *vm, const Value *args, int n) {
    (void)n;
    struct timespec now;
    if (!warn_naive(vm, "utcnow", "now(datetime.UTC)")) return V_NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    return from_seconds(vm, cls_of(args), now.tv_sec, (int)(now.tv_nsec / 1000), true, V_NONE);
}

Value ou_dt_utcfromtimestamp(VM *vm, const Value *args, int n) {
    (void)n;
    int64_t seconds;
    int us;
    if (!warn_naive(vm, "utcfromtimestamp", "fromtimestamp(timestamp, datetime.UTC)") ||
        !split(vm, args[1], &seconds, &us))
        return V_NULL;
    return from_seconds(vm, cls_of(args), seconds, us, true, V_NONE);
}

/* ---- and back ------------------------------------------------------------------------------------------- */

/* Solves t == local(u) for u, seconds since the epoch. The two offsets that may hold are those around t. */
static bool from_local(VM *vm, const Moment *m, int fold, int64_t *out) {
    int64_t t = (ou_dt_ordinal(m->year, m->month, m->day) - EPOCH_ORDINAL) * 86400 + m->hour * 3600 +
                m->minute * 60 + m->second;
    int64_t lt, t1, t2, a, b, u1, u2;
    if (!local(vm, t, &lt)) return false;
    a = lt - t;
    u1 = t - a;
    if (!local(vm, u1, &t1)) return false;
    if (t1 == t) { /* there may be another solution, earlier or later */
        u2 = fold ? u1 + MAX_FOLD : u1 - MAX_FOLD;
        if (!local(vm, u2, &lt)) return false;
        b = lt - u2;
        if (a == b) return *out = u1, true;
    } else {
        b = t1 - u1;
    }
    u2 = t - b;
    if (!local(vm, u2, &t2)) return false;
    if (t2 == t)
        *out = u2;
    else if (t1 == t)
        *out = u1;
    else
        *out = (u1 < u2) == (fold != 0) ? u1 : u2; /* the clock never showed that time */
    return true;
}

static Value epoch(VM *vm) {
    DtFields f = {1970, 1, 1, 0, 0, 0, 0, 0, dt_state(vm)->utc};
    return ou_dt_new(vm, dt_state(vm)->datetime, &f);
}

/* Of an aware datetime, since the epoch: a timedelta. */
static Value since_epoch(VM *vm, Value self) {
    Value e = epoch(vm);
    if (e == V_NULL) return V_NULL;
    Value d = ou_dt_subtract(vm, self, e);
    release(vm, e);
    return d;
}

Value ou_dt_timestamp(VM *vm, const Value *args, int n) {
    (void)n;
    const Moment *m = as_moment(args[0]);
    if (m->tz == V_NONE) {
        int64_t seconds;
        return from_local(vm, m, m->fold, &seconds) ? v_float((double)seconds + m->us / 1e6) : V_NULL;
    }
    Value d = since_epoch(vm, args[0]);
    int64_t us;
    if (d == V_NULL) return V_NULL;
    ou_dt_delta_fits(as_delta(d), &us);
    release(vm, d);
    if (us > INT64_C(1) << 53 || us < -(INT64_C(1) << 53)) { /* one rounding only */
        Value i = ou_int(vm, us), v = i == V_NULL ? V_NULL : ou_int_op(vm, BIN_DIV, i, v_smallint(1000000));
        xrelease(vm, i);
        return v;
    }
    return v_float((double)us / 1e6);
}

Value ou_dt_struct_time(VM *vm, const Moment *m, int isdst) {
    int64_t ordinal = ou_dt_ordinal(m->year, m->month, m->day);
    Value all[9] = {v_smallint(m->year),
                    v_smallint(m->month),
                    v_smallint(m->day),
                    v_smallint(m->hour),
                    v_smallint(m->minute),
                    v_smallint(m->second),
                    v_smallint((ordinal + 6) % 7),
                    v_smallint(ou_dt_days_before(m->year, m->month) + m->day),
                    v_smallint(isdst)};
    Value t = ou_tuple_of(vm, all, 9), f = t == V_NULL ? V_NULL : ou_import_attr(vm, "time", "struct_time");
    Value v = f == V_NULL ? V_NULL : ou_call1(vm, f, t);
    xrelease(vm, t);
    xrelease(vm, f);
    return v;
}

Value ou_dt_timetuple(VM *vm, const Value *args, int n) {
    (void)n;
    Value dst = ou_dt_offset(vm, as_moment(args[0])->tz, "dst", args[0]);
    if (dst == V_NULL) return V_NULL;
    int isdst = dst == V_NONE ? -1 : ou_truth(vm, dst);
    release(vm, dst);
    return ou_dt_struct_time(vm, as_moment(args[0]), isdst);
}

Value ou_dt_utctimetuple(VM *vm, const Value *args, int n) {
    (void)n;
    Value off = ou_dt_offset(vm, as_moment(args[0])->tz, "utcoffset", args[0]);
    if (off == V_NULL || off == V_NONE)
        return off == V_NULL ? V_NULL : ou_dt_struct_time(vm, as_moment(args[0]), 0);
    DtFields f = ou_dt_fields(as_moment(args[0]));
    f.tz = V_NONE;
    Value plain = ou_dt_new(vm, dt_state(vm)->datetime, &f),
          moved = plain == V_NULL ? V_NULL : ou_dt_shift(vm, plain, off, -1);
    xrelease(vm, plain);
    release(vm, off);
    if (moved == V_NULL) return V_NULL;
    Value v = ou_dt_struct_time(vm, as_moment(moved), 0);
    release(vm, moved);
    return v;
}

/* ---- zones ---------------------------------------------------------------------------------------------- */

static Value zone_at(VM *vm, int64_t seconds) {
    struct tm tm;
    if (!break_down(vm, seconds, false, &tm)) return V_NULL;
    Value delta = ou_dt_delta(vm, 0, tm.tm_gmtoff, 0);
    Value name =
        tm.tm_zone ? ou_str_decode(vm, tm.tm_zone, strlen(tm.tm_zone), "utf-8", "surrogateescape") : V_NONE;
    Value zone = delta == V_NULL || name == V_NULL ? V_NULL : ou_dt_zone(vm, delta, name);
    xrelease(vm, delta);
    xrelease(vm, name);
    return zone;
}

static Value local_zone(VM *vm, Value self, bool aware) {
    const Moment *m = as_moment(self);
    int64_t seconds, other;
    if (aware) {
        Value d = since_epoch(vm, self);
        if (d == V_NULL) return V_NULL;
        seconds = as_delta(d)->days * INT64_C(86400) + as_delta(d)->seconds;
        release(vm, d);
        return zone_at(vm, seconds);
    }
    if (!from_local(vm, m, m->fold, &seconds) || !from_local(vm, m, !m->fold, &other)) return V_NULL;
    /* A time that the clock skipped is moved by the gap, as fold says. */
    if (other != seconds && (other > seconds) == m->fold) seconds = other;
    return zone_at(vm, seconds);
}

/* The datetime in UTC minus its offset, with another zone: what fromutc() of that zone takes. */
static Value to_utc(VM *vm, Value self, Value offset, Value tz) {
    Value moved = ou_dt_shift(vm, self, offset, -1);
    if (moved == V_NULL) return V_NULL;
    DtFields f = ou_dt_fields(as_moment(moved));
    f.tz = tz;
    Type *cls = ou_type_of(vm, moved);
    Value v = cls->def ? ou_dt_new(vm, cls, &f) : ou_dt_call_full(vm, cls, &f);
    release(vm, moved);
    return v;
}

static Value astimezone(VM *vm, Value self, Value tz) {
    Value mine = as_moment(self)->tz, offset = ou_dt_offset(vm, mine, "utcoffset", self), own = V_NULL;
    if (offset == V_NULL) return V_NULL;
    if (offset == V_NONE) { /* naive: local time */
        if ((own = mine = local_zone(vm, self, false)) == V_NULL) return V_NULL;
        offset = ou_dt_offset(vm, mine, "utcoffset", V_NONE);
    }
    Value v = V_NULL, utc;
    if (tz == mine && own == V_NULL) {
        v = retain(self);
    } else if ((utc = to_utc(vm, self, offset, tz)) != V_NULL) {
        v = ou_call_method_c(vm, tz, "fromutc", &utc, 1);
        release(vm, utc);
    }
    xrelease(vm, own);
    release(vm, offset);
    return v;
}

Value ou_dt_astimezone(VM *vm, const Value *args, int n) {
    (void)n;
    Value self = args[0], tz = args[1] == V_NULL ? V_NONE : args[1];
    if (tz != V_NONE && !dt_is(vm, tz, &ou_dt_tzinfo_def))
        return ou_raise(vm, E_TYPE, "tzinfo argument must be None or of a tzinfo subclass, not type '%T'",
                        tz);
    if (tz != V_NONE) return astimezone(vm, self, tz);
    Value offset = ou_dt_offset(vm, as_moment(self)->tz, "utcoffset", self);
    if (offset == V_NULL) return V_NULL;
    tz = local_zone(vm, self, offset != V_NONE);
    release(vm, offset);
    if (tz == V_NULL) return V_NULL;
    Value v = astimezone(vm, self, tz);
    release(vm, tz);
    return v;
}
