DROP TABLE threadline.altered_columns;
