-- What was recorded stays until the audit schema goes.
SELECT threadline.unaudit_as_before('"members"');
