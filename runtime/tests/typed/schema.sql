CREATE TABLE parts (maker TEXT NOT NULL, no INTEGER NOT NULL, "unit price" NUMERIC(8,2), PRIMARY KEY (maker, no));
CREATE TABLE notes (text TEXT);
