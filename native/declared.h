/* Tools that rows declare, and whether the arguments of a call surely fit them.
 *
 * Python judges declarations, and describes those of its functions whose parameters are an object
 * without depth. What is not sure here is asked there.
 */
#ifndef FTPROVIDERS_DECLARED_H
#define FTPROVIDERS_DECLARED_H

#include "json.h"

#define MAX_DECLARATION (64 * 1024)
#define DECLARATIONS 64 /* that are remembered */
#define MOST_PROPERTIES 64 /* bits of `required` */
#define LONGEST_INTEGER 300 /* digits; longer ones are infinite for the judge */

/* Kinds of values that a property may have, see KINDS of ftproviders/data/fast/schemas.py. */
enum { KIND_STRING = 1, KIND_BOOLEAN = 2, KIND_INTEGER = 4, KIND_FRACTION = 8, KIND_OBJECT = 16,
       KIND_ARRAY = 32 };

typedef struct {
    Text name;
    unsigned kinds;
} Property;

typedef struct {
    Text name;
    Property *properties;
    size_t count;
    uint64_t required; /* a bit for each property */
} Function;

typedef struct {
    uint8_t *text; /* as it stands in rows; NULL = nothing is remembered here */
    size_t size;
    PyObject *declared;    /* what Python made of it */
    PyObject *description; /* owns the names */
    Function *functions;
    size_t count;
} Declaration;

/* The last declarations by a hash of their text, and one that is too long to be remembered. */
typedef struct {
    Declaration one[DECLARATIONS + 1];
    Declaration *last;
} Declarations;

static void forget(Declaration *d)
{
    for (size_t i = 0; d->functions && i < d->count; i++)
        PyMem_RawFree(d->functions[i].properties);
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

static int set_property(Function *f, PyObject *described, size_t index)
{
    PyObject *name;
    int required;
    Property *p = &f->properties[index];
    if (!PyArg_ParseTuple(described, "UIp", &name, &p->kinds, &required))
        return -1;
    f->required |= (uint64_t)required << index;
    return set_name(&p->name, name);
}

static int set_function(Function *f, PyObject *described)
{
    PyObject *name, *properties;
    if (!PyArg_ParseTuple(described, "UO!", &name, &PyTuple_Type, &properties)
        || set_name(&f->name, name) < 0)
        return -1;
    f->count = (size_t)PyTuple_GET_SIZE(properties);
    if (f->count > MOST_PROPERTIES) {
        f->name = (Text){NULL, SIZE_MAX, 0, false}; /* no name is like it */
        f->count = 0;
        return 0;
    }
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

/* Remember what Python made of a declaration: what it wants to be asked with, and a description. */
static int remember(Declaration *d, PyObject *found, const uint8_t *text, size_t size)
{
    PyObject *declared, *description;
    if (!PyTuple_Check(found)) {
        PyErr_SetString(PyExc_TypeError, "tools are described by a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(found, "OO!", &declared, &PyTuple_Type, &description))
        return -1;
    forget(d);
    d->declared = Py_NewRef(declared);
    d->description = Py_NewRef(description);
    size_t count = (size_t)PyTuple_GET_SIZE(description);
    d->functions = PyMem_RawCalloc(count + 1, sizeof(*d->functions));
    if (!d->functions) {
        PyErr_NoMemory();
        return -1;
    }
    for (d->count = 0; d->count < count; d->count++) {
        PyObject *one = PyTuple_GET_ITEM(description, (Py_ssize_t)d->count);
        if (set_function(&d->functions[d->count], one) < 0) {
            d->count++; /* it may have properties */
            return -1;
        }
    }
    if (size <= MAX_DECLARATION && (d->text = PyMem_RawMalloc(size ? size : 1)) != NULL) {
        memcpy(d->text, text, size);
        d->size = size;
    }
    return 0;
}

static bool same_text(const Text *a, const Text *b)
{
    return a->bytes == b->bytes && memcmp(a->text, b->text, a->bytes) == 0;
}

/* Return a bit for the kind of value that begins here, and pass it; 0 = it is none of them. */
static unsigned pass_kind(Cursor *c)
{
    const uint8_t *from = c->at;
    Scalar kind;
    Text text;
    if (peek(c) == '{' || peek(c) == '[')
        return skip_value(c) ? 0 : *from == '{' ? KIND_OBJECT : KIND_ARRAY;
    if (read_scalar(c, &kind, &text))
        return 0;
    switch (kind) {
    case SCALAR_STRING:
        return KIND_STRING;
    case SCALAR_TRUE:
    case SCALAR_FALSE:
        return KIND_BOOLEAN;
    case SCALAR_NUMBER:
        for (size_t i = 0; i < text.bytes; i++)
            if (text.text[i] == '.' || text.text[i] == 'e' || text.text[i] == 'E')
                return KIND_FRACTION;
        return text.bytes > LONGEST_INTEGER ? 0 : KIND_INTEGER;
    default:
        return 0;
    }
}

/* Say whether one member of some arguments surely fits, and note which property it is. */
static bool member_fits(Cursor *c, const Function *f, const Text *key, uint64_t *seen)
{
    for (size_t i = 0; i < f->count; i++)
        if (same_text(&f->properties[i].name, key)) {
            *seen |= (uint64_t)1 << i;
            return pass_kind(c) & f->properties[i].kinds;
        }
    return false;
}

/* Say whether arguments surely fit what is declared; they are known to be JSON. */
static bool surely_fits(const Declaration *d, const Text *name, const Text *arguments, Arena *arena)
{
    const Function *f = NULL;
    for (size_t i = 0; !f && i < d->count; i++)
        f = same_text(&d->functions[i].name, name) ? &d->functions[i] : NULL;
    if (!f)
        return false;
    Cursor c = {arguments->text, arguments->text + arguments->bytes, arena, true};
    size_t used = arena->used;
    uint64_t seen = 0;
    bool first = true, more = true, good;
    skip_space(&c);
    good = take(&c, '{');
    while (good && more) {
        Text key;
        arena->used = used; /* nobody wants the strings before it */
        good = !next_member(&c, &first, &key, &more);
        if (good && more)
            good = member_fits(&c, f, &key, &seen);
    }
    arena->used = used;
    return good && !(f->required & ~seen);
}

#endif
