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
#define MAX_UNKNOWN 8
#define MAX_NAME 64
#define MAX_DEPTH 100 /* MAX_DEPTH of ftproviders/data/rule.py, or less */

/* Rules that a row may break without being refused. */
#define FAULTS(X)                                      \
    X(FAULT_SYNTAX, "json.syntax")                     \
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
enum { FAULTS(X) FAULT_COUNT };
#undef X

/* ROLE_OTHER is a role that does not exist. */
enum { ROLE_SYSTEM, ROLE_DEVELOPER, ROLE_USER, ROLE_ASSISTANT, ROLE_TOOL, ROLE_OTHER, ROLE_NONE };

static const char *const ROLE_NAMES[] = {"system", "developer", "user", "assistant", "tool"};

/* Control tokens that text must not hold; the same as SPECIAL_TOKENS of ftproviders/data/rule.py. */
static const char *const TOKENS[] = {
    "<|endoftext|>", "<|startoftext|>", "<|im_start|>", "<|im_end|>", "<|im_sep|>",
    "<|endofprompt|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|start|>",
    "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>",
};
#define TOKEN_COUNT ((int)(sizeof(TOKENS) / sizeof(*TOKENS)))

typedef enum { ABSENT, WAS_NULL, WAS_TEXT, WAS_PARTS, WAS_OTHER } Given;

typedef struct {
    uint8_t role;
    Text role_text;
    size_t segment, segments; /* its texts in the row's segments */
    size_t chars;
} Message;

typedef struct {
    Text id, name, arguments;
    size_t message;
    bool open;
} Call;

/* What only whoever made the row's reader can answer; each returns 0 or a reason. */
typedef struct {
    int (*image)(void *asked, const Text *url);
    int (*tools)(void *asked, const uint8_t *text, size_t size);
    int (*fits)(void *asked, const Text *name, const Text *arguments);
    void *asked;
} Questions;

typedef struct {
    size_t messages, segments, calls, images, spared_images;
    size_t text_bytes;
    bool trained, declared;
    uint32_t faults[FAULT_COUNT];
    uint32_t broken; /* a bit for each fault */
    const Questions *ask;
    Message message[MAX_MESSAGES];
    Text segment[MAX_SEGMENTS];
    Call call[MAX_CALLS];
} Row;

/* Keys that are not known; each may stand once. */
typedef struct {
    Text key[MAX_UNKNOWN];
    size_t count;
} Unknown;

/* What was read of a message before it is known whose it is. */
typedef struct {
    uint32_t seen, nulls; /* keys with a value, and keys with null */
    Given content, refusal;
    bool name_good, weight_zero, weight_bad, says;
    size_t first_segment, first_call, tokens;
    Text role, refused, answers;
    Unknown unknown;
} Draft;

static void fault(Row *row, int which)
{
    row->faults[which]++;
    row->broken |= 1u << which;
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
            size_t size = strlen(TOKENS[i]);
            if (t->bytes - at >= size && memcmp(t->text + at, TOKENS[i], size) == 0)
                return true;
        }
    return false;
}

static int read_text(Cursor *c, Text *t, Draft *draft)
{
    if (!take(c, '"'))
        return NO_TEXT;
    TRY(read_string(c, t));
    draft->tokens += t->token && holds_token(t);
    return 0;
}

/* Read a string that is no text to be learned. */
static int read_word(Cursor *c, Text *t)
{
    return take(c, '"') ? read_string(c, t) : NO_WORD_TEXT;
}

static int add_segment(Row *row, const Text *t)
{
    if (row->segments == MAX_SEGMENTS)
        return NO_MORE_SEGMENTS;
    row->segment[row->segments++] = *t;
    return 0;
}

/* Read the value of a key that is not known. */
static int read_unknown(Cursor *c, const Text *key, Unknown *unknown)
{
    Scalar kind;
    Text value;
    for (size_t i = 0; i < unknown->count; i++)
        if (unknown->key[i].bytes == key->bytes
            && memcmp(unknown->key[i].text, key->text, key->bytes) == 0)
            return NO_TWICE_UNKNOWN;
    if (unknown->count == MAX_UNKNOWN)
        return NO_MORE_UNKNOWN;
    unknown->key[unknown->count++] = *key;
    if (peek(c) == '{' || peek(c) == '[')
        return NO_UNKNOWN_VALUE;
    return read_scalar(c, &kind, &value);
}

