
            WHEN {table} THEN (SELECT threadline.live_value_query({table}, to_regclass({tables} ->> '{table}'), {column}))