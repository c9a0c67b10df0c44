/* What every unit test uses: CHECK counts and reports, FINISH prints the runner's counting line.
 * Included by test_*.c only, once in each: the counters are its own. */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <stdio.h>
#include <string.h>

static int checks_passed, checks_failed;

#define CHECK(x) \
    ((x) ? (void)checks_passed++ : (void)(checks_failed++, printf("%s:%d: %s\n", __FILE__, __LINE__, #x)))

static inline int finish_checks(void)
{
    printf("%d passed, %d failed\n", checks_failed ? 0 : 1, checks_failed != 0);
    return checks_failed != 0;
}

#endif
