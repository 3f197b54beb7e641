#include "cli/json_view.h"

#include "base/text.h"
#include "cli/table.h"

#include <stdlib.h>

static const struct slice nothing = { "", 0 };

/* Through the fields of an object or the elements of a list. */
struct walk {
    const char *at, *end;
};

static void skip_blanks(struct walk *walk)
{
    while (walk->at < walk->end && (*walk->at == ' ' || *walk->at == ',' || *walk->at == ':' || *walk->at == '\n'))
        walk->at++;
}

static void skip_string(struct walk *walk)
{
    for (walk->at++; walk->at < walk->end && *walk->at != '"'; walk->at++)
        walk->at += *walk->at == '\\';
    walk->at = walk->at < walk->end ? walk->at + 1 : walk->end;
}

static void skip_container(struct walk *walk)
{
    uint32_t depth = 0;
    while (walk->at < walk->end) {
        char byte = *walk->at;
        if (byte == '"') {
            skip_string(walk);
            continue;
        }
        walk->at++;
        depth += byte == '{' || byte == '[';
        if ((byte == '}' || byte == ']') && --depth == 0)
            return;
    }
}

static struct slice take_value(struct walk *walk)
{
    skip_blanks(walk);
    const char *start = walk->at;
    if (start >= walk->end)
        return nothing;
    if (*start == '"')
        skip_string(walk);
    else if (*start == '{' || *start == '[')
        skip_container(walk);
    else
        while (walk->at < walk->end && strchr(",}] \n", *walk->at) == NULL)
            walk->at++;
    return slice_of(start, (size_t)(walk->at - start));
}

static struct walk walk_of(struct slice container)
{
    bool holds = container.bytes >= 2 && (container.data[0] == '{' || container.data[0] == '[');
    if (!holds)
        return (struct walk){ NULL, NULL };
    /* Its last byte is the closing brace, which ends the walk; the first is needed to tell objects from lists. */
    return (struct walk){ container.data, container.data + container.bytes - 1 };
}

static struct slice without_quotes(struct slice text)
{
    return text.bytes >= 2 && text.data[0] == '"' ? slice_of(text.data + 1, text.bytes - 2) : text;
}

/* The next one; `name` is empty in a list. False: that was all. `value` is its text, a string with its quotes. */
static bool walk_next(struct walk *walk, struct slice *name, struct slice *value)
{
    if (walk->at == NULL || walk->at >= walk->end)
        return false;
    if (*walk->at == '{' || *walk->at == '[')
        walk->at++;
    skip_blanks(walk);
    /* After the opening brace, and after each element, a list goes on with a value, an object with a name and a colon. */
    struct slice first = take_value(walk);
    if (first.bytes == 0)
        return false;
    *name = nothing;
    *value = first;
    if (first.data[0] == '"' && walk->at < walk->end && *walk->at == ':') {
        *name = without_quotes(first);
        *value = take_value(walk);
    }
    return value->bytes > 0;
}

static struct slice find(struct slice object, struct slice name)
{
    struct walk walk = walk_of(object);
    struct slice found, value;
    while (walk_next(&walk, &found, &value)) {
        if (slice_equal(found, name))
            return value;
    }
    return nothing;
}

struct slice json_view_field(struct slice object, const char *name)
{
    return find(object, slice_of_text(name));
}

bool json_view_is(struct slice value, const char *text)
{
    return slice_equal(value, slice_of_text(text));
}

