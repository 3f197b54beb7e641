#include "script/job_internal.h"

#include "base/clock.h"
#include "base/crash.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/connectors.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LUA_BYTES_MAX (2ull << 30) /* of one worker */
#define BASE_BYTES_MAX (256ull << 20)
#define WALKED_PLACES_MIN 65536 /* the worker walks through fewer within a millisecond */

static double number_or(struct vm *vm, const char *name, double fallback)
{
    double number;
    return vm_config_number(vm, name, &number) ? number : fallback;
}

/* More than there can ever be is as many as there can be. */
static uint32_t count_or(struct vm *vm, const char *name, uint32_t fallback)
{
    double number = number_or(vm, name, fallback);
    return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

static enum restart_strategy strategy_of(const char *name)
{
    static const struct { const char *name; enum restart_strategy strategy; } table[] = {
        { "none", RESTART_NONE }, { "fixed_delay", RESTART_FIXED_DELAY },
        { "exponential_delay", RESTART_EXPONENTIAL_DELAY }, { "failure_rate", RESTART_FAILURE_RATE },
    };
    for (size_t i = 0; name != NULL && i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].name, name) == 0)
            return table[i].strategy;
    }
    return RESTART_EXPONENTIAL_DELAY;
}

static void config_read(struct job *job)
{
    struct vm *vm = job->vm;
    struct job_config *config = &job->config;
    job->name = memory_copy_text(vm_config_text(vm, "name"));
    job->data = memory_copy_text(job->arguments.data != NULL ? job->arguments.data : vm_config_text(vm, "data"));
    config->name = job->name;
    config->data = job->data;
    config->restart = strategy_of(vm_config_text(vm, "restart.strategy"));
    config->restart_initial_ms = (uint64_t)number_or(vm, "restart.initial", number_or(vm, "restart.delay", 100));
    config->restart_max_ms = (uint64_t)number_or(vm, "restart.max", 60000);
    config->restart_attempts = (int64_t)number_or(vm, "restart.attempts", -1);
    config->restart_failures = (uint64_t)number_or(vm, "restart.failures", 1);
    config->restart_within_ms = (uint64_t)number_or(vm, "restart.within", 60000);
    config->watchdog_ms = (uint64_t)number_or(vm, "watchdog", 30000);
    job->reads_once = number_or(vm, "reads_once", 0) != 0;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    job->parallelism = job->arguments.parallelism > 0 ? job->arguments.parallelism : (uint32_t)number_or(vm, "parallelism", (double)(cores > 0 ? cores : 1));
    job->watched = memory_new_zeroed(job->parallelism, sizeof job->watched[0]);
}

static int script_hash(const char *path, char *hash)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return error_set_errno(ERROR_NOT_FOUND, "%s", path);
    struct buffer text;
    buffer_init(&text);
    size_t got;
    while ((got = fread(buffer_reserve(&text, 65536), 1, 65536, file)) > 0)
        text.bytes += got;
    fclose(file);
    snprintf(hash, 17, "%016llx", (unsigned long long)hash_bytes(text.data, text.bytes));
    buffer_deinit(&text);
    return 0;
}

static int load(struct job *job)
{
    int status = script_hash(job->arguments.script, job->script_hash);
    if (status < 0)
        return status;
    plan_use_connectors(source_find, sink_find);
    job->vm = vm_new(LUA_BYTES_MAX);
    status = job->vm == NULL ? error_set(ERROR_MEMORY, "no Lua state") : vm_load_job(job->vm, job->arguments.script, job->arguments.settings);
    if (status < 0)
        return status;
    config_read(job);
    const char *warnings = vm_config_text(job->vm, "warnings");
    if (warnings != NULL && *warnings != 0)
        log_warn("%s", warnings);
    return 0;
}

int job_load(const struct job_arguments *arguments, struct job **out)
{
    struct job *job = memory_new_zeroed(1, sizeof *job);
    job->arguments = *arguments;
    pthread_mutex_init(&job->lock, NULL);
    int status = load(job);
    if (status < 0) {
        job_free(job);
        return status;
    }
    *out = job;
    return 0;
}

const struct job_config *job_config(const struct job *job)
{
    return &job->config;
}

void job_free(struct job *job)
{
    vm_free(job->vm);
    free(job->name);
    free(job->data);
    free(job->failure);
    free(job->watched);
    pthread_mutex_destroy(&job->lock);
    free(job);
}

