SELECT count(*) FROM threadline.audit_changes WHERE transaction_id = {0}
