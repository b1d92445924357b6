DROP TABLE payments;
DROP TABLE members;
