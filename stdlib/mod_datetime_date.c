/* datetime.date: the calendar date. datetime inherits most of the methods and overrides what concerns the
 * time. */
#include "stdlib/datetime_impl.h"

static bool is_date(VM *vm, Value v) {
    return dt_is(vm, v, &ou_dt_date_def);
}
static bool is_full(VM *vm, Value v) {
    return dt_is(vm, v, &ou_dt_datetime_def);
}
static bool is_delta(VM *vm, Value v) {
    return dt_is(vm, v, &ou_dt_delta_def);
}
static int64_t ordinal_of(Value v) {
    return ou_dt_ordinal(as_moment(v)->year, as_moment(v)->month, as_moment(v)->day);
}

/* ---- making --------------------------------------------------------------------------------------------- */

static Value from_state(VM *vm, Type *cls, const uint8_t *s) {
    DtFields f = {s[0] * 256 + s[1], s[2], s[3], 0, 0, 0, 0, 0, V_NONE};
    return ou_dt_new(vm, cls, &f);
}

static Value date_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    Value a[3];
    uint8_t state[4];
    if (n == 1 && !kwnames && !is_small(args[0]) && ou_dt_read_state(vm, args[0], 4, state) &&
        state[2] >= 1 && state[2] <= 12)
        return from_state(vm, cls, state);
    if (!ou_dt_args(vm, "function", "year|month|day", 3, 3, 3, args, n, kwnames, a)) return V_NULL;
    DtFields f = {.tz = V_NONE};
    if (!ou_dt_int(vm, a[0], &f.year) || !ou_dt_int(vm, a[1], &f.month) || !ou_dt_int(vm, a[2], &f.day))
        return V_NULL;
    return ou_dt_check_date(vm, &f) ? ou_dt_new(vm, cls, &f) : V_NULL;
}

static Type *cls_of(const Value *args) {
    return (Type *)v_obj(args[0]);
}

static Value from_timestamp(VM *vm, Type *cls, Value timestamp) {
    DtFields f = {.tz = V_NONE};
    return ou_dt_local_date(vm, timestamp, &f) ? ou_dt_call_date(vm, cls, &f) : V_NULL;
}

static Value date_fromtimestamp(VM *vm, const Value *args, int n) {
    return (void)n, from_timestamp(vm, cls_of(args), args[1]);
}

static Value date_today(VM *vm, const Value *args, int n) {
    (void)n;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    Value t = v_float((double)now.tv_sec + (double)now.tv_nsec * 1e-9);
    return ou_call_method_c(vm, args[0], "fromtimestamp", &t, 1);
}

static Value date_fromordinal(VM *vm, const Value *args, int n) {
    (void)n;
    DtFields f = {.tz = V_NONE};
    int ordinal;
    if (!ou_dt_int(vm, args[1], &ordinal)) return V_NULL;
    if (ordinal < 1) return ou_raise(vm, E_VALUE, "ordinal must be >= 1");
    ou_dt_from_ordinal(ordinal, &f.year, &f.month, &f.day);
    return ou_dt_call_date(vm, cls_of(args), &f);
}

static Value date_fromisoformat(VM *vm, const Value *args, int n) {
    (void)n;
    if (!ou_is_a(vm, args[1], T_STR)) return ou_raise(vm, E_TYPE, "fromisoformat: argument must be str");
    const Str *s = as_str(args[1]);
    DtFields f = {.tz = V_NONE};
    if ((s->size != 7 && s->size != 8 && s->size != 10) || !ou_dt_parse_date(s->data, s->size, &f))
        return ou_raise(vm, E_VALUE, "Invalid isoformat string: %R", args[1]);
    return ou_dt_call_date(vm, cls_of(args), &f);
}

static Value date_fromisocalendar(VM *vm, const Value *args, int n) {
    (void)n;
    int year, week, day;
    int64_t ordinal;
    DtFields f = {.tz = V_NONE};
    if (!ou_dt_int(vm, args[1], &year) || !ou_dt_int(vm, args[2], &week) || !ou_dt_int(vm, args[3], &day)) {
        if (!ou_exc_matches(vm, E_OVERFLOW)) return V_NULL;
        ou_exc_clear(vm);
        return ou_raise(vm, E_VALUE, "ISO calendar component out of range");
    }
    if (year < 1 || year > DT_MAX_YEAR) return ou_raise(vm, E_VALUE, "Year is out of range: %d", year);
    if (!ou_dt_iso_week(year, week, 1, &ordinal)) return ou_raise(vm, E_VALUE, "Invalid week: %d", week);
    if (day < 1 || day > 7) return ou_raise(vm, E_VALUE, "Invalid day: %d (range is [1, 7])", day);
    ordinal += day - 1;
    if (ordinal < 1) return ou_raise(vm, E_VALUE, "year 0 is out of range");
    ou_dt_from_ordinal(ordinal, &f.year, &f.month, &f.day);
    return ou_dt_call_date(vm, cls_of(args), &f);
}

