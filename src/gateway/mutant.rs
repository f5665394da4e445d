//! For tests: JSON that was right, with a few of its parts changed.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// One of these values, with up to four of its parts replaced, left out or doubled.
pub fn mutant(samples: Vec<Value>) -> impl Strategy<Value = Value> {
    let changes = vec((any::<Index>(), change()), 0..5);
    (select(samples), changes).prop_map(|(mut value, changes)| {
        for (place, change) in changes {
            let place = place.index(count(&value));
            apply(&mut value, place, &change);
        }
        value
    })
}

#[derive(Debug, Clone)]
enum Change {
    Replace(Value),
    Leave,
    Double,
}

fn change() -> impl Strategy<Value = Change> {
    let text = prop_oneof![
        any::<String>(),
        select(vec![
            "",
            "/",
            "*",
            "[",
            "a/../b",
            "%",
            "\u{0}",
            "9999h",
            "data:",
            "\u{1F4A5}"
        ])
        .prop_map(str::to_string),
    ];
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[{"": null}]])),
    ];
    prop_oneof![
        4 => value.prop_map(Change::Replace),
        1 => Just(Change::Leave),
        1 => Just(Change::Double),
    ]
}

/// How many parts there are, the whole included.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum::<usize>(),
        _ => 0,
    }
}

/// Changes the part of this number, counted in the order of reading.
fn apply(value: &mut Value, place: usize, change: &Change) {
    if place == 0 {
        match change {
            Change::Replace(new) => *value = new.clone(),
            Change::Leave => *value = Value::Null,
            Change::Double => *value = json!([value.clone(), value]),
        }
        return;
    }
    let mut left = place - 1;
    match value {
        Value::Array(items) => {
            for at in 0..items.len() {
                let size = count(&items[at]);
                match (left, change) {
                    (0, Change::Leave) => drop(items.remove(at)),
                    (0, Change::Double) => items.insert(at, items[at].clone()),
                    _ if left < size => apply(&mut items[at], left, change),
                    _ => {
                        left -= size;
                        continue;
                    }
                }
                return;
            }
        }
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            for name in names {
                let size = count(&fields[&name]);
                match (left, change) {
                    (0, Change::Leave) => drop(fields.remove(&name)),
                    _ if left < size => apply(&mut fields[&name], left, change),
                    _ => {
                        left -= size;
                        continue;
                    }
                }
                return;
            }
        }
        _ => {}
    }
}
