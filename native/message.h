/* Messages, and the row that holds them. */
#ifndef FTPROVIDERS_MESSAGE_H
#define FTPROVIDERS_MESSAGE_H

#include "calls.h"
#include "parts.h"

enum {
    HAS_ROLE = 1, HAS_CONTENT = 2, HAS_NAME = 4, HAS_WEIGHT = 8, HAS_REFUSAL = 16,
    HAS_CALLS = 32, HAS_ANSWERS = 64, HAS_FUNCTION_CALL = 128, HAS_AUDIO = 256
};

static uint32_t field_of(const Text *key)
{
    static const char *const names[] = {"role", "content", "name", "weight", "refusal",
                                        "tool_calls", "tool_call_id", "function_call", "audio"};
    for (uint32_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (is_word(key, names[i]))
            return 1u << i;
    return 0;
}

static int read_weight(Cursor *c, Draft *draft)
{
    Text text = {0};
    Scalar kind;
    draft->weight_bad = true;
    if (peek(c) == '{' || peek(c) == '[')
        return skip_unique(c);
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
    TRY(read_word(c, &draft->refused));
    draft->tokens += draft->refused.token && holds_token(&draft->refused);
    return 0;
}

static int read_field(Cursor *c, Row *row, Draft *draft, const Text *key)
{
    Text text = {0};
    bool is_text;
    uint32_t field = field_of(key);
    if (!field)
        return read_unknown(c, key, &draft->unknown);
    ONCE(draft->seen, field);
    if (field > HAS_CONTENT && take_word(c, "null", 4)) {
        draft->nulls |= field;
        return 0;
    }
    if (field > HAS_CONTENT && field != HAS_ANSWERS && take_constant(c)) {
        draft->constants |= field; /* the rest is as if it were not there */
        return 0;
    }
    switch (field) {
    case HAS_ROLE:
        return read_or_pass(c, &draft->role, &draft->role_text);
    case HAS_CONTENT:
        return read_content(c, row, draft);
    case HAS_NAME:
        TRY(read_or_pass(c, &text, &is_text));
        draft->name_good = is_text && is_name(&text);
        return 0;
    case HAS_WEIGHT:
        return read_weight(c, draft);
    case HAS_REFUSAL:
        return read_refusal(c, draft);
    case HAS_CALLS:
        return read_calls(c, row, draft);
    case HAS_ANSWERS:
        return read_or_pass(c, &draft->answers, &draft->answers_text);
    case HAS_FUNCTION_CALL:
        return read_function(c, &draft->legacy, &draft->of);
    default:
        return NO_RARE_KEY;
    }
}

static uint8_t role_of(const Text *t)
{
    uint8_t role = 0;
    while (role < ROLE_OTHER && !is_word(t, ROLE_NAMES[role]))
        role++;
    return role;
}

/* Judge an assistant's message. */
static void settle_assistant(Row *row, Draft *draft)
{
    bool acts = row->calls > draft->first_call || draft->seen & HAS_FUNCTION_CALL
                || (draft->refusal == WAS_TEXT && draft->refused.bytes);
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
        HAS_ANSWERS, HAS_NAME,
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

/* Judge what every message of a known role has. */
static void settle_keys(Row *row, Draft *draft, uint8_t role)
{
    static const uint32_t elsewhere[] = {
        HAS_ANSWERS, HAS_ANSWERS, HAS_ANSWERS, HAS_ANSWERS, HAS_NAME, HAS_ANSWERS,
    };
    fault_times(row, FAULT_UNKNOWN_KEY,
                draft->unknown.count + ((draft->seen & elsewhere[role]) != 0));
    fault_times(row, FAULT_TOKEN, draft->tokens);
    if (draft->nulls)
        settle_nulls(row, draft, role);
    if (draft->seen & HAS_NAME ? !draft->name_good && role != ROLE_TOOL
                               : role == ROLE_FUNCTION && !(draft->constants & HAS_NAME))
        fault(row, FAULT_NAME);
    if (draft->content == WAS_PARTS)
        settle_parts(row, &draft->parts, role);
    if (role == ROLE_ASSISTANT) {
        settle_assistant(row, draft);
        return;
    }
    if (draft->seen & HAS_WEIGHT)
        fault(row, FAULT_WEIGHT);
    if (role == ROLE_FUNCTION)
        fault(row, FAULT_DEPRECATED);
    if (draft->content == ABSENT || draft->content == WAS_OTHER
        || (draft->content == WAS_NULL && role != ROLE_FUNCTION))
        fault(row, FAULT_CONTENT);
}

/* Take up the texts of a message beside its content, its calls and answers. */
static int settle_texts(Row *row, const Draft *draft, uint8_t role)
{
    if (draft->refusal == WAS_TEXT)
        TRY(add_segment(row, &draft->refused));
    if (role == ROLE_TOOL)
        settle_answer(row, draft);
    if (draft->seen & (HAS_CALLS | HAS_FUNCTION_CALL))
        TRY(settle_calls(row, draft));
    if (!(draft->seen & HAS_FUNCTION_CALL))
        return 0;
    fault(row, FAULT_DEPRECATED);
    if (row->calls == MAX_CALLS)
        return NO_MORE_CALLS;
    Call *legacy = &row->call[row->calls++];
    *legacy = draft->legacy;
    legacy->open = false;
    legacy->deprecated = true;
    return add_function(row, legacy);
}

/* Judge a message of which all was read. */
static int settle_message(Row *row, Draft *draft)
{
    static const uint32_t everybody = HAS_ROLE | HAS_CONTENT | HAS_NAME | HAS_WEIGHT | HAS_ANSWERS;
    static const uint32_t assistant = HAS_REFUSAL | HAS_CALLS | HAS_FUNCTION_CALL;
    uint8_t role = draft->role_text ? role_of(&draft->role) : ROLE_OTHER;
    row->unordered = row->unordered || !draft->role_text;
    draft->seen &= ~(draft->nulls | draft->constants);
    if (draft->seen & ~(everybody | (role == ROLE_ASSISTANT ? assistant : 0)))
        return NO_KEY_OF_ROLE;
    Message *message = &row->message[row->messages];
    message->role = role;
    message->role_text = draft->role_text ? draft->role : (Text){0};
    message->segment = draft->first_segment;
    if (role == ROLE_OTHER) {
        if (draft->content == WAS_PARTS)
            return NO_PARTS_OF_ROLE;
        fault(row, FAULT_ROLE);
    } else {
        settle_keys(row, draft, role);
    }
    TRY(settle_texts(row, draft, role));
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

/* Read what stands where a message should. */
static int read_no_message(Cursor *c, Row *row)
{
    if (take_constant(c))
        return NO_CONSTANT;
    TRY(skip_unique(c));
    fault(row, FAULT_OBJECT);
    row->unordered = true;
    row->message[row->messages++] = (Message){ROLE_OTHER, {0}, row->segments, 0, 0};
    return 0;
}

static int read_message(Cursor *c, Row *row)
{
    Text key;
    bool first = true, more;
    Draft draft;
    draft.seen = draft.nulls = draft.constants = 0;
    draft.tokens = 0;
    draft.content = draft.refusal = ABSENT;
    draft.name_good = draft.weight_zero = draft.weight_bad = draft.says = false;
    draft.role_text = draft.answers_text = false;
    draft.of = (CallFaults){0};
    draft.first_segment = row->segments;
    draft.first_call = row->calls;
    draft.unknown.count = draft.unknown.held = 0;
    if (row->messages == MAX_MESSAGES)
        return NO_MORE_MESSAGES;
    if (!take(c, '{'))
        return read_no_message(c, row);
    for (;;) {
        TRY(next_member(c, &first, &key, &more));
        if (!more)
            return settle_message(row, &draft);
        TRY(read_field(c, row, &draft, &key));
    }
}

/* Read the messages; without any of them the row is no conversation. */
static int read_messages(Cursor *c, Row *row)
{
    bool first = true, more;
    if (peek(c) != '[')
        return take_constant(c) ? NO_CONSTANT : skip_unique(c);
    c->at++;
    for (;;) {
        TRY(next_item(c, &first, &more));
        if (!more)
            return 0;
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
    if (row->unordered)
        return;
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
    if (take_constant(c))
        return 0;
    if (peek(c) == '{' || peek(c) == '[') {
        fault(row, FAULT_PARALLEL);
        return skip_unique(c);
    }
    TRY(read_scalar(c, &kind, &text));
    if (kind != SCALAR_TRUE && kind != SCALAR_FALSE)
        fault(row, kind == SCALAR_NULL ? FAULT_NULL : FAULT_PARALLEL);
    return 0;
}

static int read_tools(Cursor *c, Row *row, bool deprecated)
{
    if (take_word(c, "null", 4)) {
        fault(row, FAULT_NULL);
        return 0;
    }
    if (take_constant(c))
        return 0;
    const uint8_t *from = c->at;
    TRY(skip_value(c));
    return row->ask->tools(row->ask->asked, from, (size_t)(c->at - from), deprecated);
}

enum {
    ROW_MESSAGES = 1, ROW_TOOLS = 2, ROW_PARALLEL = 4, ROW_FUNCTIONS = 8,
    ROW_PROMPT = 16, ROW_COMPLETION = 32, ROW_TEXT = 64, /* texts, if there are no messages */
    ROW_CONVERSATIONS = 128, ROW_INSTRUCTION = 256, ROW_OUTPUT = 512,
    ROW_PAIR = 1024 /* keys of rows of preferences */
};

/* Keys by which rows without messages are known. */
typedef struct {
    uint32_t seen, texts; /* keys, and which of them have text */
    Text prompt, completion, text;
} Columns;

/* Return a bit for a key by which rows without messages are known; 0 for others. */
static uint32_t column_of(const Cursor *c, const Text *key)
{
    static const struct {
        const char *name;
        uint32_t bit;
    } known[] = {
        {"prompt", ROW_PROMPT}, {"completion", ROW_COMPLETION}, {"text", ROW_TEXT},
        {"conversations", ROW_CONVERSATIONS}, {"instruction", ROW_INSTRUCTION},
        {"output", ROW_OUTPUT}, {"chosen", ROW_PAIR}, {"rejected", ROW_PAIR},
        {"preferred_output", ROW_PAIR}, {"non_preferred_output", ROW_PAIR},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (is_word(key, known[i].name))
            return known[i].bit;
    return IS(key, "input") && peek(c) == '{' ? ROW_PAIR : 0;
}

/* Read the value of a key that is not one of a row with messages. */
static int read_column(Cursor *c, const Text *key, Columns *columns, Unknown *unknown)
{
    uint32_t which = column_of(c, key);
    columns->seen |= which;
    if (!(which & (ROW_PROMPT | ROW_COMPLETION | ROW_TEXT)))
        return read_unknown(c, key, unknown);
    bool is_text;
    Text *text = which == ROW_PROMPT   ? &columns->prompt
                 : which == ROW_TEXT ? &columns->text
                                       : &columns->completion;
    TRY(note_unknown(key, unknown));
    TRY(read_or_pass(c, text, &is_text));
    columns->texts |= is_text ? which : 0;
    return 0;
}

static int read_row_field(Cursor *c, Row *row, const Text *key, Columns *columns,
                          Unknown *unknown)
{
    if (IS(key, "messages")) {
        ONCE(columns->seen, ROW_MESSAGES);
        return read_messages(c, row);
    }
    if (IS(key, "tools")) {
        ONCE(columns->seen, ROW_TOOLS);
        return read_tools(c, row, false);
    }
    if (IS(key, "parallel_tool_calls")) {
        ONCE(columns->seen, ROW_PARALLEL);
        return read_parallel(c, row);
    }
    if (IS(key, "functions")) {
        ONCE(columns->seen, ROW_FUNCTIONS);
        return read_tools(c, row, true);
    }
    return read_column(c, key, columns, unknown);
}

/* Say whether a row was refused because its line is no JSON, whoever reads it. `c` is where it was
 * given up, `end` the end of the line. */
static bool is_broken(const Cursor *c, const uint8_t *end, int refused)
{
    switch (refused) {
    case NO_WORD_TEXT: case NO_CALLS_LIST: case NO_CALL_OBJECT: case NO_FUNCTION_OBJECT:
        /* Another kind of value stands here, or none. */
        return !(c->at < end && *c->at && strchr("{[\"-0123456789tfnNI", *c->at));
    case NO_NUMBER:
        return !(c->at < end && (*c->at == 'N' || *c->at == 'I'));
    case NO_ROW_END:
        return true;
    default:
        return is_no_json(refused);
    }
}

/* Return the fault of a line that cannot be read, FAULT_COUNT for others. What is wrong with the bytes,
 * or nested too deep, comes first for the judge. */
static int unread_fault(const Cursor *c, const uint8_t *start, const uint8_t *end, int refused)
{
    size_t brackets = 0;
    for (const uint8_t *at = start; at < end;) {
        size_t length = *at < 0x80 ? 1 : utf8_length(at, end);
        if (!length)
            return FAULT_ENCODING;
        brackets += *at == '{' || *at == '[';
        at += length;
    }
    return is_broken(c, end, refused) && brackets <= MAX_DEPTH ? FAULT_SYNTAX : FAULT_COUNT;
}

/* Add a message of one text. */
static int add_message_of(Row *row, uint8_t role, const Text *text)
{
    Message *message = &row->message[row->messages++];
    *message = (Message){role, {0}, row->segments, 1, text->chars};
    row->text_bytes += text->bytes;
    return add_segment(row, text);
}

/* Judge a row without messages, whose other keys are not looked at. */
static int settle_other(Row *row, const Columns *columns)
{
    static const uint32_t texts = ROW_PROMPT | ROW_COMPLETION | ROW_TEXT;
    static const uint32_t others = ROW_CONVERSATIONS | ROW_INSTRUCTION | ROW_OUTPUT;
    uint32_t own = columns->seen & texts;
    memset(row->faults, 0, sizeof(row->faults));
    row->broken = 0;
    row->calls = 0;
    row->shape = columns->seen & ROW_MESSAGES ? OF_MESSAGES_SHAPE : OF_NO_SHAPE;
    if (!own && !(columns->seen & ROW_PAIR)) {
        fault(row, FAULT_MESSAGES);
        return 0;
    }
    if (columns->seen & (ROW_MESSAGES | ROW_PAIR | others) || own != columns->texts)
        return NO_OTHER_SHAPE;
    if (own == ROW_TEXT) {
        row->shape = OF_TEXT_SHAPE;
        fault(row, SHAPE_TEXT);
        if (row->takes_texts && !says_something(&columns->text))
            fault(row, FAULT_NO_TEXT);
        return add_message_of(row, ROLE_OTHER, &columns->text);
    }
    if (own != (ROW_PROMPT | ROW_COMPLETION))
        return NO_OTHER_SHAPE;
    row->shape = OF_COMPLETION_SHAPE;
    fault(row, SHAPE_COMPLETION);
    if (row->takes_completions && !says_something(&columns->completion))
        fault(row, FAULT_NO_COMPLETION);
    TRY(add_message_of(row, ROLE_USER, &columns->prompt));
    return add_message_of(row, ROLE_ASSISTANT, &columns->completion);
}

/* Read what is no object. */
static int read_no_row(Cursor *c, Row *row)
{
    if (take_constant(c))
        return NO_ROW_OBJECT;
    TRY(skip_unique(c));
    fault(row, FAULT_ROW_OBJECT);
    row->shape = OF_NO_SHAPE;
    return 0;
}

static int read_object(Cursor *c, Row *row, Columns *columns, Unknown *unknown)
{
    Text key;
    bool first = true, more;
    for (;;) {
        TRY(next_member(c, &first, &key, &more));
        if (!more)
            return 0;
        TRY(read_row_field(c, row, &key, columns, unknown));
    }
}

/* Read and judge the row that begins here and ends with its line. */
static int read_row(Cursor *c, Row *row)
{
    Columns columns;
    Unknown unknown;
    columns.seen = columns.texts = 0;
    unknown.count = unknown.held = 0;
    row->messages = row->segments = row->calls = row->images = row->text_bytes = 0;
    row->trained = row->declared = row->declared_functions = row->unordered = false;
    row->shape = OF_MESSAGES_SHAPE;
    c->nul = c->surrogate = c->constant = false;
    if (row->broken) {
        memset(row->faults, 0, sizeof(row->faults));
        row->broken = 0;
    }
    skip_space(c);
    bool is_object = take(c, '{');
    TRY(is_object ? read_object(c, row, &columns, &unknown) : read_no_row(c, row));
    skip_space(c);
    if (c->at < c->end && *c->at != '\n')
        return NO_ROW_END;
    if (row->messages) {
        if (row->images > row->spared_images)
            return NO_MORE_IMAGES;
        fault_times(row, FAULT_UNKNOWN_ROW_KEY, unknown.count);
        settle_order(row);
        TRY(settle_row_calls(row, c));
    } else if (is_object) {
        TRY(settle_other(row, &columns));
    }
    fault_times(row, FAULT_CONSTANT, c->constant);
    fault_times(row, FAULT_SURROGATE, c->surrogate);
    fault_times(row, FAULT_NUL, c->nul);
    return 0;
}

#endif
