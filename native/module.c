/* The native engine's part of ftproviders.data: accepts good rows, counts them, and refuses others.
 *
 * Python is needed for what is asked seldom: whether declared tools are right, whether arguments fit
 * them, and images that are not an https address of the usual kind. Everything else runs without
 * the interpreter's lock. There is no state outside of a Scanner.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "counts.h"
#include "declared.h"
#include "keys.h"
#include "message.h"

#define UNREAD ((uint64_t)1 << FAULT_SYNTAX | (uint64_t)1 << FAULT_ENCODING)
#define MORE_ROOM (64 * 1024)
#define MOST_ROOM (4 * 1024 * 1024)

typedef struct {
    size_t line, start, end;
    size_t record; /* index of its record */
} Refused;

typedef struct {
    PyObject_HEAD
    PyObject *ask_tools, *ask_fits, *ask_image; /* given by Python */
    Declarations *declarations;                 /* what ask_tools said */
    PyThreadState *thread; /* of the scan that runs without the lock */
    bool busy;
    Questions questions;
    Arena arena;
    Row *row;
    KeyMaker keys;
    Statistics *statistics;
    uint64_t *records;
    size_t record_count, record_room;
    Refused *refused;
    size_t refused_count, refused_room;
    size_t long_bytes; /* longer rows may have too many tokens */
    uint64_t *longer;  /* line and place of those that were read */
    size_t longer_count, longer_room;
    uint64_t *blank; /* indexes of lines */
    size_t blank_count, blank_room;
    uint64_t rows, text_bytes, image_rows, longest;
    uint64_t faults[FAULT_COUNT];
    uint64_t reasons[REASON_COUNT];
} Scanner;

/* --- what Python is asked -------------------------------------------------------------------- */

static int ask_image(void *asked, const Text *url)
{
    Scanner *self = asked;
    PyEval_RestoreThread(self->thread);
    PyObject *rule = PyObject_CallFunction(self->ask_image, "s#", (const char *)url->text,
                                           (Py_ssize_t)url->bytes);
    const char *name = rule && rule != Py_None ? PyUnicode_AsUTF8(rule) : NULL;
    int found = name ? fault_of(name) : rule == Py_None ? NOTHING_WRONG : FAILED;
    Py_XDECREF(rule);
    self->thread = PyEval_SaveThread();
    return found == -1 && name ? UNSURE : found;
}

static int ask_tools(void *asked, const uint8_t *text, size_t size, bool deprecated)
{
    Scanner *self = asked;
    Declarations *all = self->declarations;
    Declaration *place = deprecated ? &all->one[DECLARATIONS + 1] : all->last;
    if (!place || (!deprecated && !is_declaration(place, text, size)))
        place = place_of(all, text, size);
    int refused = 0;
    if (!is_declaration(place, text, size)) {
        PyEval_RestoreThread(self->thread);
        PyObject *found = PyObject_CallFunction(self->ask_tools, "y#N", (const char *)text,
                                                (Py_ssize_t)size, PyBool_FromLong(deprecated));
        refused = found == NULL ? FAILED : found == Py_None ? NO_GOOD_TOOLS : 0;
        if (!refused && remember(place, found, text, size) < 0) {
            forget(place);
            refused = FAILED;
        }
        Py_XDECREF(found);
        self->thread = PyEval_SaveThread();
    }
    if (refused)
        return refused;
    add_faults(self->row, place);
    if (deprecated) {
        self->row->declared_functions = place->declared != Py_None;
        return 0;
    }
    all->last = place;
    self->row->declared = place->declared != Py_None;
    return 0;
}

static int ask_fits(void *asked, const Call *call)
{
    Scanner *self = asked;
    const Declarations *all = self->declarations;
    const Declaration *now = call->deprecated ? &all->one[DECLARATIONS + 1] : all->last;
    const Function *function = function_of(now, &call->name);
    if (!function)
        return FAULT_UNDECLARED;
    if (!call->has_arguments || !call->json)
        return NOTHING_WRONG;
    if (function->described) {
        Fit fit = arguments_fit(function, &call->arguments, &self->arena);
        if (fit != NOT_SURE)
            return fit == FITS ? NOTHING_WRONG : FAULT_SCHEMA;
    }
    PyEval_RestoreThread(self->thread);
    PyObject *answer = PyObject_CallFunction(
        self->ask_fits, "Os#s#", now->declared, (const char *)call->name.text,
        (Py_ssize_t)call->name.bytes, (const char *)call->arguments.text,
        (Py_ssize_t)call->arguments.bytes);
    int truth = answer && answer != Py_None ? PyObject_IsTrue(answer) : -1;
    int found = answer == Py_None ? UNSURE
                : truth < 0       ? FAILED
                                  : truth ? NOTHING_WRONG : FAULT_SCHEMA;
    Py_XDECREF(answer);
    self->thread = PyEval_SaveThread();
    return found;
}

