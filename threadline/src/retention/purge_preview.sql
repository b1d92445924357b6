SELECT schema_name || '.' || table_name AS "table", keep::text, horizon, goes, held AS stays, bytes, oldest
FROM threadline.purge_preview()
