-- A tour of SpectraDB, with the European Central Bank's reference rates since 1999 (data/SOURCE.md) and 400 invoices.
--
-- Every fact here has two times. Valid time says when it is true in the world: a rate holds from its day to the next
-- one. System time says when the database learned it: a correction does not overwrite, it is a new fact beside the old.
-- So there are two questions to ask of everything: what was so on that day, and what did we know on that day?
--
-- Run it from the top folder, as often as you like; it begins by dropping what it makes:
--     cargo run --release -- --path ./mydb --file examples/tour.sql

DROP TABLE IF EXISTS rates;
DROP TABLE IF EXISTS invoices;
DROP TABLE IF EXISTS contracts;

CREATE TABLE IF NOT EXISTS rates (
    currency TEXT PRIMARY KEY,
    rate     NUMERIC(12,6) NOT NULL
);
CREATE TABLE IF NOT EXISTS invoices (
    id       INTEGER PRIMARY KEY,
    customer TEXT NOT NULL,
    date     DATE NOT NULL,
    currency TEXT NOT NULL,
    amount   NUMERIC(12,2) NOT NULL
);
CREATE TABLE IF NOT EXISTS contracts (
    customer TEXT,
    service  TEXT,
    price    NUMERIC(12,2) NOT NULL,
    PRIMARY KEY (customer, service)
);

-- The header of rates.csv names _valid_from and _valid_to: each line brings its own period. The key is the currency
-- alone; 7,126 rates a currency fit under it because their periods do not overlap, and the database sees to that.
COPY rates FROM 'examples/data/rates.csv';
COPY invoices FROM 'examples/data/invoices.csv';


SELECT '1. What is there: every rate of every day, and the invoices' AS chapter;

SELECT currency, count(*) AS rates, min(rate) AS lowest, max(rate) AS highest, min(_valid_from) AS since
FROM rates FOR VALID_TIME ALL
GROUP BY currency
ORDER BY currency;

SELECT count(*) AS invoices, count(DISTINCT customer) AS customers, min(date) AS first, max(date) AS last
FROM invoices;


SELECT '2. Valid time: 15 January 2015, when Switzerland let the franc go' AS chapter;

-- All rates as they were on one day. Without VALID AT the same query answers with what is valid now.
SELECT currency, rate FROM rates VALID AT DATE '2015-01-15' ORDER BY currency;

-- The days around it, each with its period.
SELECT rate, _valid_from, _valid_to
FROM rates FOR VALID_TIME FROM DATE '2015-01-13' TO DATE '2015-01-20'
WHERE currency = 'CHF'
ORDER BY _valid_from;

-- The wildest days of five currencies in 27 years: a window over the whole history.
SELECT day, currency, before, rate, round((rate / before - 1) * 100, 2) AS percent
FROM (SELECT CAST(_valid_from AS DATE) AS day, currency, rate,
             lag(rate) OVER (PARTITION BY currency ORDER BY _valid_from) AS before
      FROM rates FOR VALID_TIME ALL) AS days
WHERE before IS NOT NULL
ORDER BY abs(rate / before - 1) DESC, day
LIMIT 5;


SELECT '3. Invoices in euro, each at the rate of its own day' AS chapter;

-- Written as a join over all of valid time with a condition on the period ...
SELECT i.currency, count(*) AS invoices, sum(i.amount) AS amount, sum(round(i.amount / r.rate, 2)) AS euro
FROM invoices i
JOIN rates FOR VALID_TIME ALL r
  ON r.currency = i.currency AND r._valid_from <= i.date AND i.date < r._valid_to
GROUP BY i.currency
ORDER BY i.currency;

-- ... and as what it means: the rate as of the invoice's date. Both give the same figures, to the cent.
SELECT i.currency, count(*) AS invoices, sum(i.amount) AS amount, sum(round(i.amount / r.rate, 2)) AS euro
FROM invoices i
JOIN rates FOR VALID_TIME AS OF i.date r ON r.currency = i.currency
GROUP BY i.currency
ORDER BY i.currency;

-- By year, the big ones only.
SELECT extract(year FROM i.date) AS year, i.currency, sum(round(i.amount / r.rate, 2)) AS euro
FROM invoices i
JOIN rates FOR VALID_TIME AS OF i.date r ON r.currency = i.currency
GROUP BY extract(year FROM i.date), i.currency
HAVING sum(round(i.amount / r.rate, 2)) > 50000
ORDER BY year, euro DESC;

-- The three best customers of each of the last two full years.
SELECT year, place, customer, euro
FROM (SELECT year, customer, euro, rank() OVER (PARTITION BY year ORDER BY euro DESC) AS place
      FROM (SELECT extract(year FROM i.date) AS year, i.customer, sum(round(i.amount / r.rate, 2)) AS euro
            FROM invoices i
            JOIN rates FOR VALID_TIME AS OF i.date r ON r.currency = i.currency
            WHERE i.date >= DATE '2024-01-01' AND i.date < DATE '2026-01-01'
            GROUP BY extract(year FROM i.date), i.customer) AS totals) AS places
WHERE place <= 3
ORDER BY year, place;