/* --- what is kept of rows -------------------------------------------------------------------- */

/* Make room for one more of `size` bytes; false = there is no memory. */
static bool grow(void **items, size_t used, size_t *room, size_t more, size_t size)
{
    if (*room - used >= more)
        return true;
    size_t wanted = (*room + more) * 2;
    void *grown = PyMem_RawRealloc(*items, wanted * size);
    if (!grown)
        return false;
    *items = grown;
    *room = wanted;
    return true;
}

static void count_line(Scanner *self, size_t size)
{
    self->rows++;
    if (size > self->longest)
        self->longest = size;
}

/* Take up a row that was read, or say why not. */
static int count_row(Scanner *self, Row *row, uint64_t spared, size_t size)
{
    if (row->broken & ~spared)
        return NO_ROOM_FOR_DETAIL;
    if (!count_messages(self->statistics, row))
        return NO_MEMORY;
    count_line(self, size);
    self->text_bytes += row->text_bytes;
    self->image_rows += row->images > 0;
    if (row->broken)
        for (int i = 0; i < FAULT_COUNT; i++)
            self->faults[i] += row->faults[i];
    return 0;
}

/* --- scanning -------------------------------------------------------------------------------- */

typedef struct {
    uint64_t first_line, offset;
    uint64_t spared; /* faults of which no detail is wanted */
    size_t first[SHAPES]; /* index of the first row of each shape that was taken up, from 1 */
    size_t crlf;     /* index of the first line with a carriage return at its end, from 1 */
    size_t lines;
} Block;

/* Pass a line that holds nothing; -1 = there is no memory, 0 = it holds something. */
static int pass_blank(Scanner *self, Cursor *c, Block *block)
{
    Cursor ahead = *c;
    skip_space(&ahead);
    const uint8_t *at = ahead.at;
    if (at < c->end && *at != '\n')
        return 0;
    if (!grow((void **)&self->blank, self->blank_count, &self->blank_room, 1, 8))
        return -1;
    self->blank[self->blank_count++] = block->lines;
    block->lines++;
    if (!block->crlf && at > c->at && at[-1] == '\r')
        block->crlf = block->lines;
    c->at = at < c->end ? at + 1 : at;
    return 1;
}

/* Look at all lines; runs without the lock. Returns false when there is no memory, or -1 in
 * `failed` when Python raised. */
static bool scan_lines(Scanner *self, const uint8_t *text, size_t size, Block *block, bool *failed)
{
    Cursor c = {text, text + size, &self->arena, false, false, false, false};
    Row *row = self->row;
    for (size_t line = 0; c.at < c.end; line++) {
        int blank = pass_blank(self, &c, block);
        if (blank < 0)
            return false;
        if (blank) /* there may be millions of them */
            continue;
        const uint8_t *start = c.at;
        self->arena.used = 0;
        int refused = read_row(&c, row);
        const uint8_t *end = memchr(c.at, '\n', (size_t)(c.end - c.at));
        end = end ? end : c.end;
        if (!block->crlf && end > start && end[-1] == '\r')
            block->crlf = line + 1;
        if (refused == GOOD)
            refused = count_row(self, row, block->spared, (size_t)(end - start));
        if (refused == FAILED) {
            *failed = true;
            return true;
        }
        if (refused == NO_MEMORY)
            return false;
        block->lines++;
        if (refused)
            self->reasons[refused]++;
        int unread = refused && block->spared & UNREAD ? unread_fault(&c, start, end, refused)
                                                       : FAULT_COUNT;
        bool counted = unread < FAULT_COUNT && block->spared >> unread & 1;
        uint64_t number = block->first_line + line;
        uint64_t place = block->offset + (uint64_t)(start - text);
        if (counted) {
            self->faults[unread]++;
            count_line(self, (size_t)(end - start));
        } else if (!refused && row->shape >= 0 && !block->first[row->shape]) {
            block->first[row->shape] = line + 1;
        }
        if (!refused && (size_t)(end - start) > self->long_bytes) {
            if (!grow((void **)&self->longer, self->longer_count, &self->longer_room, 2, 8))
                return false;
            self->longer[self->longer_count++] = number;
            self->longer[self->longer_count++] = place;
        }
        if (counted || (!refused && !row->messages)) { /* it has no key */
            c.at = end < c.end ? end + 1 : end;
            continue;
        }
        if (!grow((void **)&self->records, self->record_count, &self->record_room, 3, 8))
            return false;
        uint64_t *record = self->records + self->record_count;
        self->record_count += 3;
        record[0] = refused ? 0 : key_of_row(&self->keys, row);
        record[1] = number;
        record[2] = place;
        if (refused) {
            if (!grow((void **)&self->refused, self->refused_count, &self->refused_room, 1,
                      sizeof(Refused)))
                return false;
            self->refused[self->refused_count++] =
                (Refused){line, (size_t)(start - text), (size_t)(end - text),
                          self->record_count / 3 - 1};
        }
        c.at = end < c.end ? end + 1 : end;
    }
    return true;
}

