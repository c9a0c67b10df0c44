/* What mod_time.c and mod_time_parse.c share. May be included by these two only. */
#ifndef OU_STDLIB_TIME_IMPL_H
#define OU_STDLIB_TIME_IMPL_H

#include "stdlib/stdlib.h"

typedef struct TimeFields { /* as struct_time counts: month and year day from 1, Monday is 0 */
    int64_t year;
    int mon, mday, hour, min, sec, wday, yday, isdst;
    const char *zone; /* NULL: none */
    bool has_offset;
    int64_t offset;
} TimeFields;
Value ou_time_struct(VM *vm, const TimeFields *t);
extern const NativeDef ou_time_parse_def[]; /* strptime */

#endif
