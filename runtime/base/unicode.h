/* Properties and case mappings of code points, as CPython's str methods see them. Over utf8proc and generated tables.
 * May be included by everybody. All functions accept any value from 0 to 0x10FFFF, surrogates included. */
#ifndef OU_UNICODE_H
#define OU_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool ou_uni_is_printable(uint32_t c);
bool ou_uni_is_space(uint32_t c);
bool ou_uni_is_linebreak(uint32_t c);
bool ou_uni_is_alpha(uint32_t c);
bool ou_uni_is_decimal(uint32_t c);
bool ou_uni_is_digit(uint32_t c);
bool ou_uni_is_numeric(uint32_t c);
bool ou_uni_is_alnum(uint32_t c);
bool ou_uni_is_lower(uint32_t c);
bool ou_uni_is_upper(uint32_t c);
bool ou_uni_is_title(uint32_t c);
bool ou_uni_is_cased(uint32_t c);
bool ou_uni_is_case_ignorable(uint32_t c);
bool ou_uni_is_id_start(uint32_t c);    /* XID_Start or underscore */
bool ou_uni_is_id_continue(uint32_t c); /* XID_Continue */
int ou_uni_decimal(uint32_t c);         /* value of a decimal digit, -1: none */
uint32_t ou_uni_lower1(uint32_t c);     /* simple mappings */
uint32_t ou_uni_upper1(uint32_t c);
/* Full mappings: up to three (folding: four) code points, the number is returned. Final sigma is the caller's business. */
int ou_uni_lower(uint32_t c, uint32_t out[4]);
int ou_uni_upper(uint32_t c, uint32_t out[4]);
int ou_uni_title(uint32_t c, uint32_t out[4]);
int ou_uni_fold(uint32_t c, uint32_t out[4]);

/* Character names. Without the name table (unicode_names.c) only the algorithmic ones are known: Hangul, ideographs. */
bool ou_uni_name(uint32_t c, char *out, size_t size);            /* false: none */
int ou_uni_lookup(const char *name, size_t n, uint32_t out[4]); /* how many code points the name stands for; 0: unknown */

#endif
