/* A supervised row: its messages, calls and tools, and what the judge would say about it.
 *
 * A row is good (nothing is wrong with it), faulty (what is wrong is known by rule id, and no more)
 * or refused. Each condition here is one of ftproviders/data/exact, or stricter.
 */
#ifndef FTPROVIDERS_ROW_H
#define FTPROVIDERS_ROW_H

#include "json.h"

#define MAX_MESSAGES 1024
#define MAX_SEGMENTS 2048
#define MAX_CALLS 128
#define MAX_UNKNOWN 64
#define MAX_NAME 64
#define MAX_DEPTH 100 /* MAX_DEPTH of ftproviders/data/rule.py, or less */

/* Rules that a row may break without being refused. */
#define FAULTS(X)                                      \
    X(FAULT_SYNTAX, "json.syntax")                     \
    X(FAULT_ENCODING, "json.encoding")                 \
    X(FAULT_CONSTANT, "json.constant")                 \
    X(FAULT_SURROGATE, "json.surrogate")               \
    X(FAULT_NUL, "json.nul")                           \
    X(FAULT_ROW_OBJECT, "row.object")                  \
    X(FAULT_OBJECT, "message.object")                  \
    X(FAULT_MESSAGES, "row.messages")                  \
    X(FAULT_NO_COMPLETION, "completion.empty")         \
    X(FAULT_NO_TEXT, "text.field")                     \
    X(FAULT_DEPRECATED, "row.deprecated")              \
    X(FAULT_PART, "content.part")                      \
    X(FAULT_PART_TEXT, "content.part_text")            \
    X(FAULT_IMAGE_URL, "image.url")                    \
    X(FAULT_IMAGE_DETAIL, "image.detail")              \
    X(FAULT_IMAGE_BYTES, "image.bytes")                \
    X(FAULT_IMAGE_FORMAT, "image.format")              \
    X(FAULT_IMAGE_COLOR, "image.color")                \
    X(FAULT_TOOL_SHAPE, "tool.shape")                  \
    X(FAULT_TOOL_NAME, "tool.name")                    \
    X(FAULT_PARAMETERS, "tool.parameters")             \
    X(FAULT_ANSWER, "tool.answer")                     \
    X(FAULT_CALL_SHAPE, "tool_call.shape")             \
    X(FAULT_CALL_NAME, "tool_call.name")               \
    X(FAULT_ARGUMENTS, "tool_call.arguments")          \
    X(FAULT_UNDECLARED, "tool_call.undeclared")        \
    X(FAULT_SCHEMA, "tool_call.schema")                \
    X(FAULT_DUPLICATE_ID, "tool_call.duplicate_id")    \
    X(FAULT_UNANSWERED, "tool_call.unanswered")        \
    X(FAULT_UNKNOWN_ROW_KEY, "row.unknown_key")        \
    X(FAULT_NULL, "row.null")                          \
    X(FAULT_PARALLEL, "row.parallel_tool_calls")       \
    X(FAULT_TOKEN, "message.special_token")            \
    X(FAULT_ROLE, "message.role")                      \
    X(FAULT_UNKNOWN_KEY, "message.unknown_key")        \
    X(FAULT_CONTENT, "message.content")                \
    X(FAULT_EMPTY, "message.empty")                    \
    X(FAULT_NAME, "message.name")                      \
    X(FAULT_WEIGHT, "message.weight")                  \
    X(FAULT_CONSECUTIVE, "row.consecutive_assistant")  \
    X(FAULT_NO_ASSISTANT, "row.no_assistant")          \
    X(FAULT_LAST, "row.last_message")                  \
    X(FAULT_WEIGHTS, "row.weights")

#define X(name, rule) name,
enum { FAULTS(X) RULE_COUNT };
#undef X

/* Rows without messages of which some providers take one kind and others another: row.messages for
 * those that do not take it. Bits and counts are those behind the rules'. */
enum { SHAPE_COMPLETION = RULE_COUNT, SHAPE_TEXT, FAULT_COUNT };

static const char *const SHAPE_NAMES[] = {"prompt-completion", "text"};

#define X(name, rule) rule,
static const char *const FAULT_RULES[] = {FAULTS(X)};
#undef X

#define FIRST_IMAGE_FAULT FAULT_IMAGE_URL
#define IMAGE_FAULTS (FAULT_IMAGE_COLOR - FAULT_IMAGE_URL + 1)

