//! The document, and how answers are held against it.

use serde_json::{Map, Value, json};

use crate::support::{Answer, TestApp};

/// The document, as a client reads it.
pub struct Document(pub Value);

impl Document {
    pub async fn of(app: &TestApp) -> Self {
        let answer = app.get("/openapi.json").await;
        assert_eq!(app.get("/openapi.json/").await.raw, answer.raw);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "application/json")
        );
        Self(answer.body)
    }

    /// Every operation: path, method, and what it says.
    pub fn operations(&self) -> Vec<(&str, &str, &Value)> {
        let paths = self.0["paths"].as_object().unwrap();
        let methods = paths.iter().flat_map(|(path, item)| {
            let item = item.as_object().unwrap();
            item.iter()
                .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
        });
        methods.collect()
    }

    /// A part of the document, with its reference followed if it is one.
    pub fn resolve<'a>(&'a self, part: &'a Value) -> &'a Value {
        match part["$ref"].as_str() {
            Some(reference) => {
                let pointer = reference.strip_prefix('#').unwrap();
                let found = self.0.pointer(pointer);
                found.unwrap_or_else(|| panic!("{reference} leads nowhere"))
            }
            None => part,
        }
    }

    /// Asserts that an answer is one of those that the document promises for this operation.
    pub fn promises(&self, method: &str, path: &str, answer: &Answer) {
        let operation = &self.0["paths"][path][method];
        let promised = &operation["responses"][answer.status.to_string()];
        assert!(promised.is_object(), "{method} {path} gave {answer:?}");
        for name in object(&promised["headers"]).keys() {
            assert!(answer.headers.contains_key(name), "no {name} in {answer:?}");
        }
        let Some(kind) = answer.headers.get("content-type") else {
            assert!(
                promised["content"].is_null() && answer.raw.is_empty(),
                "{answer:?}"
            );
            return;
        };
        let kind = kind.to_str().unwrap().split(';').next().unwrap();
        let content = &promised["content"][kind];
        assert!(content.is_object(), "{method} {path} gave {answer:?}");
        if kind == "application/problem+json" {
            assert!(content["examples"][answer.text("code")].is_object(), "{answer:?}");
        }
        if kind != "text/html" {
            self.fits(&answer.body, &content["schema"]);
        }
        if let Some(example) = content.get("example") {
            alike(example, &answer.body, "");
        }
    }

    /// A schema with the parts of its `allOf` in it.
    fn merged(&self, schema: &Value) -> Value {
        let Some(parts) = schema["allOf"].as_array() else {
            return schema.clone();
        };
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for part in parts {
            let part = self.merged(self.resolve(part));
            properties.extend(object(&part["properties"]));
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        json!({ "type": "object", "properties": properties, "required": required })
    }

    /// Asserts that a value has the fields that its schema asks for, and no others.
    pub fn fits(&self, value: &Value, schema: &Value) {
        let whole = self.merged(self.resolve(schema));
        let schema = &whole;
        if let Some(mapping) = schema["discriminator"]["mapping"].as_object() {
            let name = schema["discriminator"]["propertyName"].as_str().unwrap();
            let variant = value[name].as_str().and_then(|name| mapping.get(name));
            let variant = variant.unwrap_or_else(|| panic!("{value} is none of {mapping:?}"));
            return self.fits(value, &json!({ "$ref": variant }));
        }
        if let Some(variants) = schema["oneOf"].as_array() {
            let is_whole = |variant: &&Value| {
                let required = self.resolve(variant)["required"].as_array();
                required.is_some_and(|fields| {
                    fields
                        .iter()
                        .all(|field| value.get(field.as_str().unwrap()).is_some())
                })
            };
            let fitting: Vec<_> = variants.iter().filter(is_whole).collect();
            assert_eq!(fitting.len(), 1, "{value} is to be one of {variants:?}");
            return self.fits(value, fitting[0]);
        }
        if let Some(allowed) = schema["enum"].as_array() {
            assert!(allowed.contains(value), "{value} is none of {allowed:?}");
        }
        match value {
            Value::Object(fields) if schema["properties"].is_object() => {
                for required in schema["required"].as_array().unwrap() {
                    assert!(
                        fields.contains_key(required.as_str().unwrap()),
                        "no {required} in {value}"
                    );
                }
                for (name, field) in fields {
                    let property = &schema["properties"][name];
                    assert!(property.is_object(), "{name} of {value} is not documented");
                    self.fits(field, property);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.fits(item, &schema["items"])),
            _ => {
                let kind = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(_) => "integer",
                    Value::String(_) => "string",
                    Value::Array(_) | Value::Object(_) => "object",
                };
                let kinds = &schema["type"];
                let fits =
                    kinds == kind || kinds.as_array().is_some_and(|kinds| kinds.contains(&json!(kind)));
                assert!(fits, "{value} is not {schema}");
            }
        }
    }
}

/// Asserts that an example looks like a real answer: the same fields, of the same kinds; what is made by the service, of
/// the same length; what it says, in the same words.
fn alike(example: &Value, real: &Value, name: &str) {
    let digits_masked = |text: &str| text.replace(|character: char| character.is_ascii_digit(), "0");
    match (example, real) {
        (Value::Object(example), Value::Object(real)) => {
            assert!(example.keys().eq(real.keys()), "{example:?}, {real:?}");
            for (name, example) in example {
                alike(example, &real[name], name);
            }
        }
        (Value::Array(example), Value::Array(real)) => {
            for (example, real) in example.iter().zip(real) {
                alike(example, real, name);
            }
        }
        (Value::String(example), Value::String(real)) => match name {
            "detail" | "body" | "token_type" => {
                assert_eq!(digits_masked(example), digits_masked(real), "{name}")
            }
            "id" | "challenge_id" | "refresh" | "created_at" | "kid" | "x" => {
                assert_eq!(example.len(), real.len(), "{name}: {example}, {real}");
            }
            _ => {}
        },
        _ => assert_eq!(example.is_number(), real.is_number(), "{name}: {example}, {real}"),
    }
}

pub fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// Every text that stands under `$ref` anywhere.
pub fn references<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.contains_key("$ref").then_some(value));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}
