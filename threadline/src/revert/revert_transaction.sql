SELECT change_id, schema_name || '.' || table_name, key, reason
FROM threadline.revert_transaction({0}, {1})
