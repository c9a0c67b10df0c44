/* What the files of the native datetime classes share. May be included by stdlib/mod_datetime*.c.
 * A date, a time and a datetime are one struct: a date ends before `us`, a time has no year. Their fields are
 * in range, except what a forged pickle says: only its month is checked, and nothing may rely on more. Days
 * are counted from 0001-01-01 (day 1). A timedelta is normalized: 0 <= seconds < 86400, 0 <= us < 1000000.
 * The classes are made when the module is imported for the first time and stay in its record. */
#ifndef OU_DATETIME_IMPL_H
#define OU_DATETIME_IMPL_H

#include <time.h>

#include "runtime/objects/bytes.h"
#include "runtime/objects/gc.h"
#include "runtime/objects/import.h"
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers_impl.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

typedef struct Delta {
    Obj h;
    int32_t days, seconds, us;
    int64_t hash; /* 0: not computed */
} Delta;

typedef struct Moment {
    Obj h;
    int64_t hash; /* 0: not computed */
    uint16_t year;
    uint8_t month, day, hour, minute, second, fold;
    int32_t us;
    Value tz; /* V_NONE: naive */
} Moment;

typedef struct Zone { /* timezone */
    Obj h;
    Value offset; /* an exact timedelta */
    Value name;   /* str or V_NONE */
} Zone;

typedef struct DtFields { /* not checked yet; tz borrowed */
    int year, month, day, hour, minute, second, us, fold;
    Value tz;
} DtFields;

typedef struct DtState {
    Value keep;      /* a tuple of all that follows */
    Value iso_class; /* IsoCalendarDate, a script class made at the first use; V_NULL: not yet */
    Type *delta, *date, *time, *datetime, *tzinfo, *timezone;
    Value utc;
} DtState;

enum { DT_MAX_YEAR = 9999, DT_MAX_ORDINAL = 3652059 };
#define DT_DAY_US INT64_C(86400000000)

extern const TypeDef ou_dt_delta_def, ou_dt_date_def, ou_dt_time_def, ou_dt_datetime_def, ou_dt_tzinfo_def,
    ou_dt_timezone_def;

static inline DtState *dt_state(VM *vm) {
    return vm->module_state[MOD__datetime];
}
static inline bool dt_is(VM *vm, Value v, const TypeDef *def) {
    if (!is_obj(v) || v == V_NULL) return false;
    for (const Type *t = ou_type_of(vm, v); t; t = t->base)
        if (t->def == def) return true;
    return false;
}
static inline bool dt_is_exact(VM *vm, Value v, const TypeDef *def) {
    return is_obj(v) && v != V_NULL && ou_type_of(vm, v)->def == def;
}
static inline Delta *as_delta(Value v) {
    return (Delta *)v_obj(v);
}
static inline Moment *as_moment(Value v) {
    return (Moment *)v_obj(v);
}
static inline Zone *as_zone(Value v) {
    return (Zone *)v_obj(v);
}

/* mod_datetime.c: the calendar, arguments, making dates and times */
bool ou_dt_is_leap(int year);
int ou_dt_days_before(int year, int month); /* days of the year before the month */
int64_t ou_dt_ordinal(int year, int month, int day);
void ou_dt_from_ordinal(int64_t ordinal, int *year, int *month,
                        int *day);  /* 1 <= ordinal; years beyond 9999 come out as they are */
int ou_dt_weekday(const Moment *m); /* 0: Monday */
int64_t ou_dt_week1(int year);      /* the ordinal of the Monday of ISO week 1 */
bool ou_dt_iso_week(int year, int week, int day,
                    int64_t *ordinal); /* false: nothing raised, there is no such week */
/* Binds to `count` names ("|" between them), the first of which are required; what is not given is V_NULL. */
bool ou_dt_args(VM *vm, const char *function, const char *names, int required, int count, int positional,
                const Value *args, int n, Tuple *kwnames, Value *out);
bool ou_dt_int(VM *vm, Value v, int *out); /* as the format "i": V_NULL leaves *out alone */
bool ou_dt_check_date(VM *vm, const DtFields *f);
bool ou_dt_check_time(VM *vm, const DtFields *f); /* the time zone too */
bool ou_dt_check_tz(VM *vm, Value tz);
Value ou_dt_new(VM *vm, Type *cls,
                const DtFields *f); /* an instance with checked fields, without calling cls */
