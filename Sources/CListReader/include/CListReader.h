#ifndef CLISTREADER_H
#define CLISTREADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What a node is.
enum {
    LIST_NODE_NULL = 0,
    LIST_NODE_BOOL = 1,
    LIST_NODE_INTEGER = 2,
    LIST_NODE_NUMBER = 3,
    LIST_NODE_TEXT = 4,
    LIST_NODE_LIST = 5,
    LIST_NODE_OBJECT = 6,
};

/// One value of a row, in document order: a list or an object is followed by what is in it.
typedef struct list_node {
    /// The field's name, as it was given to `list_reader_create`; null for the row itself and for elements of lists.
    const char *name;
    uint32_t name_length;
    /// Index of the node after this one and everything in it.
    uint32_t next;
    int32_t kind;
    uint32_t text_length;
    /// UTF-8 without a zero at its end; null where the node is no text.
    const char *text;
    /// The number; 0 or 1 for a bool.
    int64_t integer;
    double number;
} list_node;

/// Called for each row as soon as it is complete. The nodes live until it returns.
/// - section: the name of the member that the row's list is, in a document that is an object; empty in one that is a list.
/// - nodes: null, with a count of 0, for a row that can't be read.
typedef void (*list_row_callback)(void *context, const char *section, size_t section_length, const list_node *nodes, size_t count);

/// Reads a JSON document that is a list of rows, or an object of such lists, piece by piece.
typedef struct list_reader list_reader;

/// - names: the fields that are wanted, at any depth; all others are skipped. They must outlive the reader.
/// - row_limit: bytes of one row at most.
list_reader *list_reader_create(
    const char *const *names, size_t count, size_t row_limit, list_row_callback callback, void *context);
void list_reader_destroy(list_reader *reader);

/// Takes the next piece. False when the document is no list of rows; nothing more can be read then.
bool list_reader_feed(list_reader *reader, const void *bytes, size_t count);
/// True when the document is complete.
bool list_reader_is_complete(const list_reader *reader);

#ifdef __cplusplus
}
#endif

#endif