/* Make room for a block, and clear what the last one left. Text gets no longer when it is decoded;
 * arguments may be decoded twice, a part at a time. */
static bool prepare(Scanner *self, const uint8_t *text, size_t size)
{
    size_t wanted = size + MORE_ROOM;
    self->record_count = self->refused_count = self->blank_count = self->longer_count = 0;
    if (self->arena.room >= wanted || !memchr(text, '\\', size))
        return true;
    uint8_t *bytes = PyMem_RawRealloc(self->arena.bytes, wanted);
    if (!bytes)
        return false;
    self->arena.bytes = bytes;
    self->arena.room = wanted;
    return true;
}

/* Give back what only a row of unusual length needed. */
static void tidy(Scanner *self)
{
    if (self->arena.room > MOST_ROOM) {
        PyMem_RawFree(self->arena.bytes);
        self->arena = (Arena){0};
    }
}

static PyObject *refused_list(const Scanner *self)
{
    PyObject *list = PyList_New((Py_ssize_t)self->refused_count);
    for (size_t i = 0; list && i < self->refused_count; i++) {
        const Refused *one = &self->refused[i];
        PyObject *item = Py_BuildValue("nnnn", (Py_ssize_t)one->line, (Py_ssize_t)one->start,
                                       (Py_ssize_t)one->end, (Py_ssize_t)one->record);
        if (!item)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

/* Say whether a scanner can be used; otherwise an exception is set. */
static bool is_free(const Scanner *self)
{
    if (!self->questions.asked)
        PyErr_SetString(PyExc_RuntimeError, "this scanner was never set up");
    else if (self->busy)
        PyErr_SetString(PyExc_RuntimeError, "this scanner is at work in another thread");
    return self->questions.asked && !self->busy;
}

static PyObject *scanner_scan(Scanner *self, PyObject *args)
{
    PyObject *raw;
    unsigned long long first_line, offset, spared;
    if (!PyArg_ParseTuple(args, "SKKK:scan", &raw, &first_line, &offset, &spared))
        return NULL;
    if (!is_free(self))
        return NULL;
    const uint8_t *text = (const uint8_t *)PyBytes_AS_STRING(raw);
    size_t size = (size_t)PyBytes_GET_SIZE(raw);
    Block block = {first_line, offset, spared, {0}, 0, 0};
    bool failed = false;
    self->busy = true;
    self->thread = PyEval_SaveThread();
    bool done = prepare(self, text, size) && scan_lines(self, text, size, &block, &failed);
    tidy(self);
    PyEval_RestoreThread(self->thread);
    self->busy = false;
    if (failed)
        return NULL;
    if (!done)
        return PyErr_NoMemory();
    PyObject *refused = refused_list(self);
    if (!refused)
        return NULL;
    /* Without records there is no pointer, and None would be made of that. */
    return Py_BuildValue("y#N(nnn)nny#y#", self->records ? (const char *)self->records : "",
                         (Py_ssize_t)(self->record_count * sizeof(*self->records)), refused,
                         (Py_ssize_t)block.first[OF_MESSAGES_SHAPE] - 1,
                         (Py_ssize_t)block.first[OF_COMPLETION_SHAPE] - 1,
                         (Py_ssize_t)block.first[OF_TEXT_SHAPE] - 1, (Py_ssize_t)block.lines,
                         (Py_ssize_t)block.crlf - 1,
                         self->blank ? (const char *)self->blank : "",
                         (Py_ssize_t)(self->blank_count * sizeof(*self->blank)),
                         self->longer ? (const char *)self->longer : "",
                         (Py_ssize_t)(self->longer_count * sizeof(*self->longer)));
}

/* --- what was counted ------------------------------------------------------------------------ */

static PyObject *list_of(const uint64_t *numbers, int count)
{
    PyObject *list = PyList_New(count);
    for (int i = 0; list && i < count; i++) {
        PyObject *number = PyLong_FromUnsignedLongLong(numbers[i]);
        if (!number)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, number);
    }
    return list;
}

static PyObject *counts_list(const Statistics *statistics)
{
    PyObject *list = PyList_New(COUNTS);
    for (int i = 0; list && i < COUNTS; i++) {
        PyObject *counts = counts_of(&statistics->of[i]);
        if (!counts)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, counts);
    }
    return list;
}