static Value date_replace(VM *vm, const Value *args, int n) {
    (void)n;
    DtFields f = ou_dt_fields(&(Moment){.year = as_moment(args[0])->year,
                                        .month = as_moment(args[0])->month,
                                        .day = as_moment(args[0])->day,
                                        .tz = V_NONE});
    if (!ou_dt_int(vm, args[1], &f.year) || !ou_dt_int(vm, args[2], &f.month) ||
        !ou_dt_int(vm, args[3], &f.day))
        return V_NULL;
    return ou_dt_call_date(vm, ou_type_of(vm, args[0]), &f);
}

/* ---- arithmetic and comparison
 * -------------------------------------------------------------------------------------------------- */

static Value shift(VM *vm, Value date, int64_t days) {
    int64_t ordinal = ordinal_of(date) + days;
    DtFields f = {.tz = V_NONE};
    if (ordinal < 1 || ordinal > DT_MAX_ORDINAL) return ou_raise(vm, E_OVERFLOW, "date value out of range");
    ou_dt_from_ordinal(ordinal, &f.year, &f.month, &f.day);
    return ou_dt_call_date(vm, ou_type_of(vm, date), &f);
}

static Value date_add(VM *vm, Value a, Value b) {
    if (is_full(vm, a) || is_full(vm, b)) return V_NOTIMPL;
    if (is_date(vm, a)) return is_delta(vm, b) ? shift(vm, a, as_delta(b)->days) : V_NOTIMPL;
    return is_delta(vm, a) ? shift(vm, b, as_delta(a)->days) : V_NOTIMPL;
}

static Value date_sub(VM *vm, Value a, Value b) {
    if (!is_date(vm, a) || is_full(vm, a) || is_full(vm, b)) return V_NOTIMPL;
    if (is_date(vm, b)) return ou_dt_delta(vm, ordinal_of(a) - ordinal_of(b), 0, 0);
    return is_delta(vm, b) ? shift(vm, a, -(int64_t)as_delta(b)->days) : V_NOTIMPL;
}

static uint32_t key(Value v) {
    return (uint32_t)as_moment(v)->year << 16 | (uint32_t)as_moment(v)->month << 8 | as_moment(v)->day;
}

/* A datetime is a date, but neither equals nor orders with one. */
static Value date_compare(VM *vm, Value a, Value b, CmpOp op) {
    if (!is_date(vm, a) || !is_date(vm, b) || is_full(vm, a) || is_full(vm, b)) return V_NOTIMPL;
    return ou_dt_bool(key(a) < key(b) ? -1 : key(a) > key(b), op);
}

static void date_state(Value v, uint8_t *s) {
    const Moment *m = as_moment(v);
    s[0] = (uint8_t)(m->year >> 8), s[1] = (uint8_t)m->year, s[2] = m->month, s[3] = m->day;
}

static bool date_hash(VM *vm, Value self, int64_t *out) {
    Moment *m = as_moment(self);
    uint8_t s[4];
    if (!m->hash) {
        date_state(self, s);
        m->hash = ou_hash_bytes(vm, s, sizeof s);
    }
    *out = m->hash;
    return true;
}

/* ---- text ----------------------------------------------------------------------------------------------- */

static Value date_repr(VM *vm, Value self) {
    const Moment *m = as_moment(self);
    return ou_str_format(vm, "%s(%d, %d, %d)", ou_tp_name(ou_type_of(vm, self)), m->year, m->month, m->day);
}

static Value date_isoformat(VM *vm, const Value *args, int n) {
    (void)n;
    char *p;
    Value s = ou_str_ascii(vm, 10, &p);
    if (s != V_NULL) ou_dt_put_date(&p, as_moment(args[0]));
    return s;
}
static Value date_str(VM *vm, Value self) {
    return is_full(vm, self) || ou_type_of(vm, self)->def ? date_isoformat(vm, &self, 1)
                                                          : ou_call_method_c(vm, self, "isoformat", NULL, 0);
}

static Value date_ctime(VM *vm, const Value *args, int n) {
    (void)n;
    static const char days[] = "MonTueWedThuFriSatSun", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const Moment *m = as_moment(args[0]);
    char text[40];
    int len = snprintf(text, sizeof text, "%.3s %.3s %2d %02d:%02d:%02d %04d",
                       days + 3 * ou_dt_weekday(as_moment(args[0])), months + 3 * (m->month - 1), m->day,
                       m->hour, m->minute, m->second, m->year);
    return ou_str_new(vm, text, (size_t)len);
}

static Value date_strftime(VM *vm, const Value *args, int n) {
    return (void)n, ou_dt_strftime(vm, args[0], args[1], args[0]);
}
static Value date_format(VM *vm, const Value *args, int n) {
    return (void)n, ou_dt_format(vm, args[0], args[1]);
}

/* ---- conversions ---------------------------------------------------------------------------------------- */

static Value date_timetuple(VM *vm, const Value *args, int n) {
    (void)n;
    const Moment *m = as_moment(args[0]);
    return ou_dt_struct_time(vm, m, -1);
}

