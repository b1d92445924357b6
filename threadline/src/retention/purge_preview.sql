SELECT schema_name || '.' || table_name AS "table", threadline.keep_text(keep) AS keep, horizon, goes, held AS stays, bytes, oldest
FROM threadline.purge_preview()
