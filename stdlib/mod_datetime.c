/* _datetime: the classes of the datetime module, the calendar that they share, and how they are made. The
 * module `datetime` re-exports them. Entry point: ou_mod__datetime; one file for each class, see
 * datetime_impl.h. */
#include "stdlib/datetime_impl.h"

/* ---- the calendar (proleptic Gregorian)
 * ----------------------------------------------------------------------------------- */

bool ou_dt_is_leap(int year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month) {
    static const uint8_t days[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month] + (month == 2 && ou_dt_is_leap(year));
}

int ou_dt_days_before(int year, int month) {
    static const uint16_t before[] = {0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    return before[month] + (month > 2 && ou_dt_is_leap(year));
}

int64_t ou_dt_ordinal(int year, int month, int day) {
    int64_t y = year - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + ou_dt_days_before(year, month) + day;
}

/* By cycles of 400, 100, 4 and 1 years; the last day of a cycle belongs to a year that is one too many. */
void ou_dt_from_ordinal(int64_t ordinal, int *year, int *month, int *day) {
    int64_t n = ordinal - 1, n400 = n / 146097;
    n %= 146097;
    int n100 = (int)(n / 36524);
    n %= 36524;
    int n4 = (int)(n / 1461);
    n %= 1461;
    int n1 = (int)(n / 365), rest = (int)(n % 365);
    *year = (int)(n400 * 400) + n100 * 100 + n4 * 4 + n1 + 1;
    if (n1 == 4 || n100 == 4) {
        *year -= 1;
        *month = 12;
        *day = 31;
        return;
    }
    *month = (rest + 50) >> 5; /* right or one too many */
    if (ou_dt_days_before(*year, *month) > rest) *month -= 1;
    *day = rest - ou_dt_days_before(*year, *month) + 1;
}

int ou_dt_weekday(const Moment *m) {
    int k = (int)((ou_dt_ordinal(m->year, m->month, m->day) + 6) % 7);
    return k < 0 ? k + 7 : k;
}

int64_t ou_dt_week1(int year) {
    int64_t first = ou_dt_ordinal(year, 1, 1);
    int weekday = (int)((first + 6) % 7);
    return first - weekday + (weekday > 3 ? 7 : 0);
}

bool ou_dt_iso_week(int year, int week, int day, int64_t *ordinal) {
    if (week == 53) { /* in years that begin on a Thursday, or on a Wednesday when they are leap years */
        int weekday = (int)((ou_dt_ordinal(year, 1, 1) + 6) % 7);
        if (weekday != 3 && !(weekday == 2 && ou_dt_is_leap(year))) return false;
    } else if (week <= 0 || week > 53) {
        return false;
    }
    *ordinal = ou_dt_week1(year) + (week - 1) * 7 + day - 1;
    return true;
}

/* ---- arguments ------------------------------------------------------------------------------------------ */

static int find_name(const char *names, int count, Str *name) {
    for (int i = 0; i < count; i++) {
        size_t len = strcspn(names, "|");
        if (len == name->size && memcmp(names, name->data, len) == 0) return i;
        names += len + 1;
    }
    return -1;
}

bool ou_dt_args(VM *vm, const char *function, const char *names, int required, int count, int positional,
                const Value *args, int n, Tuple *kwnames, Value *out) {
    int nkw = kwnames ? (int)kwnames->n : 0;
    if (n + nkw > count || n > positional)
        return ou_raise(vm, E_TYPE, "%s takes at most %d %sarguments (%d given)", function,
                        n + nkw > count ? count : positional, n + nkw > count ? "" : "positional ",
                        n + nkw > count ? n + nkw : n),
               false;
    for (int i = 0; i < count; i++) out[i] = i < n ? args[i] : V_NULL;
    const char *unknown = NULL, *missing = names;
    for (int k = 0; k < nkw; k++) {
        int i = find_name(names, count, as_str(kwnames->items[k]));
        if (i < 0) {
            unknown = as_str(kwnames->items[k])->data;
            continue;
        }
        if (out[i] != V_NULL)
            return ou_raise(vm, E_TYPE, "argument for %s given by name ('%S') and position (%d)", function,
                            kwnames->items[k], i + 1),
                   false;
        out[i] = args[n + k];
    }
    for (int i = 0, ignored; i < required; i++, missing += strcspn(missing, "|") + 1)
        if (out[i] == V_NULL) /* what stands before it is looked at first */
            return (i == 0 || ou_dt_int(vm, out[i - 1], &ignored)) &&
                   ou_raise(vm, E_TYPE, "%s missing required argument '%.*s' (pos %d)", function,
                            (int)strcspn(missing, "|"), missing, i + 1) != V_NULL;
    if (unknown)
        return ou_raise(vm, E_TYPE, "%s got an unexpected keyword argument '%s'",
                        strcmp(function, "function") == 0 ? "this function" : function, unknown),
               false;
    return true;
}

bool ou_dt_int(VM *vm, Value v, int *out) {
    if (v == V_NULL) return true;
    int64_t i;
    if (is_small(v)) {
        i = v_small(v);
    } else {
        Value x = ou_index(vm, v);
        if (x == V_NULL) return false;
        bool fits = ou_int_fits_i64(vm, x, &i);
        release(vm, x);
        if (!fits) return ou_raise(vm, E_OVERFLOW, "Python int too large to convert to C long"), false;
    }
    if (i > INT32_MAX) return ou_raise(vm, E_OVERFLOW, "signed integer is greater than maximum"), false;
    if (i < INT32_MIN) return ou_raise(vm, E_OVERFLOW, "signed integer is less than minimum"), false;
    *out = (int)i;
    return true;
}

bool ou_dt_check_date(VM *vm, const DtFields *f) {
    if (f->year < 1 || f->year > DT_MAX_YEAR)
        return ou_raise(vm, E_VALUE, "year %d is out of range", f->year), false;
    if (f->month < 1 || f->month > 12) return ou_raise(vm, E_VALUE, "month must be in 1..12"), false;
    if (f->day < 1 || f->day > days_in_month(f->year, f->month))
        return ou_raise(vm, E_VALUE, "day is out of range for month"), false;
    return true;
}

bool ou_dt_check_tz(VM *vm, Value tz) {
    if (tz == V_NONE || dt_is(vm, tz, &ou_dt_tzinfo_def)) return true;
    return ou_raise(vm, E_TYPE, "tzinfo argument must be None or of a tzinfo subclass, not type '%T'", tz),
           false;
}

bool ou_dt_check_time(VM *vm, const DtFields *f) {
    const char *wrong = f->hour < 0 || f->hour > 23       ? "hour must be in 0..23"
                        : f->minute < 0 || f->minute > 59 ? "minute must be in 0..59"
                        : f->second < 0 || f->second > 59 ? "second must be in 0..59"
                        : f->us < 0 || f->us > 999999     ? "microsecond must be in 0..999999"
                        : f->fold != 0 && f->fold != 1    ? "fold must be either 0 or 1"
                                                          : NULL;
    if (wrong) return ou_raise(vm, E_VALUE, "%s", wrong), false;
    return ou_dt_check_tz(vm, f->tz);
}

/* ---- making --------------------------------------------------------------------------------------------- */

Value ou_dt_new(VM *vm, Type *cls, const DtFields *f) {
    Moment *m = ou_new(vm, cls, 0);
    if (!m) return V_NULL;
    m->year = (uint16_t)f->year;
    m->month = (uint8_t)f->month;
    m->day = (uint8_t)f->day;
    m->hour = (uint8_t)f->hour;
    m->minute = (uint8_t)f->minute;
    m->second = (uint8_t)f->second;
    m->fold = (uint8_t)f->fold;
    const Type *native = cls;
    while (!native->def) native = native->base;
    if (native->def == &ou_dt_date_def) return v_of(m);
    m->us = f->us;
    m->tz = retain(f->tz);
    /* Only a time zone of a script can lead back to what it is the zone of. */
    if (cls->def && (f->tz == V_NONE || dt_is_exact(vm, f->tz, &ou_dt_timezone_def)))
        ou_gc_untrack(vm, &m->h);
    return v_of(m);
}

DtFields ou_dt_fields(const Moment *m) {
    return (DtFields){m->year, m->month, m->day, m->hour, m->minute, m->second, m->us, m->fold, m->tz};
}

Value ou_dt_call_date(VM *vm, Type *cls, const DtFields *f) {
    if (cls->def == &ou_dt_date_def || cls->def == &ou_dt_datetime_def) {
        DtFields all = {f->year, f->month, f->day, 0, 0, 0, 0, 0, V_NONE};
        return ou_dt_check_date(vm, f) ? ou_dt_new(vm, cls, &all) : V_NULL;
    }
    return ou_call3(vm, v_of(cls), v_smallint(f->year), v_smallint(f->month), v_smallint(f->day));
}

static Value call_with_fold(VM *vm, Type *cls, Value *args, int n, int fold) {
    if (!fold) return ou_call(vm, v_of(cls), args, n, NULL);
    Value name = ou_str_c(vm, "fold"), names = name == V_NULL ? V_NULL : ou_tuple_of(vm, &name, 1);
    xrelease(vm, name);
    if (names == V_NULL) return V_NULL;
    args[n] = v_smallint(fold);
    Value v = ou_call(vm, v_of(cls), args, n, as_tuple(names));
    release(vm, names);
    return v;
}

Value ou_dt_call_full(VM *vm, Type *cls, const DtFields *f) {
    if (cls->def == &ou_dt_datetime_def)
        return ou_dt_check_date(vm, f) && ou_dt_check_time(vm, f) ? ou_dt_new(vm, cls, f) : V_NULL;
    Value args[9] = {v_smallint(f->year),   v_smallint(f->month),  v_smallint(f->day), v_smallint(f->hour),
                     v_smallint(f->minute), v_smallint(f->second), v_smallint(f->us),  f->tz};
    return call_with_fold(vm, cls, args, 8, f->fold);
}

Value ou_dt_call_time(VM *vm, Type *cls, const DtFields *f) {
    if (cls->def == &ou_dt_time_def) return ou_dt_check_time(vm, f) ? ou_dt_new(vm, cls, f) : V_NULL;
    Value args[6] = {v_smallint(f->hour), v_smallint(f->minute), v_smallint(f->second), v_smallint(f->us),
                     f->tz};
    return call_with_fold(vm, cls, args, 5, f->fold);
}

uint64_t ou_dt_key(const Moment *m) {
    return (uint64_t)m->year << 46 | (uint64_t)m->month << 42 | (uint64_t)m->day << 37 |
           (uint64_t)m->hour << 32 | (uint64_t)m->minute << 26 | (uint64_t)m->second << 20 | (uint64_t)m->us;
}

int64_t ou_dt_us(const Moment *m) {
    int64_t seconds =
        ou_dt_ordinal(m->year, m->month, m->day) * 86400 + m->hour * 3600 + m->minute * 60 + m->second;
    return seconds * 1000000 + m->us;
}

Value ou_dt_bool(int cmp, CmpOp op) {
    switch (op) {
    case CMP_LT: return v_bool(cmp < 0);
    case CMP_LE: return v_bool(cmp <= 0);
    case CMP_EQ: return v_bool(cmp == 0);
    case CMP_NE: return v_bool(cmp != 0);
    case CMP_GT: return v_bool(cmp > 0);
    default: return v_bool(cmp >= 0);
    }
}

bool ou_dt_read_state(VM *vm, Value v, uint32_t size, uint8_t *out) {
    if (!is_obj(v) || v == V_NULL) return false;
    if (is_a_fast(vm, v, T_BYTES)) {
        Bytes *b = as_bytes(v);
        if (b->n != size) return false;
        memcpy(out, b->data, size);
        return true;
    }
    if (!is_a_fast(vm, v, T_STR) || as_str(v)->length != size) return false;
    for (uint32_t i = 0; i < size; i++) { /* a pickle of Python 2, read as Latin-1 */
        uint32_t cp = ou_str_at(vm, as_str(v), i);
        if (cp > 255) return false;
        out[i] = (uint8_t)cp;
    }
    return true;
}

/* ---- the module ----------------------------------------------------------------------------------------- */

static bool set_in_class(VM *vm, Type *t, const char *name, Value v) {
    Str *key = v == V_NULL ? NULL : ou_intern_c(vm, name);
    Dict *ns = type_dict(vm, t);
    bool ok = key && ns && ou_dict_set_str(vm, ns, key, v);
    obj_xrelease(vm, key);
    xrelease(vm, v);
    return ok;
}

static bool add_limits(VM *vm, DtState *s) {
    DtFields first = {1, 1, 1, 0, 0, 0, 0, 0, V_NONE}, last = {9999, 12, 31, 23, 59, 59, 999999, 0, V_NONE};
    DtFields last_date = {9999, 12, 31, 0, 0, 0, 0, 0, V_NONE}, midnight = {0, 0, 0, 0, 0, 0, 0, 0, V_NONE},
             end = {0, 0, 0, 23, 59, 59, 999999, 0, V_NONE};
    Value minute_off = ou_dt_delta(vm, 0, -86340, 0), late = ou_dt_delta(vm, 0, 86340, 0);
    bool ok = minute_off != V_NULL && late != V_NULL &&
              set_in_class(vm, s->delta, "min", ou_dt_delta(vm, -999999999, 0, 0)) &&
              set_in_class(vm, s->delta, "max", ou_dt_delta(vm, 999999999, 86399, 999999)) &&
              set_in_class(vm, s->delta, "resolution", ou_dt_delta(vm, 0, 0, 1)) &&
              set_in_class(vm, s->date, "min", ou_dt_new(vm, s->date, &first)) &&
              set_in_class(vm, s->date, "max", ou_dt_new(vm, s->date, &last_date)) &&
              set_in_class(vm, s->date, "resolution", ou_dt_delta(vm, 1, 0, 0)) &&
              set_in_class(vm, s->time, "min", ou_dt_new(vm, s->time, &midnight)) &&
              set_in_class(vm, s->time, "max", ou_dt_new(vm, s->time, &end)) &&
              set_in_class(vm, s->time, "resolution", ou_dt_delta(vm, 0, 0, 1)) &&
              set_in_class(vm, s->datetime, "min", ou_dt_new(vm, s->datetime, &first)) &&
              set_in_class(vm, s->datetime, "max", ou_dt_new(vm, s->datetime, &last)) &&
              set_in_class(vm, s->datetime, "resolution", ou_dt_delta(vm, 0, 0, 1)) &&
              set_in_class(vm, s->timezone, "utc", retain(s->utc)) &&
              set_in_class(vm, s->timezone, "min", ou_dt_zone(vm, minute_off, V_NONE)) &&
              set_in_class(vm, s->timezone, "max", ou_dt_zone(vm, late, V_NONE));
    xrelease(vm, minute_off);
    xrelease(vm, late);
    return ok;
}

static bool make_classes(VM *vm, DtState *s) {
    Type **const made[] = {&s->delta, &s->date, &s->time, &s->tzinfo, &s->datetime, &s->timezone};
    const TypeDef *const defs[] = {&ou_dt_delta_def,  &ou_dt_date_def,     &ou_dt_time_def,
                                   &ou_dt_tzinfo_def, &ou_dt_datetime_def, &ou_dt_timezone_def};
    Value keep = ou_tuple_new(vm, 7);
    if (keep == V_NULL) return false;
    s->keep = keep;
    for (int i = 0; i < 6; i++) {
        Type *t = ou_type_from_def(vm, defs[i], i == 4 ? s->date : i == 5 ? s->tzinfo : NULL);
        if (!t) return false;
        *made[i] = t;
        as_tuple(keep)->items[i] = v_of(t);
    }
    Value zero = ou_dt_delta(vm, 0, 0, 0);
    Zone *utc = zero == V_NULL ? NULL : ou_new(vm, s->timezone, 0);
    if (!utc) return xrelease(vm, zero), false;
    utc->offset = zero;
    utc->name = V_NONE;
    s->utc = as_tuple(keep)->items[6] = v_of(utc);
    return add_limits(vm, s);
}

/* Instances that hang in the dicts of their own classes are not tracked: nobody but this finds those cycles.
 */
void ou_datetime_fini(VM *vm) {
    DtState *s = dt_state(vm);
    Type *const all[] = {s->delta, s->date, s->time, s->datetime, s->tzinfo, s->timezone};
    for (int i = 0; i < 6; i++)
        if (all[i] && all[i]->ns) ou_dict_clear(vm, all[i]->ns);
}

bool ou_mod__datetime(VM *vm, Module *m) {
    DtState *s = ou_module_record(vm, MOD__datetime, sizeof(DtState));
    if (!s) return false;
    if (!s->utc && !make_classes(vm, s)) return false;
    return ou_module_set(vm, m, "timedelta", v_of(s->delta)) && ou_module_set(vm, m, "date", v_of(s->date)) &&
           ou_module_set(vm, m, "time", v_of(s->time)) &&
           ou_module_set(vm, m, "datetime", v_of(s->datetime)) &&
           ou_module_set(vm, m, "tzinfo", v_of(s->tzinfo)) &&
           ou_module_set(vm, m, "timezone", v_of(s->timezone)) && ou_module_set(vm, m, "UTC", s->utc) &&
           ou_module_int(vm, m, "MINYEAR", 1) && ou_module_int(vm, m, "MAXYEAR", DT_MAX_YEAR);
}
