//! YAML documents as JSON values.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value};

pub fn objects(text: &str) -> Vec<Value> {
    let documents = Yaml::load_from_str(text).expect("test YAML parses");
    documents
        .iter()
        .map(value)
        .filter(Value::is_object)
        .collect()
}

fn value(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) | Yaml::BadValue => Value::Null,
        Yaml::Value(Scalar::Boolean(b)) => (*b).into(),
        Yaml::Value(Scalar::Integer(i)) => (*i).into(),
        Yaml::Value(Scalar::FloatingPoint(f)) => f.into_inner().into(),
        Yaml::Value(Scalar::String(s)) => s.to_string().into(),
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(pairs) => {
            let key = |k: &Yaml| k.as_str().expect("string keys").to_string();
            Value::Object(
                pairs
                    .iter()
                    .map(|(k, v)| (key(k), value(v)))
                    .collect::<Map<_, _>>(),
            )
        }
        other => panic!("unexpected YAML {other:?}"),
    }
}
