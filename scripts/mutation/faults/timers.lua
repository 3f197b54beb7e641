-- S1 to S10: timers.
local engine = { "spec/engine/time/timers_spec.lua", "spec/semantics/timers_spec.lua" }
local steps = { "spec/semantics/timers_spec.lua" }
local jobs = { "spec/semantics/time_jobs_spec.lua" }

return {
  { rule = "S1", file = "engine/time/timer_calendar.c", specs = engine,
    from = "least = heap[i] < heap[least] ? i : least;", to = "least = heap[i] > heap[least] ? i : least;" },
  { rule = "S1", file = "engine/time/timers.c", specs = engine,
    from = "if (bucket == NULL || bucket->time > now)", to = "if (bucket == NULL || bucket->time >= now)" },

  { rule = "S2", file = "engine/dataflow/operators/call_timers.c", specs = steps,
    from = "    op->call->watermark = number;\n", to = "" },
  { rule = "S2", file = "engine/time/timers.c", specs = engine,
    from = "if (run->stale || run->earliest < bucket->time)", to = "if (run->stale)" },
  { rule = "S2", file = "engine/dataflow/operators/call_timers.c", specs = steps,
    from = "    operator_timers_fire(op, domain, now); /* what is left, or is registered now */\n", to = "" },
  { rule = "S2", file = "engine/time/timers.c", specs = engine,
    from = "    timers_retire(timers, bucket->time, item, false);\n    bucket->live--;\n", to = "    bucket->live--;\n" },

  { rule = "S3", file = "engine/dataflow/operators/call_timers.c", specs = steps,
    from = "timers_register(timers, time, hash, key, slice_of(\"\", 0));",
    to = "(operator_timers_fire(call->step_instance, (uint32_t)domain, domain == DOMAIN_EVENT ? call->watermark : INT64_MIN), "
      .. "timers_register(timers, time, hash, key, slice_of(\"\", 0)));" },

  { rule = "S4", file = "engine/time/timers_bucket.c", specs = engine,
    from = "    before->flags |= item->flags & (ITEM_DURABLE | ITEM_STORED);\n    item->flags = ITEM_DEAD;\n    return false;",
    to = "    return true;" },
  { rule = "S4", file = "engine/time/timer_item.h", specs = engine,
    from = "    return words == 1 || memcmp(left + 8, right + 8, (words - 1) * sizeof(uint64_t)) == 0;", to = "    return true;" },
  { rule = "S4", file = "engine/dataflow/operators/call_timers.c", specs = steps,
    from = "    return call_step_of(call)->timers[domain];\n}\n\nint call_register_timer",
    to = "    (void)domain;\n    return call_step_of(call)->timers[DOMAIN_EVENT];\n}\n\nint call_register_timer" },
  { rule = "S4", file = "engine/time/timers_bucket.c", specs = engine,
    from = "            before->flags |= ITEM_KILLED;\n", to = "" },

  { rule = "S5", file = "engine/time/timer_item.h", specs = engine,
    from = "memcmp(left + 1, right + 1, 7) != 0", to = "memcmp(left + 1, right + 1, 2) != 0" },
  { rule = "S5", file = "engine/dataflow/operators/call_timers.c", specs = steps,
    from = "&call->keys[call->index];", to = "&call->keys[0];" },

  { rule = "S6", file = "engine/dataflow/worker.c", specs = steps,
    from = "    if (tell)\n        work_push(worker, (struct work){ .kind = WORK_FORWARD, .op = op, .mark = work->mark, .number = work->number });\n"
      .. "    return op->vtab->time(op, work->mark, (int64_t)work->number);",
    to = "    int status = op->vtab->time(op, work->mark, (int64_t)work->number);\n    if (tell)\n"
      .. "        work_push(worker, (struct work){ .kind = WORK_FORWARD, .op = op, .mark = work->mark, .number = work->number });\n    return status;" },
  { rule = "S6", file = "engine/dataflow/operators/exchange.c", specs = jobs,
    from = "    exchange_flush(op);\n    for (uint32_t to = 0", to = "    for (uint32_t to = 0" },

  { rule = "S7", file = "engine/dataflow/operators/call_timers.c", specs = steps,
    from = "domain == DOMAIN_EVENT ? self->run->times", to = "domain <= DOMAIN_PROCESSING ? self->run->times" },
  { rule = "S7", file = "lua/moontide/runtime/collector.lua", specs = steps,
    from = [[or "call.times[call.index]")]], to = [[or "call.times[0]")]] },

  { rule = "S8", file = "engine/dataflow/keyed.c", specs = { "spec/semantics/timers_spec.lua", "spec/semantics/time_jobs_spec.lua" },
    from = "? now_ms : now_ms - 1;", to = "? now_ms : now_ms;" },
  { rule = "S8", file = "engine/dataflow/keyed.c", specs = steps,
    from = "    if (next > due)\n", to = "    if (next >= due)\n" },

  { rule = "S9", file = "engine/dataflow/operators/call.c", specs = steps,
    from = "    op->call->watermark = WATERMARK_MIN;\n", to = "" },
  { rule = "S9", file = "engine/time/timers_base.c", specs = engine,
    from = "entry.flags = ITEM_DURABLE | (row->removed ? ITEM_DELETE : 0);", to = "entry.flags = ITEM_DURABLE;" },
  { rule = "S9", file = "engine/time/assigner.c", specs = { "spec/engine/time/assigner_spec.lua", "spec/semantics/watermarks_spec.lua" },
    from = "valve_add(assigner->valve, split.sent);", to = "valve_add(assigner->valve, WATERMARK_MIN);" },
  { rule = "S9", file = "engine/time/assigner.c", specs = { "spec/engine/time/assigner_spec.lua", "spec/semantics/watermarks_spec.lua" },
    from = "    if (floor != TIME_END)\n        valve_start(assigner->valve, floor);\n", to = "    (void)floor;\n" },
  { rule = "S9", file = "engine/time/assigner_state.c", specs = { "spec/engine/time/assigner_spec.lua" },
    from = "output > split->sent ? output : split->sent", to = "output > split->sent ? split->sent : split->sent" },
  { rule = "S9", file = "engine/time/assigner_state.c", specs = { "spec/engine/time/assigner_spec.lua" },
    from = "    kept->highest = split.highest;\n", to = "" },

  { rule = "S10", file = "engine/time/timers.c", specs = engine,
    from = "    timers_settle(timers, bucket);\n    timers_retire", to = "    timers_retire" },
  { rule = "S10", file = "engine/dataflow/operators/aggregate_sessions.c", specs = { "spec/jobs/windows_spec.lua" },
    from = "    value_bytes_touch(self->state, self->view, entry);\n    if (status == 0)\n        status = slice_add",
    to = "    if (status == 0)\n        status = slice_add" },
  { rule = "S10", file = "engine/dataflow/operators/aggregate.c", specs = { "spec/jobs/windows_spec.lua" },
    from = "        value_bytes_touch(self->state, self->view, self->entries[record]);\n        return slice_add", to = "        return slice_add" },
}
