/*
 * The floor under the file rows: reviews read from a file, the running average
 * of each vendor, a line for each review; no state that survives, no guarantee.
 *
 * usage: bench_files csv|json INPUT OUTPUT SECONDS   stops where the time is over
 */
#include <charconv>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <simdjson.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

constexpr size_t vendors_max = 1024, buffer_bytes = 1 << 20, line_bytes_max = 256;
constexpr size_t json_batch_bytes = 1 << 20, rows_between_looks = 4096;

struct average {
    uint64_t vendor; /* 0: free */
    double count, sum;
};

struct floor_run {
    int output;
    double seconds_max;
    std::chrono::steady_clock::time_point begin;
    uint64_t records;
    average averages[vendors_max];
    char buffer[buffer_bytes + line_bytes_max];
    char *at;
};

[[noreturn]] void give_up(const char *what)
{
    std::perror(what);
    std::exit(1);
}

double seconds_of(const floor_run &run)
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - run.begin).count();
}

bool is_over(const floor_run &run)
{
    return run.records % rows_between_looks == 0 && seconds_of(run) > run.seconds_max;
}

void buffer_flush(floor_run &run)
{
    size_t bytes = size_t(run.at - run.buffer);
    if (write(run.output, run.buffer, bytes) != ssize_t(bytes))
        give_up("write");
    run.at = run.buffer;
}

double average_add(floor_run &run, uint64_t vendor, double rating)
{
    size_t place = vendor * 0x9e3779b97f4a7c15u >> 54;
    while (run.averages[place].vendor != vendor && run.averages[place].vendor != 0)
        place = (place + 1) % vendors_max;
    average &found = run.averages[place];
    found.vendor = vendor;
    found.count += 1;
    found.sum += rating;
    return found.sum / found.count;
}

char *text_put(char *at, const char *text)
{
    size_t bytes = std::strlen(text);
    std::memcpy(at, text, bytes);
    return at + bytes;
}

template <typename number> char *number_put(char *at, number value)
{
    return std::to_chars(at, at + 32, value).ptr;
}

void row_write(floor_run &run, bool json, uint64_t vendor, double rating, uint64_t seq)
{
    double mean = average_add(run, vendor, rating);
    run.at = text_put(run.at, json ? "{\"average\":" : "");
    run.at = number_put(run.at, mean);
    run.at = text_put(run.at, json ? ",\"seq\":" : ",");
    run.at = number_put(run.at, seq);
    run.at = text_put(run.at, json ? ",\"vendor\":" : ",");
    run.at = number_put(run.at, vendor);
    run.at = text_put(run.at, json ? "}\n" : "\n");
    run.records++;
    if (size_t(run.at - run.buffer) >= buffer_bytes)
        buffer_flush(run);
}

/* date,reviewer,vendor,rating,seq: the field behind the next comma. */
const char *field_next(const char *at, const char *end)
{
    const char *comma = static_cast<const char *>(std::memchr(at, ',', size_t(end - at)));
    return comma == nullptr ? end : comma + 1;
}

void read_csv(floor_run &run, const char *text, size_t bytes)
{
    const char *end = text + bytes, *at = text;
    at = static_cast<const char *>(std::memchr(at, '\n', bytes)) + 1;
    while (at < end && !is_over(run)) {
        uint64_t values[4] = {};
        for (uint64_t &value : values) {
            at = field_next(at, end);
            at = std::from_chars(at, end, value).ptr;
        }
        at++;
        row_write(run, false, values[1], double(values[2]), values[3]);
    }
}

void read_json(floor_run &run, const char *text, size_t bytes)
{
    simdjson::ondemand::parser parser;
    simdjson::ondemand::document_stream documents;
    if (parser.iterate_many(text, bytes, json_batch_bytes).get(documents) != simdjson::SUCCESS)
        give_up("simdjson");
    for (auto document : documents) {
        /* In the order in which they stand there: the fastest way to ask. */
        std::string_view date = document["date"];
        uint64_t reviewer = document["reviewer"], vendor = document["vendor"], rating = document["rating"], seq = document["seq"];
        if (date.empty() || reviewer == 0)
            give_up("a record without its fields");
        row_write(run, true, vendor, double(rating), seq);
        if (is_over(run))
            break;
    }
}

} // namespace

int main(int count, char **arguments)
{
    if (count != 5) {
        std::fprintf(stderr, "usage: bench_files csv|json INPUT OUTPUT SECONDS\n");
        return 2;
    }
    int input = open(arguments[2], O_RDONLY);
    struct stat about;
    if (input < 0 || fstat(input, &about) < 0)
        give_up(arguments[2]);
    size_t bytes = size_t(about.st_size);
    /* A page more, since simdjson reads beyond the end. */
    void *text = mmap(nullptr, bytes + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (text == MAP_FAILED || mmap(text, bytes, PROT_READ, MAP_PRIVATE | MAP_FIXED, input, 0) == MAP_FAILED)
        give_up("mmap");
    static floor_run run;
    run.output = open(arguments[3], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (run.output < 0)
        give_up(arguments[3]);
    run.seconds_max = std::strtod(arguments[4], nullptr);
    run.begin = std::chrono::steady_clock::now();
    run.at = run.buffer;
    if (std::strcmp(arguments[1], "json") == 0)
        read_json(run, static_cast<const char *>(text), bytes);
    else
        read_csv(run, static_cast<const char *>(text), bytes);
    buffer_flush(run);
    std::printf("{\"records\":%" PRIu64 ",\"seconds\":%.6f}\n", run.records, seconds_of(run));
    return 0;
}
