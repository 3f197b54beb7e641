-- Every public function says in a sentence what it does, names its parameters, and shows an example that runs.
local public_files = { "job", "stream", "keyed_stream", "state", "sources", "sinks", "log", "plan", "explain", "connectors", "window", "trigger", "evictor",
  "windowed_stream", "aggregates" }

local function read_lines(path)
  local lines = {}
  for line in assert(io.open(path)):lines() do lines[#lines + 1] = line end
  return lines
end

-- The comment lines right above a line, without their dashes.
local function comment_above(lines, number)
  local comment = {}
  while number > 1 and lines[number - 1]:find("^%s*%-%-%-") do
    number = number - 1
    table.insert(comment, 1, (lines[number]:gsub("^%s*%-%-%-", "")))
  end
  return comment
end

---@return { place: string, name: string, parameters: string[], comment: string[] }[]
local function public_functions(path)
  local lines, list = read_lines(path), {}
  for number, line in ipairs(lines) do
    local name, parameters = line:match("^function ([%w_.:]+)%((.-)%)")
    local is_private = name and (name:find("[.:]_") or name:find("__"))
    if name and not is_private then
      local names = {}
      for parameter in parameters:gmatch("[%w_.]+") do names[#names + 1] = parameter end
      list[#list + 1] = { place = path .. ":" .. number, name = name, parameters = names, comment = comment_above(lines, number) }
    end
  end
  return list
end

local function sentence_of(comment)
  local text = {}
  for _, line in ipairs(comment) do
    if line:find("^@") or line:find("^%s*$") then break end
    text[#text + 1] = line
  end
  return table.concat(text, " ")
end

local function has_parameter(comment, parameter)
  for _, line in ipairs(comment) do
    if line:match("^@param ([%w_.]+)") == parameter then return true end
  end
  return false
end

local function example_of(comment)
  local lines = {}
  for _, line in ipairs(comment) do lines[#lines + 1] = line:match("^     (.*)") end
  return #lines > 0 and table.concat(lines, "\n") or nil
end

local function each_public_function(visit)
  for _, file in ipairs(public_files) do
    for _, public in ipairs(public_functions("lua/moontide/" .. file .. ".lua")) do visit(public) end
  end
end

describe("a public function", function()
  local count = 0
  each_public_function(function(public)
    count = count + 1

    it("has a sentence and its parameters: " .. public.name, function()
      local sentence = sentence_of(public.comment)
      assert.is_truthy(sentence:find("^%s?[%u`].*[.:?]"), public.place .. " has no sentence")
      for _, parameter in ipairs(public.parameters) do
        if parameter ~= "..." or has_parameter(public.comment, "...") then
          assert.is_true(has_parameter(public.comment, parameter), public.place .. " does not describe " .. parameter)
        end
      end
    end)
  end)

  it("is found at all", function()
    assert.is_true(count > 35, "only " .. count)
  end)
end)

describe("the example of an operator", function()
  local function environment()
    local mt = require "moontide"
    local job = mt.job("example")
    local stream = job:from(mt.values {})
    return { mt = mt, job = job, stream = stream, other = job:from(mt.values {}), keyed = stream:key_by("id") }
  end

  -- Methods of streams and jobs, and the constructors of what they take.
  local function is_operator(public)
    if public.name:find("^%u%w+:") then return true end
    local file = public.place:match("([%w_]+)%.lua:")
    local constructors = { state = true, sources = true, sinks = true, window = true, trigger = true, evictor = true, aggregates = true }
    local is_helper = {
      ["M.contents"] = true, ["M.rolling"] = true, ["M.result_text"] = true, ["M.is"] = true,
      ["M.check"] = true, ["M.text"] = true, ["M.new"] = true, ["M.unmergeable"] = true, ["M.of_window"] = true,
    }
    return constructors[file] and not is_helper[public.name]
  end

  local examples = 0
  each_public_function(function(public)
    if not is_operator(public) then return end
    examples = examples + 1

    it("is there and adds steps: " .. public.name, function()
      local text = example_of(public.comment)
      assert.is_string(text, public.place .. " has no example")
      local chunk = assert(loadstring(text, "=" .. public.name))
      local env = environment()
      local steps_before = #env.job.steps
      setfenv(chunk, setmetatable(env, { __index = _G }))()
      assert.is_true(#env.job.steps > steps_before)
    end)
  end)

  it("is found at all", function()
    assert.is_true(examples >= 20, "only " .. examples)
  end)
end)

describe("what editors read", function()
  it("says something about every method of the runtime's objects", function()
    local count = 0
    local lines = read_lines("lua/moontide/types.lua")
    for _, line in ipairs(read_lines("lua/moontide/window_types.lua")) do lines[#lines + 1] = line end
    for number, line in ipairs(lines) do
      local name = line:match("^function ([%w_:]+)")
      if name then
        count = count + 1
        assert.is_truthy(sentence_of(comment_above(lines, number)):find("^%u.*[.?]$"), "types.lua:" .. number .. ": " .. name)
      end
    end
    assert.is_true(count > 30, "only " .. count)
  end)

  it("has the methods of the state types that are fixed", function()
    local text = table.concat(read_lines("lua/moontide/types.lua"), "\n")
    local methods = {
      ReducingState = "get add clear", AggregatingState = "get add clear",
      ValueState = "value update clear", ListState = "get add add_all update clear",
      MapState = "get put put_all remove contains keys values entries is_empty clear",
      TimerService = "current_watermark current_processing_time register_event_time_timer delete_event_time_timer "
        .. "register_processing_time_timer delete_processing_time_timer",
      Context = "timestamp current_key output timers request_checkpoint", Collector = "collect",
    }
    for class, names in pairs(methods) do
      for name in names:gmatch("%S+") do
        assert.is_truthy(text:find(("function %s:%s("):format(class, name), 1, true), class .. ":" .. name)
      end
    end
  end)
end)
