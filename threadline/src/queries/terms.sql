-- How long the changes of tables are kept, as text; NULL: without limit.
SELECT t.id, threadline.keep_text(k.keep)
FROM threadline.audited_tables AS t
LEFT JOIN threadline.kept_for AS k ON k.table_id = t.id
