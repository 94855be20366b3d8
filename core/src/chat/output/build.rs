//! From llama.cpp's serialised parser to a [`Form`].

use std::collections::BTreeSet;

use serde_json::Value;

use super::derive::Rules;
use super::form::{CharacterClass, Form, Mark};
use super::gemma;
use super::schema::{ArgumentSchemas, QuotedStrings, quoted_strings, text_of};
use crate::api::error::{Error, Result};
use crate::backend::{OutputFormat, Placeholder, split_at_placeholder};

/// A parser nests no deeper than this.
const MAX_DEPTH: usize = 200;

/// The form that an output has, and the rules it refers to.
pub(super) fn build(format: &OutputFormat, schemas: &ArgumentSchemas<'_>) -> Result<(Form, Rules)> {
    let root = node_id(&format.arena["root"]);
    let mut builder = Builder { format, schemas, rules: Rules::new(), recursive: BTreeSet::new() };
    let form = builder.node(root, &Place::default())?;
    Ok((form, builder.rules))
}

struct Builder<'a> {
    format: &'a OutputFormat,
    schemas: &'a ArgumentSchemas<'a>,
    rules: Rules,
    /// Rules that were met inside themselves.
    recursive: BTreeSet<String>,
}

/// Where in the parser a node stands.
#[derive(Debug, Clone, Default)]
struct Place {
    /// The rules around it, from the outermost.
    rules: Vec<String>,
    depth: usize,
    /// The property whose argument it belongs to.
    argument: Option<usize>,
    /// It is the text of an argument that is written without quotes.
    is_argument_text: bool,
}