/* ROLE_OTHER is a role that does not exist, or none. */
enum { ROLE_SYSTEM, ROLE_DEVELOPER, ROLE_USER, ROLE_ASSISTANT, ROLE_TOOL, ROLE_FUNCTION,
       ROLE_OTHER };

static const char *const ROLE_NAMES[] = {"system", "developer", "user", "assistant", "tool",
                                         "function"};

/* Control tokens that text must not hold; the same as SPECIAL_TOKENS of ftproviders/data/rule.py. */
static const char *const TOKENS[] = {
    "<|endoftext|>", "<|startoftext|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>",
    "<|endofprompt|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|start|>",
    "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>",
};
#define TOKEN_COUNT ((int)(sizeof(TOKENS) / sizeof(*TOKENS)))

typedef enum { ABSENT, WAS_NULL, WAS_TEXT, WAS_PARTS, WAS_OTHER, WAS_CONSTANT } Given;

typedef struct {
    uint8_t role;
    Text role_text;
    size_t segment, segments; /* its texts in the row's segments */
    size_t chars;
} Message;

/* Keys that are not known; each may stand once. */
typedef struct {
    Text key[MAX_UNKNOWN];
    size_t held;
    size_t count; /* without those of NaN and the like, which is a fault of its own */
} Unknown;

/* A call, or the function of the deprecated kind. */
typedef struct {
    Text id, name, arguments;
    size_t message;
    bool has_id, has_function, has_name, has_arguments; /* as text */
    bool json;                                          /* the arguments are */
    bool open;                                          /* it waits for its answer */
    bool deprecated;                                    /* a `function_call` */
} Call;

/* What only whoever made the row's reader can answer.
 *
 * `image` and `fits` return a fault, NOTHING_WRONG, UNSURE or FAILED; `tools` and `functions` return
 * 0, a reason or FAILED, and count the faults of a declaration themselves. */
typedef struct {
    int (*image)(void *asked, const Text *url);
    int (*tools)(void *asked, const uint8_t *text, size_t size, bool deprecated);
    int (*fits)(void *asked, const Call *call);
    void *asked;
} Questions;

enum { NOTHING_WRONG = 1000, UNSURE };

/* Shapes of rows of which it is noted where the first one is. */
enum { OF_NO_SHAPE = -1, OF_MESSAGES_SHAPE, OF_COMPLETION_SHAPE, OF_TEXT_SHAPE, SHAPES };

typedef struct {
    size_t messages, segments, calls, images, spared_images;
    size_t text_bytes;
    bool trained, declared, declared_functions;
    bool unordered; /* a message has no role: who speaks when is not judged */
    int shape; /* OF_MESSAGES_SHAPE ... */
    bool takes_completions, takes_texts; /* some provider does */
    uint32_t faults[FAULT_COUNT];
    uint64_t broken; /* a bit for each fault */
    const Questions *ask;
    Message message[MAX_MESSAGES];
    Text segment[MAX_SEGMENTS];
    Call call[MAX_CALLS];
} Row;

/* What was read of the parts of a content before it is known who says it. */
typedef struct {
    uint32_t odd; /* of no type that anybody has */
    uint32_t refusals, images;
    uint32_t no_text, no_refusal; /* parts without their text */
    uint32_t unknown_in_text, unknown_in_refusal, unknown_in_image; /* keys */
    uint32_t tokens, refusal_tokens;
    uint32_t image_faults[IMAGE_FAULTS];
} Parts;

/* What is wrong with the calls of a message. */
typedef struct {
    uint32_t shapes, names, arguments, unknown, tokens;
} CallFaults;

/* What was read of a message before it is known whose it is. */
typedef struct {
    uint32_t seen, nulls, constants; /* keys with a value, with null, with NaN or the like */
    Given content, refusal;
    bool name_good, weight_zero, weight_bad, says, role_text, answers_text;
    size_t first_segment, first_call, tokens;
    Text role, refused, answers;
    Parts parts;   /* of content that is parts */
    CallFaults of; /* of a message with calls */
    Call legacy;
    Unknown unknown;
} Draft;

static void fault_times(Row *row, int which, size_t times)
{
    if (!times)
        return;
    row->faults[which] += (uint32_t)times;
    row->broken |= (uint64_t)1 << which;
}

static void fault(Row *row, int which)
{
    fault_times(row, which, 1);
}
static bool is_name(const Text *t)
{
    if (t->bytes == 0 || t->bytes > MAX_NAME)
        return false;
    for (size_t i = 0; i < t->bytes; i++) {
        uint8_t b = t->text[i], low = b | 0x20;
        if (!((low >= 'a' && low <= 'z') || (b >= '0' && b <= '9') || b == '_' || b == '-'))
            return false;
    }
    return true;
}