static void append_code_point(struct buffer *text, uint32_t code)
{
    if (code < 0x80) {
        buffer_append_byte(text, (uint8_t)code);
    } else if (code < 0x800) {
        buffer_append_byte(text, (uint8_t)(0xc0 | code >> 6));
        buffer_append_byte(text, (uint8_t)(0x80 | (code & 0x3f)));
    } else {
        buffer_append_byte(text, (uint8_t)(0xe0 | code >> 12));
        buffer_append_byte(text, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
        buffer_append_byte(text, (uint8_t)(0x80 | (code & 0x3f)));
    }
}

static void append_string(struct buffer *text, struct slice string)
{
    for (size_t i = 0; i < string.bytes; i++) {
        char byte = string.data[i];
        if (byte != '\\' || i + 1 == string.bytes) {
            buffer_append_byte(text, (uint8_t)byte);
            continue;
        }
        byte = string.data[++i];
        if (byte == 'u' && string.bytes - i > 4) {
            char digits[5] = { string.data[i + 1], string.data[i + 2], string.data[i + 3], string.data[i + 4], 0 };
            append_code_point(text, (uint32_t)strtoul(digits, NULL, 16));
            i += 4;
        } else {
            buffer_append_byte(text, byte == 'n' ? '\n' : byte == 't' ? '\t' : (uint8_t)byte);
        }
    }
}

static bool ends_with(struct slice name, const char *ending)
{
    size_t bytes = strlen(ending);
    return name.bytes >= bytes && memcmp(name.data + name.bytes - bytes, ending, bytes) == 0;
}

static bool is_natural(struct slice value)
{
    for (size_t i = 0; i < value.bytes; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return false;
    }
    return value.bytes > 0 && value.bytes < 20;
}

/* Numbers that are names: their digits are not grouped. */
static bool is_label(struct slice name)
{
    return ends_with(name, "id") || json_view_is(name, "checkpoint") || json_view_is(name, "pid") || ends_with(name, "parent");
}

static void append_scalars(struct buffer *text, struct slice list);

void json_view_append(struct buffer *text, struct slice name, struct slice value)
{
    if (value.bytes > 0 && value.data[0] == '"') {
        append_string(text, without_quotes(value));
    } else if (value.bytes > 0 && value.data[0] == '[') {
        append_scalars(text, value);
    } else if (json_view_is(value, "null")) {
        buffer_append_byte(text, '-');
    } else if (!is_natural(value) || is_label(name)) {
        buffer_append_format(text, "%.*s%s", (int)value.bytes, value.data, ends_with(name, "_ms") ? " ms" : "");
    } else {
        uint64_t number = strtoull(value.data, NULL, 10);
        if (ends_with(name, "_ms") || ends_with(name, "_ms_ago"))
            text_append_duration(text, number);
        else if (ends_with(name, "bytes"))
            text_append_size(text, number);
        else
            text_append_count(text, number);
    }
}

/* An object, or a list that holds one. A list of scalars is shown in one cell. */
static bool is_container(struct slice value)
{
    if (value.bytes == 0 || (value.data[0] != '{' && value.data[0] != '['))
        return false;
    struct walk walk = walk_of(value);
    struct slice name, element;
    return value.data[0] == '{' || (walk_next(&walk, &name, &element) && is_container(element));
}

static void append_scalars(struct buffer *text, struct slice list)
{
    struct walk walk = walk_of(list);
    struct slice name, element;
    size_t start = text->bytes;
    while (walk_next(&walk, &name, &element)) {
        buffer_append_format(text, "%s", text->bytes == start ? "" : ", ");
        json_view_append(text, nothing, element);
    }
    if (text->bytes == start)
        buffer_append_byte(text, '-');
}

static void append_name(struct buffer *text, struct slice name)
{
    size_t ending = ends_with(name, "_ms") ? 3 : ends_with(name, "_bytes") ? 6 : ends_with(name, "_ms_ago") ? 7 : 0;
    for (size_t i = 0; i < name.bytes - ending; i++)
        buffer_append_byte(text, name.data[i] == '_' ? ' ' : (uint8_t)name.data[i]);
    if (ending == 7)
        buffer_append(text, " ago", 4);
}

/* "completed 12, failed 0": the scalars of an object, those of objects in it in brackets. */
static void append_inline(struct buffer *text, struct slice object, uint32_t depth)
{
    struct walk walk = walk_of(object);
    struct slice name, value;
    const char *between = "";
    while (walk_next(&walk, &name, &value)) {
        if (is_container(value) && (value.data[0] == '[' || depth > 4))
            continue;
        buffer_append_format(text, "%s", between);
        between = ", ";
        append_name(text, name);
        buffer_append_byte(text, ' ');
        if (!is_container(value)) {
            json_view_append(text, name, value);
            continue;
        }
        buffer_append_byte(text, '(');
        append_inline(text, value, depth + 1);
        buffer_append_byte(text, ')');
    }
}

static void append_row(struct text_table *table, struct slice object, struct slice columns)
{
    struct walk walk = walk_of(columns);
    struct slice name, value;
    struct buffer text = { 0 };
    while (walk_next(&walk, &name, &value)) {
        if (is_container(value))
            continue;
        buffer_clear(&text);
        json_view_append(&text, name, find(object, name));
        text_table_add(table, buffer_slice(&text));
    }
    buffer_deinit(&text);
}

void json_view_append_table(struct buffer *text, struct slice list)
{
    struct walk rows = walk_of(list);
    struct slice name, row, value, columns = nothing;
    struct text_table table = { 0 };
    while (walk_next(&rows, &name, &row)) {
        if (columns.bytes == 0) {
            columns = row;
            struct buffer head = { 0 };
            struct walk walk = walk_of(row);
            while (walk_next(&walk, &name, &value)) {
                if (is_container(value))
                    continue;
                buffer_clear(&head);
                append_name(&head, name);
                text_table_add(&table, buffer_slice(&head));
            }
            buffer_deinit(&head);
            text_table_end_row(&table);
        }
        append_row(&table, row, columns);
        text_table_end_row(&table);
    }
    text_table_print(&table, text);
    text_table_deinit(&table);
}

void json_view_append_object(struct buffer *text, struct slice object)
{
    struct walk walk = walk_of(object);
    struct slice name, value;
    struct text_table lines = { 0 };
    struct buffer piece = { 0 }, tables = { 0 };
    while (walk_next(&walk, &name, &value)) {
        buffer_clear(&piece);
        append_name(&piece, name);
        if (value.data[0] == '[' && is_container(value)) {
            buffer_append_format(&tables, "\n%.*s\n", (int)piece.bytes, piece.data);
            json_view_append_table(&tables, value);
            continue;
        }
        text_table_add(&lines, buffer_slice(&piece));
        buffer_clear(&piece);
        if (value.data[0] == '{')
            append_inline(&piece, value, 0);
        else
            json_view_append(&piece, name, value);
        text_table_add(&lines, buffer_slice(&piece));
        text_table_end_row(&lines);
    }
    text_table_print(&lines, text);
    buffer_append_slice(text, buffer_slice(&tables));
    text_table_deinit(&lines);
    buffer_deinit(&tables);
    buffer_deinit(&piece);
}
