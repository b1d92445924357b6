-- Users vote for posts, once each. Triggers of the application update other tables: the score of
-- the post, the reputation of its author, and the author's feed.
CREATE TABLE bench.{variant}_people (
    id bigint PRIMARY KEY, name text, email text, reputation int, joined_at timestamptz);

CREATE TABLE bench.{variant}_posts (
    id bigint PRIMARY KEY, author_id bigint, title text, body text, score int, posted_at timestamptz);

CREATE TABLE bench.{variant}_votes (
    person_id bigint, post_id bigint, value int, voted_at timestamptz, PRIMARY KEY (person_id, post_id));

CREATE TABLE bench.{variant}_feed (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person_id bigint, post_id bigint, value int, shown_at timestamptz);

INSERT INTO bench.{variant}_people
SELECT k, 'person ' || k, 'person-' || k || '@example.org', 0, '2026-01-01' FROM generate_series(1, {people}) AS k;

INSERT INTO bench.{variant}_posts
SELECT k, 1 + k * 7 % {people}, 'post ' || k, 'a text of some length on post ' || k, 0, '2026-01-01'
FROM generate_series(1, {posts}) AS k;

CREATE FUNCTION bench.{variant}_vote_cast() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bench.{variant}_posts AS p SET score = p.score + v.value
    FROM (SELECT post_id, sum(value) AS value FROM new_votes GROUP BY post_id) AS v
    WHERE p.id = v.post_id;

    UPDATE bench.{variant}_people AS p SET reputation = p.reputation + v.value
    FROM (
        SELECT o.author_id, sum(n.value) AS value
        FROM new_votes AS n JOIN bench.{variant}_posts AS o ON o.id = n.post_id
        GROUP BY o.author_id
    ) AS v
    WHERE p.id = v.author_id;

    INSERT INTO bench.{variant}_feed (person_id, post_id, value, shown_at)
    SELECT o.author_id, n.post_id, n.value, now()
    FROM new_votes AS n JOIN bench.{variant}_posts AS o ON o.id = n.post_id;
    RETURN NULL;
END
$$;

CREATE FUNCTION bench.{variant}_vote_changed() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE bench.{variant}_posts AS p SET score = p.score + v.value
    FROM (
        SELECT post_id, sum(n.value - o.value) AS value
        FROM new_votes AS n JOIN old_votes AS o USING (person_id, post_id)
        GROUP BY post_id
    ) AS v
    WHERE p.id = v.post_id;

    UPDATE bench.{variant}_people AS p SET reputation = p.reputation + v.value
    FROM (
        SELECT s.author_id, sum(n.value - o.value) AS value
        FROM new_votes AS n
        JOIN old_votes AS o USING (person_id, post_id)
        JOIN bench.{variant}_posts AS s ON s.id = post_id
        GROUP BY s.author_id
    ) AS v
    WHERE p.id = v.author_id;

    INSERT INTO bench.{variant}_feed (person_id, post_id, value, shown_at)
    SELECT s.author_id, n.post_id, n.value, now()
    FROM new_votes AS n JOIN bench.{variant}_posts AS s ON s.id = n.post_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER vote_cast AFTER INSERT ON bench.{variant}_votes
    REFERENCING NEW TABLE AS new_votes
    FOR EACH STATEMENT EXECUTE FUNCTION bench.{variant}_vote_cast();

CREATE TRIGGER vote_changed AFTER UPDATE ON bench.{variant}_votes
    REFERENCING OLD TABLE AS old_votes NEW TABLE AS new_votes
    FOR EACH STATEMENT EXECUTE FUNCTION bench.{variant}_vote_changed();
