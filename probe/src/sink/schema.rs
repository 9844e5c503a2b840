//! The JSON Schema of the stream.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

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
            map.values_mut().for_each(close);
        }
        Value::Array(list) => list.iter_mut().for_each(close),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
