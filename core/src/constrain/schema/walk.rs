//! The way through a schema, writing down what is enforced.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::{
    Fault, MAX_ENUM_VALUES, MAX_NESTING, MAX_OPTIONAL, MAX_PROPERTIES, MAX_SCHEMAS, MAX_TEXT, exclusive, format, join,
    number, pattern, reference, strict, value,
};

const TYPES: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// What does not bear on which values are valid (SO7).
const ANNOTATIONS: [&str; 19] = [
    "title",
    "description",
    "default",
    "examples",
    "example",
    "$schema",
    "$id",
    "id",
    "$anchor",
    "$comment",
    "deprecated",
    "readOnly",
    "writeOnly",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "discriminator",
    "externalDocs",
    "xml",
];

/// Keywords of some version of JSON Schema or `OpenAPI` that are not enforced (SO5).
const UNSUPPORTED: [&str; 22] = [
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "patternProperties",
    "propertyNames",
    "contains",
    "minContains",
    "maxContains",
    "uniqueItems",
    "unevaluatedItems",
    "unevaluatedProperties",
    "additionalItems",
    "nullable",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
    "$vocabulary",
];

/// The keywords that are enforced, with the type each one is about.
const ENFORCED: [(&str, Option<&str>); 25] = [
    ("type", None),
    ("enum", None),
    ("const", None),
    ("anyOf", None),
    ("oneOf", None),
    ("allOf", None),
    ("$ref", None),
    ("properties", Some("object")),
    ("required", Some("object")),
    ("additionalProperties", Some("object")),
    ("minProperties", Some("object")),
    ("maxProperties", Some("object")),
    ("items", Some("array")),
    ("prefixItems", Some("array")),
    ("minItems", Some("array")),
    ("maxItems", Some("array")),
    ("pattern", Some("string")),
    ("format", Some("string")),
    ("minLength", Some("string")),
    ("maxLength", Some("string")),
    ("minimum", Some("number")),
    ("maximum", Some("number")),
    ("exclusiveMinimum", Some("number")),
    ("exclusiveMaximum", Some("number")),
    ("multipleOf", Some("number")),
];

type Schema = Map<String, Value>;

/// Where the walk is.
#[derive(Clone)]
struct At {
    path: String,
    depth: usize,
    /// Whether this schema is combined with others. It is then taken as it is
    /// written: what is added to one part could contradict another.
    combined: bool,
}

impl At {
    fn child(&self, keyword: &str, name: Option<&str>) -> At {
        let path = join(&self.path, keyword);
        let path = name.map_or_else(|| path.clone(), |name| join(&path, name));
        At { path, depth: self.depth + 1, combined: self.combined }
    }

    fn fault(&self, reason: impl Into<String>) -> Fault {
        Fault::new(&self.path, reason)
    }
}

/// A schema that something refers to, and whether it is combined there.
type Target = (String, bool);

