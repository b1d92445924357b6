DROP TABLE threadline.known_partitions;
DROP TABLE threadline.altered_columns;
