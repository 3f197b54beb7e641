/*
 * The only file that knows simdjson, and of it only what works through text 64
 * bytes at a time: the index of structural characters (its first stage), and
 * UTF-8. Values are read from the index by json_read.c straight into cells, which
 * saves the tape or the iterators in between.
 */
#include "codec/json_index.h"

extern "C" {
#include "base/error.h"
}

#include <memory>
#include <simdjson.h>

/* An index that grew beyond this for one long line is not kept. */
static const size_t KEPT_CAPACITY_MAX = 1 << 20;
static const size_t CAPACITY_MIN = 1 << 15;

struct json_index {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
    size_t capacity = 0;
    uint32_t none[1] = { 0 };
};

struct json_index *json_index_new(void)
{
    return new json_index();
}

void json_index_free(struct json_index *index)
{
    delete index;
}

static simdjson::error_code make_room(struct json_index *index, size_t bytes)
{
    bool wasteful = index->capacity > KEPT_CAPACITY_MAX && bytes <= KEPT_CAPACITY_MAX;
    if (index->parser != nullptr && bytes <= index->capacity && !wasteful)
        return simdjson::SUCCESS;
    index->parser.reset();
    index->capacity = bytes < CAPACITY_MIN ? CAPACITY_MIN : bytes;
    return simdjson::get_active_implementation()->create_dom_parser_implementation(index->capacity, 1, index->parser);
}

static const char *reason_of(simdjson::error_code code)
{
    switch (code) {
    case simdjson::UTF8_ERROR: return "the text is not UTF-8";
    case simdjson::UNCLOSED_STRING: return "a string does not end";
    case simdjson::UNESCAPED_CHARS: return "a string holds a control character or does not end";
    default: return simdjson::error_message(code);
    }
}

const uint32_t *json_index_scan(struct json_index *index, const char *text, size_t bytes)
{
    simdjson::error_code code = make_room(index, bytes);
    if (code == simdjson::SUCCESS)
        code = index->parser->stage1((const uint8_t *)text, bytes, simdjson::stage1_mode::regular);
    if (code == simdjson::SUCCESS)
        return index->parser->structural_indexes.get();
    if (code == simdjson::EMPTY) {
        index->none[0] = (uint32_t)bytes;
        return index->none;
    }
    error_set(ERROR_FORMAT, "not JSON: %s", reason_of(code));
    return nullptr;
}

bool json_is_utf8(const char *text, size_t bytes)
{
    return simdjson::validate_utf8(text, bytes);
}
