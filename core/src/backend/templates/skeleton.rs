//! What llama.cpp's parser builder is told about the tools.
//!
//! It needs their names, and for families that write every argument in a tag of
//! its own the properties with their types; it gets nothing else, because it
//! refuses schemas that are valid, and we enforce the schemas ourselves. Names
//! are replaced by placeholders: it makes rule names from them, in which
//! `get_time` and `get-time` would be one rule, and so would all names in Chinese.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::TemplateTool;

/// References are followed, and nested schemas described, no further than this.
const MAX_DEPTH: usize = 8;

/// The tools of one request, reduced to what the parser is made from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Skeleton {
    tools: Vec<Value>,
    tool_names: Vec<String>,
    properties: Vec<SkeletonProperty>,
}

/// A property of a tool's parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SkeletonProperty {
    pub(crate) tool: usize,
    /// The way from the tool's parameters to the property.
    pub(crate) path: Vec<SchemaStep>,
    pub(crate) required: bool,
}

/// A step into a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SchemaStep {
    Property(String),
    Items,
}

impl Skeleton {
    pub(crate) fn new(tools: &[TemplateTool]) -> Self {
        let mut skeleton = Skeleton::default();
        for (index, tool) in tools.iter().enumerate() {
            let parameters = skeleton.object(&tool.parameters, &tool.parameters, index, &[]);
            skeleton.tool_names.push(tool.name.clone());
            skeleton.tools.push(json!({
                "type": "function",
                "function": { "name": tool_placeholder(index), "description": "", "parameters": parameters },
            }));
        }
        skeleton
    }

    pub(super) fn tools(&self) -> &[Value] {
        &self.tools
    }

    pub(crate) fn tool_count(&self) -> usize {
        self.tool_names.len()
    }

    /// The real name of the tool with this index.
    pub(crate) fn tool_name(&self, tool: usize) -> Option<&str> {
        self.tool_names.get(tool).map(String::as_str)
    }

    pub(crate) fn property(&self, index: usize) -> Option<&SkeletonProperty> {
        self.properties.get(index)
    }

    /// The real name of the property with this index.
    pub(crate) fn property_name(&self, index: usize) -> Option<&str> {
        match self.properties.get(index)?.path.last()? {
            SchemaStep::Property(name) => Some(name),
            SchemaStep::Items => None,
        }
    }

    /// Puts the real names into the texts that a parser matches.
    pub(crate) fn fill(&self, arena: &Value) -> Value {
        let mut arena = arena.clone();
        for node in arena["parsers"].as_array_mut().into_iter().flatten() {
            if let Some(Value::String(literal)) = node.get_mut("literal") {
                *literal = self.fill_text(literal);
            }
            for delimiter in node.get_mut("delimiters").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Value::String(text) = delimiter {
                    *text = self.fill_text(text);
                }
            }
        }
        arena
    }

    /// Puts the real names into a text.
    pub(crate) fn fill_text(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, placeholder, after)) = split_at_placeholder(rest) {
            let name = match placeholder {
                Placeholder::Tool(index) => self.tool_name(index),
                Placeholder::Property(index) => self.property_name(index),
            };
            filled.push_str(before);
            filled.push_str(name.unwrap_or_default());
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    /// The skeleton of a schema for an object, whose properties are noted down.
    fn object(&mut self, root: &Value, schema: &Value, tool: usize, path: &[SchemaStep]) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        let schema = resolve(root, schema);
        let demanded: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let mut path = path.to_vec();
            path.push(SchemaStep::Property(name.clone()));
            let index = self.properties.len();
            let is_required = demanded.contains(&name.as_str());
            self.properties.push(SkeletonProperty { tool, path: path.clone(), required: is_required });
            if is_required {
                required.push(property_placeholder(index));
            }
            let value = self.value(root, property, tool, &path);
            properties.insert(property_placeholder(index), value);
        }
        json!({ "type": "object", "properties": properties, "required": required })
    }

    fn value(&mut self, root: &Value, schema: &Value, tool: usize, path: &[SchemaStep]) -> Value {
        let schema = resolve(root, schema);
        let types = value_types(root, schema, MAX_DEPTH);
        let one = (types.len() == 1).then(|| types.first().copied()).flatten();
        match one {
            Some("object") if path.len() < MAX_DEPTH && schema["properties"].is_object() => {
                self.object(root, schema, tool, path)
            }
            Some("array") if path.len() < MAX_DEPTH && schema["items"].is_object() => {
                let mut path = path.to_vec();
                path.push(SchemaStep::Items);
                json!({ "type": "array", "items": self.value(root, &schema["items"], tool, &path) })
            }
            Some(one) => json!({ "type": one }),
            None if types.is_empty() => json!({}),
            None => json!({ "type": types }),
        }
    }
}

