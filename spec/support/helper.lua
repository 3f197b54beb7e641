-- Loaded before all specs.
package.path = "spec/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path
io.stdout:setvbuf("line")
require("moontide.runtime.trace_guard").install() -- the comparisons of long lists are what it is about
