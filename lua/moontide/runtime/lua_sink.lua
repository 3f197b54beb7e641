--- Sinks in Lua. With prepare and commit they are exactly once (S42): what was
--- prepared is held in the checkpoint until its commit, and committed again, as
--- often as needed, after a restore.
local loops = require "moontide.runtime.loops"
local saved = require "moontide.runtime.saved"

-- Each subtask takes what old subtasks of its number, modulo the parallelism, left.
local function inherited(call)
  local list = {}
  for subtask, waiting in ipairs(saved.restored(call)) do
    if waiting and (subtask - 1) % call.parallelism == call.subtask then
      for _, item in ipairs(waiting) do list[#list + 1] = item end
    end
  end
  return list
end

return function(call, operator, guarded)
  local definition, self = operator.step.definition, {}
  local waiting, loop = {}, nil    -- prepared and not committed, oldest first

  local function commit_up_to(checkpoint)
    while waiting[1] and waiting[1].checkpoint <= checkpoint do
      definition.commit(self, waiting[1].prepared)
      table.remove(waiting, 1)
    end
  end

  return {
    [1] = function() loop() end,
    [3] = function()
      if definition.open then definition.open(self) end
      waiting = inherited(call)
      commit_up_to(math.huge)
      loop = loops.make(call, operator, { fn = definition.write, self = self, guarded = guarded })
    end,
    [4] = function() if definition.close then definition.close(self) end end,
    [5] = function()
      if not definition.prepare then return end
      local prepared = definition.prepare(self)
      if prepared ~= nil then waiting[#waiting + 1] = { checkpoint = tonumber(call.checkpoint), prepared = prepared } end
      if #waiting > 0 then saved.save(call, waiting) end
    end,
    [6] = function() if definition.commit then commit_up_to(tonumber(call.checkpoint)) end end,
    [8] = function() -- CALL_GIVE_UP
      for _, item in ipairs(definition.abort and waiting or {}) do
        if item.checkpoint > tonumber(call.checkpoint) then definition.abort(self, item.prepared) end
      end
    end,
  }
end
