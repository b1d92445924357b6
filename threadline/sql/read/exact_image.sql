-- Returns threadline.exact_images() of one image.
CREATE OR REPLACE FUNCTION threadline.exact_image(image jsonb, numeric_columns text[], columns jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (threadline.exact_images(ARRAY[image], numeric_columns, columns))[1];
