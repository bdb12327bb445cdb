/* Tools that rows declare, and whether the arguments of a call fit them.
 *
 * Python judges declarations, and describes those functions whose parameters are an object without
 * depth. What is not sure here is asked there.
 */
#ifndef FTPROVIDERS_DECLARED_H
#define FTPROVIDERS_DECLARED_H

#include <stdlib.h>

#include "row.h"

#define DECLARATIONS 64 /* that are remembered */
#define MAX_DECLARATION (64 * 1024) /* bytes of each of them */
#define LONGEST_DECLARATION (4 * 1024 * 1024) /* bytes of the last long one */
#define MOST_PROPERTIES 64 /* bits of `required` */
#define LONGEST_INTEGER 300 /* digits; those of thousands are no integers for the judge */

/* Kinds of values that a property may have, see KINDS of ftproviders/data/fast/schemas.py. */
enum { KIND_STRING = 1, KIND_BOOLEAN = 2, KIND_INTEGER = 4, KIND_FRACTION = 8, KIND_OBJECT = 16,
       KIND_ARRAY = 32, KIND_NULL = 64 };

typedef struct {
    Text name;
    unsigned kinds; /* 0 = it takes more to say what fits */
    Text *choices;  /* of texts, in order; NULL = any */
    size_t choice_count;
} Property;

typedef struct {
    Text name;
    bool described; /* by what follows */
    bool closed;    /* nothing fits that is no property */
    Property *properties;
    size_t count;
    uint64_t required; /* a bit for each property */
} Function;

typedef struct {
    uint8_t *text; /* as it stands in rows; NULL = nothing is remembered here */
    size_t size;
    PyObject *declared;    /* what Python made of it; None = calls need not be declared */
    PyObject *description; /* owns the names */
    Function *functions;
    size_t count;
    uint32_t faults[FAULT_COUNT];
    uint64_t broken; /* a bit for each fault */
} Declaration;

/* The last declarations by a hash of their text, the last one that is too long for that, and the last
 * one of the deprecated kind. */
typedef struct {
    Declaration one[DECLARATIONS + 2];
    Declaration *last; /* of tools */
} Declarations;

static void forget(Declaration *d)
{
    for (size_t i = 0; d->functions && i < d->count; i++) {
        Function *f = &d->functions[i];
        for (size_t p = 0; f->properties && p < f->count; p++)
            PyMem_RawFree(f->properties[p].choices);
        PyMem_RawFree(f->properties);
    }
    PyMem_RawFree(d->functions);
    PyMem_RawFree(d->text);
    PyObject *declared = d->declared, *description = d->description;
    memset(d, 0, sizeof(*d));
    Py_XDECREF(declared);
    Py_XDECREF(description);
}

static bool is_declaration(const Declaration *d, const uint8_t *text, size_t size)
{
    return d->text && d->size == size && memcmp(d->text, text, size) == 0;
}

