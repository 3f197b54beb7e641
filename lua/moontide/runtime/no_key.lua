--- State belongs to the key of a record: outside of the callbacks for one there is none.
return function()
  error("no key is set: keyed state is reached only in process_element and on_timer", 3)
end
