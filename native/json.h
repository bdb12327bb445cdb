/* JSON as a cursor over bytes: strings, numbers, members and items, each within its bounds.
 *
 * Stricter than readers need to be: whatever is unusual is refused, and then somebody else looks.
 * Nothing here allocates, recurses or knows Python.
 */
#ifndef FTPROVIDERS_JSON_H
#define FTPROVIDERS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "reasons.h"

#define MAX_SKIPPED_DEPTH 64
#define MAX_SKIPPED_KEYS 128
#define STAY_BYTEWISE 16

/* Where strings with escapes are decoded to. */
typedef struct {
    uint8_t *bytes;
    size_t used, room;
} Arena;

typedef struct {
    const uint8_t *at, *end;
    Arena *arena;
    bool line_feeds; /* whether a line feed is white space: in text that holds JSON */
    bool nul, surrogate; /* met in strings: NUL, half of a surrogate pair */
    bool constant;       /* met among values: NaN or an infinity, which are no JSON */
} Cursor;

/* A string, decoded. */
typedef struct {
    const uint8_t *text;
    size_t bytes, chars;
    bool token; /* may hold a control token: has "<|" */
} Text;

#define TRY(call)                 \
    do {                          \
        int refused_ = (call);    \
        if (refused_)             \
            return refused_;      \
    } while (0)

static bool same_text(const Text *a, const Text *b)
{
    return a->bytes == b->bytes && memcmp(a->text, b->text, a->bytes) == 0;
}

static bool is_word(const Text *t, const char *word)
{
    return t->bytes == strlen(word) && memcmp(t->text, word, t->bytes) == 0;
}

#define IS(t, word) \
    ((t)->bytes == sizeof(word) - 1 && memcmp((t)->text, word, sizeof(word) - 1) == 0)

static inline bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\' && byte != '|';
}

/* Return the first byte that needs a look: quote, backslash, bar, control or not ASCII. */
static inline const uint8_t *plain_run(const uint8_t *at, const uint8_t *end)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), back = _mm_set1_epi8('\\');
    const __m128i bar = _mm_set1_epi8('|'), space = _mm_set1_epi8(0x20);
    while (end - at >= 16) {
        __m128i some = _mm_loadu_si128((const __m128i *)at);
        /* As signed numbers, bytes from 0x80 up are less than a space, too. */
        __m128i odd = _mm_or_si128(_mm_cmplt_epi8(some, space), _mm_cmpeq_epi8(some, quote));
        odd = _mm_or_si128(odd, _mm_cmpeq_epi8(some, back));
        odd = _mm_or_si128(odd, _mm_cmpeq_epi8(some, bar));
        int mask = _mm_movemask_epi8(odd);
        if (mask)
            return at + __builtin_ctz((unsigned)mask);
        at += 16;
    }
#endif
    while (at < end && is_plain(*at))
        at++;
    return at;
}

/* Return the length of the UTF-8 sequence of a character that is not ASCII; 0 = it is none. */
static inline size_t utf8_length(const uint8_t *at, const uint8_t *end)
{
    size_t room = (size_t)(end - at);
    uint8_t lead = at[0];
    if (lead < 0xC2 || lead > 0xF4 || room < 2 || (at[1] & 0xC0) != 0x80)
        return 0;
    if (lead < 0xE0)
        return 2;
    if (room < 3 || (at[2] & 0xC0) != 0x80)
        return 0;
    if (lead < 0xF0) {
        if ((lead == 0xE0 && at[1] < 0xA0) || (lead == 0xED && at[1] > 0x9F))
            return 0;
        return 3;
    }
    if (room < 4 || (at[3] & 0xC0) != 0x80)
        return 0;
    if ((lead == 0xF0 && at[1] < 0x90) || (lead == 0xF4 && at[1] > 0x8F))
        return 0;
    return 4;
}

