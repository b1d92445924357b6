-- Whether values of a type have one form in jsonb, which depends on no setting but those
-- that are pinned. `apart` says that values are compared as well, apart from their images:
-- else a type of which threadline.merges_values() is not plain. Of the types that most columns have; of others threadline.json_form()
-- and threadline.settings_needed() tell.
CREATE FUNCTION threadline.is_plain_type(type oid, pinned text[], apart boolean) RETURNS boolean
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