Value ou_dt_call_date(VM *vm, Type *cls, const DtFields *f); /* cls(year, month, day); checks */
Value ou_dt_call_full(VM *vm, Type *cls, const DtFields *f); /* cls(year, ..., tzinfo, fold=); checks */
Value ou_dt_call_time(VM *vm, Type *cls, const DtFields *f); /* cls(hour, ..., tzinfo, fold=); checks */
DtFields ou_dt_fields(const Moment *m);
uint64_t ou_dt_key(const Moment *m); /* orders dates and times; without the fold */
int64_t ou_dt_us(const Moment *m);   /* microseconds since the day before 0001-01-01 */
Value ou_dt_bool(int cmp, CmpOp op);
/* What a pickle holds, bytes (or a str, from Python 2) of that size, copied to out; false: v is none. */
bool ou_dt_read_state(VM *vm, Value v, uint32_t size, uint8_t *out);

/* mod_datetime_delta.c */
Value ou_dt_delta(VM *vm, int64_t days, int64_t seconds, int64_t us); /* normalizes; OverflowError */
Value ou_dt_delta_us(VM *vm, int64_t us);
bool ou_dt_delta_is_offset(const Delta *d); /* strictly between -24 and 24 hours */
bool ou_dt_delta_fits(const Delta *d, int64_t *us);
int ou_dt_delta_cmp(const Delta *a, const Delta *b);

/* mod_datetime_zone.c */
Value ou_dt_zone(VM *vm, Value offset, Value name); /* checks the range; utc for zero without name (V_NONE) */
/* utcoffset() or dst() of a time zone: a timedelta in range or V_NONE, owned. arg: what the method gets. */
Value ou_dt_offset(VM *vm, Value tz, const char *method, Value arg);
Value ou_dt_tzname(VM *vm, Value tz, Value arg);

/* mod_datetime_text.c */
void ou_dt_put_offset(char **p, const Delta *offset, const char *sep); /* +HH:MM[:SS[.ffffff]], room for 20 */
void ou_dt_put_date(char **p, const Moment *m);                        /* room for 10 */
bool ou_dt_put_time(VM *vm, char **p, const Moment *m,
                    Value timespec); /* room for 15; timespec V_NULL: "auto"; ValueError */
Value ou_dt_strftime(VM *vm, Value self, Value format,
                     Value tzarg);                  /* a date, time or datetime; the time has year 1900 */
Value ou_dt_format(VM *vm, Value self, Value spec); /* __format__ */

/* mod_datetime_parse.c; false: not ISO 8601, nothing raised */
bool ou_dt_parse_date(const char *s, size_t n, DtFields *f);
typedef struct DtOffset {
    bool given;
    int64_t seconds;
    int us;
} DtOffset;
bool ou_dt_parse_time(const char *s, size_t n, DtFields *f, DtOffset *offset);
size_t ou_dt_find_time(const char *s, size_t n, bool *ok); /* where the date of a date with time ends */
Value ou_dt_parsed_zone(VM *vm, const DtOffset *offset);   /* V_NONE without */

/* mod_datetime_clock.c */
Value ou_dt_struct_time(VM *vm, const Moment *m, int isdst);
bool ou_dt_local_date(VM *vm, Value timestamp, DtFields *f);

/* mod_datetime_time.c: what times and datetimes share */
void ou_dt_moment_dealloc(VM *vm, Obj *o);
void ou_dt_moment_traverse(VM *vm, Obj *o, VisitFn visit, void *arg);
Value ou_dt_repr_end(StrBuf *b, const Moment *m); /* what follows the hour; finishes b */
Value ou_dt_reduced(VM *vm, Value self, const uint8_t *state, size_t size); /* (cls, (state[, tzinfo])) */
extern const GetSetDef ou_dt_clock_getset[];

/* mod_datetime_full.c */
Value ou_dt_subtract(VM *vm, Value a, Value b);               /* of two datetimes */
Value ou_dt_shift(VM *vm, Value self, Value delta, int sign); /* a datetime plus or minus a timedelta */

#endif
