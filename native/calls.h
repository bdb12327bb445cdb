/* Calls of functions, their answers, and whether they fit what is declared. */
#ifndef FTPROVIDERS_CALLS_H
#define FTPROVIDERS_CALLS_H

#include "row.h"

/* Say whether arguments are JSON; 0 = it is not sure, or said in `json`. */
static int judge_arguments(Cursor *c, Call *call)
{
    Cursor inside = {call->arguments.text, call->arguments.text + call->arguments.bytes,
                     c->arena, true, false, false, false};
    size_t used = c->arena->used;
    skip_space(&inside);
    int refused = skip_value(&inside);
    skip_space(&inside);
    c->arena->used = used; /* nobody wants its strings, and the row needs the room */
    call->json = !refused && inside.at == inside.end && !inside.constant;
    return !refused || is_no_json(refused) ? 0 : NO_ARGUMENTS;
}

/* Read a function that is called, and count what is wrong with it. */
static int read_function(Cursor *c, Call *call, CallFaults *of)
{
    Text key;
    uint32_t seen = 0;
    bool first = true, more;
    Unknown unknown;
    unknown.count = unknown.held = 0;
    call->has_name = call->has_arguments = call->json = false;
    if (!take(c, '{'))
        return NO_FUNCTION_OBJECT;
    for (;;) {
        TRY(next_member(c, &first, &key, &more));
        if (!more)
            break;
        if (IS(&key, "name")) {
            ONCE(seen, 1);
            TRY(read_or_pass(c, &call->name, &call->has_name));
        } else if (IS(&key, "arguments")) {
            ONCE(seen, 2);
            TRY(read_or_pass(c, &call->arguments, &call->has_arguments));
        } else {
            TRY(read_unknown(c, &key, &unknown));
        }
    }
    if (first)
        return NO_FUNCTION_PART;
    if (call->has_arguments)
        TRY(judge_arguments(c, call));
    of->names += !(call->has_name && is_name(&call->name));
    of->unknown += (uint32_t)unknown.count;
    of->arguments += !call->json;
    of->tokens += call->json && call->arguments.token && holds_token(&call->arguments);
    return 0;
}

static int read_call(Cursor *c, Row *row, Draft *draft)
{
    Text key, type = {0};
    uint32_t seen = 0;
    bool first = true, more, is_type = false;
    Unknown unknown;
    unknown.count = unknown.held = 0;
    if (row->calls == MAX_CALLS)
        return NO_MORE_CALLS;
    if (!take(c, '{'))
        return NO_CALL_OBJECT;
    Call *call = &row->call[row->calls++];
    call->message = row->messages;
    call->open = call->deprecated = call->has_id = call->has_function = false;
    call->has_name = call->has_arguments = call->json = false;
    for (;;) {
        TRY(next_member(c, &first, &key, &more));
        if (!more)
            break;
        if (IS(&key, "id")) {
            ONCE(seen, 1);
            TRY(read_or_pass(c, &call->id, &call->has_id));
        } else if (IS(&key, "type")) {
            ONCE(seen, 2);
            TRY(read_or_pass(c, &type, &is_type));
        } else if (IS(&key, "function")) {
            ONCE(seen, 4);
            TRY(read_function(c, call, &draft->of));
            call->has_function = true;
        } else {
            TRY(read_unknown(c, &key, &unknown));
        }
    }
    call->has_id = call->has_id && call->id.bytes;
    draft->of.unknown += (uint32_t)unknown.count;
    draft->of.shapes += !call->has_id;
    draft->of.shapes += !(is_type && IS(&type, "function"));
    draft->of.shapes += !call->has_function;
    return 0;
}

static int read_calls(Cursor *c, Row *row, Draft *draft)
{
    bool first = true, more;
    if (!take(c, '['))
        return NO_CALLS_LIST;
    for (;;) {
        TRY(next_item(c, &first, &more));
        if (!more)
            break;
        TRY(read_call(c, row, draft));
    }
    draft->of.shapes += first; /* none at all */
    return 0;
}

/* Add the texts of a called function. */
static int add_function(Row *row, const Call *call)
{
    if (call->has_name)
        TRY(add_segment(row, &call->name));
    return call->has_arguments ? add_segment(row, &call->arguments) : 0;
}

/* Open a call: another one with its id that waits is given up. */
static void open_call(Row *row, Call *call)
{
    for (Call *other = row->call; call->has_id && other < call; other++)
        if (other->open && same_text(&other->id, &call->id)) {
            fault(row, FAULT_DUPLICATE_ID);
            other->open = false;
        }
    call->open = call->has_id;
}

/* Take up the calls of an assistant's message, and what is wrong with them. */
static int settle_calls(Row *row, const Draft *draft)
{
    for (size_t i = draft->first_call; i < row->calls; i++) {
        Call *call = &row->call[i];
        open_call(row, call);
        if (call->has_function)
            TRY(add_function(row, call));
    }
    fault_times(row, FAULT_CALL_SHAPE, draft->of.shapes);
    fault_times(row, FAULT_CALL_NAME, draft->of.names);
    fault_times(row, FAULT_ARGUMENTS, draft->of.arguments);
    fault_times(row, FAULT_UNKNOWN_KEY, draft->of.unknown);
    fault_times(row, FAULT_TOKEN, draft->of.tokens);
    return 0;
}

/* Take up the answer of a tool. */
static void settle_answer(Row *row, const Draft *draft)
{
    for (size_t i = 0; draft->answers_text && i < row->calls; i++) {
        Call *call = &row->call[i];
        if (call->open && same_text(&call->id, &draft->answers)) {
            call->open = false;
            return;
        }
    }
    fault(row, FAULT_ANSWER);
}

/* Judge the calls of a row of which all was read. */
static int settle_row_calls(Row *row, const Cursor *c)
{
    for (size_t i = 0; i < row->calls; i++) {
        const Call *call = &row->call[i];
        if (call->open && call->message != row->messages - 1)
            fault(row, FAULT_UNANSWERED);
        if (!(call->deprecated ? row->declared_functions : row->declared) || !call->has_name)
            continue;
        if (c->surrogate)
            return NO_SURROGATE; /* Python is not asked about halves of pairs */
        int found = row->ask->fits(row->ask->asked, call);
        if (found == FAILED)
            return FAILED;
        if (found == UNSURE)
            return NO_FIT;
        if (found != NOTHING_WRONG)
            fault(row, found);
    }
    return 0;
}

#endif