pub(super) struct Walk<'a> {
    root: &'a Value,
    strict: bool,
    /// Under which name each target goes into `$defs`.
    names: HashMap<Target, String>,
    /// Targets that are still to be written.
    pending: Vec<(Target, &'a Value)>,
    /// What `$defs` define, by path.
    definitions: Vec<(String, &'a Value)>,
    /// The paths that count already: what `$ref`s repeat does not count again.
    counted: HashSet<String>,
    divisors: HashSet<(u64, u32)>,
    combines: bool,
    schemas: usize,
    properties: usize,
    values: usize,
    text: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(root: &'a Value, strict: bool) -> Self {
        Walk {
            root,
            strict,
            names: HashMap::new(),
            pending: Vec::new(),
            definitions: Vec::new(),
            counted: HashSet::new(),
            divisors: HashSet::new(),
            combines: false,
            schemas: 0,
            properties: 0,
            values: 0,
            text: 0,
        }
    }

    pub(super) fn run(mut self) -> Result<Value, Fault> {
        let at = At { path: "#".to_owned(), depth: 0, combined: false };
        self.names.insert(("#".to_owned(), false), "#".to_owned());
        let mut root = match self.schema(self.root, &at)? {
            Value::Object(root) => root,
            Value::Bool(true) => Map::new(),
            _ => return Err(at.fault("nothing satisfies it")),
        };
        let mut definitions = Map::new();
        while let Some((target, schema)) = self.pending.pop() {
            let name = self.names[&target].rsplit('/').next().unwrap_or_default().to_owned();
            let at = At { path: target.0, depth: 0, combined: target.1 };
            let definition = self.schema(schema, &at)?;
            definitions.insert(name, definition);
        }
        if !definitions.is_empty() {
            root.insert("$defs".to_owned(), Value::Object(definitions));
        }
        // What is defined and never used must be correct all the same.
        while let Some((path, schema)) = self.definitions.pop() {
            if !self.counted.contains(&path) {
                self.schema(schema, &At { path, depth: 0, combined: true })?;
            }
        }
        let divisors: Vec<_> = self.divisors.into_iter().collect();
        if self.combines && divisors.len() > 1 && !number::can_be_combined(&divisors) {
            return Err(at.fault("the values of `multipleOf` are too many or too large to be combined"));
        }
        Ok(Value::Object(root))
    }

    fn schema(&mut self, schema: &'a Value, at: &At) -> Result<Value, Fault> {
        if at.depth > MAX_NESTING {
            return Err(at.fault(format!("it nests deeper than {MAX_NESTING} levels")));
        }
        self.schemas += 1;
        if self.schemas > MAX_SCHEMAS {
            return Err(at.fault(format!("it has more than {MAX_SCHEMAS} schemas inside")));
        }
        let schema = match schema {
            Value::Object(schema) => schema,
            Value::Bool(_) if !self.strict => return Ok(schema.clone()),
            _ => return Err(at.fault("a schema must be an object")),
        };
        if self.counted.insert(at.path.clone()) {
            self.count(schema, at)?;
        }
        self.check_keywords(schema, at)?;
        if self.strict {
            strict::check_schema(schema, &at.path)?;
        }
        for keyword in ["$defs", "definitions"] {
            self.note_definitions(schema, keyword, at)?;
        }
        let at = &At { combined: at.combined || is_combined(schema), ..at.clone() };
        self.combines |= at.combined || schema.contains_key("allOf");

        let mut out = Map::new();
        let types = write_types(schema, at, &mut out)?;
        write_values(schema, at, &mut out)?;
        self.write_combinations(schema, at, &mut out)?;
        self.write_object(schema, at, &mut out)?;
        self.write_array(schema, at, &mut out)?;
        self.write_string(schema, at, &mut out)?;
        number::write(schema, types == ["integer"], &at.path, &mut out)?;
        self.divisors.extend(schema.get("multipleOf").and_then(number::decimal));
        Ok(Value::Object(out))
    }

    fn check_keywords(&self, schema: &Schema, at: &At) -> Result<(), Fault> {
        for (keyword, value) in schema {
            let harmless = matches!(keyword.as_str(), "uniqueItems" | "nullable") && value == &Value::Bool(false);
            if UNSUPPORTED.contains(&keyword.as_str()) && !harmless {
                return Err(at.fault(format!("the keyword `{keyword}` is not supported")));
            }
            let known = harmless
                || ENFORCED.iter().any(|(name, _)| name == keyword)
                || ANNOTATIONS.contains(&keyword.as_str())
                || matches!(keyword.as_str(), "$defs" | "definitions")
                || keyword.starts_with("x-");
            if self.strict && !known {
                return Err(at.fault(format!("the keyword `{keyword}` is unknown")));
            }
        }
        Ok(())
    }

    fn note_definitions(&mut self, schema: &'a Schema, keyword: &str, at: &At) -> Result<(), Fault> {
        let Some(definitions) = schema.get(keyword) else { return Ok(()) };
        let definitions = definitions.as_object().ok_or_else(|| at.fault(format!("`{keyword}` must be an object")))?;
        let path = join(&at.path, keyword);
        self.definitions.extend(definitions.iter().map(|(name, definition)| (join(&path, name), definition)));
        Ok(())
    }

    /// Counts what has a ceiling in this schema itself (SO9).
    fn count(&mut self, schema: &Schema, at: &At) -> Result<(), Fault> {
        let names = schema.get("properties").and_then(Value::as_object);
        let values = schema.get("enum").and_then(Value::as_array);
        self.properties += names.map_or(0, Map::len);
        self.values += values.map_or(0, Vec::len) + usize::from(schema.contains_key("const"));
        self.text += names.map_or(0, |names| names.keys().map(String::len).sum());
        self.text += values.into_iter().flatten().chain(schema.get("const")).map(value::text).sum::<usize>();
        self.text += schema.get("pattern").and_then(Value::as_str).map_or(0, str::len);
        if self.properties > MAX_PROPERTIES {
            return Err(at.fault(format!("the schema has more than {MAX_PROPERTIES} properties")));
        }
        if self.values > MAX_ENUM_VALUES {
            return Err(at.fault(format!("the schema has more than {MAX_ENUM_VALUES} `enum` values")));
        }
        if self.text > MAX_TEXT {
            return Err(at.fault(format!("the schema's names, values and patterns are longer than {MAX_TEXT} bytes")));
        }
        Ok(())
    }

    fn write_combinations(&mut self, schema: &'a Schema, at: &At, out: &mut Schema) -> Result<(), Fault> {
        for keyword in ["anyOf", "oneOf", "allOf"] {
            let Some(parts) = schema.get(keyword) else { continue };
            let parts = parts.as_array().filter(|parts| !parts.is_empty());
            let parts = parts.ok_or_else(|| at.fault(format!("`{keyword}` must be a list of at least one schema")))?;
            let combined = at.combined || keyword == "allOf" && parts.len() > 1;
            let mut written = Vec::with_capacity(parts.len());
            for (index, part) in parts.iter().enumerate() {
                let at = At { combined, ..at.child(keyword, Some(&index.to_string())) };
                written.push(self.schema(part, &at)?);
            }
            let keyword = if keyword == "oneOf" && !out.contains_key("anyOf") {
                self.check_exclusive(parts, at)?
            } else {
                keyword
            };
            out.insert(keyword.to_owned(), Value::Array(written));
        }
        let Some(reference) = schema.get("$ref") else { return Ok(()) };
        let reference = reference.as_str().ok_or_else(|| at.fault("`$ref` must be a string"))?;
        let (target, path) = reference::resolve(self.root, reference, &at.path)?;
        let target_key = (path, at.combined);
        if !self.names.contains_key(&target_key) {
            self.names.insert(target_key.clone(), format!("#/$defs/{}", self.names.len()));
            self.pending.push((target_key.clone(), target));
        }
        out.insert("$ref".to_owned(), json!(self.names[&target_key]));
        Ok(())
    }

    /// How `oneOf` is written: alternatives that exclude each other are those of `anyOf`.
    fn check_exclusive(&self, parts: &[Value], at: &At) -> Result<&'static str, Fault> {
        if exclusive::are_exclusive(self.root, parts) {
            return Ok("anyOf");
        }
        // llguidance finds more of them, but looks into no reference.
        if parts.iter().any(|part| part.get("$ref").is_some()) {
            return Err(at.fault("the alternatives of `oneOf` may overlap; `anyOf` is supported"));
        }
        Ok("oneOf")
    }

    fn write_object(&mut self, schema: &'a Schema, at: &At, out: &mut Schema) -> Result<(), Fault> {
        let mut declared: HashSet<&str> = HashSet::new();
        if let Some(properties) = schema.get("properties") {
            let properties = properties.as_object().ok_or_else(|| at.fault("`properties` must be an object"))?;
            let mut written = Map::new();
            for (name, property) in properties {
                written.insert(name.clone(), self.schema(property, &at.child("properties", Some(name)))?);
                declared.insert(name);
            }
            out.insert("properties".to_owned(), Value::Object(written));
        }
        let required = required(schema, at)?;
        if declared.len() > required.len() + MAX_OPTIONAL {
            return Err(at.fault(format!("more than {MAX_OPTIONAL} properties are optional")));
        }
        if schema.contains_key("required") {
            out.insert("required".to_owned(), json!(required));
        }
        match schema.get("additionalProperties") {
            Some(other) => {
                let written = match other {
                    Value::Bool(_) => other.clone(),
                    _ => self.schema(other, &at.child("additionalProperties", None))?,
                };
                out.insert("additionalProperties".to_owned(), written);
            }
            None if !at.combined && !declared.is_empty() && required.iter().all(|name| declared.contains(name)) => {
                out.insert("additionalProperties".to_owned(), json!(false));
            }
            None => {}
        }
        write_count(schema, "minProperties", at, out)?;
        write_count(schema, "maxProperties", at, out)?;
        let least = out.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
        let open = out.get("additionalProperties") != Some(&Value::Bool(false));
        // Free keys may repeat, and a key given twice counts once.
        if open && least > required.len() as u64 + 1 {
            return Err(at.fault("`minProperties` is not supported beside free keys"));
        }
        Ok(())
    }

    fn write_array(&mut self, schema: &'a Schema, at: &At, out: &mut Schema) -> Result<(), Fault> {
        if let Some(prefix) = schema.get("prefixItems") {
            let prefix = prefix.as_array().ok_or_else(|| at.fault("`prefixItems` must be a list"))?;
            let mut written = Vec::with_capacity(prefix.len());
            for (index, item) in prefix.iter().enumerate() {
                written.push(self.schema(item, &at.child("prefixItems", Some(&index.to_string())))?);
            }
            out.insert("prefixItems".to_owned(), Value::Array(written));
        }
        if let Some(items) = schema.get("items") {
            if items.is_array() {
                return Err(at.fault("`items` must be a schema; lists of them are called `prefixItems`"));
            }
            let at = at.child("items", None);
            let written = if items.is_boolean() { items.clone() } else { self.schema(items, &at)? };
            out.insert("items".to_owned(), written);
        }
        write_count(schema, "minItems", at, out)?;
        write_count(schema, "maxItems", at, out)
    }

    fn write_string(&self, schema: &Schema, at: &At, out: &mut Schema) -> Result<(), Fault> {
        write_count(schema, "minLength", at, out)?;
        write_count(schema, "maxLength", at, out)?;
        let mut expression = None;
        if let Some(pattern) = schema.get("pattern") {
            let pattern = pattern.as_str().ok_or_else(|| at.fault("`pattern` must be a string"))?;
            expression = Some(pattern::rewrite(pattern, &at.path)?);
        }
        if let Some(name) = schema.get("format") {
            let name = name.as_str().ok_or_else(|| at.fault("`format` must be a string"))?;
            match (format::expression(name), expression.take()) {
                (Some(format), None) => expression = Some(format!("^(?:{format})$")),
                (Some(format), Some(pattern)) => {
                    // Both hold: the pattern as one more part of `allOf`.
                    expression = Some(format!("^(?:{format})$"));
                    let parts = out.entry("allOf").or_insert_with(|| json!([]));
                    if let Value::Array(parts) = parts {
                        parts.push(json!({ "pattern": pattern }));
                    }
                }
                (None, _) if self.strict => {
                    return Err(at.fault(format!("the format {name:?} is not supported")));
                }
                (None, pattern) => expression = pattern,
            }
        }
        if let Some(expression) = expression {
            out.insert("pattern".to_owned(), json!(expression));
        }
        Ok(())
    }
}

