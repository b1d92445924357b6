CREATE TABLE threadline.altered_columns (
    table_id   integer NOT NULL,
    name       text NOT NULL,
    what       text NOT NULL,
    altered_at timestamptz NOT NULL,
    noted_at   timestamptz NOT NULL,
    labels     jsonb
);
COMMENT ON TABLE threadline.altered_columns IS
    'Columns of audited tables that a command altered, noted by threadline.audit() and threadline.refresh(): of its values, no change is on record';
COMMENT ON COLUMN threadline.altered_columns.name IS
    'What the column was called when this was noted';
COMMENT ON COLUMN threadline.altered_columns.what IS
    'added, dropped, converted (another type, or all rows were written anew), relabelled (labels of its enum, or attributes of its composite type, got other names)';
COMMENT ON COLUMN threadline.altered_columns.altered_at IS
    'What was recorded before is of before';
COMMENT ON COLUMN threadline.altered_columns.labels IS
    'Relabelled: {"former": "now"}';
