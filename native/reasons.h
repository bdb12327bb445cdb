/* Why a row was refused: one name for each place in the code, so that a test can see each happen. */
#ifndef FTPROVIDERS_REASONS_H
#define FTPROVIDERS_REASONS_H

#define REASONS(X) \
    X(NO_ESCAPE_END) \
    X(NO_ESCAPE) \
    X(NO_ESCAPE_HEX) \
    X(NO_SURROGATE) \
    X(NO_STRING_END) \
    X(NO_UTF8) \
    X(NO_ROOM) \
    X(NO_CONTROL) \
    X(NO_ROOM_LAST) \
    X(NO_NUMBER) \
    X(NO_FRACTION) \
    X(NO_EXPONENT) \
    X(NO_WORD) \
    X(NO_COMMA_IN_OBJECT) \
    X(NO_KEY) \
    X(NO_COLON) \
    X(NO_COMMA_IN_LIST) \
    X(NO_DEPTH) \
    X(NO_TWICE_INSIDE) \
    X(NO_MORE_KEYS) \
    X(NO_WORD_TEXT) \
    X(NO_CONSTANT) \
    X(NO_MORE_SEGMENTS) \
    X(NO_TWICE_UNKNOWN) \
    X(NO_MORE_UNKNOWN) \
    X(NO_TWICE) \
    X(NO_PART) \
    X(NO_KNOWN_FAULT) \
    X(NO_FUNCTION_OBJECT) \
    X(NO_FUNCTION_PART) \
    X(NO_ARGUMENTS) \
    X(NO_MORE_CALLS) \
    X(NO_CALL_OBJECT) \
    X(NO_CALLS_LIST) \
    X(NO_WEIGHT_ZERO) \
    X(NO_RARE_KEY) \
    X(NO_KEY_OF_ROLE) \
    X(NO_PARTS_OF_ROLE) \
    X(NO_MORE_MESSAGES) \
    X(NO_OTHER_SHAPE) \
    X(NO_ROW_END) \
    X(NO_ROW_OBJECT) \
    X(NO_MORE_IMAGES) \
    X(NO_GOOD_TOOLS) \
    X(NO_FIT) \
    X(NO_ROOM_FOR_DETAIL)

#define X(name) name,
enum { GOOD, REASONS(X) REASON_COUNT, FAILED = -1, NO_MEMORY = -2 };
#undef X

#endif
