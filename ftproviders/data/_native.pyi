# The native part of the engine; its source is the folder `native` of the repository.

from collections.abc import Callable

from typing_extensions import Buffer

# Ids of the rules of which a scanner can count what breaks them.
RULES: tuple[str, ...]
# Shapes of rows without messages that it counts: row.messages, for those who do not take them.
SHAPES: tuple[str, ...]
# Control tokens that text must not hold.
TOKENS: tuple[str, ...]
# Roles that are known, in the order in which they are counted.
ROLES: tuple[str, ...]

# Accepts and counts good rows of a supervised file, and refuses others. It gives way to other
# threads while it scans, and serves one of them at a time.
#
# tools: given the JSON text of `tools`, or of `functions`, and which it is; returns what is
#     declared (None = calls need not be), a description of each function, and the ids of the rules
#     that are broken; None refuses the row. A function is described by its name, its properties -
#     name, kinds (`KINDS` in fast/schemas.py), being required, texts that it may be - or None, and
#     whether only these fit
# fits: says whether arguments fit, where the scanner is not sure: what `tools` returned, name of
#     the function, arguments; None refuses the row
# image: returns the id of the rule that an image's address breaks, or None; not asked about the
#     usual ones
# spared_images: more images than these refuse a row
# long_characters: prompts of so many characters are sampled for the key
# step: distance of the samples, in characters
# long_bytes: rows with more bytes may have too many tokens; -1 = none
# completions, texts: whether some provider takes rows of SHAPES, which then are judged
# edge: characters at the beginning and at the end of a long prompt of which none is left out
class Scanner:
    def __init__(
        self,
        tools: Callable[[bytes, bool], tuple[object, tuple[object, ...], tuple[str, ...]] | None],
        fits: Callable[..., bool | None],
        image: Callable[[str], str | None],
        *,
        spared_images: int,
        long_characters: int,
        step: int,
        edge: int,
        long_bytes: int,
        completions: bool,
        texts: bool,
    ) -> None: ...

    # Looks at lines, of which all but the last one have a line feed.
    #
    # spared: a bit for each of RULES and SHAPES; rows that break no others are counted, not refused
    #
    # Returns a record for each row with a key, and for each line that was refused: key (0 where it
    # was refused), line number and place in the file, 64 bits each; of each line refused its index,
    # start, end and the index of its record; the indexes of the first rows with messages, and of
    # each of SHAPES, that were not refused (-1 = there is none); the number of lines; the index of
    # the first line with a carriage return at its end (-1 = there is none); the indexes of the
    # lines that hold nothing but white space, which are not refused, 64 bits each; line number and
    # place, 64 bits each, of long rows that were not refused.
    def scan(
        self, raw: bytes, first_line: int, offset: int, spared: int, /
    ) -> tuple[
        bytes, list[tuple[int, int, int, int]], tuple[int, int, int], int, int, bytes, bytes
    ]: ...

    # Returns what was counted since the last time: rows; bytes of their texts; rows with images;
    # bytes of the longest row; rows without instructions; rows in which no user speaks; messages of
    # each of ROLES; how often each number of characters in a row was seen of each of ROLES and of
    # all, and each number of messages in a row; how often each of RULES was
    # broken, and rows of each of SHAPES were met.
    def drain(
        self,
    ) -> tuple[int, int, int, int, int, int, list[int], list[dict[int, int]], list[int]]: ...

    # Returns how often rows were refused, by the place in the code.
    def refusals(self) -> dict[str, int]: ...

    # The most different large numbers of one kind that wait for `drain`.
    @property
    def waiting(self) -> int: ...

# Sorts records into buckets by the upper half of their keys; their order stays. Returns them bucket
# by bucket, and how many there are in each, 64 bits each. Gives way to other threads.
def spread(records: Buffer, buckets: int, /) -> tuple[bytes, bytes]: ...

# Returns the records of which the upper half of the key stands more than once, in their order. They
# are given in parts, each with a number that is added to its line numbers. Gives way to other
# threads.
def repeated(parts: list[tuple[Buffer, int]], /) -> bytes: ...
