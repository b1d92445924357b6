DROP TABLE comments, articles, users;
