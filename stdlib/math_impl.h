/* What the files of math share. May be included by stdlib/mod_math*.c. */
#ifndef OU_MATH_IMPL_H
#define OU_MATH_IMPL_H

#include <math.h>

#include "runtime/objects/containers_impl.h"
#include "stdlib/stdlib.h"

Value ou_math_gcd(VM *vm, const Value *args, int n);
Value ou_math_lcm(VM *vm, const Value *args, int n);
Value ou_math_isqrt(VM *vm, const Value *args, int n);
Value ou_math_factorial(VM *vm, const Value *args, int n);
Value ou_math_perm(VM *vm, const Value *args, int n);
Value ou_math_comb(VM *vm, const Value *args, int n);

double ou_gamma(double x); /* mod_math_gamma.c */
double ou_lgamma(double x);

/* mod_math_sum.c: functions of many numbers */
Value ou_math_fsum(VM *vm, const Value *args, int n);
Value ou_math_prod(VM *vm, const Value *args, int n);
Value ou_math_sumprod(VM *vm, const Value *args, int n);
Value ou_math_dist(VM *vm, const Value *args, int n);
Value ou_math_hypot(VM *vm, const Value *args, int n);

#endif