/* Return where a declaration is remembered, or would be. */
static Declaration *place_of(Declarations *all, const uint8_t *text, size_t size)
{
    if (size > MAX_DECLARATION)
        return &all->one[DECLARATIONS];
    uint64_t hash = size;
    for (; size >= 8; text += 8, size -= 8) {
        uint64_t some;
        memcpy(&some, text, 8);
        hash = (hash ^ some) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    for (; size; text++, size--)
        hash = (hash ^ *text) * 0x9E3779B97F4A7C15u;
    return &all->one[(hash >> 32) % DECLARATIONS];
}

static int set_name(Text *t, PyObject *name)
{
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(name, &size);
    if (!text)
        return -1;
    *t = (Text){(const uint8_t *)text, (size_t)size, 0, false};
    return 0;
}

static int compare_texts(const void *one, const void *other)
{
    const Text *a = one, *b = other;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    return memcmp(a->text, b->text, a->bytes);
}

static int set_choices(Property *p, PyObject *choices)
{
    size_t count = (size_t)PyTuple_GET_SIZE(choices);
    if (!count)
        return 0;
    p->choices = PyMem_RawCalloc(count, sizeof(*p->choices));
    if (!p->choices) {
        PyErr_NoMemory();
        return -1;
    }
    for (; p->choice_count < count; p->choice_count++)
        if (set_name(&p->choices[p->choice_count],
                     PyTuple_GET_ITEM(choices, (Py_ssize_t)p->choice_count)) < 0)
            return -1;
    qsort(p->choices, count, sizeof(*p->choices), compare_texts); /* there may be thousands */
    return 0;
}

static int set_property(Function *f, PyObject *described, size_t index)
{
    PyObject *name, *choices;
    int required;
    Property *p = &f->properties[index];
    if (!PyArg_ParseTuple(described, "UIpO!", &name, &p->kinds, &required, &PyTuple_Type,
                          &choices))
        return -1;
    f->required |= (uint64_t)required << index;
    return set_name(&p->name, name) < 0 ? -1 : set_choices(p, choices);
}

static int set_function(Function *f, PyObject *described)
{
    PyObject *name, *properties;
    int closed;
    if (!PyArg_ParseTuple(described, "UOp", &name, &properties, &closed)
        || set_name(&f->name, name) < 0)
        return -1;
    if (properties == Py_None)
        return 0;
    if (!PyTuple_Check(properties)) {
        PyErr_SetString(PyExc_TypeError, "properties are a tuple");
        return -1;
    }
    if (PyTuple_GET_SIZE(properties) > MOST_PROPERTIES)
        return 0;
    f->described = true;
    f->closed = closed;
    f->count = (size_t)PyTuple_GET_SIZE(properties);
    f->properties = PyMem_RawCalloc(f->count + 1, sizeof(*f->properties));
    if (!f->properties) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < f->count; i++)
        if (set_property(f, PyTuple_GET_ITEM(properties, (Py_ssize_t)i), i) < 0)
            return -1;
    return 0;
}

/* Return the fault of a rule's name; -1 = it is none that can be counted here. */
static int fault_of(const char *rule)
{
    for (int i = 0; i < RULE_COUNT; i++)
        if (strcmp(FAULT_RULES[i], rule) == 0)
            return i;
    return -1;
}

static int set_faults(Declaration *d, PyObject *rules)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(rules); i++) {
        const char *rule = PyUnicode_AsUTF8(PyTuple_GET_ITEM(rules, i));
        int which = rule ? fault_of(rule) : -1;
        if (which < 0) {
            if (rule)
                PyErr_Format(PyExc_ValueError, "%s is not counted here", rule);
            return -1;
        }
        d->faults[which]++;
        d->broken |= (uint64_t)1 << which;
    }
    return 0;
}

static int set_functions(Declaration *d, PyObject *description)
{
    size_t count = (size_t)PyTuple_GET_SIZE(description);
    d->functions = PyMem_RawCalloc(count + 1, sizeof(*d->functions));
    if (!d->functions) {
        PyErr_NoMemory();
        return -1;
    }
    while (d->count < count) {
        PyObject *one = PyTuple_GET_ITEM(description, (Py_ssize_t)d->count);
        Function *f = &d->functions[d->count++]; /* it may have properties, whatever happens */
        if (set_function(f, one) < 0)
            return -1;
    }
    return 0;
}

/* Remember what Python made of a declaration: what it wants to be asked with, a description, and
 * the rules that it breaks. */
static int remember(Declaration *d, PyObject *found, const uint8_t *text, size_t size)
{
    PyObject *declared, *description, *rules;
    if (!PyTuple_Check(found)) {
        PyErr_SetString(PyExc_TypeError, "tools are described by a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(found, "OO!O!", &declared, &PyTuple_Type, &description, &PyTuple_Type,
                          &rules))
        return -1;
    forget(d);
    d->declared = Py_NewRef(declared);
    d->description = Py_NewRef(description);
    if (set_functions(d, description) < 0 || set_faults(d, rules) < 0)
        return -1;
    if (size <= LONGEST_DECLARATION && (d->text = PyMem_RawMalloc(size ? size : 1)) != NULL) {
        memcpy(d->text, text, size);
        d->size = size;
    }
    return 0;
}

