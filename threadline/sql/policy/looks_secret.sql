-- Returns whether a column's name suggests a secret, by the rule of the library's `looks_secret`:
-- by whole words, in snake case or camel case, in the singular or plural, with or without a
-- number. Names of times and of yes/no columns do not. digits: whether it could be a secret made
-- of digits, such as a PIN; token_count could not.
CREATE OR REPLACE FUNCTION threadline.looks_secret(name text, digits boolean DEFAULT false) RETURNS boolean
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
    SELECT CASE
        -- Most names contain none of these and are not split into words.
        WHEN lower(regexp_replace(name, '[\x01-\x40\x5b-\x60\x7b-\x7f]', '', 'g') COLLATE "C")
             !~ '(pass(w|phrase|code)|pw|pin|otp|code|salt|secret|token|jwt|credential|key|card|pan|cvv|cvc|iban|ssn|socialsecurity)'
        THEN false
        ELSE (
            SELECT NOT (cardinality(of.words) > 1 AND (
                       of.words[1] IN ('is', 'has')
                       OR of.words[cardinality(of.words)] IN ('at', 'enabled', 'disabled', 'required', 'verified', 'expired')))
               AND NOT (digits AND of.words[cardinality(of.words)] IN ('count', 'counter', 'total', 'attempts'))
               AND EXISTS (
                   SELECT
                   FROM generate_subscripts(of.words, 1) AS f (first)
                   CROSS JOIN generate_subscripts(of.words, 1) AS l (last)
                   WHERE l.last >= f.first
                     AND array_to_string(of.words[f.first:l.last], '') ~ CASE
                         WHEN digits THEN '^(passcode|pin|t?otp|(recovery|backup|security)code|(credit|debit)?card|card(number|no)|pan|cvv|cvc|ssn|socialsecurity)$'
                         ELSE '^(password|passwd|pwd|pw|passphrase|passcode|pin|t?otp|(recovery|backup|security)code|salt|secret|token|jwt|credential|(api|access|private|signing|encryption|master)key|(credit|debit)?card|card(number|no)|pan|cvv|cvc|iban|ssn|socialsecurity)s?$' END)
            FROM (
                SELECT array_remove(regexp_split_to_array(
                    lower(regexp_replace(regexp_replace(name COLLATE "C",
                        '([^A-Z])([A-Z])', '\1_\2', 'g'),
                        '([A-Z])([A-Z][a-z])', '\1_\2', 'g')),
                    '[\x01-\x40\x5b-\x60\x7b-\x7f]+'), '') AS words
            ) AS of)
    END;
END;
