-- Audit policy of "members", from the model `Member`.
-- Written by threadline: to change it, change the model and generate again.
-- Columns: id, name, email, password_hash, role, joined_at
SELECT threadline.audit(
    '"members"',
    mask => ARRAY['email'],
    exclude => ARRAY['password_hash']
);
