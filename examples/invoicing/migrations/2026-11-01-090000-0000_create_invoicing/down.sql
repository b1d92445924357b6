DROP TABLE invoices;
DROP TABLE roles;
DROP TABLE members;