/* S45: the snapshot's number wins unless the author gave one, which then must be the same. */
static int choose_max_parallelism(struct job *job, uint32_t *groups)
{
    double given;
    bool is_given = vm_config_number(job->vm, "max_parallelism", &given);
    *groups = is_given ? (uint32_t)given : plan_groups_by_default(job->parallelism);
    if (job->manifest != NULL) {
        uint32_t saved = job->manifest->head.max_parallelism;
        if (is_given && *groups != saved)
            return error_set(ERROR_REFUSED, "max_parallelism is %u in the checkpoint and %u in the job: it cannot be changed", saved, *groups);
        *groups = saved;
    }
    if (*groups < job->parallelism)
        return error_set(job->manifest != NULL ? ERROR_REFUSED : ERROR_ARGUMENT, "parallelism %u is above max_parallelism %u", job->parallelism, *groups);
    return 0;
}

/* What a test asks for by an environment variable; `usual` where that is no number. */
static uint64_t number_of_test(const char *name, uint64_t usual)
{
    const char *setting = getenv(name);
    char *end = NULL;
    uint64_t number = setting == NULL ? 0 : strtoull(setting, &end, 10);
    return end != setting ? number : usual;
}

static int plan_make(struct job *job)
{
    uint32_t groups;
    int status = choose_max_parallelism(job, &groups);
    if (status < 0)
        return status;
    const char *mode = vm_config_text(job->vm, "checkpoint.mode");
    job->at_least_once = mode != NULL && strcmp(mode, "at_least_once") == 0;
    job->plan = plan_new(job->parallelism, groups, job->at_least_once);
    job->plan->ring_bytes = number_of_test("MOONTIDE_RING_BYTES", job->plan->ring_bytes); /* full rings in a small job */
    job->plan->portion_ns = number_of_test("MOONTIDE_PORTION_NS", job->plan->portion_ns); /* steps that wait for something */
    status = vm_fill_plan(job->vm, job->plan);
    return status < 0 ? status : restore_columns(job->plan, job->manifest, job->arguments.allow_non_restored_state);
}

static int choose_named(struct job *job)
{
    uint64_t id;
    int status = storage_find(job->storage, job->arguments.restore, &id);
    if (status == 0)
        status = storage_load(job->storage, id, &job->manifest);
    return status < 0 ? status : storage_check(job->storage, job->manifest, true);
}

/*
 * Where checkpoints are and none is in order, beginning at the start would publish
 * everything once more: that must be asked for.
 */
static int choose_newest(struct job *job)
{
    int status = storage_newest_valid(job->storage, true, &job->manifest);
    uint64_t newest = storage_newest_id(job->storage);
    if (status < 0 || job->manifest != NULL || newest == 0)
        return status;
    status = storage_verify(job->storage, newest);
    return error_wrap(status < 0 ? status : ERROR_CORRUPT, "no checkpoint is in order (--fresh starts over)");
}

static int choose_checkpoint(struct job *job)
{
    const char *place = vm_config_text(job->vm, "checkpoint.storage");
    int status = place == NULL ? 0 : storage_place(job->data_directory, place);
    if (status == 0)
        status = storage_open(job->data_directory, &job->storage);
    if (status == 0)
        status = storage_lock(job->storage);
    if (status < 0)
        return status;
    if (job->arguments.restore != NULL)
        status = choose_named(job);
    else if (!job->arguments.fresh)
        status = choose_newest(job);
    if (status == 0)
        status = storage_clean(job->storage);
    if (status < 0)
        return error_wrap(ERROR_REFUSED, "cannot restore");
    crash_point("restore.chosen");
    job->older = job->manifest != NULL && job->manifest->head.id < storage_newest_id(job->storage);
    return 0;
}

/* The store of an earlier attempt is of no value: it begins empty, or from the base of the checkpoint. */
static int state_directory_make(const struct job *job, const char *path)
{
    int status = storage_remove_tree(path);
    const char *rows = restore_rows_directory(job->manifest);
    if (status < 0 || rows == NULL)
        return status;
    crash_point("restore.before_rows");
    status = store_clone(storage_shared_path(job->storage, rows).text, path);
    crash_point("restore.after_rows");
    return status;
}

/*
 * Where each worker has a second core beside it, that is for walks through large tables.
 * MOONTIDE_WALKED_PLACES lets a test see walks through small ones, on any machine.
 */
static uint64_t walked_places(const struct job *job)
{
    cpu_set_t cores;
    bool spare = sched_getaffinity(0, sizeof cores, &cores) == 0 && (uint64_t)CPU_COUNT(&cores) >= 2 * (uint64_t)job->parallelism;
    return number_of_test("MOONTIDE_WALKED_PLACES", spare ? WALKED_PLACES_MIN : 0);
}