/* Note a key of an object; `seen` has a bit for each. */
#define ONCE(seen, bit)             \
    do {                            \
        if ((seen) & (bit))         \
            return NO_TWICE;        \
        (seen) |= (bit);            \
    } while (0)

static int read_image(Cursor *c, Row *row)
{
    Text key, url = {0}, detail;
    uint32_t seen = 0;
    bool first = true, more;
    if (!take(c, '{'))
        return NO_IMAGE_OBJECT;
    for (;;) {
        TRY(next_member(c, &first, &key, &more));
        if (!more)
            break;
        if (IS(&key, "url")) {
            ONCE(seen, 1);
            TRY(read_word(c, &url));
        } else if (IS(&key, "detail")) {
            ONCE(seen, 2);
            TRY(read_word(c, &detail));
            if (!IS(&detail, "auto") && !IS(&detail, "low") && !IS(&detail, "high"))
                return NO_DETAIL;
        } else {
            return NO_IMAGE_KEY;
        }
    }
    if (!(seen & 1))
        return NO_URL;
    row->images++;
    return is_usual_address(&url) ? 0 : row->ask->image(row->ask->asked, &url);
}

enum { PART_TYPE = 1, PART_TEXT = 2, PART_REFUSAL = 4, PART_IMAGE = 8 };

/* Read a part; `kinds` gets the kind of it. */
static int read_part(Cursor *c, Row *row, Draft *draft, uint32_t *kinds)
{
    Text key, type = {0}, text;
    uint32_t seen = 0;
    bool first = true, more;
    if (!take(c, '{'))
        return NO_PART_OBJECT;
    for (;;) {
        TRY(next_member(c, &first, &key, &more));
        if (!more)
            break;
        if (IS(&key, "type")) {
            ONCE(seen, PART_TYPE);
            TRY(read_word(c, &type));
        } else if (IS(&key, "text") || IS(&key, "refusal")) {
            ONCE(seen, key.text[0] == 't' ? PART_TEXT : PART_REFUSAL);
            TRY(read_text(c, &text, draft));
            TRY(add_segment(row, &text));
            draft->says = draft->says || key.text[0] == 'r' || says_something(&text);
        } else if (IS(&key, "image_url")) {
            ONCE(seen, PART_IMAGE);
            TRY(read_image(c, row));
        } else {
            return NO_PART_KEY;
        }
    }
    if (!((seen == (PART_TYPE | PART_TEXT) && IS(&type, "text"))
          || (seen == (PART_TYPE | PART_REFUSAL) && IS(&type, "refusal"))
          || (seen == (PART_TYPE | PART_IMAGE) && IS(&type, "image_url"))))
        return NO_PART;
    *kinds |= seen;
    return 0;
}

/* Read `content`; `kinds` gets the kinds of its parts. */
static int read_content(Cursor *c, Row *row, Draft *draft, uint32_t *kinds)
{
    Text text;
    Scalar kind;
    bool first = true, more;
    switch (peek(c)) {
    case '"':
        TRY(read_text(c, &text, draft));
        draft->content = WAS_TEXT;
        draft->says = says_something(&text);
        return add_segment(row, &text);
    case '[':
        break;
    case '{':
        return NO_CONTENT_OBJECT;
    default:
        TRY(read_scalar(c, &kind, &text));
        draft->content = kind == SCALAR_NULL ? WAS_NULL : WAS_OTHER;
        return 0;
    }
    c->at++;
    draft->content = WAS_OTHER; /* an empty list is no content */
    for (;;) {
        TRY(next_item(c, &first, &more));
        if (!more)
            return 0;
        TRY(read_part(c, row, draft, kinds));
        draft->content = WAS_PARTS;
    }
}