impl Builder<'_> {
    fn json(&self, id: usize) -> &Value {
        &self.format.arena["parsers"][id]
    }

    fn node(&mut self, id: usize, place: &Place) -> Result<Form> {
        if place.depth > MAX_DEPTH {
            return Err(Error::internal("the template's output parser nests too deeply"));
        }
        let place = &Place { depth: place.depth + 1, ..place.clone() };
        let node = self.json(id).clone();
        let child = || node_id(&node["child"]);
        let form = match node["type"].as_str().unwrap_or_default() {
            "epsilon" | "start" | "end" => Form::Empty,
            "literal" => Form::Literal(self.text(&node["literal"])),
            "sequence" => {
                let children = self.nodes(&node["children"], place)?;
                Form::Sequence(self.separated_in_order(children))
            }
            "choice" => Form::Choice(self.nodes(&node["children"], place)?),
            "repetition" => self.repetition(&node, place)?,
            "and" => Form::Peek { child: Box::new(self.node(child(), place)?), negated: false },
            "not" => Form::Peek { child: Box::new(self.node(child(), place)?), negated: true },
            "any" => characters(CharacterClass { ranges: Vec::new(), negated: true }, 1, Some(1)),
            "space" => Form::Space,
            "chars" => {
                characters(character_class(&node), count(&node["min_count"]).unwrap_or(0), count(&node["max_count"]))
            }
            "string" => Form::Quoted(node["delimiter"].as_str().and_then(|text| text.chars().next()).unwrap_or('"')),
            "until" => self.until(&node, place),
            "schema" => Form::Lark(self.schemas.json(&self.schema(&node["name"])?)),
            "rule" => self.rule(&node, place)?,
            "ref" => self.reference(node["name"].as_str().unwrap_or_default(), place)?,
            "atomic" | "ac" => self.node(child(), place)?,
            "tag" => self.tag(&node, place)?,
            "gbnf" => self.gbnf(&node, place)?,
            other => {
                return Err(Error::internal(format!("the template's output parser has an unknown node '{other}'")));
            }
        };
        Ok(form)
    }

    fn nodes(&mut self, ids: &Value, place: &Place) -> Result<Vec<Form>> {
        ids.as_array().into_iter().flatten().map(|id| self.node(node_id(id), place)).collect()
    }

    /// A text with the real names in it.
    fn text(&self, text: &Value) -> String {
        self.format.skeleton.fill_text(text.as_str().unwrap_or_default())
    }

    fn until(&self, node: &Value, place: &Place) -> Form {
        let delimiters: Vec<String> =
            node["delimiters"].as_array().into_iter().flatten().map(|text| self.text(text)).collect();
        match (place.argument, delimiters.as_slice()) {
            (Some(property), [delimiter]) if place.is_argument_text => {
                text_of(&self.schemas.property(property), delimiter).unwrap_or(Form::Until(delimiters))
            }
            _ => Form::Until(delimiters),
        }
    }

    fn repetition(&mut self, node: &Value, place: &Place) -> Result<Form> {
        let child = self.node(node_id(&node["child"]), place)?;
        let max = count(&node["max_count"]);
        if max.is_none()
            && let Some(arguments) = self.in_order(&child)
        {
            return Ok(arguments);
        }
        Ok(Form::repeat(child, count(&node["min_count"]).unwrap_or(0), max))
    }

    /// Any number of arguments in any order, as each one once, in the order of
    /// the schema: so none is repeated for ever, and none is forgotten.
    fn in_order(&self, child: &Form) -> Option<Form> {
        let parts = match child {
            Form::Sequence(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        let is_choice = |form: &&Form| arguments_of(form).is_some();
        let choice = parts.iter().find(is_choice)?;
        if parts.iter().any(|part| *part != Form::Space && part != choice) {
            return None;
        }
        let one = |argument: &Form| {
            let parts = parts.iter().map(|part| if part == choice { argument.clone() } else { part.clone() });
            let written = Form::Sequence(parts.collect());
            if self.is_required(argument) { written } else { Form::optional(written) }
        };
        Some(Form::Sequence(arguments_of(choice)?.iter().map(one).collect()))
    }

    /// The same for arguments with separators between them: one, and any number of
    /// others after a comma.
    fn separated_in_order(&self, mut children: Vec<Form>) -> Vec<Form> {
        let place = children.windows(2).position(|pair| {
            let Form::Repeat { child, min: 0, max: None, .. } = &pair[1] else { return false };
            let Form::Sequence(round) = &**child else { return false };
            arguments_of(&pair[0]).is_some() && round.last() == Some(&pair[0]) && round.len() > 1
        });
        let Some(place) = place else { return children };
        let (Some(arguments), Form::Repeat { child, .. }) = (arguments_of(&children[place]), &children[place + 1])
        else {
            return children;
        };
        let Form::Sequence(round) = &**child else { return children };
        let separator = Form::Sequence(round[..round.len() - 1].to_vec());
        let members: Vec<(bool, Form)> =
            arguments.into_iter().map(|argument| (self.is_required(&argument), argument)).collect();
        children.splice(place..place + 2, [separated(&members, &separator)]);
        children
    }

    fn is_required(&self, argument: &Form) -> bool {
        matches!(argument, Form::Marked(Mark::Argument(property), _)
            if self.format.skeleton.property(*property).is_some_and(|property| property.required))
    }

    fn schema(&self, name: &Value) -> Result<Value> {
        let name = name.as_str().unwrap_or_default();
        self.schemas
            .named(name)
            .ok_or_else(|| Error::internal(format!("the template's output parser has an unknown schema '{name}'")))
    }

    fn rule(&mut self, node: &Value, place: &Place) -> Result<Form> {
        let name = node["name"].as_str().unwrap_or_default();
        if place.rules.iter().any(|rule| rule == name) {
            self.recursive.insert(name.to_owned());
            return Ok(Form::Rule(name.to_owned()));
        }
        if let Some(kind) = name.strip_prefix("json-").and_then(json_schema) {
            return Ok(Form::Lark(self.schemas.json(&kind)));
        }
        if name == gemma::OBJECT_RULE
            && let Some(Placeholder::Tool(tool)) =
                place.rules.last().and_then(|rule| Some(split_at_placeholder(rule)?.1))
        {
            // Kept as a rule, for values that the schema leaves open.
            let _ = self.rule(node, &Place { depth: place.depth, ..Place::default() })?;
            return Ok(gemma::object(self.schemas, self.schemas.parameters.get(tool).unwrap_or(&Value::Bool(true))));
        }
        let mut inner = place.clone();
        inner.rules.push(name.to_owned());
        let mut form = self.node(node_id(&node["child"]), &inner)?;
        if is_permutation(name)
            && let Some(arguments) = permutation(&form)
        {
            form = arguments;
        }
        if self.recursive.contains(name) {
            self.rules.insert(name.to_owned(), form);
            return Ok(Form::Rule(name.to_owned()));
        }
        Ok(form)
    }

    fn reference(&mut self, name: &str, place: &Place) -> Result<Form> {
        self.node(node_id(&self.format.arena["rules"][name]), place)
    }

    fn tag(&mut self, node: &Value, place: &Place) -> Result<Form> {
        let id = node_id(&node["child"]);
        match node["tag"].as_str().unwrap_or_default() {
            "content" => Ok(Form::Marked(Mark::Content, Box::new(self.node(id, place)?))),
            "reasoning" => Ok(Form::Marked(Mark::Reasoning, Box::new(self.node(id, place)?))),
            // Some families' calls are marked by nothing but their names.
            "tool" | "tool-name" => Ok(Form::Marked(Mark::Tool, Box::new(self.node(id, place)?))),
            "tool-arg" => self.argument(id, place),
            "tool-arg-string-value" => self.node(id, &Place { is_argument_text: true, ..place.clone() }),
            "tool-arg-value" => match place.argument {
                // Otherwise the parser takes it in a wider syntax, which the schema says nothing about.
                Some(property) if self.find(id, &mut BTreeSet::new(), &is_schema).is_none() => {
                    match quoted_strings(&self.schemas.property(property)) {
                        QuotedStrings::Any => self.node(id, place),
                        QuotedStrings::These(all) => Ok(all),
                        QuotedStrings::None => Ok(Form::Lark(self.schemas.json(&self.schemas.property(property)))),
                    }
                }
                _ => self.node(id, place),
            },
            _ => self.node(id, place),
        }
    }

    fn argument(&mut self, id: usize, place: &Place) -> Result<Form> {
        let property = self.find(id, &mut BTreeSet::new(), &|node| {
            let (_, placeholder, _) = split_at_placeholder(node["literal"].as_str()?)?;
            match placeholder {
                Placeholder::Property(property) => Some(property),
                Placeholder::Tool(_) => None,
            }
        });
        let form = self.node(id, &Place { argument: property.or(place.argument), ..place.clone() })?;
        Ok(match property {
            Some(property) => Form::Marked(Mark::Argument(property), Box::new(form)),
            None => form,
        })
    }

    /// What the first node under `id` that has it says.
    fn find<T>(&self, id: usize, seen: &mut BTreeSet<usize>, what: &dyn Fn(&Value) -> Option<T>) -> Option<T> {
        if !seen.insert(id) {
            return None;
        }
        let node = self.json(id);
        what(node).or_else(|| {
            let mut children = node["children"].as_array().into_iter().flatten().chain(node.get("child")).map(node_id);
            children.find_map(|child| self.find(child, seen, what))
        })
    }

    /// A node that llama.cpp's own grammar has a simpler form for.
    fn gbnf(&mut self, node: &Value, place: &Place) -> Result<Form> {
        match node["grammar"].as_str().unwrap_or_default() {
            "" => Ok(Form::Empty),
            rule if self.format.arena["rules"].get(rule).is_some() => self.reference(rule, place),
            _ => self.node(node_id(&node["child"]), place),
        }
    }
}

fn is_schema(node: &Value) -> Option<()> {
    (node["type"] == "schema").then_some(())
}

/// Members in their order with separators between them, the optional ones or not.
pub(super) fn separated(members: &[(bool, Form)], separator: &Form) -> Form {
    let mut first = Form::Empty;
    let mut later: Vec<Form> = Vec::new();
    // From the last to the first: what may follow when nothing has come before, and what otherwise.
    for (required, member) in members.iter().rev() {
        let mut started = vec![member.clone()];
        started.extend(later.iter().rev().cloned());
        let started = Form::Sequence(started);
        first = if *required { started } else { Form::Choice(vec![started, first]) };
        let next = Form::Sequence(vec![separator.clone(), member.clone()]);
        later.push(if *required { next } else { Form::optional(next) });
    }
    first
}

/// Alternatives that are all arguments.
fn arguments_of(form: &Form) -> Option<Vec<Form>> {
    match form {
        Form::Marked(Mark::Argument(_), _) => Some(vec![form.clone()]),
        Form::Choice(children) => {
            let all: Option<Vec<Vec<Form>>> = children.iter().map(arguments_of).collect();
            all.map(|all| all.into_iter().flatten().collect::<Vec<_>>()).filter(|all| !all.is_empty())
        }
        _ => None,
    }
}

/// The arguments of a rule that allows them in any order, in one order.
fn permutation(form: &Form) -> Option<Form> {
    let mut found = Vec::new();
    collect_arguments(form, &mut found);
    found.sort_by_key(|(property, _)| *property);
    found.dedup_by_key(|(property, _)| *property);
    let all = found.into_iter().map(|(_, argument)| argument).collect::<Vec<_>>();
    (!all.is_empty()).then_some(Form::Sequence(all))
}

fn collect_arguments(form: &Form, found: &mut Vec<(usize, Form)>) {
    match form {
        Form::Marked(Mark::Argument(property), _) => found.push((*property, form.clone())),
        Form::Sequence(children) | Form::Choice(children) => {
            for child in children {
                collect_arguments(child, found);
            }
        }
        Form::Repeat { child, .. } | Form::Marked(_, child) => collect_arguments(child, found),
        _ => {}
    }
}

/// The rules that llama.cpp makes for arguments in any order.
fn is_permutation(rule: &str) -> bool {
    rule.starts_with("tool-")
        && rule.rsplit_once("-args-").is_some_and(|(_, set)| set.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What llama.cpp's rules for JSON stand for.
fn json_schema(kind: &str) -> Option<Value> {
    let kind = match kind {
        "value" => return Some(Value::Object(serde_json::Map::new())),
        "bool" => "boolean",
        "object" | "array" | "string" | "number" | "null" => kind,
        _ => return None,
    };
    Some(serde_json::json!({ "type": kind }))
}

fn characters(class: CharacterClass, min: u32, max: Option<u32>) -> Form {
    Form::Characters { class, min, max }
}

fn character_class(node: &Value) -> CharacterClass {
    let character = |code: &Value| code.as_u64().and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
    let ranges = node["ranges"].as_array().into_iter().flatten();
    CharacterClass {
        ranges: ranges.filter_map(|range| Some((character(&range["start"])?, character(&range["end"])?))).collect(),
        negated: node["negated"].as_bool().unwrap_or(false),
    }
}

fn node_id(id: &Value) -> usize {
    id.as_u64().and_then(|id| usize::try_from(id).ok()).unwrap_or(usize::MAX)
}

/// A number of rounds; `None` when there is no limit.
fn count(count: &Value) -> Option<u32> {
    count.as_i64().and_then(|count| u32::try_from(count).ok())
}
