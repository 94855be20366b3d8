//! The schemas of tools' arguments, for the values and texts of an output.

use serde_json::{Map, Value};

use super::form::{Form, TextRule};
use crate::backend::{Placeholder, SchemaStep, Skeleton, split_at_placeholder};

/// References are followed no further than this.
const MAX_REFERENCES: usize = 16;

/// What the arguments of a request's tools must be.
pub(super) struct ArgumentSchemas<'a> {
    pub(super) skeleton: &'a Skeleton,
    /// The parameters of the callable tools, ready to be enforced.
    pub(super) parameters: &'a [Value],
    /// A Lark expression for a value of a schema.
    pub(super) json_rule: &'a dyn Fn(&Value) -> String,
}

impl ArgumentSchemas<'_> {
    pub(super) fn json(&self, schema: &Value) -> String {
        (self.json_rule)(schema)
    }

    /// The schema that llama.cpp's parser calls `name`: the parameters of the
    /// tool, or the property, whose placeholder comes last in it.
    pub(super) fn named(&self, name: &str) -> Option<Value> {
        let mut found = None;
        let mut rest = name;
        while let Some((_, placeholder, after)) = split_at_placeholder(rest) {
            found = Some(placeholder);
            rest = after;
        }
        match found? {
            Placeholder::Tool(tool) => self.parameters.get(tool).cloned(),
            Placeholder::Property(property) => {
                let schema = self.property(property);
                let steps = rest.split('-').filter(|step| !matches!(*step, "" | "schema"));
                Some(steps.fold(schema, |schema, step| inner_schema(&schema, step)))
            }
        }
    }

    /// The schema of a property; that of anything when it cannot be found.
    pub(super) fn property(&self, property: usize) -> Value {
        let found = self.skeleton.property(property).and_then(|property| {
            let root = self.parameters.get(property.tool)?;
            let schema = property.path.iter().try_fold(root, |schema, step| {
                let schema = resolve(root, schema);
                match step {
                    SchemaStep::Property(name) => schema["properties"].get(name),
                    SchemaStep::Items => schema.get("items"),
                }
            })?;
            Some(with_definitions(root, resolve(root, schema)))
        });
        found.unwrap_or_else(|| Value::Object(Map::new()))
    }
}

/// A schema inside another, as llama.cpp names it: `item`, or an alternative's number.
fn inner_schema(schema: &Value, step: &str) -> Value {
    let resolved = resolve(schema, schema);
    let inner = match step {
        "item" => resolved.get("items"),
        number => {
            let number = number.parse::<usize>().ok();
            number.and_then(|number| resolved["anyOf"].get(number).or_else(|| resolved["oneOf"].get(number)))
        }
    };
    inner.map_or_else(|| resolved.clone(), |inner| with_definitions(schema, inner))
}

/// A part of a schema as a document of its own.
pub(super) fn with_definitions(root: &Value, schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(object) = schema.as_object_mut() {
        for key in ["$defs", "definitions"] {
            if let Some(definitions) = root.get(key) {
                object.entry(key).or_insert_with(|| definitions.clone());
            }
        }
    }
    schema
}

pub(super) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..MAX_REFERENCES {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// What the text of an argument without quotes must be, where its schema says
/// more than that it is text.
pub(super) fn text_of(schema: &Value, delimiter: &str) -> Option<Form> {
    let values = schema["enum"].as_array().cloned().or_else(|| schema.get("const").map(|value| vec![value.clone()]));
    if let Some(values) = values {
        let texts = values.iter().map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        // A value that holds the delimiter cannot be written.
        return Some(Form::Choice(texts.filter(|text| !text.contains(delimiter)).map(Form::Literal).collect()));
    }
    let rule = TextRule {
        pattern: schema["pattern"].as_str().map(whole_text_pattern),
        min_length: schema["minLength"].as_u64().unwrap_or(0),
        max_length: schema["maxLength"].as_u64(),
        delimiter: delimiter.to_owned(),
    };
    let says_something = rule.pattern.is_some() || rule.min_length > 0 || rule.max_length.is_some();
    (says_something && schema["type"] == "string").then_some(Form::Text(rule))
}

/// Which strings a schema allows, where a family writes them in either kind of quotes.
pub(super) enum QuotedStrings {
    Any,
    These(Form),
    /// No strings, or not simply these: JSON's quotes must do.
    None,
}

pub(super) fn quoted_strings(schema: &Value) -> QuotedStrings {
    if let Some(values) = schema["enum"].as_array()
        && values.iter().all(Value::is_string)
    {
        let quoted = values.iter().map(|value| {
            let json = value.to_string();
            let inner = &json[1..json.len() - 1];
            let single = format!("'{}'", inner.replace("\\\"", "\"").replace('\'', "\\'"));
            Form::Choice(vec![Form::literal(json.clone()), Form::literal(single)])
        });
        return QuotedStrings::These(Form::Choice(quoted.collect()));
    }
    let constrained = ["const", "pattern", "minLength", "maxLength", "format", "enum"];
    let simple = schema["type"] == "string" && constrained.iter().all(|key| schema.get(key).is_none());
    if simple { QuotedStrings::Any } else { QuotedStrings::None }
}

/// A schema's pattern matches anywhere in a text, ours as a whole.
fn whole_text_pattern(pattern: &str) -> String {
    let one = !has_alternatives(pattern);
    let (start, rest) = match pattern.strip_prefix('^') {
        Some(rest) if one => ("", rest),
        _ => ("(?s:.*)", pattern),
    };
    let (middle, end) = match rest.strip_suffix('$') {
        Some(middle) if one && !middle.ends_with('\\') => (middle, ""),
        _ => (rest, "(?s:.*)"),
    };
    format!("{start}(?:{middle}){end}")
}

/// Whether an anchor of a regular expression belongs to only one of several alternatives.
fn has_alternatives(pattern: &str) -> bool {
    let (mut depth, mut in_class, mut escaped) = (0i32, false, false);
    for character in pattern.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ']' => in_class = false,
            _ if in_class => {}
            '[' => in_class = true,
            '(' => depth += 1,
            ')' => depth -= 1,
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_spelled_as_text() {
        let form = text_of(&json!({ "enum": ["a", 1, "</x>"] }), "</x>");
        assert_eq!(form, Some(Form::Choice(vec![Form::literal("a"), Form::literal("1")])));
        assert_eq!(text_of(&json!({ "type": "string" }), "</x>"), None);
    }

    #[test]
    fn patterns_are_anchored_where_the_schema_says_so() {
        assert_eq!(whole_text_pattern("^[a-z]+$"), "(?:[a-z]+)");
        assert_eq!(whole_text_pattern("^(?:a|[|])$"), "(?:(?:a|[|]))");
        assert_eq!(whole_text_pattern("[a-z]"), "(?s:.*)(?:[a-z])(?s:.*)");
    }
}