static int read_function(Cursor *c, Call *call, Draft *draft)
{
    Text key;
    uint32_t seen = 0;
    bool first = true, more;
    if (!take(c, '{'))
        return NO_FUNCTION_OBJECT;
    for (;;) {
        TRY(next_member(c, &first, &key, &more));
        if (!more)
            break;
        if (IS(&key, "name")) {
            ONCE(seen, 1);
            TRY(read_word(c, &call->name));
        } else if (IS(&key, "arguments")) {
            ONCE(seen, 2);
            TRY(read_text(c, &call->arguments, draft));
        } else {
            return NO_FUNCTION_KEY;
        }
    }
    if (seen != 3)
        return NO_FUNCTION_PART;
    if (!is_name(&call->name))
        return NO_FUNCTION_NAME;
    Cursor inside = {call->arguments.text, call->arguments.text + call->arguments.bytes,
                     c->arena, true};
    skip_space(&inside);
    if (skip_value(&inside))
        return NO_ARGUMENTS;
    skip_space(&inside);
    return inside.at == inside.end ? 0 : NO_ARGUMENTS_END;
}

static int read_call(Cursor *c, Row *row, Draft *draft)
{
    Text key, type = {0};
    uint32_t seen = 0;
    bool first = true, more;
    if (row->calls == MAX_CALLS)
        return NO_MORE_CALLS;
    if (!take(c, '{'))
        return NO_CALL_OBJECT;
    Call *call = &row->call[row->calls++];
    call->message = row->messages;
    call->open = false;
    for (;;) {
        TRY(next_member(c, &first, &key, &more));
        if (!more)
            break;
        if (IS(&key, "id")) {
            ONCE(seen, 1);
            TRY(read_word(c, &call->id));
        } else if (IS(&key, "type")) {
            ONCE(seen, 2);
            TRY(read_word(c, &type));
        } else if (IS(&key, "function")) {
            ONCE(seen, 4);
            TRY(read_function(c, call, draft));
        } else {
            return NO_CALL_KEY;
        }
    }
    if (seen != 7)
        return NO_CALL_PART;
    if (!IS(&type, "function"))
        return NO_CALL_TYPE;
    return call->id.bytes ? 0 : NO_CALL_ID;
}

static int read_calls(Cursor *c, Row *row, Draft *draft)
{
    bool first = true, more;
    if (!take(c, '['))
        return NO_CALLS_LIST;
    for (;;) {
        TRY(next_item(c, &first, &more));
        if (!more)
            return first ? NO_CALLS : 0;
        TRY(read_call(c, row, draft));
    }
}

enum {
    HAS_ROLE = 1, HAS_CONTENT = 2, HAS_NAME = 4, HAS_WEIGHT = 8, HAS_REFUSAL = 16,
    HAS_CALLS = 32, HAS_ANSWERS = 64, HAS_FUNCTION_CALL = 128, HAS_AUDIO = 256
};

