/*
 * The one list of failures: name, text. Included with ERROR_CODE defined to
 * make the enum and the texts. Codes are negative.
 */
ERROR_CODE(ERROR_ARGUMENT, "invalid argument")
ERROR_CODE(ERROR_MEMORY, "out of memory")
ERROR_CODE(ERROR_IO, "input/output error")
ERROR_CODE(ERROR_FULL, "no space left")
ERROR_CODE(ERROR_FORMAT, "malformed input")
ERROR_CODE(ERROR_TOO_LARGE, "too large")
ERROR_CODE(ERROR_UNSUPPORTED, "not supported")
ERROR_CODE(ERROR_CORRUPT, "corrupt data")
ERROR_CODE(ERROR_NOT_FOUND, "not found")
ERROR_CODE(ERROR_EXISTS, "already exists")
ERROR_CODE(ERROR_STATE, "wrong state for this call")
ERROR_CODE(ERROR_SCRIPT, "error in user code")
ERROR_CODE(ERROR_TIMEOUT, "timed out")
ERROR_CODE(ERROR_STOPPED, "stopped")
ERROR_CODE(ERROR_REFUSED, "refused")
