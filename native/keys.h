/* Keys of rows, as ftproviders/data/keys.py makes them: the same rows have the same keys here and
 * there. Records are key, line and offset of a row, three numbers of 64 bits.
 */
#ifndef FTPROVIDERS_KEYS_H
#define FTPROVIDERS_KEYS_H

#include "row.h"

#define SAMPLED_AT_ONCE 512
#define RECORD 24 /* bytes */
#define MOST_SEARCHED 1000000000 /* records; their slots fit into 32 bits of a hash */

/* CRC-32 of a prompt, or of samples of a long one: its first and last `edge` characters, and every
 * `step`th one between them. */
typedef struct {
    uint32_t table[8][256];
    size_t longest, step, edge;
    uint32_t crc;
    size_t index;      /* characters passed */
    size_t head, tail; /* from where to where samples are taken */
    uint8_t sampled[SAMPLED_AT_ONCE + 4];
    size_t held;
} KeyMaker;

static void init_keys(KeyMaker *k, size_t longest, size_t step, size_t edge)
{
    k->longest = longest;
    k->step = step;
    k->edge = edge;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
        k->table[0][i] = crc;
    }
    for (int t = 1; t < 8; t++)
        for (int i = 0; i < 256; i++)
            k->table[t][i] = k->table[t - 1][i] >> 8 ^ k->table[0][k->table[t - 1][i] & 0xFF];
}

