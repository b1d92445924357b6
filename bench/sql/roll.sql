-- Returns a number from 0 to 1, the same for the same seed and salt in every run.
CREATE FUNCTION pg_temp.roll(seed bigint, salt int) RETURNS double precision
LANGUAGE sql IMMUTABLE
RETURN (hashint8extended(seed, salt) & 1073741823)::double precision / 1073741824;