fn write_types<'a>(schema: &'a Schema, at: &At, out: &mut Schema) -> Result<Vec<&'a str>, Fault> {
    let fault = || at.fault("`type` must name a type of JSON, or list some");
    let types: Vec<&str> = match schema.get("type") {
        None => match inferred_type(schema).filter(|_| !at.combined) {
            Some(name) => vec![name],
            None => return Ok(Vec::new()),
        },
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) if !names.is_empty() => {
            names.iter().map(|name| name.as_str().ok_or_else(fault)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(fault()),
    };
    if !types.iter().all(|name| TYPES.contains(name)) {
        return Err(fault());
    }
    out.insert("type".to_owned(), if let [name] = types[..] { json!(name) } else { json!(types) });
    Ok(types)
}

fn write_values(schema: &Schema, at: &At, out: &mut Schema) -> Result<(), Fault> {
    if let Some(only) = schema.get("const") {
        value::check(only, &at.path)?;
        out.insert("const".to_owned(), only.clone());
    }
    let Some(values) = schema.get("enum") else { return Ok(()) };
    let list = values.as_array().filter(|list| !list.is_empty());
    for value in list.ok_or_else(|| at.fault("`enum` must be a list of at least one value"))? {
        value::check(value, &at.path)?;
    }
    out.insert("enum".to_owned(), values.clone());
    Ok(())
}