static inline int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Read four hexadecimal digits; -1 = there are none. */
static inline int32_t hex4(const uint8_t *at, const uint8_t *end)
{
    int32_t value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(at[i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* Write a character as UTF-8; return its length. */
static inline size_t put_utf8(uint8_t *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xC0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xE0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (code & 0x3F));
    return 4;
}

/* Decode the escape at `*at`, a backslash, to `out`, which has room for 4 bytes. Half of a surrogate
 * pair becomes three bytes, as Python's surrogatepass makes them. */
static inline int read_escape(Cursor *c, const uint8_t **at, const uint8_t *end, uint8_t *out,
                              size_t *size)
{
    const uint8_t *p = *at;
    if (end - p < 2)
        return NO_ESCAPE_END;
    *at = p + 2;
    *size = 1;
    switch (p[1]) {
    case '"': case '\\': case '/': *out = p[1]; return 0;
    case 'b': *out = '\b'; return 0;
    case 'f': *out = '\f'; return 0;
    case 'n': *out = '\n'; return 0;
    case 'r': *out = '\r'; return 0;
    case 't': *out = '\t'; return 0;
    case 'u': break;
    default: return NO_ESCAPE;
    }
    int32_t code = hex4(p + 2, end);
    if (code < 0)
        return NO_ESCAPE_HEX;
    c->nul = c->nul || code == 0;
    *at = p + 6;
    if (code >= 0xD800 && code < 0xE000) {
        int32_t low = end - p >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8, end) : -1;
        if (code < 0xDC00 && low >= 0xDC00 && low <= 0xDFFF) {
            *at = p + 12;
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        } else {
            c->surrogate = true;
        }
    }
    *size = put_utf8(out, (uint32_t)code);
    return 0;
}

static inline bool has_token(const uint8_t *text, size_t size)
{
    const uint8_t *at = text, *end = text + size;
    while ((at = memchr(at, '|', (size_t)(end - at))) != NULL) {
        if (at > text && at[-1] == '<')
            return true;
        at++;
    }
    return false;
}

/* Read the string whose opening quote was just passed. */
static int read_string(Cursor *c, Text *t)
{
    const uint8_t *start = c->at, *at = start, *run = start, *end = c->end;
    uint8_t *out = NULL;
    size_t later = 0; /* bytes that continue a character */
    bool bar = false;
    for (;;) {
        at = plain_run(at, end);
        if (at == end)
            return NO_STRING_END;
        uint8_t byte = *at;
        if (byte == '"')
            break;
        if (byte >= 0x80) {
            /* Words of other scripts have ASCII between them; stay here until that is long. */
            for (int plain = 0; at < end && plain < STAY_BYTEWISE;) {
                if (*at >= 0x80) {
                    size_t length = utf8_length(at, end);
                    if (!length)
                        return NO_UTF8;
                    at += length;
                    later += length - 1;
                    plain = 0;
                } else if (is_plain(*at)) {
                    at++;
                    plain++;
                } else {
                    break;
                }
            }
        } else if (byte == '|') {
            bar = true;
            at++;
        } else if (byte == '\\') {
            size_t ahead = (size_t)(at - run), size = 0;
            if (c->arena->room - c->arena->used < (size_t)(at - start) + 4)
                return NO_ROOM;
            if (!out)
                out = c->arena->bytes + c->arena->used;
            memcpy(out, run, ahead);
            out += ahead;
            TRY(read_escape(c, &at, end, out, &size));
            bar = bar || size > 1 || *out == '|' || *out == '<';
            out += size;
            later += size - 1;
            run = at;
        } else {
            return NO_CONTROL;
        }
    }
    t->text = start;
    t->bytes = (size_t)(at - start);
    if (out) {
        uint8_t *first = c->arena->bytes + c->arena->used;
        if (c->arena->room - c->arena->used < t->bytes)
            return NO_ROOM_LAST;
        memcpy(out, run, (size_t)(at - run));
        out += at - run;
        t->text = first;
        t->bytes = (size_t)(out - first);
        c->arena->used += t->bytes;
    }
    t->chars = t->bytes - later;
    t->token = bar && has_token(t->text, t->bytes);
    c->at = at + 1;
    return 0;
}

static inline void skip_space(Cursor *c)
{
    while (c->at < c->end
           && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r'
               || (*c->at == '\n' && c->line_feeds)))
        c->at++;
}

/* Return the next byte, 0 at the end. */
static inline uint8_t peek(const Cursor *c)
{
    return c->at < c->end ? *c->at : 0;
}

static inline bool take(Cursor *c, uint8_t byte)
{
    if (peek(c) != byte || c->at == c->end)
        return false;
    c->at++;
    return true;
}

static inline bool take_word(Cursor *c, const char *word, size_t size)
{
    if ((size_t)(c->end - c->at) < size || memcmp(c->at, word, size) != 0)
        return false;
    c->at += size;
    return true;
}

static inline size_t skip_digits(Cursor *c)
{
    const uint8_t *from = c->at;
    while (peek(c) >= '0' && peek(c) <= '9')
        c->at++;
    return (size_t)(c->at - from);
}

/* Read a number; `t` is what is written. */
static int read_number(Cursor *c, Text *t)
{
    t->text = c->at;
    take(c, '-');
    if (!take(c, '0') && !skip_digits(c))
        return NO_NUMBER;
    if (take(c, '.') && !skip_digits(c))
        return NO_FRACTION;
    if (peek(c) == 'e' || peek(c) == 'E') {
        c->at++;
        if (!take(c, '-'))
            take(c, '+');
        if (!skip_digits(c))
            return NO_EXPONENT;
    }
    t->bytes = (size_t)(c->at - t->text);
    return 0;
}

typedef enum {
    SCALAR_NULL, SCALAR_TRUE, SCALAR_FALSE, SCALAR_NUMBER, SCALAR_STRING, SCALAR_CONSTANT
} Scalar;

