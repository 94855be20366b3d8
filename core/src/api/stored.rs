//! Chat completions that are kept (`store: true`), and lists of what is kept.

use std::collections::BTreeMap;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::chat_reply::ChatCompletion;
use super::chat_validate::check_range;
use super::content::{ContentPart, MessageContent};
use super::error::{Error, Result};
use super::message::{ChatCompletionMessage, Role};
use super::models::ListObject;
use super::parse::shorten;
use super::responses::item::InputItem;
use super::tool_calls::{ChatCompletionMessageToolCall, FunctionCall};

/// Which part of a list to give.
///
/// ```
/// use zerohop::types::{ListOrder, PageParams};
///
/// let page = PageParams::default().limit(100).order(ListOrder::Desc);
/// assert_eq!(page.limit, Some(100));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "it does nothing until it is part of a call"]
#[non_exhaustive]
pub struct PageParams {
    /// Begin behind the entry of this id. Default: with the first.
    pub after: Option<String>,
    /// At most so many entries, from 1 to 100. Default 20.
    pub limit: Option<u32>,
    /// Which entries come first.
    pub order: Option<ListOrder>,
}

/// Which entries of a list come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListOrder {
    /// The oldest.
    Asc,
    /// The newest.
    Desc,
}

/// A URL's query of the pairs that have a value, with its question mark.
fn query(pairs: impl IntoIterator<Item = (String, Option<String>)>) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pair = |(key, value): (String, Option<String>)| Some(format!("{}={}", encode(&key), encode(&value?)));
    let pairs: Vec<String> = pairs.into_iter().filter_map(pair).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

impl PageParams {
    /// As it stands in a URL.
    pub(crate) fn query(&self) -> String {
        let order = self.order.map(|order| if order == ListOrder::Asc { "asc" } else { "desc" });
        query([
            ("after".to_owned(), self.after.clone()),
            ("limit".to_owned(), self.limit.map(|limit| limit.to_string())),
            ("order".to_owned(), order.map(str::to_owned)),
        ])
    }

    /// Begin behind the entry of this id.
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.after = Some(id.into());
        self
    }

    /// At most so many entries.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Which entries come first.
    pub fn order(mut self, order: ListOrder) -> Self {
        self.order = Some(order);
        self
    }

    /// The page of a list that stands in ascending order.
    ///
    /// # Errors
    ///
    /// A 400 for a limit out of range and for an `after` that is not in the list.
    pub(crate) fn page<T: Entry>(&self, mut entries: Vec<T>, default: ListOrder) -> Result<Page<T>> {
        check_range("limit", self.limit, 1..=100)?;
        if self.order.unwrap_or(default) == ListOrder::Desc {
            entries.reverse();
        }
        if let Some(after) = &self.after {
            let place = entries.iter().position(|entry| entry.entry_id() == after).ok_or_else(|| {
                Error::invalid("after", format!("'after' is no id of the list: '{}'", shorten(after)))
            })?;
            entries.drain(..=place);
        }
        let limit = self.limit.unwrap_or(20) as usize;
        let has_more = entries.len() > limit;
        entries.truncate(limit);
        let id = |entry: Option<&T>| entry.map(|entry| entry.entry_id().to_owned());
        let (first_id, last_id) = (id(entries.first()), id(entries.last()));
        Ok(Page { object: ListObject::List, data: entries, first_id, last_id, has_more })
    }
}

/// What lists are made of.
pub(crate) trait Entry {
    fn entry_id(&self) -> &str;
}

impl Entry for ChatCompletionStoreMessage {
    fn entry_id(&self) -> &str {
        &self.id
    }
}

impl Entry for InputItem {
    fn entry_id(&self) -> &str {
        self.id().unwrap_or_default()
    }
}

/// Which of the kept chat completions to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "it does nothing until it is part of a call"]
#[non_exhaustive]
pub struct ListChatCompletions {
    /// Those of this model only.
    pub model: Option<String>,
    /// Those with all these labels only.
    pub metadata: BTreeMap<String, String>,
    /// Which part of the list; the oldest first by default.
    pub page: PageParams,
}

impl ListChatCompletions {
    /// As it stands in a URL.
    pub(crate) fn query(&self) -> String {
        let labels = self.metadata.iter().map(|(key, value)| (format!("metadata[{key}]"), Some(value.clone())));
        let own = query(labels.chain([("model".to_owned(), self.model.clone())]));
        let page = self.page.query();
        if own.is_empty() { page } else { own + &page.replacen('?', "&", 1) }
    }

    /// Those of this model only.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Those with this label only.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Which part of the list.
    pub fn page(mut self, page: PageParams) -> Self {
        self.page = page;
        self
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// Always `list`.
    pub object: ListObject,
    /// The entries.
    pub data: Vec<T>,
    /// The id of the first; null if there is none.
    pub first_id: Option<String>,
    /// The id of the last; null if there is none.
    pub last_id: Option<String>,
    /// Whether there are more after the last.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// The page with something else in place of each entry.
    pub(crate) fn try_map<U>(self, map: impl FnMut(T) -> Result<U>) -> Result<Page<U>> {
        Ok(Page {
            object: self.object,
            data: self.data.into_iter().map(map).collect::<Result<_>>()?,
            first_id: self.first_id,
            last_id: self.last_id,
            has_more: self.has_more,
        })
    }
}

/// Kept chat completions.
pub type ChatCompletionList = Page<ChatCompletion>;

/// The messages of a kept chat completion's request.
pub type ChatCompletionMessageList = Page<ChatCompletionStoreMessage>;

/// What is left of a deleted chat completion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatCompletionDeleted {
    /// Its id.
    pub id: String,
    /// Always `chat.completion.deleted`.
    pub object: ChatCompletionDeletedObject,
    /// Always true.
    pub deleted: bool,
}

impl ChatCompletionDeleted {
    pub(crate) fn new(id: &str) -> Self {
        let object = ChatCompletionDeletedObject::default();
        ChatCompletionDeleted { id: id.to_owned(), object, deleted: true }
    }
}

/// The fixed `object` of a [`ChatCompletionDeleted`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChatCompletionDeletedObject {
    /// `chat.completion.deleted`
    #[default]
    #[serde(rename = "chat.completion.deleted")]
    ChatCompletionDeleted,
}

/// A message of a kept chat completion's request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChatCompletionStoreMessage {
    /// The completion's id, a hyphen, and the message's place.
    pub id: String,
    /// Who it is from.
    pub role: Role,
    /// What it says; null if it is in parts, or nothing.
    pub content: Option<String>,
    /// What it says, in parts; null if it is one text.
    pub content_parts: Option<Vec<ContentPart>>,
    /// The assistant's words of refusal.
    pub refusal: Option<String>,
    /// The name of the participant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The tools that the assistant called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<ChatCompletionMessageToolCall>>,
    /// The function that the assistant called (deprecated).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_call: Option<FunctionCall>,
    /// Which call a tool's message answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
}

impl ChatCompletionStoreMessage {
    pub(crate) fn new(completion: &str, index: usize, message: ChatCompletionMessage) -> Self {
        let (content, content_parts) = match message.content {
            None => (None, None),
            Some(MessageContent::Text(text)) => (Some(text), None),
            Some(MessageContent::Parts(parts)) => (None, Some(parts)),
        };
        ChatCompletionStoreMessage {
            id: format!("{completion}-{index}"),
            role: message.role,
            content,
            content_parts,
            refusal: message.refusal,
            name: message.name,
            tool_calls: message.tool_calls,
            function_call: message.function_call,
            tool_call_id: message.tool_call_id,
        }
    }
}
