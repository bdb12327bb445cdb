/* How often each whole number was seen: what the statistics of rows and messages are made of. */
#ifndef FTPROVIDERS_COUNTS_H
#define FTPROVIDERS_COUNTS_H

#include "row.h"

#define DENSE 4096 /* most texts have fewer characters */

typedef struct {
    uint64_t count; /* 0 = the slot is free */
    uint32_t value;
} Seen;

/* Small numbers in a table by themselves, the others in one by hash. */
typedef struct {
    uint64_t dense[DENSE];
    Seen *large;
    size_t used, room; /* slots of `large`, a power of two */
} Counts;

enum { OF_ROWS = ROLE_OTHER, OF_MESSAGES, COUNTS }; /* the first ones are of roles */

/* What is counted of messages. */
typedef struct {
    Counts of[COUNTS]; /* characters in a row: of each role, of all; messages in a row */
    uint64_t messages[ROLE_OTHER];
    uint64_t without_system, without_user;
} Statistics;

static Seen *slot_of_value(Seen *slots, size_t room, uint32_t value)
{
    size_t at = value * 2654435769u & (room - 1);
    while (slots[at].count && slots[at].value != value)
        at = (at + 1) & (room - 1);
    return &slots[at];
}

/* Make room for one more large number; false = there is no memory. */
static bool widen(Counts *c)
{
    if (2 * (c->used + 1) <= c->room)
        return true;
    size_t room = c->room ? 2 * c->room : 64;
    Seen *slots = PyMem_RawCalloc(room, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < c->room; i++)
        if (c->large[i].count)
            *slot_of_value(slots, room, c->large[i].value) = c->large[i];
    PyMem_RawFree(c->large);
    c->large = slots;
    c->room = room;
    return true;
}

/* Count a number; false = there is no memory. */
static bool count_value(Counts *c, size_t value)
{
    if (value < DENSE) {
        c->dense[value]++;
        return true;
    }
    if (!widen(c))
        return false;
    Seen *slot = slot_of_value(c->large, c->room, (uint32_t)value);
    c->used += slot->count == 0;
    slot->value = (uint32_t)value;
    slot->count++;
    return true;
}

/* Count the messages of a row, of which those of no known role are left out; false = there is no
 * memory. */
static bool count_messages(Statistics *s, const Row *row)
{
    size_t said[ROLE_OTHER] = {0}, messages[ROLE_OTHER] = {0}, all = 0, chars = 0;
    bool done = true;
    for (size_t i = 0; i < row->messages; i++) {
        const Message *one = &row->message[i];
        if (one->role == ROLE_OTHER)
            continue;
        said[one->role] += one->chars;
        messages[one->role]++;
        chars += one->chars;
        all++;
    }
    if (!all)
        return true;
    for (int role = 0; role < ROLE_OTHER; role++) {
        s->messages[role] += messages[role];
        if (messages[role])
            done = count_value(&s->of[role], said[role]) && done;
    }
    s->without_system += !messages[ROLE_SYSTEM] && !messages[ROLE_DEVELOPER];
    s->without_user += !messages[ROLE_USER];
    done = count_value(&s->of[OF_ROWS], chars) && done;
    return count_value(&s->of[OF_MESSAGES], all) && done;
}

/* Return the most different large numbers that any table holds. */
static size_t most_large(const Statistics *s)
{
    size_t most = 0;
    for (int i = 0; i < COUNTS; i++)
        most = s->of[i].used > most ? s->of[i].used : most;
    return most;
}

static void clear_statistics(Statistics *s)
{
    for (int i = 0; i < COUNTS; i++)
        PyMem_RawFree(s->of[i].large);
    memset(s, 0, sizeof(*s));
}

static int put_count(PyObject *counts, size_t value, uint64_t times)
{
    PyObject *key = PyLong_FromSize_t(value), *count = PyLong_FromUnsignedLongLong(times);
    int failed = !key || !count || PyDict_SetItem(counts, key, count) < 0;
    Py_XDECREF(key);
    Py_XDECREF(count);
    return failed;
}

/* Return numbers and how often they were seen, as a dictionary. */
static PyObject *counts_of(const Counts *c)
{
    PyObject *counts = PyDict_New();
    for (size_t i = 0; counts && i < DENSE; i++)
        if (c->dense[i] && put_count(counts, i, c->dense[i]))
            Py_CLEAR(counts);
    for (size_t i = 0; counts && i < c->room; i++)
        if (c->large[i].count && put_count(counts, c->large[i].value, c->large[i].count))
            Py_CLEAR(counts);
    return counts;
}

#endif