/* Say whether a text has a character that is not white space, as str.isspace means it. */
static bool says_something(const Text *t)
{
    const uint8_t *at = t->text, *end = at + t->bytes;
    while (at < end) {
        uint8_t b = at[0];
        if (b < 0x80) {
            if (!(b == ' ' || (b >= 0x09 && b <= 0x0D) || (b >= 0x1C && b <= 0x1F)))
                return true;
            at++;
        } else if (b == 0xC2 && (at[1] == 0x85 || at[1] == 0xA0)) {
            at += 2;
        } else if ((b == 0xE1 && at[1] == 0x9A && at[2] == 0x80)
                   || (b == 0xE2 && at[1] == 0x80
                       && (at[2] <= 0x8A || at[2] == 0xA8 || at[2] == 0xA9 || at[2] == 0xAF))
                   || (b == 0xE2 && at[1] == 0x81 && at[2] == 0x9F)
                   || (b == 0xE3 && at[1] == 0x80 && at[2] == 0x80)) {
            at += 3;
        } else {
            return true;
        }
    }
    return false;
}

/* An address that surely nobody can train on: of another scheme that is often met. */
static bool is_other_scheme(const Text *t)
{
    return (t->bytes >= 5 && memcmp(t->text, "http:", 5) == 0)
           || (t->bytes >= 5 && memcmp(t->text, "file:", 5) == 0);
}

/* https://host/path of usual characters: nobody has to look at it twice. */
static bool is_usual_address(const Text *t)
{
    static const char scheme[] = "https://";
    size_t at = sizeof(scheme) - 1;
    if (t->bytes <= at || memcmp(t->text, scheme, at) != 0)
        return false;
    size_t host = at;
    bool in_path = false;
    for (; at < t->bytes; at++) {
        uint8_t b = t->text[at], low = b | 0x20;
        if ((low >= 'a' && low <= 'z') || (b >= '0' && b <= '9') || b == '.' || b == '-')
            continue;
        if (b == '/' && (in_path || at > host))
            in_path = true;
        else if (!(in_path && (b == '_' || b == '~')))
            return false;
    }
    return in_path;
}

static bool holds_token(const Text *t)
{
    for (size_t at = 0; at + 1 < t->bytes; at++)
        for (int i = 0; t->text[at] == '<' && t->text[at + 1] == '|' && i < TOKEN_COUNT; i++) {
            if (at + 2 < t->bytes && t->text[at + 2] != (uint8_t)TOKENS[i][2])
                continue; /* as of most, and there may be many */
            size_t size = strlen(TOKENS[i]);
            if (t->bytes - at >= size && memcmp(t->text + at, TOKENS[i], size) == 0)
                return true;
        }
    return false;
}

/* Read a string. */
static int read_word(Cursor *c, Text *t)
{
    return take(c, '"') ? read_string(c, t) : NO_WORD_TEXT;
}

/* Read a string if there is one, and pass another value; `is_text` says which it was. */
static int read_or_pass(Cursor *c, Text *t, bool *is_text)
{
    if (take_constant(c))
        return NO_CONSTANT; /* whatever else is wrong with it is not said */
    *is_text = take(c, '"');
    return *is_text ? read_string(c, t) : skip_unique(c);
}

static int add_segment(Row *row, const Text *t)
{
    if (row->segments == MAX_SEGMENTS)
        return NO_MORE_SEGMENTS;
    row->segment[row->segments++] = *t;
    return 0;
}

/* Note a key that is not known, and count it. */
static int note_unknown(const Text *key, Unknown *unknown)
{
    for (size_t i = 0; i < unknown->held; i++)
        if (same_text(&unknown->key[i], key))
            return NO_TWICE_UNKNOWN;
    if (unknown->held == MAX_UNKNOWN)
        return NO_MORE_UNKNOWN;
    unknown->key[unknown->held++] = *key;
    unknown->count++;
    return 0;
}

/* Read the value of a key that is not known. */
static int read_unknown(Cursor *c, const Text *key, Unknown *unknown)
{
    TRY(note_unknown(key, unknown));
    if (!take_constant(c))
        return skip_unique(c);
    unknown->count--;
    return 0;
}

/* Note a key of an object; `seen` has a bit for each. */
#define ONCE(seen, bit)             \
    do {                            \
        if ((seen) & (bit))         \
            return NO_TWICE;        \
        (seen) |= (bit);            \
    } while (0)

#endif
