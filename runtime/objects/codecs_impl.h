/* What the codecs*.c files share: the codec, one conversion that is going on, what to do with input that cannot be converted.
 * May be included by these only. Positions in a conversion are bytes when decoding and code points when encoding. */
#ifndef OU_CODECS_IMPL_H
#define OU_CODECS_IMPL_H

#include "runtime/objects/codecs.h"
#include "runtime/objects/strimpl.h"

typedef enum CodecKind {
    UTF8, UTF8_SIG, UTF16, UTF16_LE, UTF16_BE, UTF32, UTF32_LE, UTF32_BE, LATIN1, ASCII, CHARMAP, UNICODE_ESCAPE,
    RAW_UNICODE_ESCAPE, IDNA, PUNYCODE
} CodecKind;

typedef struct Charmap {
    const char *name;
    uint16_t upper[128];
} Charmap;

typedef struct Codec {
    CodecKind kind;
    const char *name;  /* in UnicodeErrors */
    const char *official;
    const Charmap *map;
} Codec;

typedef struct Coding { /* one conversion that is going on */
    VM *vm;
    Codec codec;
    const char *errors; /* NULL: strict */
    Str *text;          /* encoding: the source */
    const char *p;      /* decoding: the source */
    size_t n;
    StrBuf out;
} Coding;

/* codecs.c */
bool ou_codec_find(const char *name, Codec *out); /* false: no built-in one, nothing raised */
/* Asks the registered search functions; which 0: encode, 1: decode. The converted object, of the right type. */
Value ou_codec_search(VM *vm, const char *encoding, int which, Value arg, const char *errors);
bool ou_codec_put(Coding *c, uint32_t cp); /* appends one code point; false: it has no place in this encoding (nothing raised) */

/* codecs_runs.c: as much as converts without an error, up to a block of some thousand bytes. */
size_t ou_codec_encode_run(Coding *c, const char **at, const char *end); /* moves *at; how many code points */
size_t ou_codec_decode_run(Coding *c, size_t from); /* how many bytes; the kinds with a byte order, LATIN1 and CHARMAP only */

/* codecs_errors.c */
bool ou_codec_raise(Coding *c, size_t start, size_t end, const char *reason); /* UnicodeEncodeError or UnicodeDecodeError; false */
/* The input start..*end cannot be converted. Appends what the handler says; *end becomes where to go on. */
bool ou_codec_decode_error(Coding *c, size_t start, size_t *end, const char *reason);
bool ou_codec_encode_error(Coding *c, size_t start, size_t *end, const char *reason);

/* codecs_idna.c */
void ou_codec_puny_encode(StrBuf *b, const char *s, size_t size);
bool ou_codec_puny_decode(StrBuf *b, const char *s, size_t size); /* false: malformed (nothing raised) or no memory */
bool ou_codec_idna_encode(Coding *c);
bool ou_codec_idna_decode(Coding *c, size_t *at);

#endif
