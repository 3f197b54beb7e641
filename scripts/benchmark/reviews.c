/*
 * Makes reviews from a seed: date, reviewer, vendor, rating, number; 400,000
 * reviewers and 247 vendors, as unevenly busy as in a real set of 579,000
 * reviews (vendor of rank r writes like exp(-r / 37); the reviewer of rank r like
 * 2 * (88000 / r)^0.42, those behind that once; the ratings as found there).
 *
 * usage: bench_reviews csv|json ROWS SEED FILE
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VENDORS 247
#define REVIEWERS 400000
#define BUSY_REVIEWERS 88000
#define ROW_BYTES_MAX 128
#define BUFFER_BYTES (1 << 20)
#define FIRST_MINUTE 17538829 /* 2003-05-07 18:09 */
#define MINUTES 2524000       /* to 2008-02-23 */

/* Who comes n times as often lies in it n times: one draw, no search. */
struct urn {
    uint32_t *tickets;
    uint32_t count;
};

struct maker {
    struct urn vendors, reviewers, ratings;
    uint64_t random, rows;
    bool json;
    char date[20];
    int64_t date_minute;
};

static uint64_t next(struct maker *maker)
{
    uint64_t x = maker->random += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint32_t below(struct maker *maker, uint32_t limit)
{
    return (uint32_t)((next(maker) >> 32) * limit >> 32);
}

static uint32_t draw(struct maker *maker, const struct urn *urn)
{
    return urn->tickets[below(maker, urn->count)];
}

static void urn_fill(struct urn *urn, uint32_t ticket, uint32_t times)
{
    urn->tickets = realloc(urn->tickets, (urn->count + times) * sizeof urn->tickets[0]);
    if (urn->tickets == NULL)
        abort();
    for (uint32_t i = 0; i < times; i++)
        urn->tickets[urn->count++] = ticket;
}

/* Numbers 1 to count in random order: who is busy does not show in the number. */
static uint32_t *shuffled(struct maker *maker, uint32_t count)
{
    uint32_t *numbers = malloc(count * sizeof numbers[0]);
    if (numbers == NULL)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = below(maker, i + 1);
        numbers[i] = numbers[place];
        numbers[place] = i + 1;
    }
    return numbers;
}

static void urns_fill(struct maker *maker)
{
    static const uint32_t ratings[] = { 1, 21, 18, 26, 128, 806 };
    uint32_t *vendors = shuffled(maker, VENDORS), *reviewers = shuffled(maker, REVIEWERS);
    for (uint32_t rank = 1; rank <= VENDORS; rank++)
        urn_fill(&maker->vendors, vendors[rank - 1], (uint32_t)ceil(14500 * exp(-(double)rank / 37)));
    for (uint32_t rank = 1; rank <= REVIEWERS; rank++)
        urn_fill(&maker->reviewers, reviewers[rank - 1], rank > BUSY_REVIEWERS ? 1 : (uint32_t)(2 * pow((double)BUSY_REVIEWERS / rank, 0.42)));
    for (uint32_t rating = 0; rating <= 5; rating++)
        urn_fill(&maker->ratings, rating, ratings[rating]);
    free(vendors);
    free(reviewers);
}

static char *text_put(char *at, const char *text)
{
    size_t bytes = strlen(text);
    memcpy(at, text, bytes);
    return at + bytes;
}

static char *number_put(char *at, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(at, digits + first, sizeof digits - first);
    return at + sizeof digits - first;
}

static void date_set(struct maker *maker, uint64_t row)
{
    int64_t minute = FIRST_MINUTE + (int64_t)((double)row / (double)maker->rows * MINUTES);
    if (minute == maker->date_minute)
        return;
    time_t seconds = minute * 60;
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(maker->date, sizeof maker->date, "%Y-%m-%d %H:%M", &parts);
    maker->date_minute = minute;
}

static char *row_put(struct maker *maker, char *at, uint64_t row)
{
    uint64_t values[4] = { draw(maker, &maker->reviewers), draw(maker, &maker->vendors), draw(maker, &maker->ratings), row };
    static const char *const names[4] = { "\",\"reviewer\":", ",\"vendor\":", ",\"rating\":", ",\"seq\":" };
    date_set(maker, row);
    if (maker->json)
        at = text_put(at, "{\"date\":\"");
    at = text_put(at, maker->date);
    for (int i = 0; i < 4; i++) {
        at = text_put(at, maker->json ? names[i] : ",");
        at = number_put(at, values[i]);
    }
    return text_put(at, maker->json ? "}\n" : "\n");
}

static int rows_write(struct maker *maker, FILE *file)
{
    static char buffer[BUFFER_BYTES + ROW_BYTES_MAX];
    char *at = maker->json ? buffer : text_put(buffer, "date,reviewer,vendor,rating,seq\n");
    for (uint64_t row = 1; row <= maker->rows; row++) {
        at = row_put(maker, at, row);
        bool full = at - buffer >= BUFFER_BYTES || row == maker->rows;
        if (full && fwrite(buffer, 1, (size_t)(at - buffer), file) != (size_t)(at - buffer))
            return -1;
        if (full)
            at = buffer;
    }
    return 0;
}

int main(int count, char **arguments)
{
    if (count != 5 || (strcmp(arguments[1], "csv") != 0 && strcmp(arguments[1], "json") != 0)) {
        fprintf(stderr, "usage: bench_reviews csv|json ROWS SEED FILE\n");
        return 2;
    }
    struct maker maker = { .json = arguments[1][0] == 'j', .rows = strtoull(arguments[2], NULL, 10), .random = strtoull(arguments[3], NULL, 10) };
    FILE *file = fopen(arguments[4], "wb");
    urns_fill(&maker);
    if (file == NULL || rows_write(&maker, file) < 0 || fclose(file) != 0) {
        perror(arguments[4]);
        return 1;
    }
    printf("{\"records\":%" PRIu64 ",\"seconds\":0}\n", maker.rows);
    return 0;
}
