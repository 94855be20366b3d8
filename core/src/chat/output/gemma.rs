//! Arguments as Gemma 4 writes them: `{city:<|"|>Paris<|"|>,days:3}`.
//!
//! llama.cpp reads them with rules for any value; here they follow the schema.

use serde_json::Value;

use super::build::separated;
use super::form::Form;
use super::schema::{ArgumentSchemas, resolve, text_of, with_definitions};

/// The rule that llama.cpp reads an argument object with.
pub(super) const OBJECT_RULE: &str = "gemma4-dict";

/// The rule that it reads any value with.
const VALUE_RULE: &str = "gemma4-value";

/// What strings are enclosed in.
const QUOTE: &str = "<|\"|>";

/// Schemas are followed no deeper than this; what is deeper may be anything.
const MAX_DEPTH: usize = 12;

/// The form of an object that a schema describes.
pub(super) fn object(schemas: &ArgumentSchemas<'_>, schema: &Value) -> Form {
    Writer { schemas, root: schema }.object(schema, MAX_DEPTH)
}

struct Writer<'a> {
    schemas: &'a ArgumentSchemas<'a>,
    root: &'a Value,
}

impl Writer<'_> {
    fn value(&self, schema: &Value, depth: usize) -> Form {
        let schema = resolve(self.root, schema);
        let Some(depth) = depth.checked_sub(1) else { return Form::Rule(VALUE_RULE.to_owned()) };
        let one = schema.get("const").map(std::slice::from_ref);
        if let Some(values) = one.or(schema["enum"].as_array().map(Vec::as_slice)) {
            return Form::Choice(values.iter().map(spelled).collect());
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(alternatives) = schema[key].as_array() {
                return Form::Choice(alternatives.iter().map(|schema| self.value(schema, depth)).collect());
            }
        }
        match &schema["type"] {
            Value::Array(types) => Form::Choice(
                types
                    .iter()
                    .map(|one| {
                        let mut schema = schema.clone();
                        schema["type"] = one.clone();
                        self.value(&schema, depth)
                    })
                    .collect(),
            ),
            Value::String(one) => match one.as_str() {
                "string" => {
                    let text = text_of(schema, QUOTE).unwrap_or_else(|| Form::Until(vec![QUOTE.to_owned()]));
                    Form::Sequence(vec![Form::literal(QUOTE), text, Form::literal(QUOTE)])
                }
                "object" => self.object(schema, depth),
                "array" => self.array(schema, depth),
                _ => Form::Lark(self.schemas.json(&with_definitions(self.root, schema))),
            },
            _ => Form::Rule(VALUE_RULE.to_owned()),
        }
    }

    fn array(&self, schema: &Value, depth: usize) -> Form {
        let bound = |key: &str| schema[key].as_u64().map(|bound| u32::try_from(bound).unwrap_or(u32::MAX));
        let item = self.value(&schema["items"], depth);
        let min = bound("minItems").unwrap_or(0);
        let more = Form::Sequence(vec![Form::literal(","), item.clone()]);
        let items = match bound("maxItems") {
            Some(0) => Form::Empty,
            max => Form::Sequence(vec![item, Form::repeat(more, min.saturating_sub(1), max.map(|max| max - 1))]),
        };
        let items = if min == 0 { Form::optional(items) } else { items };
        Form::Sequence(vec![Form::literal("["), items, Form::literal("]")])
    }

    /// The properties in the order that Gemma's template has them in.
    fn object(&self, schema: &Value, depth: usize) -> Form {
        let Some(properties) = schema["properties"].as_object() else {
            return match schema["additionalProperties"] {
                Value::Bool(false) => Form::literal("{}"),
                _ => Form::Rule(OBJECT_RULE.to_owned()),
            };
        };
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        // Such a name cannot be read back.
        let mut members: Vec<(bool, Form)> = Vec::new();
        let mut names: Vec<&String> = properties.keys().filter(|name| !name.contains([':', '}'])).collect();
        names.sort_by_key(|name| name.to_lowercase());
        for name in names {
            let value = self.value(&properties[name], depth);
            let member = Form::Sequence(vec![Form::literal(format!("{name}:")), value]);
            members.push((required.contains(&name.as_str()), member));
        }
        Form::Sequence(vec![Form::literal("{"), separated(&members, &Form::literal(",")), Form::literal("}")])
    }
}

fn spelled(value: &Value) -> Form {
    match value {
        Value::String(text) => Form::literal(format!("{QUOTE}{text}{QUOTE}")),
        other => Form::literal(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_between_members() {
        let member = |name: &str, required| (required, Form::literal(name));
        let members = [member("a", false), member("b", true)];
        let Form::Choice(all) = separated(&members, &Form::literal(",")) else { panic!("no choice") };
        let comma_b = Form::Sequence(vec![Form::literal(","), Form::literal("b")]);
        assert_eq!(all[0], Form::Sequence(vec![Form::literal("a"), comma_b]));
        assert_eq!(all[1], Form::Sequence(vec![Form::literal("b")]));
    }
}
