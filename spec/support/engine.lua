-- The engine's library, declared: what specs call C through.
return require "moontide.engine"