/* Count the faults of a row's declaration. */
static void add_faults(Row *row, const Declaration *d)
{
    for (int i = 0; d->broken && i < FAULT_COUNT; i++)
        fault_times(row, i, d->faults[i]);
}

/* Return a bit for the kind of value that begins here, and pass it; 0 = it is not sure. `text` is a
 * string, or how a number is written. */
static unsigned pass_kind(Cursor *c, Text *text)
{
    const uint8_t *from = c->at;
    Scalar kind;
    if (peek(c) == '{' || peek(c) == '[')
        return skip_value(c) ? 0 : *from == '{' ? KIND_OBJECT : KIND_ARRAY;
    if (read_scalar(c, &kind, text))
        return 0;
    switch (kind) {
    case SCALAR_STRING:
        return KIND_STRING;
    case SCALAR_TRUE:
    case SCALAR_FALSE:
        return KIND_BOOLEAN;
    case SCALAR_NUMBER:
        for (size_t i = 0; i < text->bytes; i++)
            if (text->text[i] == '.' || text->text[i] == 'e' || text->text[i] == 'E')
                return KIND_FRACTION;
        return text->bytes > LONGEST_INTEGER ? 0 : KIND_INTEGER;
    case SCALAR_NULL:
        return KIND_NULL;
    default:
        return 0;
    }
}

typedef enum { FITS, MISFITS, NOT_SURE } Fit;

static Fit kind_fits(unsigned kind, const Property *p, const Text *text)
{
    if (!kind || !p->kinds
        || (kind == KIND_FRACTION && (p->kinds & (KIND_INTEGER | KIND_FRACTION)) == KIND_INTEGER))
        return NOT_SURE; /* 1.0 is an integer */
    if (!(kind & p->kinds))
        return MISFITS;
    if (kind != KIND_STRING || !p->choice_count)
        return FITS;
    return bsearch(text, p->choices, p->choice_count, sizeof(*text), compare_texts) ? FITS : MISFITS;
}

/* Say whether one member of some arguments fits, and note which property it is. */
static Fit member_fits(Cursor *c, const Function *f, const Text *key, uint64_t *seen)
{
    Text text = {0};
    for (size_t i = 0; i < f->count; i++)
        if (same_text(&f->properties[i].name, key)) {
            if (*seen & (uint64_t)1 << i)
                return NOT_SURE; /* the last one counts, and the first one may be at fault */
            *seen |= (uint64_t)1 << i;
            unsigned kind = pass_kind(c, &text);
            return kind_fits(kind, &f->properties[i], &text);
        }
    if (!pass_kind(c, &text))
        return NOT_SURE;
    return f->closed ? MISFITS : FITS;
}

/* Say whether arguments, which are JSON, fit the function that is called. */
static Fit arguments_fit(const Function *f, const Text *arguments, Arena *arena)
{
    Cursor c = {arguments->text, arguments->text + arguments->bytes, arena, true,
                false, false, false};
    size_t used = arena->used;
    uint64_t seen = 0;
    bool first = true, more = true;
    Fit fit = FITS;
    skip_space(&c);
    if (!take(&c, '{'))
        return MISFITS; /* no object */
    while (more) {
        Text key;
        Fit one = FITS;
        arena->used = used; /* nobody wants the strings before it */
        if (next_member(&c, &first, &key, &more))
            one = NOT_SURE;
        else if (more)
            one = member_fits(&c, f, &key, &seen);
        fit = one > fit ? one : fit;
        more = more && one != NOT_SURE;
    }
    arena->used = used;
    return fit == FITS && f->required & ~seen ? MISFITS : fit;
}

static const Function *function_of(const Declaration *d, const Text *name)
{
    for (size_t i = 0; i < d->count; i++)
        if (same_text(&d->functions[i].name, name))
            return &d->functions[i];
    return NULL;
}

#endif
