//! Do arrays compare as lists of their elements do, and does their text say all of them?
//!
//! The naive model is a list of optional values beside the dimensions: element by element, NULL last, then the shorter first,
//! then by dimensions, lengths and first subscripts.

use proptest::prelude::*;
use spectradb_kernel::{
    Type, Value,
    array::{self, Array, Dimension, View, Writer},
    func::{Fault, array_cast, array_put},
    key,
    ty::ElementType,
    value::Decimal,
};
use std::cmp::Ordering;

/// An array as the model has it.
#[derive(Clone, Debug)]
struct Model {
    dimensions: Vec<Dimension>,
    elements: Vec<Value>,
}

const NUMERIC: Type = Type::Numeric { precision: 9, scale: 2 };
const TYPES: [Type; 7] = [Type::Integer, Type::Text, Type::Real, NUMERIC, Type::Boolean, Type::Json, Type::Blob];

fn element(ty: Type) -> BoxedStrategy<Value> {
    let some = match ty {
        Type::Integer => (-2i64..3).prop_map(Value::Integer).boxed(),
        Type::Text => "[ab\"{},\\\\ ]{0,3}|NULL|null".prop_map(Value::Text).boxed(),
        Type::Real => prop_oneof![Just(0.0), Just(-0.0), Just(f64::NAN), Just(f64::INFINITY), -2.0..2.0]
            .prop_map(Value::Real)
            .boxed(),
        Type::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Type::Json => prop_oneof![Just("1"), Just("1.0"), Just("null"), Just("[1, 2]"), Just("\"a\"")]
            .prop_map(|text| Value::Json(text.to_owned()))
            .boxed(),
        Type::Blob => prop::collection::vec(any::<u8>(), 0..3).prop_map(Value::Blob).boxed(),
        _ => (-300i128..300).prop_map(|units| Value::Numeric(Decimal { units, scale: 2 })).boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 5 => some].boxed()
}

fn model(ty: Type) -> impl Strategy<Value = Model> {
    let lens = prop_oneof![
        (0u32..4).prop_map(|len| vec![len]),
        (1u32..3, 1u32..3).prop_map(|(rows, columns)| vec![rows, columns]),
    ];
    (lens, prop_oneof![4 => Just(1i32), 1 => -1i32..3]).prop_flat_map(move |(lens, lower)| {
        let count = lens.iter().product::<u32>() as usize;
        let dimensions: Vec<Dimension> = lens.iter().map(|len| Dimension { len: *len, lower }).collect();
        let dimensions = if count == 0 { Vec::new() } else { dimensions };
        prop::collection::vec(element(ty), count)
            .prop_map(move |elements| Model { dimensions: dimensions.clone(), elements })
    })
}

impl Model {
    fn bytes(&self, ty: Type) -> Vec<u8> {
        let mut writer = Writer::new(ty);
        self.elements.iter().for_each(|value| writer.push(value));
        let mut out = Vec::new();
        writer.finish(&self.dimensions, &mut out);
        out
    }

    fn compare(&self, other: &Model) -> Ordering {
        for (one, two) in self.elements.iter().zip(&other.elements) {
            let order = match (one.is_null(), two.is_null()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => key::compare(one, two),
            };
            if order.is_ne() {
                return order;
            }
        }
        let shape = |model: &Model| {
            let lens: Vec<u32> = model.dimensions.iter().map(|dimension| dimension.len).collect();
            let lowers: Vec<i32> = model.dimensions.iter().map(|dimension| dimension.lower).collect();
            (model.elements.len(), model.dimensions.len(), lens, lowers)
        };
        shape(self).cmp(&shape(other))
    }
}

fn pair() -> impl Strategy<Value = (Type, Model, Model)> {
    prop::sample::select(TYPES.to_vec()).prop_flat_map(|ty| (Just(ty), model(ty), model(ty)))
}

proptest! {
    #[test]
    fn arrays_compare_as_their_elements((ty, one, two) in pair()) {
        let (a, b) = (one.bytes(ty), two.bytes(ty));
        prop_assert_eq!(array::compare(&a, &b), one.compare(&two), "{:?} {:?}", one, two);
        let (mut left, mut right) = (Vec::new(), Vec::new());
        array::sort_key(&a, &mut left);
        array::sort_key(&b, &mut right);
        prop_assert_eq!(left.cmp(&right), one.compare(&two), "{:?} {:?}", one, two);
    }

    #[test]
    fn arrays_are_read_as_they_were_written((ty, one, _) in pair()) {
        let bytes = one.bytes(ty);
        let element = ElementType::of(ty).expect("no array");
        prop_assert!(array::is_array(&bytes, element));
        let view = View::new(&bytes);
        prop_assert_eq!(view.dimensions().collect::<Vec<_>>(), one.dimensions.clone());
        prop_assert!(view.values().zip(&one.elements).all(|(read, written)| read.is_null() == written.is_null()
            && (read.is_null() || key::compare(&read, written).is_eq())));
        let text = Array::from_bytes(bytes.clone()).to_string();
        let mut back = Vec::new();
        prop_assert_eq!(array_cast::text_to_array(&text, element.code(), &mut back), Fault::Ok, "{}", text);
        prop_assert_eq!(array::compare(&bytes, &back), Ordering::Equal, "{}", text);
    }

    #[test]
    fn an_element_that_is_put_is_found(one in model(Type::Integer), at in -4i64..8, value in -9i64..9) {
        let bytes = one.bytes(Type::Integer);
        let integers = ElementType::of(Type::Integer).expect("no array");
        let list = |values: &[i64]| {
            Array::of(integers, &values.iter().map(|value| Value::Integer(*value)).collect::<Vec<_>>())
        };
        let mut out = Vec::new();
        let fault = array_put::put_element(&bytes, list(&[at]).bytes(), list(&[value]).bytes(), &mut out);
        prop_assert_eq!(fault == Fault::Ok, one.dimensions.len() < 2);
        if fault == Fault::Ok {
            let view = View::new(&out);
            prop_assert!(array::is_array(&out, integers));
            let only = view.dimensions().next().expect("it has an element");
            let lower = i64::from(only.lower);
            let old = one.dimensions.first().copied();
            for (place, found) in view.values().enumerate() {
                let subscript = lower + place as i64;
                let before = old.map(|old| subscript - i64::from(old.lower));
                let expected = match before.and_then(|place| usize::try_from(place).ok()) {
                    _ if subscript == at => Value::Integer(value),
                    Some(place) => one.elements.get(place).cloned().unwrap_or(Value::Null),
                    None => Value::Null,
                };
                prop_assert_eq!(found, expected);
            }
        }
    }
}
