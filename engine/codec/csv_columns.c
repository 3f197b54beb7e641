/* The columns of a file: names and types from its header and the options, and where each goes in a row. */
#include "codec/csv.h"

#include "base/error.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void csv_columns_deinit(struct csv_columns *columns)
{
    for (uint32_t i = 0; i < columns->count; i++)
        free((char *)columns->list[i].name.data);
    free(columns->list);
    free(columns->sorted);
    *columns = (struct csv_columns){ 0 };
}

static int by_name(const void *left, const void *right)
{
    const struct csv_column *const *a = left, *const *b = right;
    return slice_compare((*a)->name, (*b)->name);
}

/* The order of encoded names: that of their heads, which is that of their lengths, and then of their bytes. */
static int by_encoded_name(const void *left, const void *right)
{
    const struct csv_column *const *a = left, *const *b = right;
    size_t a_bytes = (*a)->name.bytes, b_bytes = (*b)->name.bytes;
    return a_bytes != b_bytes ? (a_bytes > b_bytes) - (a_bytes < b_bytes) : by_name(left, right);
}

static struct csv_column **pointers(const struct csv_columns *columns)
{
    struct csv_column **list = memory_new(columns->count * sizeof *list);
    for (uint32_t i = 0; i < columns->count; i++)
        list[i] = &columns->list[i];
    return list;
}

static int find_places(struct csv_columns *columns)
{
    struct csv_column **order = pointers(columns);
    struct slice *names = memory_new(columns->count * sizeof *names);
    int status = 0;
    qsort(order, columns->count, sizeof *order, by_name);
    for (uint32_t i = 0; i < columns->count; i++) {
        order[i]->place = i;
        names[i] = order[i]->name;
        if (i > 0 && slice_equal(names[i - 1], names[i]))
            status = error_set(ERROR_FORMAT, "not CSV: the header has the column '%.*s' twice", (int)names[i].bytes, names[i].data);
    }
    columns->shape = status < 0 ? SHAPE_NONE : shape_intern(names, columns->count);
    free(names);
    free(order);
    return status;
}

static void sort_encoded(struct csv_columns *columns)
{
    struct csv_column **order = pointers(columns);
    qsort(order, columns->count, sizeof *order, by_encoded_name);
    columns->sorted = memory_new(columns->count * sizeof columns->sorted[0]);
    for (uint32_t i = 0; i < columns->count; i++)
        columns->sorted[i] = (uint32_t)(order[i] - columns->list);
    free(order);
}

static int type_of(const char *name, const char *text, enum csv_type *type)
{
    static const char *const names[] = { [CSV_INTEGER] = "integer", [CSV_NUMBER] = "number", [CSV_STRING] = "string", [CSV_BOOLEAN] = "boolean" };
    for (int i = CSV_INTEGER; i <= CSV_BOOLEAN; i++) {
        if (strcmp(text, names[i]) == 0) {
            *type = (enum csv_type)i;
            return 0;
        }
    }
    return error_set(ERROR_ARGUMENT, "column '%s' cannot be '%s': it is \"integer\", \"number\", \"string\" or \"boolean\"", name, text);
}

/* How often option 'names' has a name. */
static uint32_t count_named(const struct options *options, const char *name)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < options_count(options, "names"); i++)
        count += strcmp(options_element(options, "names", i), name) == 0;
    return count;
}

int csv_names_check(const struct options *options)
{
    for (uint32_t i = 0; i < options_count(options, "names"); i++) {
        const char *name = options_element(options, "names", i);
        if (count_named(options, name) > 1)
            return error_set(ERROR_ARGUMENT, "option 'names' has '%s' twice", name);
    }
    return 0;
}

int csv_columns_check(const struct options *options, bool header)
{
    if (header && options_count(options, "names") > 0)
        return error_set(ERROR_ARGUMENT, "option 'names' is for files without a header: it needs header = false");
    int status = csv_names_check(options);
    for (uint32_t i = 0; i < options_count(options, "columns") && status == 0; i++) {
        const char *name = options_key(options, "columns", i);
        if (name == NULL)
            return error_set(ERROR_ARGUMENT, "option 'columns' is a table of name = type");
        if (options_count(options, "names") > 0 && count_named(options, name) == 0)
            return error_set(ERROR_ARGUMENT, "option 'columns' has '%s', which option 'names' does not have", name);
        enum csv_type type;
        status = type_of(name, options_element(options, "columns", i), &type);
    }
    return status;
}

static int declare(struct csv_columns *columns, const char *name, const char *type)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        if (slice_equal(columns->list[i].name, slice_of_text(name)))
            return type_of(name, type, &columns->list[i].type);
    }
    return error_set(ERROR_FORMAT, "option 'columns' names '%s', which the file does not have", name);
}

int csv_columns_make(struct csv_columns *columns, const struct slice *names, uint32_t count, const struct options *types)
{
    csv_columns_deinit(columns);
    columns->list = memory_new_zeroed(count, sizeof columns->list[0]);
    columns->count = count;
    for (uint32_t i = 0; i < count; i++)
        columns->list[i].name = slice_of(memory_copy(names[i].data, names[i].bytes), names[i].bytes);
    int status = find_places(columns);
    if (status == 0 && columns->shape == SHAPE_NONE)
        sort_encoded(columns);
    uint32_t declared = options_count(types, "columns");
    for (uint32_t i = 0; i < declared && status == 0; i++)
        status = declare(columns, options_key(types, "columns", i), options_element(types, "columns", i));
    if (status < 0)
        csv_columns_deinit(columns);
    return status;
}