static uint32_t field_of(const Text *key)
{
    static const char *const names[] = {"role", "content", "name", "weight", "refusal",
                                        "tool_calls", "tool_call_id", "function_call", "audio"};
    for (uint32_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (key->bytes == strlen(names[i]) && memcmp(key->text, names[i], key->bytes) == 0)
            return 1u << i;
    return 0;
}

static int read_weight(Cursor *c, Draft *draft)
{
    Text text = {0};
    Scalar kind;
    if (peek(c) == '{' || peek(c) == '[')
        return NO_WEIGHT_VALUE;
    TRY(read_scalar(c, &kind, &text));
    if (kind == SCALAR_NUMBER && IS(&text, "-0"))
        return NO_WEIGHT_ZERO;
    draft->weight_zero = kind == SCALAR_NUMBER && IS(&text, "0");
    draft->weight_bad = !draft->weight_zero && !(kind == SCALAR_NUMBER && IS(&text, "1"));
    return 0;
}

static int read_refusal(Cursor *c, Draft *draft)
{
    draft->refusal = WAS_TEXT;
    return read_text(c, &draft->refused, draft);
}

static int read_field(Cursor *c, Row *row, Draft *draft, const Text *key, uint32_t *kinds)
{
    Text text;
    uint32_t field = field_of(key);
    if (!field)
        return read_unknown(c, key, &draft->unknown);
    ONCE(draft->seen, field);
    if (field > HAS_CONTENT && take_word(c, "null", 4)) {
        draft->nulls |= field;
        return 0;
    }
    switch (field) {
    case HAS_ROLE:
        return read_word(c, &draft->role);
    case HAS_CONTENT:
        return read_content(c, row, draft, kinds);
    case HAS_NAME:
        TRY(read_word(c, &text));
        draft->name_good = is_name(&text);
        return 0;
    case HAS_WEIGHT:
        return read_weight(c, draft);
    case HAS_REFUSAL:
        return read_refusal(c, draft);
    case HAS_CALLS:
        return read_calls(c, row, draft);
    case HAS_ANSWERS:
        return read_word(c, &draft->answers);
    default:
        return NO_RARE_KEY;
    }
}

static uint8_t role_of(const Text *t)
{
    for (uint8_t i = 0; i < ROLE_OTHER; i++)
        if (t->bytes == strlen(ROLE_NAMES[i]) && memcmp(t->text, ROLE_NAMES[i], t->bytes) == 0)
            return i;
    return IS(t, "function") ? ROLE_NONE : ROLE_OTHER;
}

/* Take up the calls and answers of a message. */
static int settle_calls(Row *row, const Draft *draft, uint8_t role)
{
    if (role == ROLE_TOOL) {
        if (!(draft->seen & HAS_ANSWERS))
            return NO_ANSWERED_ID;
        for (size_t i = 0; i < row->calls; i++) {
            Call *call = &row->call[i];
            if (call->open && call->id.bytes == draft->answers.bytes
                && memcmp(call->id.text, draft->answers.text, call->id.bytes) == 0) {
                call->open = false;
                return 0;
            }
        }
        return NO_ANSWERED_CALL;
    }
    for (size_t i = draft->first_call; i < row->calls; i++) {
        Call *call = &row->call[i];
        for (size_t other = 0; other < i; other++)
            if (row->call[other].open && row->call[other].id.bytes == call->id.bytes
                && memcmp(row->call[other].id.text, call->id.text, call->id.bytes) == 0)
                return NO_OTHER_ID;
        call->open = true;
        TRY(add_segment(row, &call->name));
        TRY(add_segment(row, &call->arguments));
    }
    return 0;
}

/* Judge an assistant's message. */
static void settle_assistant(Row *row, Draft *draft)
{
    bool acts = (draft->seen & HAS_CALLS) || (draft->refusal == WAS_TEXT && draft->refused.bytes);
    if (draft->content == WAS_OTHER || (draft->content <= WAS_NULL && !acts))
        fault(row, FAULT_CONTENT);
    if (!acts && draft->content >= WAS_TEXT && draft->content != WAS_OTHER && !draft->says)
        fault(row, FAULT_EMPTY);
    if (draft->weight_bad)
        fault(row, FAULT_WEIGHT);
    row->trained = row->trained || !draft->weight_zero;
}

/* Judge the keys with null of a message: unknown ones, and known ones that should not be there. */
static void settle_nulls(Row *row, Draft *draft, uint8_t role)
{
    static const uint32_t known[] = {
        HAS_NAME, HAS_NAME, HAS_NAME,
        HAS_NAME | HAS_WEIGHT | HAS_REFUSAL | HAS_CALLS | HAS_FUNCTION_CALL | HAS_AUDIO,
        HAS_ANSWERS,
    };
    static const uint32_t may_be = HAS_REFUSAL | HAS_FUNCTION_CALL | HAS_AUDIO;
    for (uint32_t field = HAS_NAME; field <= HAS_AUDIO; field <<= 1) {
        if (!(draft->nulls & field))
            continue;
        if (!(known[role] & field))
            fault(row, field == HAS_WEIGHT ? FAULT_WEIGHT : FAULT_UNKNOWN_KEY);
        else if (!(may_be & field))
            fault(row, FAULT_NULL);
    }
}

/* Judge a message of which all was read. */
static int settle_message(Row *row, Draft *draft, uint32_t kinds)
{
    static const uint32_t allowed[] = {
        HAS_ROLE | HAS_CONTENT | HAS_NAME | HAS_WEIGHT, /* a weight is a fault of its own */
        HAS_ROLE | HAS_CONTENT | HAS_NAME | HAS_WEIGHT,
        HAS_ROLE | HAS_CONTENT | HAS_NAME | HAS_WEIGHT,
        HAS_ROLE | HAS_CONTENT | HAS_NAME | HAS_WEIGHT | HAS_REFUSAL | HAS_CALLS,
        HAS_ROLE | HAS_CONTENT | HAS_WEIGHT | HAS_ANSWERS,
        HAS_ROLE | HAS_CONTENT | HAS_NAME | HAS_WEIGHT,
    };
    if (!(draft->seen & HAS_ROLE))
        return NO_ROLE;
    draft->seen &= ~draft->nulls;
    Message *message = &row->message[row->messages];
    uint8_t role = role_of(&draft->role);
    if (role == ROLE_NONE)
        return NO_KNOWN_ROLE;
    if (draft->seen & ~allowed[role])
        return NO_KEY_OF_ROLE;
    message->role = role;
    message->role_text = draft->role;
    message->segment = draft->first_segment;
    if (role == ROLE_OTHER) {
        if (draft->content == WAS_PARTS)
            return NO_PARTS_OF_ROLE;
        fault(row, FAULT_ROLE);
    } else {
        if ((kinds & PART_IMAGE && role != ROLE_USER)
            || (kinds & PART_REFUSAL && role != ROLE_ASSISTANT))
            return NO_PART_OF_ROLE;
        for (size_t i = 0; i < draft->unknown.count; i++)
            fault(row, FAULT_UNKNOWN_KEY);
        for (size_t i = 0; i < draft->tokens; i++)
            fault(row, FAULT_TOKEN);
        settle_nulls(row, draft, role);
        if (draft->seen & HAS_NAME && !draft->name_good)
            fault(row, FAULT_NAME);
        if (role == ROLE_ASSISTANT)
            settle_assistant(row, draft);
        else if (draft->content < WAS_TEXT || draft->content == WAS_OTHER)
            fault(row, FAULT_CONTENT);
        if (role != ROLE_ASSISTANT && draft->seen & HAS_WEIGHT)
            fault(row, FAULT_WEIGHT);
    }
    if (draft->refusal == WAS_TEXT)
        TRY(add_segment(row, &draft->refused));
    if (draft->seen & HAS_CALLS || role == ROLE_TOOL)
        TRY(settle_calls(row, draft, role));
    message->segments = row->segments - message->segment;
    message->chars = 0;
    for (size_t i = 0; i < message->segments; i++) {
        const Text *t = &row->segment[message->segment + i];
        message->chars += t->chars;
        row->text_bytes += role == ROLE_OTHER ? 0 : t->bytes;
    }
    row->messages++;
    return 0;
}

static int read_message(Cursor *c, Row *row)
{
    Text key;
    uint32_t kinds = 0;
    bool first = true, more;
    Draft draft;
    draft.seen = draft.nulls = 0;
    draft.tokens = 0;
    draft.content = draft.refusal = ABSENT;
    draft.name_good = draft.weight_zero = draft.weight_bad = draft.says = false;
    draft.first_segment = row->segments;
    draft.first_call = row->calls;
    draft.unknown.count = 0;
    if (row->messages == MAX_MESSAGES)
        return NO_MORE_MESSAGES;
    if (!take(c, '{'))
        return NO_MESSAGE_OBJECT;
    for (;;) {
        TRY(next_member(c, &first, &key, &more));
        if (!more)
            return settle_message(row, &draft, kinds);
        TRY(read_field(c, row, &draft, &key, &kinds));
    }
}

static int read_messages(Cursor *c, Row *row)
{
    bool first = true, more;
    if (!take(c, '['))
        return NO_MESSAGES_LIST;
    for (;;) {
        TRY(next_item(c, &first, &more));
        if (!more)
            return first ? NO_MESSAGES : 0;
        TRY(read_message(c, row));
    }
}

/* Judge who speaks when. */
static void settle_order(Row *row)
{
    bool answered = false;
    for (size_t i = 0; i < row->messages; i++) {
        bool own = row->message[i].role == ROLE_ASSISTANT;
        answered = answered || own;
        if (own && i && row->message[i - 1].role == ROLE_ASSISTANT)
            fault(row, FAULT_CONSECUTIVE);
    }
    if (!answered)
        fault(row, FAULT_NO_ASSISTANT);
    else if (row->message[row->messages - 1].role != ROLE_ASSISTANT)
        fault(row, FAULT_LAST);
    else if (!row->trained)
        fault(row, FAULT_WEIGHTS);
}

static int read_parallel(Cursor *c, Row *row)
{
    Scalar kind;
    Text text;
    if (peek(c) == '{' || peek(c) == '[')
        return NO_PARALLEL;
    TRY(read_scalar(c, &kind, &text));
    if (kind != SCALAR_TRUE && kind != SCALAR_FALSE)
        fault(row, kind == SCALAR_NULL ? FAULT_NULL : FAULT_PARALLEL);
    return 0;
}

static int read_row_field(Cursor *c, Row *row, const Text *key, uint32_t *seen, Unknown *unknown)
{
    if (IS(key, "messages")) {
        ONCE(*seen, 1);
        return read_messages(c, row);
    }
    if (IS(key, "tools")) {
        ONCE(*seen, 2);
        if (take_word(c, "null", 4)) {
            fault(row, FAULT_NULL);
            return 0;
        }
        const uint8_t *from = c->at;
        TRY(skip_value(c));
        row->declared = true;
        return row->ask->tools(row->ask->asked, from, (size_t)(c->at - from));
    }
    if (IS(key, "parallel_tool_calls")) {
        ONCE(*seen, 4);
        return read_parallel(c, row);
    }
    if (IS(key, "functions"))
        return NO_FUNCTIONS;
    return read_unknown(c, key, unknown);
}

/* Say whether a row was refused because its line is no JSON, whoever reads it.
 *
 * `c` is where it was given up, `end` the end of the line. What is wrong with the bytes, or nested too
 * deep, comes first for the judge, and NaN is a fault of its own.
 */
static bool is_broken(const Cursor *c, const uint8_t *start, const uint8_t *end, int refused)
{
    size_t brackets = 0;
    switch (refused) {
    case NO_ROW_OBJECT:
        if (c->at == end)
            return false; /* a blank line */
    /* fall through */
    case NO_TEXT: case NO_WORD_TEXT: case NO_MESSAGES_LIST: case NO_MESSAGE_OBJECT:
    case NO_PART_OBJECT: case NO_IMAGE_OBJECT: case NO_CALLS_LIST: case NO_CALL_OBJECT:
    case NO_FUNCTION_OBJECT:
        /* Another kind of value stands here, or none. */
        if (c->at < end && *c->at && strchr("{[\"-0123456789tfnNI", *c->at))
            return false;
        break;
    case NO_NUMBER:
        if (c->at < end && (*c->at == 'N' || *c->at == 'I'))
            return false;
        break;
    case NO_STRING_END: case NO_ESCAPE: case NO_ESCAPE_END: case NO_ESCAPE_HEX: case NO_CONTROL:
    case NO_FRACTION: case NO_EXPONENT: case NO_WORD: case NO_KEY: case NO_COLON:
    case NO_COMMA_IN_OBJECT: case NO_COMMA_IN_LIST: case NO_ROW_END:
        break;
    default:
        return false;
    }
    for (const uint8_t *at = start; at < end;) {
        size_t length = *at < 0x80 ? 1 : utf8_length(at, end);
        if (!length)
            return false;
        brackets += *at == '{' || *at == '[';
        at += length;
    }
    return brackets <= MAX_DEPTH;
}

/* Read and judge the row that begins here and ends with its line. */
static int read_row(Cursor *c, Row *row)
{
    Text key;
    uint32_t seen = 0;
    bool first = true, more;
    Unknown unknown;
    unknown.count = 0;
    row->messages = row->segments = row->calls = row->images = row->text_bytes = 0;
    row->trained = row->declared = false;
    if (row->broken) {
        memset(row->faults, 0, sizeof(row->faults));
        row->broken = 0;
    }
    skip_space(c);
    if (!take(c, '{'))
        return NO_ROW_OBJECT;
    for (;;) {
        TRY(next_member(c, &first, &key, &more));
        if (!more)
            break;
        TRY(read_row_field(c, row, &key, &seen, &unknown));
    }
    skip_space(c);
    if (c->at < c->end && *c->at != '\n')
        return NO_ROW_END;
    if (!(seen & 1))
        return NO_MESSAGES_KEY;
    if (row->images > row->spared_images)
        return NO_MORE_IMAGES;
    for (size_t i = 0; i < unknown.count; i++)
        fault(row, FAULT_UNKNOWN_ROW_KEY);
    settle_order(row);
    for (size_t i = 0; i < row->calls; i++) {
        Call *call = &row->call[i];
        if (call->open && call->message != row->messages - 1)
            return NO_ANSWER;
        if (row->declared)
            TRY(row->ask->fits(row->ask->asked, &call->name, &call->arguments));
    }
    return 0;
}

#endif
