DROP TABLE items, clerks;
