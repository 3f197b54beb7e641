-- S11 to S16, S18d, F1 and F2: watermarks, idleness and ends of channels.
local valve = { "spec/engine/time/valve_spec.lua", "spec/semantics/watermarks_spec.lua" }
local inputs = { "spec/semantics/watermarks_spec.lua", "spec/semantics/connect_spec.lua" }
local windows = { "spec/semantics/windows_spec.lua" }
local assigner = { "spec/engine/time/assigner_spec.lua" }

return {
  { rule = "S11", file = "engine/dataflow/operators/aggregate.c", specs = windows,
    from = "    return aggregate_is_dropped_for(op, &window) ? LATE",
    to = "    return self->event && window_record_is_late(time, self->lateness, op->time.watermark) ? LATE" },
  { rule = "S11", file = "engine/time/assigner.c", specs = assigner,
    from = "highest - assigner->config.max_out_of_orderness - 1;", to = "highest - assigner->config.max_out_of_orderness;" },

  { rule = "S12", file = "engine/time/valve.c", specs = valve,
    from = "channel->ended || watermark <= channel->watermark)", to = "channel->ended)" },
  { rule = "S12", file = "engine/time/valve.c", specs = valve,
    from = "    if (watermark <= valve->output)\n        return;\n", to = "" },
  { rule = "S12", file = "engine/time/valve.c", specs = valve,
    from = "channel->watermark < lowest ? channel->watermark : lowest", to = "channel->watermark > lowest ? channel->watermark : lowest" },
  { rule = "S12", file = "engine/time/assigner.c", specs = assigner,
    from = "    if (watermark <= split->sent)\n        return;\n", to = "" },

  { rule = "S13", file = "engine/time/valve.c", specs = valve,
    from = ".watermark = watermark, .aligned = true }", to = ".watermark = watermark, .aligned = watermark > WATERMARK_MIN }" },
  { rule = "S13", file = "engine/dataflow/marks.c", specs = inputs,
    from = "time->both = valve_new(PLAN_INPUTS_MAX);", to = "time->both = valve_new(1);" },

  { rule = "S14", file = "engine/time/valve.c", specs = valve,
    from = "    if (channel->idle || channel->ended || watermark", to = "    if (channel->ended || watermark" },
  { rule = "S14", file = "engine/time/valve.c", specs = valve,
    from = "    if (has_active(valve)) {\n        raise_to_lowest(valve);\n", to = "    if (has_active(valve)) {\n" },
  { rule = "S14", file = "engine/dataflow/poll.c", specs = inputs,
    from = "            marks_from_ring(channel->op, channel->number, MARK_ACTIVE, 0);\n        break;\n    case RING_WATERMARK",
    to = "            (void)0;\n        break;\n    case RING_WATERMARK" },

  { rule = "S15", file = "engine/time/valve.c", specs = valve,
    from = "    channel->aligned = channel->watermark >= valve->output;", to = "    channel->aligned = true;" },
  { rule = "S15", file = "engine/time/valve.c", specs = valve,
    from = "    if (watermark >= valve->output)\n        channel->aligned", to = "    if (watermark > valve->output)\n        channel->aligned" },
  { rule = "S15", file = "engine/time/valve.c", specs = valve,
    from = "    channel->aligned = channel->watermark >= valve->output;", to = "    channel->aligned = channel->watermark > valve->output;" },

  { rule = "S16", file = "engine/time/valve.c", specs = valve,
    from = "    if (channel->watermark == valve->output)\n        raise_to_highest", to = "    (void)channel;\n    raise_to_highest" },
  { rule = "S16", file = "engine/time/valve.c", specs = valve,
    from = "    if (channel->watermark == valve->output)\n        raise_to_highest(valve);\n",
    to = "    if (channel->watermark == valve->output && false)\n        raise_to_highest(valve);\n" },
  { rule = "S16", file = "engine/time/valve.c", specs = valve,
    from = "    if (any)\n        raise_output(valve, lowest);", to = "    (void)any;\n    raise_output(valve, lowest);" },
  { rule = "S16", file = "engine/time/valve.c", specs = valve,
    from = "    else if (!channel->idle)\n        channel_left(valve, channel);",
    to = "    else if (!channel->idle && has_active(valve))\n        channel_left(valve, channel);" },

  { rule = "S18d", file = "engine/dataflow/marks.c", specs = inputs,
    from = "    if (time->both != NULL)\n        both_receive", to = "    if (time->both != NULL && false)\n        both_receive" },
  { rule = "S18d", file = "engine/dataflow/marks.c", specs = inputs,
    from = "valve_ended(time->both != NULL ? time->both : time->inputs[input])", to = "valve_ended(time->inputs[input])" },
  { rule = "S18d", file = "engine/dataflow/marks.c", specs = inputs,
    from = "valve_receive(time->both, input, mark_of_event[event.kind]", to = "valve_receive(time->both, 0, mark_of_event[event.kind]" },

  { rule = "F1", file = "engine/time/valve.c", specs = valve,
    from = "        if (!channel->ended && channel->watermark > highest)", to = "        if (channel->watermark > highest)" },
  { rule = "F1", file = "engine/dataflow/marks.c", specs = inputs,
    from = "        if (!ended)\n            valve_receive", to = "        valve_receive" },
  { rule = "F1", file = "engine/dataflow/worker.c", specs = inputs,
    from = "bool tell = !op->time.ended || work->mark != MARK_WATERMARK;", to = "bool tell = true;" },
  { rule = "F1", file = "engine/dataflow/operators/assign.c", specs = { "spec/semantics/watermarks_spec.lua", "spec/semantics/connect_spec.lua" },
    from = "        if (op->time.ended && event.kind == VALVE_WATERMARK && event.watermark == INT64_MAX)\n            continue;",
    to = "        if (false)\n            continue;" },

  { rule = "F2", file = "engine/time/valve.c", specs = valve,
    from = "    output_active(valve); /* MAX would be dropped on an idle output */\n", to = "" },
}
