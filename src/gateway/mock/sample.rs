//! Values that fit a JSON schema, made from what a prompt says.

use serde_json::{Map, Value, json};

use super::text::{count, items};

const DEPTH: usize = 8;
/// The most values that are made: a schema that refers to itself from many places grows without end.
const VALUES: usize = 2_000;

/// The same for the same schema and prompt. Numbers of the prompt are used in their order, so that
/// "add 2 and 3" calls `add` with 2 and 3; a string takes the prompt's last capitalised word, if any.
pub(super) fn sample(schema: &Value, prompt: &str) -> Value {
    let word = |c: char| !c.is_alphanumeric() && c != '.' && c != '-';
    let said: Vec<&str> = prompt
        .split(word)
        .map(|word| word.trim_matches('.'))
        .collect();
    let numbers: Vec<f64> = said
        .iter()
        .filter_map(|word| word.parse().ok())
        .filter(|number: &f64| number.is_finite())
        .collect();
    let named = said
        .iter()
        .skip(1)
        .rev()
        .find(|word| word.chars().next().is_some_and(char::is_uppercase) && word.len() > 1);
    let mut maker = Maker {
        root: schema,
        numbers: numbers.into_iter(),
        text: named.map_or("mock", |word| word),
        left: VALUES,
    };
    maker.make(schema, DEPTH)
}

struct Maker<'a> {
    root: &'a Value,
    numbers: std::vec::IntoIter<f64>,
    text: &'a str,
    /// How many values may still be made.
    left: usize,
}

impl Maker<'_> {
    fn make(&mut self, schema: &Value, depth: usize) -> Value {
        if depth == 0 || self.left == 0 {
            return Value::Null;
        }
        self.left -= 1;
        for given in ["const", "default"] {
            if let Some(value) = schema.get(given) {
                return value.clone();
            }
        }
        for list in ["enum", "examples"] {
            if let Some(first) = items(schema, list).next() {
                return first.clone();
            }
        }
        if let Some(path) = schema.get("$ref").and_then(Value::as_str) {
            let target = path
                .strip_prefix('#')
                .and_then(|path| self.root.pointer(path));
            return target
                .cloned()
                .map_or(Value::Null, |target| self.make(&target, depth - 1));
        }
        for list in ["anyOf", "oneOf", "allOf"] {
            if let Some(first) = items(schema, list).next() {
                return self.make(first, depth - 1);
            }
        }
        // Gemini writes types in capitals.
        match kind(schema).to_lowercase().as_str() {
            "object" => self.object(schema, depth),
            "array" => {
                let least = count(schema, "minItems").unwrap_or(1).min(16);
                let item = schema.get("items").unwrap_or(&Value::Null);
                (0..least).map(|_| self.make(item, depth - 1)).collect()
            }
            "integer" => {
                // `as` saturates, which is all that a mock needs.
                let number = self.number(schema).round() as i64;
                json!(number)
            }
            "number" => number(self.number(schema)),
            "boolean" => json!(true),
            "null" => Value::Null,
            _ => json!(self.text),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let mut object = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        let required: Vec<&str> = items(schema, "required")
            .filter_map(Value::as_str)
            .collect();
        for (name, property) in properties.into_iter().flatten() {
            if required.is_empty() || required.contains(&name.as_str()) {
                object.insert(name.clone(), self.make(property, depth - 1));
            }
        }
        Value::Object(object)
    }

    fn number(&mut self, schema: &Value) -> f64 {
        let least = schema.get("minimum").and_then(Value::as_f64);
        self.numbers.next().or(least).unwrap_or(1.0)
    }
}

/// Whole numbers are written without a point.
fn number(number: f64) -> Value {
    match number.fract() == 0.0 && number.abs() < 9e15 {
        true => json!(number as i64),
        false => json!(number),
    }
}

/// `type`, or the first of several that is not null, or what the other fields say.
fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str);
            kinds.find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn arguments_fit_their_schema_and_take_what_the_prompt_says() {
        let number = json!({"type": "number"});
        let add = json!({"type": "object", "properties": {"a": number, "b": number}, "required": ["a", "b"]});
        let city = json!({"type": "OBJECT", "properties": {"city": {"type": "STRING"}, "days": {"type": "INTEGER", "minimum": 3}}});
        let nested = json!({"$defs": {"U": {"enum": ["c", "f"]}}, "properties": {
            "unit": {"$ref": "#/$defs/U"}, "tags": {"type": "array", "items": {"type": ["null", "boolean"]}},
            "left": {"default": 7}, "out": {"type": "string"}}, "required": ["unit", "tags", "left"]});
        let table = [
            (&add, "add 2 and 3.5", json!({"a": 2, "b": 3.5})),
            (&add, "add", json!({"a": 1, "b": 1})),
            (
                &city,
                "What is the weather in Paris?",
                json!({"city": "Paris", "days": 3}),
            ),
            (&nested, "", json!({"unit": "c", "tags": [true], "left": 7})),
            (&Value::Null, "", json!("mock")),
        ];
        for (schema, prompt, expected) in table {
            assert_eq!(sample(schema, prompt), expected, "{prompt}");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_comes_to_an_end() {
        let schema = json!({"properties": {"next": {"$ref": "#"}, "more": {"items": {"$ref": "#"}, "minItems": 99}}});
        let size = sample(&schema, "").to_string().len();
        assert!(size < 1 << 20, "{size}");
    }

    proptest! {
        #[test]
        fn any_prompt_and_any_names_make_a_value(prompt in ".{0,60}", name in ".{0,9}", least in any::<u64>()) {
            let schema = json!({"type": name, "properties": {&name: {"type": "number", "minimum": least}}, "items": {}, "minItems": least});
            sample(&schema, &prompt);
            sample(&json!({"type": "integer"}), &prompt);
        }
    }
}
