/* Content of messages: text, or parts with texts, refusals and images. */
#ifndef FTPROVIDERS_PARTS_H
#define FTPROVIDERS_PARTS_H

#include "row.h"

/* An image as it was read, before it is known whether its part is one. */
typedef struct {
    uint32_t faults[IMAGE_FAULTS];
    uint32_t unknown;
} Image;

static void image_fault(Image *image, int which)
{
    image->faults[which - FIRST_IMAGE_FAULT]++;
}

static int judge_address(const Cursor *c, Row *row, Image *image, const Text *url)
{
    if (is_usual_address(url))
        return 0;
    if (c->surrogate)
        return NO_SURROGATE; /* Python is not asked about halves of pairs */
    int found = is_other_scheme(url) ? FAULT_IMAGE_URL : row->ask->image(row->ask->asked, url);
    if (found == FAILED)
        return FAILED;
    if (found == NOTHING_WRONG)
        return 0;
    if (found < FIRST_IMAGE_FAULT || found >= FIRST_IMAGE_FAULT + IMAGE_FAULTS)
        return NO_KNOWN_FAULT;
    image_fault(image, found);
    return 0;
}

static int read_image(Cursor *c, Row *row, Image *image)
{
    Text key, url = {0}, detail = {0};
    uint32_t seen = 0;
    bool first = true, more, is_url = false, is_detail = false;
    Unknown unknown;
    unknown.count = unknown.held = 0;
    if (peek(c) != '{') {
        image_fault(image, FAULT_IMAGE_URL);
        return take_constant(c) ? NO_CONSTANT : skip_unique(c);
    }
    c->at++;
    for (;;) {
        TRY(next_member(c, &first, &key, &more));
        if (!more)
            break;
        if (IS(&key, "url")) {
            ONCE(seen, 1);
            TRY(read_or_pass(c, &url, &is_url));
        } else if (IS(&key, "detail")) {
            ONCE(seen, 2);
            TRY(read_or_pass(c, &detail, &is_detail));
        } else {
            TRY(read_unknown(c, &key, &unknown));
        }
    }
    if (!is_url) { /* then nothing else of it is judged */
        image_fault(image, FAULT_IMAGE_URL);
        return 0;
    }
    TRY(judge_address(c, row, image, &url));
    if (seen & 2
        && !(is_detail && (IS(&detail, "auto") || IS(&detail, "low") || IS(&detail, "high"))))
        image_fault(image, FAULT_IMAGE_DETAIL);
    image->unknown = (uint32_t)unknown.count;
    return 0;
}

enum { PART_TYPE = 1, PART_TEXT = 2, PART_REFUSAL = 4, PART_IMAGE = 8 };

/* A part as it was read, before it is known what it is. */
typedef struct {
    uint32_t seen, texts; /* keys, and which of them have text */
    Text type, text;
    Image image;
    Unknown unknown;
} Part;

static int read_part_field(Cursor *c, Row *row, Part *part, const Text *key)
{
    bool is_text;
    if (IS(key, "type")) {
        ONCE(part->seen, PART_TYPE);
        TRY(read_or_pass(c, &part->type, &is_text));
        part->texts |= is_text ? PART_TYPE : 0;
        return 0;
    }
    if (IS(key, "text") || IS(key, "refusal")) {
        uint32_t own = key->text[0] == 't' ? PART_TEXT : PART_REFUSAL;
        ONCE(part->seen, own);
        if (part->texts & (PART_TEXT | PART_REFUSAL) && peek(c) == '"')
            return NO_PART; /* two texts, and their order matters */
        TRY(read_or_pass(c, &part->text, &is_text));
        part->texts |= is_text ? own : 0;
        return is_text ? add_segment(row, &part->text) : 0;
    }
    if (IS(key, "image_url")) {
        ONCE(part->seen, PART_IMAGE);
        return read_image(c, row, &part->image);
    }
    return read_unknown(c, key, &part->unknown);
}

/* Return the kind of a part by its type, PART_TYPE for none that is known. */
static uint32_t kind_of(const Part *part)
{
    if (!(part->texts & PART_TYPE))
        return PART_TYPE;
    return IS(&part->type, "text")        ? PART_TEXT
           : IS(&part->type, "refusal")   ? PART_REFUSAL
           : IS(&part->type, "image_url") ? PART_IMAGE
                                          : PART_TYPE;
}

