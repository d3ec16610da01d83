//! How errors stand in the OpenAPI document: each code is a schema of its own, and an answer is one of them, told apart
//! by `code`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{
    http::kit::{problem, request_id},
    problem::ProblemDetails,
};

/// The answers by their status, and the schemas that they name.
pub fn answers(problems: Vec<ProblemDetails>) -> (BTreeMap<String, Value>, BTreeMap<String, Value>) {
    let mut by_status = BTreeMap::<_, Vec<_>>::new();
    let mut schemas = BTreeMap::new();
    for details in problems {
        schemas.insert(name(details.code), schema(&details));
        by_status
            .entry(details.status.to_string())
            .or_default()
            .push(details);
    }
    let answers = by_status
        .into_iter()
        .map(|(status, problems)| (status, answer(problems)));
    (answers.collect(), schemas)
}

/// Where a header is described.
pub fn header_ref(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

/// Any of these problems.
pub fn any_of(codes: &[&str]) -> Value {
    let reference = |code: &str| format!("#/components/schemas/{}", name(code));
    if let [code] = codes {
        return json!({ "$ref": reference(code) });
    }
    let variants: Vec<_> = codes
        .iter()
        .map(|code| json!({ "$ref": reference(code) }))
        .collect();
    let mapping: BTreeMap<_, _> = codes.iter().map(|&code| (code, reference(code))).collect();
    json!({ "oneOf": variants, "discriminator": { "propertyName": "code", "mapping": mapping } })
}

fn answer(problems: Vec<ProblemDetails>) -> Value {
    let mut headers = Map::from_iter([("x-request-id".to_owned(), header_ref("x-request-id"))]);
    let (mut lines, mut examples, mut codes) = (Vec::new(), Map::new(), Vec::new());
    for details in problems {
        for (name, _) in problem::headers(&details) {
            headers.insert(name.as_str().to_owned(), header_ref(name.as_str()));
        }
        // An operation may have a problem for two reasons; a variant that stands twice would fit no answer, as just one may.
        if codes.contains(&details.code) {
            continue;
        }
        lines.push(format!("`{}`: {}", details.code, details.detail));
        codes.push(details.code);
        examples.insert(details.code.to_owned(), json!({ "value": example(details) }));
    }
    json!({
        "description": lines.join("\n\n"),
        "headers": headers,
        "content": { "application/problem+json": { "schema": any_of(&codes), "examples": examples } },
    })
}

/// As it is sent, with an example of a request's id.
fn example(details: ProblemDetails) -> Value {
    let mut example = serde_json::from_str(&problem::body(&details)).unwrap_or(Value::Null);
    example["request_id"] = request_id::EXAMPLE.into();
    example
}

/// `otp_expired`: `OtpExpiredProblem`.
fn name(code: &str) -> String {
    let words = code.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.chain(["Problem".to_owned()]).collect()
}

fn schema(details: &ProblemDetails) -> Value {
    let example = example(details.clone());
    let fields = example.as_object().into_iter().flatten();
    let properties: Map<_, _> = fields
        .clone()
        .map(|(name, value)| (name.clone(), property(name, value)))
        .collect();
    let required: Vec<_> = fields.map(|(name, _)| name).collect();
    json!({
        "type": "object", "description": details.detail, "required": required, "properties": properties,
        "example": example,
    })
}

fn property(name: &str, value: &Value) -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let one =
        |kind: &str, description: &str| json!({ "type": kind, "enum": [value], "description": description });
    match name {
        "type" => one(
            "string",
            "Names the kind of problem: `urn:ringback:problem:` and the code.",
        ),
        "title" => text("The status in words."),
        "status" => one("integer", "The HTTP status."),
        "detail" => text("What happened, for people."),
        "code" => one("string", "What happened, for programs."),
        "request_id" => text("Names this request in the service's log; also the header `x-request-id`."),
        "errors" => json!({
            "type": "object", "description": "What is wrong with each field.",
            "additionalProperties": { "type": "array", "items": { "type": "string" } },
        }),
        "attempts_remaining" => json!({
            "type": "integer", "minimum": 1, "description": "How many more codes will be judged.",
        }),
        "rule" => text("The id of the rule that refused."),
        "scope" => json!({
            "type": "string", "enum": ["cluster", "instance"], "description": "Where the rule is counted.",
        }),
        "proof" => json!({
            "type": "object",
            "description": "A challenge to a proof of work (ALTCHA, version 1): find the number up to `maxnumber` that makes the \
                SHA-256 of `salt` and the number, as text, be `challenge`. It is good for two minutes, once, for this address.",
            "required": ["algorithm", "challenge", "maxnumber", "salt", "signature"],
            "properties": {
                "algorithm": { "type": "string", "enum": ["SHA-256"] },
                "challenge": { "type": "string" },
                "maxnumber": { "type": "integer", "minimum": 1 },
                "salt": { "type": "string" },
                "signature": { "type": "string" },
            },
        }),
        "retry_after" => json!({
            "type": "integer", "minimum": 1, "description": "Seconds to wait before another try.",
        }),
        _ => json!({}),
    }
}
