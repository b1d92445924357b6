(SELECT jsonb_agg(to_jsonb(a) ORDER BY a.id)
 FROM threadline.audit_actions AS a
 WHERE a.transaction_id = c.transaction_id)
