CREATE TABLE readings (tenant TEXT, at INTEGER, zone INTEGER, price NUMERIC(12,2), rate REAL, open BOOLEAN, note TEXT, total NUMERIC(30,0), PRIMARY KEY (tenant, at));
CREATE TABLE farthest (id INTEGER PRIMARY KEY, note TEXT);
