--- The loop over a batch of one operator, generated so that each operator has
--- byte code of its own: decode, the fused stages, and the terminal in one trace.
local C = require "moontide.engine"
local encoding = require "moontide.runtime.encode"
local generate = require "moontide.runtime.generate"
local renewal = require "moontide.runtime.renewal"
local used_fields = require "moontide.runtime.used_fields"
local values = require "moontide.runtime.values"

local M = {}

local function nil_value(name)
  error(("the function of step '%s' answered nil: answer a value, or drop records with filter or flat_map"):format(name), 0)
end

local terminals = {
  emit = "      out:collect(value)",
  pass = "      C.call_pass(call, i)",
  flat_map = "      fn(value, out)",
  process = "      fn(self, value, ctx, out)",
  sink = "      fn(self, value)",
  -- The key is computed before the record is emitted, so a failing function leaves no record behind.
  key = [[
      local key = fn(value)
      out:collect(value)
      set_key(call.out[0].count - 1, key)]],
  key_of_input = "      set_key(i, fn(value))",
}

local function stage_source(index, stage)
  local lines = { ("      call.stage = %d"):format(index) }
  if stage.kind == "map" then
    lines[#lines + 1] = ("      value = f%d(value)"):format(index)
    lines[#lines + 1] = ("      if value == nil then nil_value(%q) end"):format(stage.name)
  else
    lines[#lines + 1] = ("      if not f%d(value) then goto skip end"):format(index)
  end
  return table.concat(lines, "\n")
end

local function loop_source(stages, terminal, guarded)
  local out = { "local call, C, decode, nil_value, set_key, fn, self, ctx, out, stages = ...\n" }
  for i = 1, #stages do out[#out + 1] = ("local f%d = stages[%d].fn\n"):format(i, i) end
  out[#out + 1] = "return function()\n  for i = call.index, call.count - 1 do\n    call.index = i\n"
  if guarded then out[#out + 1] = "    C.call_mark(call)\n" end
  out[#out + 1] = "    do\n      local value = decode(call.values[i], call.bytes)\n"
  for i, stage in ipairs(stages) do out[#out + 1] = stage_source(i, stage) .. "\n" end
  if #stages > 0 then out[#out + 1] = "      call.stage = 0\n" end
  out[#out + 1] = "      do\n" .. terminals[terminal] .. "\n      end\n"
  out[#out + 1] = "      ::skip::\n    end\n"
  if guarded then out[#out + 1] = "    if call.state ~= nil and call.view.undo_count > 0 then C.keyed_state_commit_record(call.state) end\n" end
  out[#out + 1] = "  end\nend"
  return table.concat(out)
end

local function key_setter(call)
  local check = require "moontide.runtime.fail"
  local place = encoding.place()
  return function(record, key)
    local kind, status = type(key), nil
    if kind == "number" then
      status = C.call_key_number(call, record, key)
    elseif kind == "string" then
      status = C.call_key_string(call, record, key, #key)
    else
      if key == nil then error("the key is nil", 0) end
      call.scratch.used = 0
      encoding.encode(call.scratch, call.cell, key, place)
      status = C.call_key(call, record, call.cell, call.scratch.bytes)
    end
    if status < 0 then check(status) end
  end
end

--- The function that handles the records [call.index, call.count) of the batch in `call`.
---@param call ffi.cdata* struct call
---@param operator Operator
---@param bound { fn: function, self: table, ctx: table, out: table, guarded: boolean, met: fun(id: integer?)? }
---@return function
function M.make(call, operator, bound)
  local terminal = operator.terminal
  if terminal == "key" and call.pass_input then terminal = "key_of_input" end
  if used_fields.only_chooses(operator) then terminal = "pass" end
  local text = loop_source(operator.stages, terminal, bound.guarded)
  local set_key = operator.terminal == "key" and key_setter(call) or nil
  local decode = values.decoder(used_fields.of_operator(operator, bound.fn), bound.met)
  return renewal(call, function()
    return generate(text, "=loop of " .. operator.name, call, C, decode, nil_value, set_key, bound.fn, bound.self, bound.ctx, bound.out, operator.stages)
  end)
end

return M
