/* Unicode character names, for \N{...}.
 * Entry point: ou_unicode_name_lookup. There is no table yet, so that every name is unknown. */
#include "grammar/parse.h"

int32_t ou_unicode_name_lookup(const char *name, size_t n)
{
    (void)name, (void)n;
    return -1;
}
