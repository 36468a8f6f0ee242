// A document is cut into rows here, without being kept; libsimdjson reads each row.

#include "CListReader.h"

#include <simdjson.h>

#include <array>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace ondemand = simdjson::ondemand;

namespace {

constexpr size_t node_limit = 1 << 16;
constexpr int depth_limit = 16;
constexpr size_t name_limit = 64;

struct field_name {
    const char *text;
    size_t length;
};

bool is_space(uint8_t byte) { return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'; }

}  // namespace

struct list_reader {
    list_reader(const char *const *names, size_t count, size_t row_limit, list_row_callback callback, void *context)
        : row_limit(row_limit), callback(callback), context(context) {
        for (size_t index = 0; index < count; index++) {
            const field_name name{names[index], std::strlen(names[index])};
            if (name.length > 0) fields[static_cast<uint8_t>(name.text[0])].push_back(name);
        }
    }

    bool feed(const uint8_t *position, const uint8_t *end) {
        while (position < end) {
            switch (state) {
            case reading::start:
                if (!is_space(*position)) {
                    if (*position != '[' && *position != '{') return fail();
                    is_object = *position == '{';
                    state = is_object ? reading::members : reading::list;
                }
                position++;
                break;
            case reading::members:
                if (*position == '}') {
                    state = reading::complete;
                } else if (*position == '"') {
                    section.clear();
                    state = reading::name;
                } else if (*position != ',' && !is_space(*position)) {
                    return fail();
                }
                position++;
                break;
            case reading::name:
                if (*position == '"') {
                    state = reading::colon;
                } else if (*position == '\\' || section.size() >= name_limit) {
                    // No name that anybody asks for.
                    return fail();
                } else {
                    section.push_back(static_cast<char>(*position));
                }
                position++;
                break;
            case reading::colon:
                if (*position == ':') {
                    state = reading::value;
                } else if (!is_space(*position)) {
                    return fail();
                }
                position++;
                break;
            case reading::value:
                if (*position == '[') {
                    state = reading::list;
                    position++;
                } else if (is_space(*position)) {
                    position++;
                } else if (*position == ',' || *position == ']' || *position == '}') {
                    return fail();
                } else {
                    begin_row(reading::members);
                }
                break;
            case reading::list:
                if (*position == ']') {
                    state = is_object ? reading::members : reading::complete;
                    position++;
                } else if (*position == ',' || is_space(*position)) {
                    position++;
                } else if (*position == '}') {
                    return fail();
                } else {
                    begin_row(reading::list);
                }
                break;
            case reading::row: {
                const uint8_t *stop = scan(position, end);
                const size_t count = static_cast<size_t>(stop - position);
                if (row_length + count > row_limit) return fail();
                if (row.size() < row_length + count + simdjson::SIMDJSON_PADDING) {
                    row.resize(2 * (row_length + count) + simdjson::SIMDJSON_PADDING);
                }
                std::memcpy(row.data() + row_length, position, count);
                row_length += count;
                position = stop;
                if (is_row_over) {
                    state = after_row;
                    read_row();
                }
                break;
            }
            case reading::complete:
                if (!is_space(*position)) return fail();
                position++;
                break;
            case reading::failed: return false;
            }
        }
        return true;
    }

    bool is_complete() const { return state == reading::complete; }

    bool fail() {
        state = reading::failed;
        return false;
    }

private:
    enum class reading { start, members, name, colon, value, list, row, complete, failed };

    const size_t row_limit;
    const list_row_callback callback;
    void *const context;
    /// By their first byte.
    std::array<std::vector<field_name>, 256> fields;

    reading state = reading::start;
    bool is_object = false;
    std::string section;

    reading after_row = reading::list;
    size_t nesting = 0;
    bool is_in_string = false;
    bool is_escaped = false;
    bool is_row_over = false;
    std::vector<uint8_t> row;
    size_t row_length = 0;

    ondemand::parser parser;
    std::vector<list_node> nodes;

    /// What follows is no comma and no closing bracket, so that every row has a first byte.
    void begin_row(reading after) {
        after_row = after;
        state = reading::row;
        nesting = 0;
        is_in_string = is_escaped = is_row_over = false;
        row_length = 0;
    }

    /// The end of the row or of the piece, whichever comes first. The comma or bracket after the row is left.
    const uint8_t *scan(const uint8_t *position, const uint8_t *end) {
        while (position < end) {
            if (is_escaped) {
                is_escaped = false;
                position++;
                continue;
            }
            if (is_in_string) {
                while (position < end && *position != '"' && *position != '\\') position++;
                if (position == end) break;
                if (*position == '"') {
                    is_in_string = false;
                } else {
                    is_escaped = true;
                }
                position++;
                continue;
            }
            switch (*position) {
            case '"': is_in_string = true; break;
            case '[':
            case '{': nesting++; break;
            case ']':
            case '}':
                if (nesting == 0) {
                    is_row_over = true;
                    return position;
                }
                nesting--;
                break;
            case ',':
                if (nesting == 0) {
                    is_row_over = true;
                    return position;
                }
                break;
            default: break;
            }
            position++;
        }
        return end;
    }

