//! Do the bytes compare as the numbers do, and is arithmetic that of digits on paper?
//!
//! The model is naive: digits in vectors, added and multiplied as a child would. Text in and out is tested against it too.

use super::*;
use crate::big_numeric::{
    curve,
    number::{add, divide, divide_whole, fit, multiply, remainder, round, subtract, trim_scale, whole},
};
use proptest::prelude::*;

fn of(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    assert_eq!(read(text, &mut out), Fault::Ok, "{text}");
    assert!(is_big_numeric(&out), "{text}: {out:?}");
    out
}

fn text(bytes: &[u8]) -> String {
    let mut out = String::new();
    write(bytes, &mut out);
    out
}

fn two(leaf: fn(&[u8], &[u8], &mut Vec<u8>) -> Fault, a: &str, b: &str) -> Result<String, Fault> {
    let mut out = Vec::new();
    match leaf(&of(a), &of(b), &mut out) {
        Fault::Ok => Ok(text(&out)),
        fault => Err(fault),
    }
}

fn one(leaf: impl Fn(&[u8], &mut Vec<u8>) -> Fault, a: &str) -> Result<String, Fault> {
    let mut out = Vec::new();
    match leaf(&of(a), &mut out) {
        Fault::Ok => Ok(text(&out)),
        fault => Err(fault),
    }
}

/// A number as sign, digits and how many of them stand after the point.
#[derive(Clone, Debug)]
struct Paper {
    negative: bool,
    digits: Vec<u8>,
    scale: usize,
}