/* Pass NaN or an infinity, as Python's json reads them. */
static bool take_constant(Cursor *c)
{
    bool found = take_word(c, "NaN", 3) || take_word(c, "Infinity", 8)
                 || take_word(c, "-Infinity", 9);
    c->constant = c->constant || found;
    return found;
}

/* Read a value that holds no others. */
static int read_scalar(Cursor *c, Scalar *kind, Text *t)
{
    switch (peek(c)) {
    case '"':
        c->at++;
        *kind = SCALAR_STRING;
        return read_string(c, t);
    case 'n':
        *kind = SCALAR_NULL;
        return take_word(c, "null", 4) ? 0 : NO_WORD;
    case 't':
        *kind = SCALAR_TRUE;
        return take_word(c, "true", 4) ? 0 : NO_WORD;
    case 'f':
        *kind = SCALAR_FALSE;
        return take_word(c, "false", 5) ? 0 : NO_WORD;
    default:
        *kind = take_constant(c) ? SCALAR_CONSTANT : SCALAR_NUMBER;
        return *kind == SCALAR_NUMBER ? read_number(c, t) : 0;
    }
}

/* Go to the next member of an object, past its key and colon; `*more` is false at its end. */
static int next_member(Cursor *c, bool *first, Text *key, bool *more)
{
    skip_space(c);
    if (take(c, '}')) {
        *more = false;
        return 0;
    }
    if (!*first) {
        if (!take(c, ','))
            return NO_COMMA_IN_OBJECT;
        skip_space(c);
    }
    *first = false;
    *more = true;
    if (!take(c, '"'))
        return NO_KEY;
    TRY(read_string(c, key));
    skip_space(c);
    if (!take(c, ':'))
        return NO_COLON;
    skip_space(c);
    return 0;
}

/* Go to the next item of a list; `*more` is false at its end. */
static int next_item(Cursor *c, bool *first, bool *more)
{
    skip_space(c);
    if (take(c, ']')) {
        *more = false;
        return 0;
    }
    if (!*first) {
        if (!take(c, ','))
            return NO_COMMA_IN_LIST;
        skip_space(c);
    }
    *first = false;
    *more = true;
    return 0;
}

/* Keys of the objects that are open while a value is passed. */
typedef struct {
    Text key[MAX_SKIPPED_KEYS];
    size_t held, first[MAX_SKIPPED_DEPTH]; /* first key of each container */
} Keys;

/* Note a key of the innermost object; refuse one that stands there already. */
static int note_key(Keys *keys, const Text *key, int depth)
{
    for (size_t i = keys->first[depth - 1]; i < keys->held; i++)
        if (same_text(&keys->key[i], key))
            return NO_TWICE_INSIDE;
    if (keys->held == MAX_SKIPPED_KEYS)
        return NO_MORE_KEYS;
    keys->key[keys->held++] = *key;
    return 0;
}

/* Pass a value of any kind, which is looked at for its grammar alone, and for keys that stand twice
 * if `keys` is given. */
static int pass_value(Cursor *c, Keys *keys)
{
    uint64_t objects = 0; /* one bit for each open container: whether it is an object */
    int depth = 0;
    bool first = true;
    Text text;
    Scalar kind;
    size_t used = c->arena->used;
    for (;;) {
        /* A value begins here, and nobody wants the strings before it, but for keys. */
        uint8_t byte = peek(c);
        if (!keys)
            c->arena->used = used;
        if (byte == '{' || byte == '[') {
            if (depth == MAX_SKIPPED_DEPTH)
                return NO_DEPTH;
            if (keys)
                keys->first[depth] = keys->held;
            objects = objects << 1 | (byte == '{');
            depth++;
            c->at++;
            first = true;
        } else {
            TRY(read_scalar(c, &kind, &text));
        }
        bool more = false;
        while (depth && !more) {
            TRY(objects & 1 ? next_member(c, &first, &text, &more) : next_item(c, &first, &more));
            if (!more) {
                objects >>= 1;
                depth--;
                first = false;
                if (keys)
                    keys->held = keys->first[depth];
            } else if (keys && objects & 1) {
                TRY(note_key(keys, &text, depth));
            }
        }
        if (!more)
            return 0;
    }
}

static int skip_value(Cursor *c)
{
    return pass_value(c, NULL);
}

/* Pass a value in none of whose objects a key stands twice. */
static int skip_unique(Cursor *c)
{
    Keys keys;
    keys.held = 0;
    return pass_value(c, &keys);
}

/* Say whether what was refused for this reason is no JSON, whoever reads it. */
static bool is_no_json(int refused)
{
    switch (refused) {
    case NO_STRING_END: case NO_ESCAPE: case NO_ESCAPE_END: case NO_ESCAPE_HEX: case NO_CONTROL:
    case NO_NUMBER: case NO_FRACTION: case NO_EXPONENT: case NO_WORD: case NO_KEY: case NO_COLON:
    case NO_COMMA_IN_OBJECT: case NO_COMMA_IN_LIST:
        return true;
    default:
        return false;
    }
}

#endif
