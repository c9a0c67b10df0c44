/* The methods of datetime that need a clock or local time: mod_datetime_clock.c defines them, the table in
 * mod_datetime_full.c names them. May be included by those two. */
#ifndef OU_DATETIME_CLOCK_H
#define OU_DATETIME_CLOCK_H

#include "stdlib/datetime_impl.h"

Value ou_dt_now(VM *vm, const Value *args, int n);
Value ou_dt_utcnow(VM *vm, const Value *args, int n);
Value ou_dt_fromtimestamp(VM *vm, const Value *args, int n);
Value ou_dt_utcfromtimestamp(VM *vm, const Value *args, int n);
Value ou_dt_timetuple(VM *vm, const Value *args, int n);
Value ou_dt_utctimetuple(VM *vm, const Value *args, int n);
Value ou_dt_timestamp(VM *vm, const Value *args, int n);
Value ou_dt_astimezone(VM *vm, const Value *args, int n);

#endif