SELECT '4. A wrong rate, a report, a correction' AS chapter;

-- On the week-end of 16 and 17 March 2024 somebody retyped Friday's pound with two digits swapped: 0.8451 for 0.8541.
-- Only that part of Friday's period is written; the rest of it stays as it was, as a leftover.
UPDATE rates FOR PORTION OF VALID_TIME FROM DATE '2024-03-16' TO DATE '2024-03-18'
SET rate = 0.8451
WHERE currency = 'GBP';

SELECT rate, _valid_from, _valid_to
FROM rates FOR VALID_TIME FROM DATE '2024-03-14' TO DATE '2024-03-19'
WHERE currency = 'GBP'
ORDER BY _valid_from;

-- The report of the first quarter is printed with it.
SELECT i.currency, count(*) AS invoices, sum(round(i.amount / r.rate, 2)) AS euro
FROM invoices i
JOIN rates FOR VALID_TIME AS OF i.date r ON r.currency = i.currency
WHERE i.date >= DATE '2024-01-01' AND i.date < DATE '2024-04-01'
GROUP BY i.currency
ORDER BY i.currency;

-- Later the mistake is found and corrected.
UPDATE rates FOR PORTION OF VALID_TIME FROM DATE '2024-03-16' TO DATE '2024-03-18'
SET rate = 0.8541
WHERE currency = 'GBP';

-- The report as it is now.
SELECT i.currency, count(*) AS invoices, sum(round(i.amount / r.rate, 2)) AS euro
FROM invoices i
JOIN rates FOR VALID_TIME AS OF i.date r ON r.currency = i.currency
WHERE i.date >= DATE '2024-01-01' AND i.date < DATE '2024-04-01'
GROUP BY i.currency
ORDER BY i.currency;

-- The report as it was printed then, to the cent: the same question, one commit ago.
SELECT i.currency, count(*) AS invoices, sum(round(i.amount / r.rate, 2)) AS euro
FROM invoices i
JOIN rates FOR VALID_TIME AS OF i.date r ON r.currency = i.currency
WHERE i.date >= DATE '2024-01-01' AND i.date < DATE '2024-04-01'
GROUP BY i.currency
AS OF current_commit() - 1
ORDER BY i.currency;

-- What changed between the two, invoice by invoice.
WITH printed AS (
    SELECT i.id, i.customer, i.date, round(i.amount / r.rate, 2) AS euro
    FROM invoices i
    JOIN rates FOR VALID_TIME AS OF i.date r ON r.currency = i.currency
    AS OF current_commit() - 1
), today AS (
    SELECT i.id, round(i.amount / r.rate, 2) AS euro
    FROM invoices i
    JOIN rates FOR VALID_TIME AS OF i.date r ON r.currency = i.currency
)
SELECT printed.id, printed.customer, printed.date, printed.euro AS printed, today.euro AS now,
       today.euro - printed.euro AS difference
FROM printed JOIN today ON today.id = printed.id
WHERE printed.euro <> today.euro
ORDER BY printed.id;

-- And why: everything the database ever held about the pound of that Sunday. Nothing was overwritten.
SELECT rate, current_commit() - _commit AS commits_ago, _valid_from, _valid_to
FROM rates FOR SYSTEM_TIME ALL FOR VALID_TIME AS OF DATE '2024-03-17'
WHERE currency = 'GBP'
ORDER BY _commit;


SELECT '5. A price that is known today and holds later' AS chapter;

INSERT INTO contracts (customer, service, price) VALUES
    ('Thames Robotics', 'support', 1200.00),
    ('Limmat Data', 'support', 950.00)
VALID FROM DATE '2024-01-01';

-- The new price is agreed on now and holds from 2030; a summer's discount is a portion with an end.
UPDATE contracts FOR PORTION OF VALID_TIME FROM DATE '2030-01-01' TO 'infinity'
SET price = 1350.00
WHERE customer = 'Thames Robotics';

UPDATE contracts FOR PORTION OF VALID_TIME FROM DATE '2026-06-01' TO DATE '2026-09-01'
SET price = price - 200
WHERE customer = 'Thames Robotics';

-- One contract, four periods: two updates left three leftovers of the first price behind.
SELECT price, _valid_from, _valid_to
FROM contracts FOR VALID_TIME ALL
WHERE customer = 'Thames Robotics'
ORDER BY _valid_from;

SELECT customer, price FROM contracts VALID AT DATE '2026-07-15' ORDER BY customer;
SELECT customer, price FROM contracts VALID AT DATE '2030-07-15' ORDER BY customer;

-- Both times at once: what did we believe, before the discount was agreed on, that July 2026 would cost?
SELECT customer, price
FROM contracts
VALID AT DATE '2026-07-15'
AS OF current_commit() - 1
ORDER BY customer;


SELECT '6. How it is done: no nested loop over everything' AS chapter;

EXPLAIN
SELECT i.currency, sum(round(i.amount / r.rate, 2)) AS euro
FROM invoices i
JOIN rates FOR VALID_TIME AS OF i.date r ON r.currency = i.currency
WHERE i.date >= DATE '2024-01-01'
GROUP BY i.currency;