static Value date_toordinal(VM *vm, const Value *args, int n) {
    return (void)n, (void)vm, v_smallint(ordinal_of(args[0]));
}
static Value date_weekday(VM *vm, const Value *args, int n) {
    return (void)n, (void)vm, v_smallint(ou_dt_weekday(as_moment(args[0])));
}
static Value date_isoweekday(VM *vm, const Value *args, int n) {
    return (void)n, (void)vm, v_smallint(ou_dt_weekday(as_moment(args[0])) + 1);
}

static Value date_isocalendar(VM *vm, const Value *args, int n) {
    (void)n;
    DtState *s = dt_state(vm);
    int year = as_moment(args[0])->year;
    int64_t today = ordinal_of(args[0]), since = today - ou_dt_week1(year);
    if (since < 0)
        since = today - ou_dt_week1(--year);
    else if (since >= 52 * 7 && today >= ou_dt_week1(year + 1))
        since = today - ou_dt_week1(++year);
    if (!s->iso_class && (s->iso_class = ou_import_attr(vm, "datetime", "_IsoCalendarDate")) == V_NULL)
        return V_NULL;
    Value all[3] = {v_smallint(year), v_smallint(since / 7 + 1), v_smallint(since % 7 + 1)};
    Value t = ou_tuple_of(vm, all, 3),
          v = t == V_NULL ? V_NULL
                          : ou_builtin(vm, T_TUPLE)->slots.make(vm, (Type *)v_obj(s->iso_class), &t, 1, NULL);
    xrelease(vm, t);
    return v;
}

static Value date_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    uint8_t s[4];
    date_state(args[0], s);
    Value state = ou_bytes_new(vm, s, sizeof s),
          inner = state == V_NULL ? V_NULL : ou_tuple_take(vm, &state, 1);
    if (inner == V_NULL) return V_NULL;
    Value pair[2] = {retain(v_of(ou_type_of(vm, args[0]))), inner};
    return ou_tuple_take(vm, pair, 2);
}

static Value date_year(VM *vm, Value self) {
    return (void)vm, v_smallint(as_moment(self)->year);
}
static Value date_month(VM *vm, Value self) {
    return (void)vm, v_smallint(as_moment(self)->month);
}
static Value date_day(VM *vm, Value self) {
    return (void)vm, v_smallint(as_moment(self)->day);
}

static const GetSetDef date_getset[] = {
    {"year", date_year, NULL, NULL}, {"month", date_month, NULL, NULL}, {"day", date_day, NULL, NULL}, {0}};

static const NativeDef date_methods[] = {
    {"fromtimestamp(timestamp, /)", date_fromtimestamp,
     "Create a date from a POSIX timestamp.\n\nThe timestamp is a number, e.g. created via time.time(), that "
     "is interpreted\nas local time.",
     ND_CLASS},
    {"fromordinal(ordinal, /)", date_fromordinal,
     "int -> date corresponding to a proleptic Gregorian ordinal.", ND_CLASS},
    {"fromisoformat(date_string, /)", date_fromisoformat,
     "str -> Construct a date from a string in ISO 8601 format.", ND_CLASS},
    {"fromisocalendar(year, week, day)", date_fromisocalendar,
     "int, int, int -> Construct a date from the ISO year, week number and weekday.\n\nThis is the inverse "
     "of the function date.isocalendar()",
     ND_CLASS},
    {"today()", date_today, "Current date or datetime:  same as self.__class__.fromtimestamp(time.time()).",
     ND_CLASS},
    {"ctime()", date_ctime, "Return ctime() style string.", 0},
    {"strftime(format)", date_strftime, "format -> strftime() style string.", 0},
    {"__format__(format_spec, /)", date_format, "Formats self with strftime.", 0},
    {"timetuple()", date_timetuple, "Return time tuple, compatible with time.localtime().", 0},
    {"isocalendar()", date_isocalendar, "Return a named tuple containing ISO year, week number, and weekday.",
     0},
    {"isoformat()", date_isoformat, "Return string in ISO 8601 format, YYYY-MM-DD.", 0},
    {"isoweekday()", date_isoweekday,
     "Return the day of the week represented by the date.\nMonday == 1 ... Sunday == 7", 0},
    {"toordinal()", date_toordinal, "Return proleptic Gregorian ordinal.  January 1 of year 1 is day 1.", 0},
    {"weekday()", date_weekday,
     "Return the day of the week represented by the date.\nMonday == 0 ... Sunday == 6", 0},
    {"replace(year=unchanged, month=unchanged, day=unchanged)", date_replace,
     "Return date with new specified fields.", 0},
    {"__replace__(year=unchanged, month=unchanged, day=unchanged)", date_replace, "The same as replace().",
     0},
    {"__reduce__()", date_reduce, "__reduce__() -> (cls, state)", 0},
    {0}};

const TypeDef ou_dt_date_def = {.name = "datetime.date",
                                .size = offsetof(Moment, us),
                                .flags = TF_BASE,
                                .slots = {.make = date_make,
                                          .repr = date_repr,
                                          .str = date_str,
                                          .hash = date_hash,
                                          .compare = date_compare,
                                          .binary = {[BIN_ADD] = date_add, [BIN_SUB] = date_sub}},
                                .methods = date_methods,
                                .getset = date_getset,
                                .doc = "date(year, month, day) --> date object"};
