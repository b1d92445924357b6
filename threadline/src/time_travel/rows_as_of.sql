SELECT key, image FROM threadline.rows_as_of({0}::regclass, {1})
