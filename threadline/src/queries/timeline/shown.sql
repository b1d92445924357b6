(CASE WHEN (SELECT threadline.hidings()) -> c.table_id::text IS NULL THEN c.{image}
    ELSE threadline.shown_image(c.{image}, (SELECT threadline.hidings()) -> c.table_id::text, c.captured_at) END)
