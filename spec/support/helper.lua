-- Loaded before all specs.
package.path = "spec/?.lua;lua/?.lua;lua/?/init.lua;" .. package.path
io.stdout:setvbuf("line")
