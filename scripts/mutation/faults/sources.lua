-- S17, S18 and F3 to F5: what sources say of time, and how it ends.
local assigner = { "spec/engine/time/assigner_spec.lua", "spec/semantics/watermarks_spec.lua" }
local jobs = { "spec/semantics/time_jobs_spec.lua" }
local alignment = { "spec/engine/time/alignment_spec.lua" }

return {
  { rule = "S17", file = "engine/time/assigner.c", specs = assigner,
    from = "active - channel->last_event > assigner->config.idle_timeout", to = "active - channel->last_event >= assigner->config.idle_timeout" },
  { rule = "S17", file = "engine/time/assigner.c", specs = assigner,
    from = "assigner->config.idle_timeout + 1;", to = "assigner->config.idle_timeout + 2;" },
  { rule = "S17", file = "engine/time/assigner.c", specs = assigner,
    from = "    if (config->idle_timeout <= 0)", to = "    if (config->idle_timeout < 0)" },
  { rule = "S17", file = "engine/time/assigner.c", specs = assigner,
    from = "        assigner->paused_ms += now_ms - assigner->clock_ms;", to = "        (void)now_ms;" },
  { rule = "S17", file = "engine/time/assigner.c", specs = assigner,
    from = ".last_event = active_ms(assigner, now_ms),\n", to = ".last_event = (active_ms(assigner, now_ms), 0),\n" },
  { rule = "S17", file = "engine/time/assigner.c", specs = assigner,
    from = "    channel->last_event = active_ms(assigner, now_ms);\n    settle",
    to = "    (void)active_ms(assigner, now_ms);\n    settle" },

  { rule = "S18", file = "engine/time/assigner.c", specs = assigner,
    from = "        if (is_pending(assigner, &assigner->channels[i]))\n            send_bounded(assigner, i);\n    }\n    valve_finish",
    to = "    }\n    valve_finish" },
  { rule = "S18", file = "engine/time/assigner.c", specs = assigner,
    from = "event.kind == VALVE_WATERMARK && event.watermark != TIME_END)", to = "event.kind == VALVE_WATERMARK)" },
  { rule = "S18", file = "engine/dataflow/worker.c", specs = { "spec/semantics/timers_spec.lua" },
    from = "        status = operator_timers_end(op);", to = "        (void)op;" },
  { rule = "S18b", file = "engine/dataflow/poll.c", specs = jobs,
    from = "if (op->source_ended || atomic_load_explicit(&worker->dataflow->checkpointing->drain, memory_order_relaxed)) {", to = "if (op->source_ended) {" },
  { rule = "S18b", file = "engine/dataflow/poll.c", specs = jobs,
    from = "    if (chain->halted)\n        return 0;\n    if (drift",
    to = "    if (chain->halted) {\n        chain_channel_end(worker, chain, index);\n        return 1;\n    }\n    if (drift" },
  { rule = "S18c", file = "engine/dataflow/chain.c", specs = jobs,
    from = "    else\n        work_push(worker, (struct work){ .kind = WORK_FORWARD, .op = ended->op, .mark = MARK_END });",
    to = "    else if (ended->op->records_in > 0)\n        work_push(worker, (struct work){ .kind = WORK_FORWARD, .op = ended->op, .mark = MARK_END });" },

  { rule = "F3", file = "engine/time/assigner.c", specs = assigner,
    from = "    valve_pause(assigner->valve);\n", to = "" },
  { rule = "F3", file = "engine/dataflow/operators/source.c", specs = jobs,
    from = "        operator_mark(op, MARK_NO_SPLIT, 0);\n", to = "" },
  { rule = "F3", file = "engine/time/valve.c", specs = { "spec/engine/time/valve_spec.lua" },
    from = "    if (!channel->idle && !all_ended(valve))\n        channel_left(valve, channel);", to = "    (void)channel_left;" },

  { rule = "F4", file = "engine/time/assigner.c", specs = assigner,
    from = "channel->split.sent < lowest->split.sent", to = "channel->split.sent > lowest->split.sent" },
  { rule = "F4", file = "engine/time/assigner.c", specs = assigner,
    from = "            *last = event;\n            return;\n", to = "            (void)last;\n" },

  { rule = "F5", file = "engine/time/alignment.c", specs = alignment,
    from = "    if (own == TIME_END)\n        return false;\n", to = "" },
  { rule = "F5", file = "engine/time/alignment.c", specs = alignment,
    from = "    alignment_publish(alignment, member, TIME_END);", to = "    (void)alignment, (void)member;" },
}
