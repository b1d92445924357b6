-- Returns the bytes of private memory of this server process. `Anonymous` and not
-- `Private_Dirty`: the latter counts shared buffers that no other process has touched.
SELECT substring(pg_read_file('/proc/self/smaps_rollup') FROM 'Anonymous: +(\d+) kB')::bigint * 1024 AS n