/* Judge a part of which all was read. */
static void settle_part(Row *row, Draft *draft, const Part *part)
{
    Parts *parts = &draft->parts;
    uint32_t kind = kind_of(part);
    size_t others = part->unknown.count;
    for (uint32_t own = PART_TEXT; own <= PART_IMAGE; own <<= 1)
        others += part->seen & own && kind != own;
    bool said = kind != PART_TYPE && part->texts & kind;
    bool token = said && part->text.token && holds_token(&part->text);
    draft->says = draft->says || kind != PART_TEXT || !(part->texts & PART_TEXT)
                  || says_something(&part->text);
    switch (kind) {
    case PART_TEXT:
        parts->unknown_in_text += (uint32_t)others;
        parts->no_text += !(part->texts & PART_TEXT);
        parts->tokens += token;
        break;
    case PART_REFUSAL:
        parts->refusals++;
        parts->unknown_in_refusal += (uint32_t)others;
        parts->no_refusal += !(part->texts & PART_REFUSAL);
        parts->refusal_tokens += token;
        break;
    case PART_IMAGE:
        row->images++;
        parts->images++;
        parts->unknown_in_image += (uint32_t)others + part->image.unknown;
        for (int i = 0; i < IMAGE_FAULTS; i++)
            parts->image_faults[i] += part->image.faults[i];
        if (!(part->seen & PART_IMAGE))
            parts->image_faults[FAULT_IMAGE_URL - FIRST_IMAGE_FAULT]++;
        break;
    default:
        parts->odd++;
    }
}

static int read_part(Cursor *c, Row *row, Draft *draft)
{
    Text key;
    bool first = true, more;
    Part part;
    if (peek(c) != '{') {
        draft->parts.odd++;
        draft->says = true;
        return take_constant(c) ? NO_CONSTANT : skip_unique(c);
    }
    c->at++;
    part.seen = part.texts = 0;
    part.unknown.count = part.unknown.held = 0;
    memset(&part.image, 0, sizeof(part.image));
    for (;;) {
        TRY(next_member(c, &first, &key, &more));
        if (!more)
            break;
        TRY(read_part_field(c, row, &part, &key));
    }
    settle_part(row, draft, &part);
    return 0;
}

/* Read `content`. */
static int read_content(Cursor *c, Row *row, Draft *draft)
{
    Text text;
    bool first = true, more;
    if (take(c, '"')) {
        TRY(read_string(c, &text));
        draft->tokens += text.token && holds_token(&text);
        draft->content = WAS_TEXT;
        draft->says = says_something(&text);
        return add_segment(row, &text);
    }
    if (take_word(c, "null", 4)) {
        draft->content = WAS_NULL;
        return 0;
    }
    if (take_constant(c)) {
        draft->content = WAS_CONSTANT;
        draft->says = true;
        return 0;
    }
    draft->content = WAS_OTHER; /* an empty list is no content, either */
    if (!take(c, '['))
        return skip_unique(c);
    memset(&draft->parts, 0, sizeof(draft->parts));
    for (;;) {
        TRY(next_item(c, &first, &more));
        if (!more)
            return 0;
        TRY(read_part(c, row, draft));
        draft->content = WAS_PARTS;
    }
}

/* Judge the parts of a message of which it is known whose it is. */
static void settle_parts(Row *row, const Parts *parts, uint8_t role)
{
    bool refuses = role == ROLE_ASSISTANT, shows = role == ROLE_USER;
    fault_times(row, FAULT_PART, parts->odd + (refuses ? 0 : parts->refusals)
                                     + (shows ? 0 : parts->images));
    fault_times(row, FAULT_UNKNOWN_KEY, parts->unknown_in_text);
    fault_times(row, FAULT_PART_TEXT, parts->no_text);
    fault_times(row, FAULT_TOKEN, parts->tokens);
    if (refuses) {
        fault_times(row, FAULT_UNKNOWN_KEY, parts->unknown_in_refusal);
        fault_times(row, FAULT_PART_TEXT, parts->no_refusal);
        fault_times(row, FAULT_TOKEN, parts->refusal_tokens);
    }
    for (int i = 0; shows && i < IMAGE_FAULTS; i++)
        fault_times(row, FIRST_IMAGE_FAULT + i, parts->image_faults[i]);
    if (shows)
        fault_times(row, FAULT_UNKNOWN_KEY, parts->unknown_in_image);
}

#endif
