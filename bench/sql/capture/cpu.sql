-- Returns the nanoseconds that this server process was on a CPU.
SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint AS n