static PyObject *scanner_drain(Scanner *self, PyObject *Py_UNUSED(ignored))
{
    if (!is_free(self))
        return NULL;
    Statistics *s = self->statistics;
    PyObject *messages = list_of(s->messages, ROLE_OTHER), *counts = counts_list(s);
    PyObject *faults = list_of(self->faults, FAULT_COUNT);
    if (!messages || !counts || !faults) {
        Py_XDECREF(messages);
        Py_XDECREF(counts);
        Py_XDECREF(faults);
        return NULL;
    }
    PyObject *drained = Py_BuildValue("KKKKKKNNN", self->rows, self->text_bytes, self->image_rows,
                                      self->longest, s->without_system, s->without_user, messages,
                                      counts, faults);
    clear_statistics(s);
    self->rows = self->text_bytes = self->image_rows = self->longest = 0;
    memset(self->faults, 0, sizeof(self->faults));
    return drained;
}

static const char *const REASON_NAMES[] = {
    "GOOD",
#define X(name) #name,
    REASONS(X)
#undef X
};

static PyObject *scanner_refusals(Scanner *self, PyObject *Py_UNUSED(ignored))
{
    PyObject *counts = PyDict_New();
    for (int i = 1; counts && i < REASON_COUNT; i++) {
        PyObject *count = PyLong_FromUnsignedLongLong(self->reasons[i]);
        if (!count || PyDict_SetItemString(counts, REASON_NAMES[i], count) < 0)
            Py_CLEAR(counts);
        Py_XDECREF(count);
    }
    return counts;
}

static PyObject *scanner_waiting(Scanner *self, void *Py_UNUSED(closure))
{
    return is_free(self) ? PyLong_FromSize_t(most_large(self->statistics)) : NULL;
}

/* --- the type -------------------------------------------------------------------------------- */

static int scanner_init(Scanner *self, PyObject *args, PyObject *named)
{
    static char *names[] = {"tools", "fits", "image", "spared_images", "long_characters", "step",
                            "edge", "long_bytes", "completions", "texts", NULL};
    PyObject *tools, *fits, *image;
    unsigned int spared, longest, step, edge;
    int completions, texts;
    Py_ssize_t long_bytes;
    if (!PyArg_ParseTupleAndKeywords(args, named, "OOO$IIIInpp:Scanner", names, &tools, &fits, &image,
                                     &spared, &longest, &step, &edge, &long_bytes, &completions,
                                     &texts))
        return -1;
    if (self->row) {
        PyErr_SetString(PyExc_RuntimeError, "a scanner is made once");
        return -1;
    }
    if (!step || longest / 2 < edge) {
        PyErr_SetString(PyExc_ValueError, "step is at least 1, and a long prompt has two edges");
        return -1;
    }
    self->row = PyMem_RawCalloc(1, sizeof(*self->row));
    self->statistics = PyMem_RawCalloc(1, sizeof(*self->statistics));
    self->declarations = PyMem_RawCalloc(1, sizeof(*self->declarations));
    if (!self->row || !self->statistics || !self->declarations) {
        PyErr_NoMemory();
        return -1;
    }
    self->ask_tools = Py_NewRef(tools);
    self->ask_fits = Py_NewRef(fits);
    self->ask_image = Py_NewRef(image);
    self->questions = (Questions){ask_image, ask_tools, ask_fits, self};
    self->row->ask = &self->questions;
    self->long_bytes = long_bytes < 0 ? SIZE_MAX : (size_t)long_bytes;
    self->row->spared_images = spared;
    self->row->takes_completions = completions;
    self->row->takes_texts = texts;
    init_keys(&self->keys, longest, step, edge);
    return 0;
}