impl Paper {
    fn text(&self) -> String {
        let mut digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        while digits.len() <= self.scale {
            digits.insert(0, '0');
        }
        let whole = digits[..digits.len() - self.scale].trim_start_matches('0').to_owned();
        let whole = if whole.is_empty() { "0".to_owned() } else { whole };
        let fraction = &digits[digits.len() - self.scale..];
        let is_zero = digits.bytes().all(|digit| digit == b'0');
        let sign = if self.negative && !is_zero { "-" } else { "" };
        if self.scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// Digits from the least, at a scale.
    fn raised(&self, scale: usize) -> Vec<u8> {
        let mut digits = vec![0; scale - self.scale];
        digits.extend(self.digits.iter().rev());
        digits
    }

    fn signed(negative: bool, mut from_least: Vec<u8>, scale: usize) -> Paper {
        from_least.reverse();
        Paper { negative, digits: from_least, scale }
    }

    fn plus(&self, other: &Paper) -> Paper {
        let scale = self.scale.max(other.scale);
        let (mut a, mut b) = (self.raised(scale), other.raised(scale));
        let len = a.len().max(b.len()) + 1;
        a.resize(len, 0);
        b.resize(len, 0);
        if self.negative == other.negative {
            let mut carry = 0;
            let sum = a.iter().zip(&b).map(|(a, b)| {
                let sum = a + b + carry;
                carry = sum / 10;
                sum % 10
            });
            return Paper::signed(self.negative, sum.collect(), scale);
        }
        let is_less = a.iter().rev().lt(b.iter().rev());
        let (large, small, negative) = if is_less { (b, a, other.negative) } else { (a, b, self.negative) };
        let mut borrow = 0i8;
        let rest = large.iter().zip(&small).map(|(large, small)| {
            let rest = *large as i8 - *small as i8 - borrow;
            borrow = i8::from(rest < 0);
            (rest + 10 * borrow) as u8
        });
        Paper::signed(negative, rest.collect(), scale)
    }

    fn times(&self, other: &Paper) -> Paper {
        let mut product = vec![0u32; self.digits.len() + other.digits.len() + 1];
        for (i, a) in self.digits.iter().rev().enumerate() {
            for (j, b) in other.digits.iter().rev().enumerate() {
                product[i + j] += u32::from(*a) * u32::from(*b);
            }
        }
        let mut carry = 0;
        let digits = product.iter().map(|sum| {
            let sum = sum + carry;
            carry = sum / 10;
            (sum % 10) as u8
        });
        Paper::signed(self.negative != other.negative, digits.collect(), self.scale + other.scale)
    }

    fn order(&self, other: &Paper) -> Ordering {
        let difference = self.plus(&Paper { negative: !other.negative, ..other.clone() });
        if difference.digits.iter().all(|digit| *digit == 0) {
            Ordering::Equal
        } else if difference.negative {
            Ordering::Less
        } else {
            Ordering::Greater
        }
    }
}

fn paper() -> impl Strategy<Value = Paper> {
    let digits = prop_oneof![
        prop::collection::vec(0u8..10, 1..6),
        prop::collection::vec(0u8..10, 1..60),
        prop::collection::vec(prop::sample::select(vec![0u8, 9]), 1..45),
    ];
    (any::<bool>(), digits, 0usize..50).prop_map(|(negative, digits, scale)| {
        let is_zero = digits.iter().all(|digit| *digit == 0);
        Paper { negative: negative && !is_zero, digits, scale }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn text_goes_in_and_out(a in paper()) {
        prop_assert_eq!(text(&of(&a.text())), a.text());
    }

    #[test]
    fn bytes_order_as_numbers(a in paper(), b in paper()) {
        let (x, y) = (of(&a.text()), of(&b.text()));
        prop_assert_eq!(value_bytes(&x).cmp(value_bytes(&y)), a.order(&b), "{} {}", a.text(), b.text());
        let same = from_value_bytes(value_bytes(&x)).expect("whole");
        prop_assert_eq!(value_bytes(same.bytes()), value_bytes(&x));
    }

    #[test]
    fn sums_and_products_are_those_on_paper(a in paper(), b in paper()) {
        let negated = Paper { negative: !b.negative, ..b.clone() };
        prop_assert_eq!(two(add, &a.text(), &b.text()), Ok(a.plus(&b).text()));
        prop_assert_eq!(two(subtract, &a.text(), &b.text()), Ok(a.plus(&negated).text()));
        prop_assert_eq!(two(multiply, &a.text(), &b.text()), Ok(a.times(&b).text()));
    }

    #[test]
    fn a_quotient_times_its_divisor_and_the_rest_is_the_dividend(a in paper(), b in paper()) {
        let is_zero = b.digits.iter().all(|digit| *digit == 0);
        let whole = two(divide_whole, &a.text(), &b.text());
        prop_assert_eq!(whole.is_err(), is_zero);
        if let Ok(whole) = whole {
            let rest = two(remainder, &a.text(), &b.text()).expect("the divisor is not zero");
            let product = two(multiply, &whole, &b.text()).expect("small");
            let again = two(add, &product, &rest).expect("small");
            let (again, a) = (of(&again), of(&a.text()));
            prop_assert_eq!(value_bytes(&again), value_bytes(&a));
        }
    }

    #[test]
    fn small_numbers_are_the_same_by_either_road(units: i128, scale in 0u32..60) {
        let mut fast = Vec::new();
        push_small(units, scale, &mut fast);
        let mut slow = Vec::new();
        let exact = number::Exact { units: units.into(), scale };
        prop_assert_eq!(exact.push(&mut slow), Fault::Ok);
        prop_assert_eq!(&fast, &slow);
        prop_assert!(is_big_numeric(&fast));
        prop_assert_eq!(number::Exact::read(&fast), exact);
        if let Some(read) = small(&fast) {
            prop_assert_eq!(read, (units, scale));
        }
    }

    #[test]
    fn strange_bytes_are_refused_or_whole(bytes in prop::collection::vec(prop_oneof![0u8..8, any::<u8>()], 0..12)) {
        if is_big_numeric(&bytes) {
            prop_assert_eq!(of(&text(&bytes)), bytes);
        }
    }

    #[test]
    fn a_root_is_the_nearest(a in paper()) {
        let a = Paper { negative: false, ..a };
        let root = one(curve::sqrt, &a.text()).expect("not negative");
        let half = format!("0.{}5", "0".repeat(root.split_once('.').map_or(0, |(_, fraction)| fraction.len())));
        let low = two(subtract, &root, &half).expect("small");
        let high = two(add, &root, &half).expect("small");
        let square = |side: &str| of(&two(multiply, side, side).expect("small"));
        let number = of(&a.text());
        prop_assert!(low.starts_with('-') || value_bytes(&square(&low)) <= value_bytes(&number));
        prop_assert!(value_bytes(&number) <= value_bytes(&square(&high)));
    }

    #[test]
    fn a_logarithm_undoes_a_power(digits in 1u64..1_000_000, scale in 0u32..8) {
        let mut number = Vec::new();
        push_small(i128::from(digits), scale, &mut number);
        let shown = text(&number);
        let ln = one(curve::ln, &shown).expect("positive");
        let again: f64 = one(curve::exp, &ln).expect("small").parse().expect("a number");
        let expected: f64 = shown.parse().expect("a number");
        prop_assert!((again - expected).abs() <= expected * 1e-13, "{shown} {ln} {again}");
    }
}

#[test]
fn infinities_and_nan_have_their_places() {
    let rising = ["-Infinity", "-1e131071", "-1", "-1e-16383", "0", "1e-16383", "0.1", "1", "9e131071", "inf", "nan"];
    for pair in rising.windows(2) {
        assert!(value_bytes(&of(pair[0])) < value_bytes(&of(pair[1])), "{pair:?}");
    }
    assert_eq!(two(add, "inf", "-inf"), Ok("NaN".to_owned()));
    assert_eq!(two(subtract, "1", "inf"), Ok("-Infinity".to_owned()));
    assert_eq!(two(multiply, "-inf", "-2"), Ok("Infinity".to_owned()));
    assert_eq!(two(multiply, "inf", "0"), Ok("NaN".to_owned()));
    assert_eq!(two(divide, "5", "inf"), Ok("0".to_owned()));
    assert_eq!(two(divide, "inf", "0"), Err(Fault::DivisionByZero));
    assert_eq!(two(remainder, "5.50", "inf"), Ok("5.50".to_owned()));
}

#[test]
fn texts_are_read_as_postgresql_reads_them() {
    assert_eq!(text(&of(" -1_000.50 ")), "-1000.50");
    assert_eq!(text(&of("1.5e3")), "1500");
    assert_eq!(text(&of("1.5e-3")), "0.0015");
    assert_eq!(text(&of("0x_ff")), "255");
    assert_eq!(text(&of("-0b1010")), "-10");
    assert_eq!(text(&of(".5")), "0.5");
    assert_eq!(text(&of("5.")), "5");
    assert_eq!(text(&of("0.000")), "0.000");
    for wrong in ["", "-", ".", "1_", "_1", "1__0", "e5", "1e", "1e+", "0x", "0xg", "+nan", "infinit", "1 2", "1._5"] {
        assert_eq!(read(wrong, &mut Vec::new()), Fault::InvalidText, "{wrong}");
    }
    for far in ["1e131072", "1e-16384", "1e99999999999", "-1e1000000000"] {
        assert_eq!(read(far, &mut Vec::new()), Fault::OutOfRange, "{far}");
    }
}

#[test]
fn quotients_and_curves_have_postgresqls_digits() {
    let divided = |a, b| two(divide, a, b).expect("not by zero");
    assert_eq!(divided("1", "3"), "0.33333333333333333333");
    assert_eq!(divided("10", "3"), "3.3333333333333333");
    assert_eq!(divided("2", "0.0001"), "20000.000000000000");
    assert_eq!(divided("1e30", "7"), "142857142857142857142857142857");
    assert_eq!(one(curve::sqrt, "2").as_deref(), Ok("1.414213562373095"));
    assert_eq!(one(curve::exp, "1").as_deref(), Ok("2.7182818284590452"));
    assert_eq!(one(curve::ln, "2").as_deref(), Ok("0.6931471805599453"));
    assert_eq!(one(curve::ln, "1.000000001").as_deref(), Ok("0.0000000009999999995000000"));
    assert_eq!(one(curve::log10, "100").as_deref(), Ok("2.0000000000000000"));
    assert_eq!(two(curve::log, "2", "64").as_deref(), Ok("6.0000000000000000"));
    assert_eq!(two(curve::power, "2", "0.5").as_deref(), Ok("1.4142135623730950"));
    assert_eq!(two(curve::power, "2", "100").as_deref(), Ok("1267650600228229401496703205376"));
    assert_eq!(two(curve::power, "0", "-1"), Err(Fault::InvalidArgument));
    assert_eq!(two(curve::power, "-8", "0.5"), Err(Fault::InvalidArgument));
    assert_eq!(two(curve::power, "10", "200000"), Err(Fault::OutOfRange));
}

#[test]
fn numbers_are_rounded_and_fitted() {
    let rounded = |a, digits| one(|a, out| round(a, digits, false, out), a).expect("rounds");
    assert_eq!(
        [rounded("2.5", 0), rounded("-2.5", 0), rounded("1.5", 3), rounded("149", -2)],
        ["3", "-3", "1.500", "100"]
    );
    assert_eq!(one(|a, out| round(a, 1, true, out), "-1.79").as_deref(), Ok("-1.7"));
    assert_eq!(one(|a, out| whole(a, false, out), "-1.5").as_deref(), Ok("-2"));
    assert_eq!(one(|a, out| whole(a, true, out), "-1.5").as_deref(), Ok("-1"));
    assert_eq!(one(trim_scale, "1.500").as_deref(), Ok("1.5"));
    assert_eq!(one(|a, out| fit(a, 3, 5, out), "0.001234").as_deref(), Ok("0.00123"));
    assert_eq!(one(|a, out| fit(a, 3, 5, out), "0.01"), Err(Fault::OutOfRange));
    assert_eq!(one(|a, out| fit(a, 2, -3, out), "12345").as_deref(), Ok("12000"));
    assert_eq!(one(|a, out| fit(a, 2, -3, out), "99500"), Err(Fault::OutOfRange));
    assert_eq!(one(|a, out| fit(a, 2, -3, out), "inf"), Err(Fault::OutOfRange));
}
