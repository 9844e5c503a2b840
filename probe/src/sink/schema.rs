//! The JSON Schema of the stream.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::record::{Record, SCHEMA_VERSION};

/// The schema of one line of `--output json`: draft 2020-12, every field documented, no others allowed.
pub fn document() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<Record>().to_value();
    close(&mut schema);
    let id = format!("https://github.com/connprobe/connprobe/schema/record-v{SCHEMA_VERSION}.json");
    schema["$id"] = json!(id);
    schema["properties"]["v"]["const"] = json!(SCHEMA_VERSION);
    schema
}

/// An object with listed properties has no others; a field is absent, never null.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".to_owned(), json!(false));
            }
            never_null(map);
            map.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// An `Option` is left out when it is `None`: what schemars says of null does not happen.
fn never_null(map: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(mut choices)) = map.remove("anyOf") {
        choices.retain(|choice| *choice != json!({ "type": "null" }));
        match <[Value; 1]>::try_from(choices) {
            Ok([Value::Object(only)]) => map.extend(only),
            Ok([only]) => drop(map.insert("anyOf".to_owned(), json!([only]))),
            Err(choices) => drop(map.insert("anyOf".to_owned(), Value::Array(choices))),
        }
    }
}