/// A name's stand-in; it reads the same in rule names, which know letters, digits and `-`.
fn tool_placeholder(index: usize) -> String {
    format!("zerohopT{index}E")
}

fn property_placeholder(index: usize) -> String {
    format!("zerohopP{index}E")
}

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placeholder {
    Tool(usize),
    Property(usize),
}

/// The text before the first placeholder, the placeholder, and the text after it.
pub(crate) fn split_at_placeholder(text: &str) -> Option<(&str, Placeholder, &str)> {
    text.match_indices("zerohop").find_map(|(start, mark)| {
        let rest = &text[start + mark.len()..];
        let kind = rest.chars().next()?;
        let (index, after) = rest.get(1..)?.split_once('E')?;
        let index = index.parse().ok()?;
        let placeholder = match kind {
            'T' => Placeholder::Tool(index),
            'P' => Placeholder::Property(index),
            _ => return None,
        };
        Some((&text[..start], placeholder, after))
    })
}

/// Follows references inside one document.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..MAX_DEPTH {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// The JSON types that a value may have; none when anything goes.
fn value_types<'a>(root: &'a Value, schema: &'a Value, depth: usize) -> BTreeSet<&'a str> {
    let schema = resolve(root, schema);
    if depth == 0 {
        return BTreeSet::new();
    }
    if let Some(one) = schema["type"].as_str() {
        return BTreeSet::from([one]);
    }
    if let Some(several) = schema["type"].as_array() {
        return several.iter().filter_map(Value::as_str).collect();
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(type_of).collect();
    }
    if let Some(value) = schema.get("const") {
        return BTreeSet::from([type_of(value)]);
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(alternatives) = schema[key].as_array() {
            let types: Vec<_> = alternatives.iter().map(|schema| value_types(root, schema, depth - 1)).collect();
            // One alternative that may be anything makes the whole anything.
            return if types.iter().any(BTreeSet::is_empty) {
                BTreeSet::new()
            } else {
                types.into_iter().flatten().collect()
            };
        }
    }
    let parts = schema["allOf"].as_array().into_iter().flatten();
    let types = parts.map(|schema| value_types(root, schema, depth - 1)).find(|types| !types.is_empty());
    types.unwrap_or_default()
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skeleton_of(parameters: Value) -> Skeleton {
        Skeleton::new(&[TemplateTool { name: "get-time".to_owned(), description: "told".to_owned(), parameters }])
    }

    #[test]
    fn only_names_and_types_reach_the_parser_builder() {
        let skeleton = skeleton_of(json!({
            "type": "object",
            "properties": {
                "城市": { "type": "string", "pattern": "a", "description": "told" },
                "how": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
                "n": { "$ref": "#/$defs/n" },
                "loop": { "$ref": "#/properties/loop" },
            },
            "required": ["n"],
            "$defs": { "n": { "enum": [1, 2] } },
        }));
        assert_eq!(
            skeleton.tools()[0],
            json!({ "type": "function", "function": { "name": "zerohopT0E", "description": "", "parameters": {
                "type": "object",
                "properties": {
                    "zerohopP0E": { "type": "string" },
                    "zerohopP1E": { "type": ["null", "string"] },
                    "zerohopP2E": { "type": "integer" },
                    "zerohopP3E": {},
                },
                "required": ["zerohopP2E"],
            } } })
        );
        assert_eq!(skeleton.property_name(0), Some("城市"));
    }

    #[test]
    fn real_names_are_put_back_into_what_is_matched() {
        let skeleton = skeleton_of(json!({ "properties": { "a b": {} } }));
        let arena = json!({ "parsers": [
            { "type": "literal", "literal": "<f=zerohopT0E><zerohopP0E>" },
            { "type": "until", "delimiters": ["</zerohopP0E>", "zerohopX"] },
            { "type": "rule", "name": "tool-zerohopT0E" },
        ] });
        let filled = skeleton.fill(&arena);
        assert_eq!(filled["parsers"][0]["literal"], "<f=get-time><a b>");
        assert_eq!(filled["parsers"][1]["delimiters"], json!(["</a b>", "zerohopX"]));
        assert_eq!(filled["parsers"][2]["name"], "tool-zerohopT0E");
    }
}