static uint32_t little_endian(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void add_bytes(KeyMaker *k, const uint8_t *at, size_t size)
{
    uint32_t crc = k->crc;
    for (; size >= 8; at += 8, size -= 8) {
        uint32_t low = crc ^ little_endian(at), high = little_endian(at + 4);
        crc = k->table[7][low & 0xFF] ^ k->table[6][low >> 8 & 0xFF]
              ^ k->table[5][low >> 16 & 0xFF] ^ k->table[4][low >> 24]
              ^ k->table[3][high & 0xFF] ^ k->table[2][high >> 8 & 0xFF]
              ^ k->table[1][high >> 16 & 0xFF] ^ k->table[0][high >> 24];
    }
    for (; size; at++, size--)
        crc = crc >> 8 ^ k->table[0][(crc ^ *at) & 0xFF];
    k->crc = crc;
}

static void flush(KeyMaker *k)
{
    add_bytes(k, k->sampled, k->held);
    k->held = 0;
}

/* Return where the character stands that is `count` characters further on, or the end. */
static const uint8_t *skip_characters(const uint8_t *at, const uint8_t *end, size_t *count)
{
    while (*count && end - at >= 8) {
        uint64_t some;
        memcpy(&some, at, 8);
        uint64_t later = some >> 7 & ~(some >> 6) & 0x0101010101010101u;
        size_t begun = 8 - (size_t)(later * 0x0101010101010101u >> 56);
        if (begun >= *count)
            break;
        *count -= begun;
        at += 8;
    }
    while (at < end && (*count || (*at & 0xC0) == 0x80)) {
        *count -= (*at & 0xC0) != 0x80;
        at++;
    }
    return at;
}

/* Pass `count` characters of a text, or what is left of it; return where that ends. */
static const uint8_t *pass(KeyMaker *k, const uint8_t *at, const uint8_t *end, size_t count,
                           bool ascii)
{
    size_t left = count;
    if (ascii) {
        size_t step = count < (size_t)(end - at) ? count : (size_t)(end - at);
        k->index += step;
        return at + step;
    }
    at = skip_characters(at, end, &left);
    k->index += count - left;
    return at;
}

/* Add the samples of `size` characters of ASCII, the first one `ahead` of them further on. */
static size_t add_samples(KeyMaker *k, const uint8_t *at, size_t size, size_t ahead)
{
    for (size_t i = ahead; i < size; i += k->step) {
        k->sampled[k->held++] = at[i];
        if (k->held >= SAMPLED_AT_ONCE)
            flush(k);
    }
    k->index += size;
    return size;
}

/* Add what is sampled of a text. */
static void add_text(KeyMaker *k, const uint8_t *text, size_t bytes, size_t chars)
{
    const uint8_t *at = text, *end = text + bytes;
    bool ascii = bytes == chars;
    while (at < end) {
        if (k->index < k->head || k->index >= k->tail) {
            const uint8_t *from = at;
            size_t whole = k->index < k->head ? k->head - k->index : SIZE_MAX;
            at = pass(k, at, end, whole, ascii);
            flush(k);
            add_bytes(k, from, (size_t)(at - from));
            continue;
        }
        size_t behind = (k->index - k->head) % k->step, rest = k->tail - k->index;
        size_t ahead = behind ? k->step - behind : 0;
        if (ascii) {
            at += add_samples(k, at, (size_t)(end - at) < rest ? (size_t)(end - at) : rest, ahead);
            continue;
        }
        if (ahead) {
            at = pass(k, at, end, ahead < rest ? ahead : rest, ascii);
            continue;
        }
        k->index++;
        do
            k->sampled[k->held++] = *at++;
        while (at < end && (*at & 0xC0) == 0x80);
        if (k->held >= SAMPLED_AT_ONCE)
            flush(k);
    }
}

static void begin_key(KeyMaker *k, size_t chars)
{
    k->index = k->held = 0;
    k->head = chars < k->longest ? SIZE_MAX : k->edge;
    k->tail = chars < k->longest ? SIZE_MAX : chars - k->edge;
    k->crc = ~(uint32_t)chars;
}

static void add_message(KeyMaker *k, const Row *row, const Message *message)
{
    for (size_t i = 0; i < message->segments; i++) {
        const Text *t = &row->segment[message->segment + i];
        add_text(k, t->text, t->bytes, t->chars);
    }
}

#define BEFORE_ROLE "\"}, {\"role\": \""
#define AFTER_ROLE "\", \"content\": \""
#define ADD_WORD(k, word) \
    add_text(k, (const uint8_t *)(word), sizeof(word) - 1, sizeof(word) - 1)

/* Return the key of a row, see key_of_texts in keys.py. */
static uint64_t key_of_row(KeyMaker *k, const Row *row)
{
    const Message *last = &row->message[row->messages - 1];
    size_t chars = 0, asked = 0;
    for (const Message *m = row->message; m < last; m++) {
        asked += m->chars;
        chars += m->chars;
        if (m > row->message)
            chars += sizeof(BEFORE_ROLE) - 1 + sizeof(AFTER_ROLE) - 1 + m->role_text.chars;
    }
    if (!asked) { /* nothing is asked, as good as always */
        begin_key(k, last->chars);
        add_message(k, row, last);
        flush(k);
        return (uint64_t)(uint32_t)~k->crc << 32;
    }
    begin_key(k, chars);
    for (const Message *m = row->message; m < last; m++) {
        if (m > row->message) {
            ADD_WORD(k, BEFORE_ROLE);
            add_text(k, m->role_text.text, m->role_text.bytes, m->role_text.chars);
            ADD_WORD(k, AFTER_ROLE);
        }
        add_message(k, row, m);
    }
    flush(k);
    return (uint64_t)(uint32_t)~k->crc << 32 | (uint32_t)last->chars;
}

/* --- records by bucket ----------------------------------------------------------------------- */

static size_t bucket_of(uint64_t key, size_t buckets)
{
    return (size_t)((key >> 32) % buckets);
}

/* Sort records by bucket, `sizes` getting how many there are in each, and `at` being where the next
 * one of each goes. */
static void sort_records(const uint8_t *records, size_t count, size_t buckets, uint64_t *sizes,
                         size_t *at, uint8_t *sorted)
{
    uint64_t key;
    memset(sorted, 0, RECORD * count);
    for (size_t i = 0; i < count; i++) {
        memcpy(&key, records + RECORD * i, sizeof(key));
        sizes[bucket_of(key, buckets)]++;
    }
    for (size_t b = 1; b < buckets; b++)
        at[b] = at[b - 1] + sizes[b - 1];
    for (size_t i = 0; i < count; i++) {
        memcpy(&key, records + RECORD * i, sizeof(key));
        size_t place = at[bucket_of(key, buckets)]++;
        if (place < count) /* unless somebody changes them meanwhile */
            memcpy(sorted + RECORD * place, records + RECORD * i, RECORD);
    }
}

/* spread(records, buckets) -> the records bucket by bucket, how many there are in each */
static PyObject *spread(PyObject *Py_UNUSED(module), PyObject *args)
{
    Py_buffer given;
    Py_ssize_t buckets;
    if (!PyArg_ParseTuple(args, "y*n:spread", &given, &buckets))
        return NULL;
    PyObject *sorted = NULL, *made = NULL;
    uint64_t *sizes = NULL;
    size_t *at = NULL;
    if (buckets < 1 || buckets > 65536 || given.len % RECORD) {
        PyErr_SetString(PyExc_ValueError, "records of 24 bytes, and 1 to 65536 buckets");
        goto done;
    }
    sizes = PyMem_Calloc((size_t)buckets, sizeof(*sizes));
    at = PyMem_Calloc((size_t)buckets, sizeof(*at));
    sorted = PyBytes_FromStringAndSize(NULL, given.len);
    if (!sizes || !at || !sorted) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    sort_records(given.buf, (size_t)given.len / RECORD, (size_t)buckets, sizes, at,
                 (uint8_t *)PyBytes_AS_STRING(sorted));
    Py_END_ALLOW_THREADS
    made = Py_BuildValue("Oy#", sorted, (const char *)sizes,
                         (Py_ssize_t)((size_t)buckets * sizeof(*sizes)));
done:
    Py_XDECREF(sorted);
    PyMem_Free(sizes);
    PyMem_Free(at);
    PyBuffer_Release(&given);
    return made;
}

/* Records some of which stand more than once by the upper half of their key, the prompt's. */
typedef struct {
    uint64_t *records;
    size_t count;
    uint64_t *table; /* prompt, and index of its first record from 1 */
    int shift;
    uint64_t seed;
    uint8_t *again; /* a byte for each record: whether its prompt stands more than once */
} Search;

/* Return where a prompt is looked for first. Whoever writes a file can choose its checksums, so that
 * depends on a number that he does not know. */
static size_t slot_of_head(const Search *s, uint32_t head)
{
    uint64_t hash = (head ^ s->seed) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ hash >> 32) * 0xD6E8FEB86659FD93u;
    return (size_t)(hash >> (32 + s->shift));
}

