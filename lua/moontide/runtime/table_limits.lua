--- How far tables are encoded and decoded by straight-line code, which a trace can drop where the table goes nowhere
--- else, and from where on by loops. Generated code has at most 200 locals, and a trace so many instructions for all
--- that a record goes through (runtime/trace_limits.lua).
return {
  --- Fields of a row.
  fields_straight_max = 20,
  --- Elements of a list.
  short_max = 8,
  --- The same of a list of tables.
  short_tables_max = 4,
  --- Tables in tables beyond so many levels are left to code that calls itself.
  levels_max = 6,
  --- A loop that ends at once is given up by the compiler, and with it all that leads through it: so all loops go on
  --- for as many rounds.
  rounds_min = 8,
}