    void read_row() {
        nodes.clear();
        std::memset(row.data() + row_length, 0, simdjson::SIMDJSON_PADDING);
        ondemand::document document;
        ondemand::value value;
        const simdjson::padded_string_view view(row.data(), row_length, row.size());
        // A scalar is no row. The first byte tells, and a scalar would need another way through libsimdjson.
        const bool is_good = (row[0] == '{' || row[0] == '[') && parser.iterate(view).get(document) == simdjson::SUCCESS
            && document.get_value().get(value) == simdjson::SUCCESS && take(value, nullptr, 0)
            && document.current_location().error() == simdjson::OUT_OF_BOUNDS;
        if (is_good) {
            callback(context, section.data(), section.size(), nodes.data(), nodes.size());
        } else {
            callback(context, section.data(), section.size(), nullptr, 0);
        }
    }

    const field_name *find(ondemand::raw_json_string key) const {
        const char *raw = key.raw();
        for (const field_name &name : fields[static_cast<uint8_t>(raw[0])]) {
            // The row is padded with zeros, so that a name can be compared beyond the row's end.
            if (std::strncmp(raw, name.text, name.length) == 0 && raw[name.length] == '"') return &name;
        }
        return nullptr;
    }

    bool take(ondemand::value value, const field_name *name, int depth) {
        if (nodes.size() >= node_limit || depth > depth_limit) return false;
        const size_t index = nodes.size();
        list_node node{};
        node.name = name ? name->text : nullptr;
        node.name_length = name ? static_cast<uint32_t>(name->length) : 0;
        nodes.push_back(node);
        ondemand::json_type type;
        if (value.type().get(type)) return false;
        switch (type) {
        case ondemand::json_type::object: {
            nodes[index].kind = LIST_NODE_OBJECT;
            ondemand::object object;
            if (value.get_object().get(object)) return false;
            for (auto result : object) {
                ondemand::field field;
                if (std::move(result).get(field)) return false;
                const field_name *wanted = find(field.key());
                if (wanted && !take(field.value(), wanted, depth + 1)) return false;
            }
            break;
        }
        case ondemand::json_type::array: {
            nodes[index].kind = LIST_NODE_LIST;
            ondemand::array array;
            if (value.get_array().get(array)) return false;
            for (auto result : array) {
                ondemand::value element;
                if (std::move(result).get(element) || !take(element, nullptr, depth + 1)) return false;
            }
            break;
        }
        case ondemand::json_type::string: {
            nodes[index].kind = LIST_NODE_TEXT;
            std::string_view text;
            if (value.get_string().get(text)) return false;
            nodes[index].text = text.data();
            nodes[index].text_length = static_cast<uint32_t>(text.size());
            break;
        }
        case ondemand::json_type::number: {
            ondemand::number number;
            if (value.get_number().get(number)) return false;
            if (number.is_int64()) {
                nodes[index].kind = LIST_NODE_INTEGER;
                nodes[index].integer = number.get_int64();
            } else {
                nodes[index].kind = LIST_NODE_NUMBER;
            }
            nodes[index].number = number.as_double();
            break;
        }
        case ondemand::json_type::boolean: {
            nodes[index].kind = LIST_NODE_BOOL;
            bool is_true;
            if (value.get_bool().get(is_true)) return false;
            nodes[index].integer = is_true ? 1 : 0;
            break;
        }
        case ondemand::json_type::null: {
            bool is_null;
            if (value.is_null().get(is_null) || !is_null) return false;
            break;
        }
        }
        nodes[index].next = static_cast<uint32_t>(nodes.size());
        return true;
    }
};

list_reader *list_reader_create(
    const char *const *names, size_t count, size_t row_limit, list_row_callback callback, void *context) {
    try {
        return new list_reader(names, count, row_limit, callback, context);
    } catch (...) {
        return nullptr;
    }
}

void list_reader_destroy(list_reader *reader) { delete reader; }

bool list_reader_feed(list_reader *reader, const void *bytes, size_t count) {
    // No exception may reach Swift: what runs out of memory here is a list that can't be read.
    try {
        const auto *start = static_cast<const uint8_t *>(bytes);
        return reader->feed(start, start + count);
    } catch (...) {
        return reader->fail();
    }
}

bool list_reader_is_complete(const list_reader *reader) { return reader->is_complete(); }
