CREATE TABLE schema_migrations (version text PRIMARY KEY);
CREATE TABLE members (
    id            bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name          text NOT NULL,
    email         text NOT NULL,
    password_hash text NOT NULL
);
CREATE TABLE payments (
    id        bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    member_id bigint NOT NULL REFERENCES members,
    cents     integer NOT NULL
);
