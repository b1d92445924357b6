-- Returns whether a text is missing, or has only blanks, control characters and other characters
-- that show nothing by themselves. The library has the same list. Inlined where it is called.
CREATE OR REPLACE FUNCTION threadline.is_blank(value text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(value, '') !~ '[^[:space:][:cntrl:]\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]';
