-- Returns the records that columns of a live row name, as threadline.named_in() does.
CREATE OR REPLACE FUNCTION threadline.live_owners(image jsonb, former jsonb, key_type text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, threadline, pg_temp
BEGIN ATOMIC
    SELECT coalesce(jsonb_object_agg(f.key, threadline.key_named(image -> n.name, key_type)), '{}')
    FROM jsonb_each(former) AS f
    CROSS JOIN LATERAL unnest((f.value -> -1 ->> 'names')::text[]) AS n (name)
    WHERE image ? n.name;
END;