static int scanner_traverse(Scanner *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->ask_tools);
    Py_VISIT(self->ask_fits);
    Py_VISIT(self->ask_image);
    for (int i = 0; self->declarations && i < DECLARATIONS + 2; i++)
        Py_VISIT(self->declarations->one[i].declared);
    return 0;
}

static int scanner_clear(Scanner *self)
{
    /* The callables are kept: a scan that runs may still ask them. */
    if (!self->declarations || self->busy)
        return 0;
    self->declarations->last = NULL;
    for (int i = 0; i < DECLARATIONS + 2; i++)
        forget(&self->declarations->one[i]);
    return 0;
}

static void scanner_dealloc(Scanner *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_XDECREF(self->ask_tools);
    Py_XDECREF(self->ask_fits);
    Py_XDECREF(self->ask_image);
    for (int i = 0; self->declarations && i < DECLARATIONS + 2; i++)
        forget(&self->declarations->one[i]);
    PyMem_RawFree(self->declarations);
    if (self->statistics)
        clear_statistics(self->statistics);
    PyMem_RawFree(self->statistics);
    PyMem_RawFree(self->row);
    PyMem_RawFree(self->records);
    PyMem_RawFree(self->refused);
    PyMem_RawFree(self->longer);
    PyMem_RawFree(self->blank);
    PyMem_RawFree(self->arena.bytes);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyMethodDef scanner_methods[] = {
    {"scan", (PyCFunction)scanner_scan, METH_VARARGS,
     PyDoc_STR("Look at the lines of a block; see _native.pyi.")},
    {"drain", (PyCFunction)scanner_drain, METH_NOARGS,
     PyDoc_STR("Return what was counted since the last time.")},
    {"refusals", (PyCFunction)scanner_refusals, METH_NOARGS,
     PyDoc_STR("Return how often each reason for a refusal was met.")},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef scanner_properties[] = {
    {"waiting", (getter)scanner_waiting, NULL, PyDoc_STR("The most different large numbers of a kind."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot scanner_slots[] = {
    {Py_tp_doc, (void *)PyDoc_STR("Accepts good rows; see _native.pyi.")},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, scanner_init},
    {Py_tp_dealloc, scanner_dealloc},
    {Py_tp_traverse, scanner_traverse},
    {Py_tp_clear, scanner_clear},
    {Py_tp_methods, scanner_methods},
    {Py_tp_getset, scanner_properties},
    {0, NULL},
};

static PyType_Spec scanner_spec = {
    .name = "ftproviders.data._native.Scanner",
    .basicsize = sizeof(Scanner),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = scanner_slots,
};

static PyObject *names_of(const char *const *names, int count)
{
    PyObject *made = PyTuple_New(count);
    for (int i = 0; made && i < count; i++) {
        PyObject *name = PyUnicode_FromString(names[i]);
        if (!name)
            Py_CLEAR(made);
        else
            PyTuple_SET_ITEM(made, i, name);
    }
    return made;
}

static int module_exec(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &scanner_spec, NULL);
    int failed = type == NULL || PyModule_AddObjectRef(module, "Scanner", type) < 0;
    Py_XDECREF(type);
    PyObject *rules = failed ? NULL : names_of(FAULT_RULES, RULE_COUNT);
    failed = rules == NULL || PyModule_AddObjectRef(module, "RULES", rules) < 0;
    Py_XDECREF(rules);
    PyObject *shapes = failed ? NULL : names_of(SHAPE_NAMES, FAULT_COUNT - RULE_COUNT);
    failed = shapes == NULL || PyModule_AddObjectRef(module, "SHAPES", shapes) < 0;
    Py_XDECREF(shapes);
    PyObject *tokens = failed ? NULL : names_of(TOKENS, TOKEN_COUNT);
    failed = tokens == NULL || PyModule_AddObjectRef(module, "TOKENS", tokens) < 0;
    Py_XDECREF(tokens);
    PyObject *roles = failed ? NULL : names_of(ROLE_NAMES, ROLE_OTHER);
    failed = roles == NULL || PyModule_AddObjectRef(module, "ROLES", roles) < 0;
    Py_XDECREF(roles);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static PyMethodDef module_methods[] = {
    {"spread", spread, METH_VARARGS, PyDoc_STR("Sort records into buckets; see _native.pyi.")},
    {"repeated", repeated, METH_VARARGS, PyDoc_STR("Find prompts that stand twice.")},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "ftproviders.data._native",
    .m_doc = PyDoc_STR("The native part of the engine; see _native.pyi."),
    .m_size = 0,
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__native(void)
{
    return PyModuleDef_Init(&module_def);
}