/// Whether several parts of this schema speak of the same values.
fn is_combined(schema: &Schema) -> bool {
    let parts = ["anyOf", "oneOf", "allOf", "$ref"].iter().filter(|keyword| schema.contains_key(**keyword)).count();
    parts > 1 || parts == 1 && ENFORCED.iter().any(|(keyword, of)| of.is_some() && schema.contains_key(*keyword))
}

/// The one type that a schema without `type` speaks of.
fn inferred_type(schema: &Schema) -> Option<&'static str> {
    let mut types = ENFORCED.iter().filter(|(keyword, _)| schema.contains_key(*keyword)).map(|(_, of)| *of);
    let first = types.next()??;
    types.all(|other| other == Some(first)).then_some(first)
}

fn required<'a>(schema: &'a Schema, at: &At) -> Result<Vec<&'a str>, Fault> {
    let fault = || at.fault("`required` must be a list of names");
    let Some(names) = schema.get("required") else { return Ok(Vec::new()) };
    let names = names.as_array().ok_or_else(fault)?;
    let mut seen = HashSet::new();
    let names = names.iter().map(|name| name.as_str().ok_or_else(fault)).collect::<Result<Vec<_>, _>>()?;
    Ok(names.into_iter().filter(|name| seen.insert(*name)).collect())
}

fn write_count(schema: &Schema, keyword: &str, at: &At, out: &mut Schema) -> Result<(), Fault> {
    let Some(value) = schema.get(keyword) else { return Ok(()) };
    // `2.0` is a whole number too.
    let whole = value.as_u64().or_else(|| {
        let float = value.as_f64().filter(|float| float.fract() == 0.0 && (0.0..=4e9).contains(float))?;
        format!("{float}").parse().ok()
    });
    let count = whole.ok_or_else(|| at.fault(format!("`{keyword}` must be a whole number")))?;
    out.insert(keyword.to_owned(), json!(count.min(u64::from(u32::MAX) - 1)));
    Ok(())
}
