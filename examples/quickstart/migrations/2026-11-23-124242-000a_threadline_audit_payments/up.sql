-- Audit policy of "payments", from the model `Payment`.
-- Written by threadline: to change it, change the model and generate again.
SELECT threadline.audit_as_decided(
    '"payments"',
    require_actor => true
);
