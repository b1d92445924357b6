-- Audit policy of "members", from the model `Member`.
-- Written by threadline: to change it, change the model and generate again.
-- Columns: id, name, email, password_hash, role, joined_at
SELECT threadline.audit_as_decided(
    '"members"',
    mask => ARRAY['email'],
    exclude => ARRAY['password_hash']
);