/* Return a number that nobody knows: the hash of a text is another one in each process. */
static int set_seed(Search *s)
{
    PyObject *text = PyUnicode_FromString("repeated");
    Py_hash_t hash = text ? PyObject_Hash(text) : -1;
    Py_XDECREF(text);
    s->seed = (uint64_t)hash;
    return hash == -1 ? -1 : 0;
}

/* Mark the records whose prompts stand more than once; return how many they are. */
static size_t mark(Search *s)
{
    size_t marked = 0, slots = (size_t)1 << (32 - s->shift);
    for (size_t i = 0; i < s->count; i++) {
        uint32_t head = (uint32_t)(s->records[3 * i] >> 32);
        size_t slot = slot_of_head(s, head);
        while (s->table[slot] && s->table[slot] >> 32 != head)
            slot = (slot + 1) & (slots - 1);
        if (!s->table[slot]) {
            s->table[slot] = (uint64_t)head << 32 | (uint32_t)(i + 1);
            continue;
        }
        size_t first = (uint32_t)s->table[slot] - 1u;
        marked += 1u + !s->again[first];
        s->again[first] = s->again[i] = 1;
    }
    return marked;
}

/* Add the records of a part, whose lines are counted from `lines`. */
static int add_part(Search *s, PyObject *part)
{
    Py_buffer given;
    unsigned long long lines;
    if (!PyTuple_Check(part)) {
        PyErr_SetString(PyExc_TypeError, "a part is a pair");
        return -1;
    }
    if (!PyArg_ParseTuple(part, "y*K:repeated", &given, &lines))
        return -1;
    size_t count = (size_t)given.len / RECORD;
    if (given.len % RECORD || s->count + count > MOST_SEARCHED) {
        PyErr_SetString(PyExc_ValueError, "records of 24 bytes, and at most a billion");
        PyBuffer_Release(&given);
        return -1;
    }
    uint64_t *grown = PyMem_Realloc(s->records, RECORD * (s->count + count + 1));
    if (grown) {
        memcpy(grown + 3 * s->count, given.buf, RECORD * count);
        for (size_t i = s->count; i < s->count + count; i++)
            grown[3 * i + 1] += lines;
        s->records = grown;
        s->count += count;
    }
    PyBuffer_Release(&given);
    if (!grown)
        PyErr_NoMemory();
    return grown ? 0 : -1;
}

static PyObject *marked_records(const Search *s, size_t marked)
{
    PyObject *found = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(RECORD * marked));
    uint8_t *out = found ? (uint8_t *)PyBytes_AS_STRING(found) : NULL;
    for (size_t i = 0; found && i < s->count; i++)
        if (s->again[i]) {
            memcpy(out, s->records + 3 * i, RECORD);
            out += RECORD;
        }
    return found;
}

/* repeated(parts) -> the records whose prompts stand more than once, in their order */
static PyObject *repeated(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *parts, *found = NULL;
    if (!PyArg_ParseTuple(args, "O!:repeated", &PyList_Type, &parts))
        return NULL;
    Search s = {NULL, 0, NULL, 28, 0, NULL};
    if (set_seed(&s) < 0)
        goto done;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(parts); i++) {
        PyObject *part = Py_NewRef(PyList_GET_ITEM(parts, i));
        int failed = add_part(&s, part);
        Py_DECREF(part);
        if (failed)
            goto done;
    }
    while (((size_t)1 << (32 - s.shift)) < 2 * s.count)
        s.shift--;
    s.table = PyMem_Calloc((size_t)1 << (32 - s.shift), sizeof(*s.table));
    s.again = PyMem_Calloc(s.count + 1, 1);
    if (!s.table || !s.again) {
        PyErr_NoMemory();
        goto done;
    }
    size_t marked;
    Py_BEGIN_ALLOW_THREADS
    marked = mark(&s);
    Py_END_ALLOW_THREADS
    found = marked_records(&s, marked);
done:
    PyMem_Free(s.records);
    PyMem_Free(s.table);
    PyMem_Free(s.again);
    return found;
}

#endif
