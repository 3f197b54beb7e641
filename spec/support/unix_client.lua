-- A client of a Unix stream socket that may behave badly: for specs of what must not care.
local ffi = require "ffi"

ffi.cdef [[
struct spec_unix_address { unsigned short family; char path[108]; };
int socket(int domain, int type, int protocol);
int connect(int descriptor, const struct spec_unix_address *address, unsigned bytes);
long send(int descriptor, const void *bytes, size_t count, int flags);
long recv(int descriptor, void *bytes, size_t count, int flags);
int shutdown(int descriptor, int how);
]]
require "support.process" -- declares poll and close
local C = ffi.C

local AF_UNIX, SOCK_STREAM, MSG_NOSIGNAL, SHUT_WR, POLLIN = 1, 1, 0x4000, 1, 1
local limit_ms = 30000

local M = {}
local Client = {}
Client.__index = Client

function M.connect(path)
  local address = ffi.new("struct spec_unix_address", { family = AF_UNIX })
  ffi.copy(address.path, path)
  local descriptor = C.socket(AF_UNIX, SOCK_STREAM, 0)
  assert(descriptor >= 0 and C.connect(descriptor, address, ffi.sizeof(address)) == 0, "cannot connect to " .. path)
  return setmetatable({ _descriptor = descriptor, _rest = "" }, Client)
end

function Client:send(text)
  return tonumber(C.send(self._descriptor, text, #text, MSG_NOSIGNAL))
end

--- No more requests; replies may still come.
function Client:end_requests()
  C.shutdown(self._descriptor, SHUT_WR)
end

--- The next line without its end, or nil: the connection was closed.
function Client:line()
  while not self._rest:find("\n", 1, true) do
    local wait = ffi.new("struct spec_pollfd[1]", { { fd = self._descriptor, events = POLLIN } })
    assert(C.poll(wait, 1, limit_ms) == 1, "no reply")
    local bytes = ffi.new("char[65536]")
    local count = tonumber(C.recv(self._descriptor, bytes, 65536, 0))
    if count <= 0 then return nil end
    self._rest = self._rest .. ffi.string(bytes, count)
  end
  local line
  line, self._rest = self._rest:match("^(.-)\n(.*)$")
  return line
end

function Client:close()
  C.close(self._descriptor)
end

return M
