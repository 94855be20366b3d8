//! Responses kept for later, and conversations that go on from them (RE11).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aho_corasick::AhoCorasick;

use super::build::new_id;
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::parse::shorten;
use crate::api::responses::content::{ItemContent, ItemPart};
use crate::api::responses::item::{InputItem, ItemStatus, MessageRole};
use crate::api::responses::reply::Response;
use crate::store::{Store, Stored, StoredResponse, Text, Turn, read, written};

/// What to keep of a response once it is finished.
#[derive(Debug)]
pub(super) struct Keep {
    store: Arc<Store>,
    previous: Option<Arc<Turn>>,
    input: Text,
}

impl Keep {
    /// `input` is what the request says itself.
    pub(super) fn new(store: &Arc<Store>, previous: Option<Arc<Turn>>, input: Vec<InputItem>) -> Self {
        let input: Vec<InputItem> = input.into_iter().map(with_id).collect();
        Keep { store: store.clone(), previous, input: store.text(written(&input)) }
    }

    pub(super) fn keep(self, response: &Response) {
        let output: Vec<InputItem> = response.output.iter().cloned().map(InputItem::from).collect();
        let output = self.store.text(written(&output));
        let turn = Arc::new(Turn { previous: self.previous, input: self.input, output });
        let stored = StoredResponse { response: self.store.text(written(response)), turn };
        self.store.put(response.id.clone(), Stored::Response(Arc::new(stored)));
    }
}

/// The item as a list of items shows it: with an id and a status, its content in parts.
fn with_id(mut item: InputItem) -> InputItem {
    let (id, status, prefix) = match &mut item {
        InputItem::Message(message) => {
            if let ItemContent::Text(text) = &mut message.content {
                let text = std::mem::take(text);
                let is_answer = message.role == MessageRole::Assistant;
                let part = if is_answer { ItemPart::output_text(text) } else { ItemPart::input_text(text) };
                message.content = ItemContent::Parts(vec![part]);
            }
            (&mut message.id, &mut message.status, "msg")
        }
        InputItem::FunctionCall(call) => (&mut call.id, &mut call.status, "fc"),
        InputItem::CustomToolCall(call) => (&mut call.id, &mut call.status, "ctc"),
        InputItem::FunctionCallOutput(output) => (&mut output.id, &mut output.status, "fco"),
        InputItem::CustomToolCallOutput(output) => (&mut output.id, &mut output.status, "ctco"),
        InputItem::Reasoning(reasoning) => {
            if reasoning.id.is_empty() {
                reasoning.id = new_id("rs");
            }
            return item;
        }
        InputItem::ItemReference(_) => return item,
    };
    id.get_or_insert_with(|| new_id(prefix));
    status.get_or_insert(ItemStatus::Completed);
    item
}

/// # Errors
///
/// `NotFound` for an id that is unknown, of something else, or of what has gone since.
pub(super) fn find(store: &Store, id: &str) -> Result<Arc<StoredResponse>> {
    match store.get(id) {
        Some(Stored::Response(response)) => Ok(response),
        _ => Err(Error::new(ErrorKind::NotFound, format!("Response with id '{}' not found.", shorten(id)))),
    }
}

/// All items of a conversation up to the answer that ends `turn`, and those of the answer if `whole`.
pub(super) fn history(turn: &Arc<Turn>, whole: bool) -> Result<Vec<InputItem>> {
    let mut turns = vec![turn];
    while let Some(previous) = turns.last().and_then(|turn| turn.previous.as_ref()) {
        turns.push(previous);
    }
    let mut items = Vec::new();
    for (index, turn) in turns.iter().enumerate().rev() {
        items.extend(read::<Vec<InputItem>>(&turn.input)?);
        if whole || index > 0 {
            items.extend(read::<Vec<InputItem>>(&turn.output)?);
        }
    }
    Ok(items)
}

/// The items of these ids in the responses that are kept and in their inputs, as far as there are such.
pub(super) fn find_items(store: &Store, ids: &HashSet<&str>) -> Result<HashMap<String, InputItem>> {
    let mut found = HashMap::new();
    if ids.is_empty() {
        return Ok(found);
    }
    // In the texts as they are, all at once: reading all of them would take far longer.
    let quoted = ids.iter().map(|id| serde_json::Value::from(*id).to_string());
    let search = AhoCorasick::new(quoted)
        .map_err(|error| Error::invalid("input", "The ids of the item references are too long").with_source(error))?;
    for response in store.responses() {
        for text in [&response.turn.output, &response.turn.input] {
            if search.is_match(text.as_str()) {
                let items: Vec<InputItem> = read(text)?;
                let items = items.into_iter().filter_map(|item| Some((item.id()?.to_owned(), item)));
                found.extend(items.filter(|(id, _)| ids.contains(id.as_str())));
            }
        }
    }
    Ok(found)
}