static int backend_make(struct job *job)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/state", job->data_directory);
    const char *name = vm_config_text(job->vm, "state.backend");
    bool memory = name != NULL && strcmp(name, "memory") == 0, rows = restore_rows_directory(job->manifest) != NULL;
    struct backend_config config = {
        .directory = memory ? NULL : path, .base = memory && rows ? path : NULL,
        .memory_bytes = (uint64_t)number_or(job->vm, "state.memory", 256u << 20), .walked_places = walked_places(job),
    };
    int status = state_directory_make(job, path);
    if (status < 0)
        return status;
    job->backend = backend_new(&config);
    struct store *store;
    if (!rows)
        return 0;
    return memory ? backend_base(job->backend, &store) : backend_store(job->backend, &store);
}

static uint64_t random_number(void)
{
    uint64_t number = clock_monotonic_ns();
    if (getrandom(&number, sizeof number, 0) < 0)
        number ^= (uint64_t)getpid() << 32;
    return number;
}

/* Above every number that a checkpoint, or an epoch in a file of the restored one, ever had. */
static uint64_t first_id(const struct job *job)
{
    uint64_t last = storage_newest_id(job->storage);
    for (uint32_t i = 0; job->manifest != NULL && i < job->manifest->file_count; i++)
        last = job->manifest->files[i].epoch_last > last ? job->manifest->files[i].epoch_last : last;
    return last + 1;
}

static void coordinator_make(struct job *job)
{
    struct vm *vm = job->vm;
    struct coordinator_config config = {
        .interval_ms = (int64_t)number_or(vm, "checkpoint.interval", 0), .records = (uint64_t)number_or(vm, "checkpoint.records", 0),
        .timeout_ms = (uint64_t)number_or(vm, "checkpoint.timeout", 600000), .min_pause_ms = (uint64_t)number_or(vm, "checkpoint.min_pause", 0),
        .retain = count_or(vm, "checkpoint.retain", 3), .tolerable_failures = count_or(vm, "checkpoint.tolerable_failures", 0),
        .base_bytes = number_of_test("MOONTIDE_BASE_BYTES", BASE_BYTES_MAX), /* many bases in a short run */
        .job = job->name, .script = job->script_hash, .run_id = job->run_id,
        .first_id = first_id(job), .at_least_once = job->at_least_once,
    };
    job->coordinator = coordinator_new(&config, job->plan, job->storage, job->backend, job->manifest);
}

/* A sink in Lua has no call for that; one that prepares nothing promises no more than at least once. */
static int check_withdrawals(const struct job *job)
{
    for (uint32_t i = 0; job->older && !job->arguments.allow_duplicates && i < job->plan->count; i++) {
        const struct step *step = &job->plan->steps[i];
        if (step->kind == STEP_CALL && step->call_kind == CALL_KIND_SINK && step->saving)
            return error_set(ERROR_REFUSED, "the sink \"%s\" cannot take back what it published after checkpoint %llu (--allow-duplicates begins nevertheless)",
                             step->name, (unsigned long long)job->manifest->head.id);
    }
    return 0;
}

int job_prepare(struct job *job, const char *data)
{
    job->data_directory = data;
    job->run_id = random_number();
    int status = choose_checkpoint(job);
    if (status == 0)
        status = plan_make(job);
    if (status == 0)
        status = check_withdrawals(job);
    if (status == 0)
        status = backend_make(job);
    if (status < 0)
        return status;
    coordinator_make(job);
    job->dataflow = dataflow_new(job->plan, coordinator_checkpointing(job->coordinator), data, job->run_id);
    if (job->older && !job->arguments.allow_duplicates)
        log_info("checkpoint %llu is not the newest one: what later ones published is withdrawn", (unsigned long long)job->manifest->head.id);
    return dataflow_prepare(job->dataflow, job->older);
}

void job_unprepare(struct job *job)
{
    pthread_mutex_lock(&job->lock);
    job->running = false;
    pthread_mutex_unlock(&job->lock);
    if (job->dataflow != NULL)
        dataflow_free(job->dataflow);
    if (job->coordinator != NULL)
        coordinator_free(job->coordinator);
    if (job->backend != NULL)
        backend_free(job->backend);
    if (job->manifest != NULL)
        manifest_free(job->manifest);
    if (job->storage != NULL)
        storage_close(job->storage);
    if (job->plan != NULL)
        plan_free(job->plan);
    job->dataflow = NULL;
    job->coordinator = NULL;
    job->backend = NULL;
    job->manifest = NULL;
    job->storage = NULL;
    job->plan = NULL;
}
