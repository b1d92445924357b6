-- Returns whether values of a type have one form in jsonb, independent of all settings except the
-- pinned ones. `apart` says that values are compared separately from their images: otherwise a type
-- of which threadline.merges_values() is true is not plain. Covers the types that most columns
-- have; for others see threadline.json_form() and threadline.settings_needed().
CREATE OR REPLACE FUNCTION threadline.is_plain_type(type oid, pinned text[], apart boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN type IN (
        'bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'oid'::regtype,
        'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'uuid'::regtype, 'jsonb'::regtype,
        'inet'::regtype, 'date'::regtype, 'time'::regtype, 'timestamp'::regtype)
    OR type IN ('timestamptz'::regtype, 'timetz'::regtype) AND 'timezone' = ANY (pinned)
    OR type = 'interval'::regtype AND 'intervalstyle' = ANY (pinned)
    OR type = 'bytea'::regtype AND 'bytea_output' = ANY (pinned)
    OR type IN ('float4'::regtype, 'float8'::regtype) AND 'extra_float_digits' = ANY (pinned) AND apart
    OR type IN ('_int4'::regtype, '_int8'::regtype, '_text'::regtype, '_uuid'::regtype) AND apart;
