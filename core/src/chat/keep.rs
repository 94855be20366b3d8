//! Chat completions kept for later (`store: true`).

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::api::chat::CreateChatCompletionRequest;
use crate::api::chat_reply::ChatCompletion;
use crate::api::chat_validate::check_metadata;
use crate::api::error::{Error, ErrorKind, Result};
use crate::api::message::ChatCompletionMessage;
use crate::api::parse::shorten;
use crate::api::stored::{
    ChatCompletionDeleted, ChatCompletionList, ChatCompletionMessageList, ChatCompletionStoreMessage, Entry,
    ListChatCompletions, ListOrder, PageParams,
};
use crate::engine::CHAT_COMPLETIONS;
use crate::engine::Chat;
use crate::store::{Store, Stored, StoredCompletion, Text, read, written};

/// What to keep of a chat completion once it is finished.
#[derive(Debug)]
pub(crate) struct Keep {
    store: Arc<Store>,
    messages: Text,
    metadata: BTreeMap<String, String>,
}

impl Keep {
    /// `None` for a request whose answer is not to be kept, which is the default (CQ17).
    pub(crate) fn of(store: &Arc<Store>, request: &CreateChatCompletionRequest) -> Option<Self> {
        let messages = || store.text(written(&request.messages));
        let metadata = || request.metadata.clone().unwrap_or_default();
        (request.store == Some(true)).then(|| Keep { store: store.clone(), messages: messages(), metadata: metadata() })
    }

    pub(super) fn keep(self, completion: &ChatCompletion) {
        let completion = ChatCompletion { metadata: Some(self.metadata.clone()), ..completion.clone() };
        let stored = StoredCompletion {
            id: completion.id.clone(),
            number: self.store.number(),
            model: completion.model.clone(),
            metadata: self.metadata,
            completion: self.store.text(written(&completion)),
            messages: Arc::new(self.messages),
        };
        self.store.put(completion.id, Stored::Completion(Arc::new(stored)));
    }
}

fn find(store: &Store, id: &str) -> Result<Arc<StoredCompletion>> {
    match store.get(id) {
        Some(Stored::Completion(completion)) => Ok(completion),
        _ => Err(unknown(id)),
    }
}

fn unknown(id: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("Chat completion with id '{}' not found.", shorten(id)))
}

fn retrieve(store: &Store, id: &str) -> Result<ChatCompletion> {
    read(&find(store, id)?.completion)
}

fn list(store: &Store, filter: &ListChatCompletions) -> Result<ChatCompletionList> {
    let mut stored = store.completions();
    stored.retain(|stored| {
        let has = |(key, value): (&String, &String)| stored.metadata.get(key) == Some(value);
        filter.model.as_ref().is_none_or(|model| stored.model == *model) && filter.metadata.iter().all(has)
    });
    stored.sort_by_key(|stored| stored.number);
    // Only those of the page are read.
    filter.page.page(stored, ListOrder::Asc)?.try_map(|stored| read(&stored.completion))
}

impl Entry for Arc<StoredCompletion> {
    fn entry_id(&self) -> &str {
        &self.id
    }
}

fn update(store: &Store, id: &str, metadata: BTreeMap<String, String>) -> Result<ChatCompletion> {
    check_metadata(&metadata)?;
    let stored = find(store, id)?;
    let completion = ChatCompletion { metadata: Some(metadata.clone()), ..read(&stored.completion)? };
    let updated = StoredCompletion {
        id: stored.id.clone(),
        number: stored.number,
        model: stored.model.clone(),
        metadata,
        completion: store.text(written(&completion)),
        messages: stored.messages.clone(),
    };
    if store.replace(id, Stored::Completion(Arc::new(updated))) { Ok(completion) } else { Err(unknown(id)) }
}

fn delete(store: &Store, id: &str) -> Result<ChatCompletionDeleted> {
    find(store, id)?;
    store.remove(id);
    Ok(ChatCompletionDeleted::new(id))
}

fn messages(store: &Store, id: &str, page: &PageParams) -> Result<ChatCompletionMessageList> {
    let messages: Vec<ChatCompletionMessage> = read(&find(store, id)?.messages)?;
    let messages = messages.into_iter().enumerate();
    let messages = messages.map(|(index, message)| ChatCompletionStoreMessage::new(id, index, message)).collect();
    page.page(messages, ListOrder::Asc)
}

/// The path of a kept chat completion, or of what belongs to it.
fn path(id: &str, rest: &str) -> String {
    format!("{CHAT_COMPLETIONS}/{}{rest}", utf8_percent_encode(id, NON_ALPHANUMERIC))
}

impl Chat<'_> {
    /// A chat completion that was asked for with `store`. Completions are kept in memory, beside
    /// [`Responses`](crate::Responses), whose bounds they share.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown id, and for a completion that was not kept or has gone since.
    pub fn retrieve(&self, id: &str) -> Result<ChatCompletion> {
        if let Some(reply) = self.engine.remote_call(&Method::GET, &path(id, "")) {
            return reply;
        }
        self.engine.check_open()?;
        retrieve(self.engine.store(), id)
    }

    /// The chat completions that are kept; the oldest first by default.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a page that there cannot be.
    pub fn list(&self, filter: &ListChatCompletions) -> Result<ChatCompletionList> {
        if let Some(reply) = self.engine.remote_call(&Method::GET, &format!("{CHAT_COMPLETIONS}{}", filter.query())) {
            return reply;
        }
        self.engine.check_open()?;
        list(self.engine.store(), filter)
    }

    /// Gives a kept chat completion other labels.
    ///
    /// # Errors
    ///
    /// As [`retrieve`](Self::retrieve), and `InvalidRequest` for labels that a request may not have.
    pub fn update(&self, id: &str, metadata: BTreeMap<String, String>) -> Result<ChatCompletion> {
        if let Some(reply) = self.engine.remote(&path(id, ""), &json!({"metadata": &metadata})) {
            return reply;
        }
        self.engine.check_open()?;
        update(self.engine.store(), id, metadata)
    }

    /// Forgets a chat completion.
    ///
    /// # Errors
    ///
    /// As [`retrieve`](Self::retrieve).
    pub fn delete(&self, id: &str) -> Result<ChatCompletionDeleted> {
        if let Some(reply) = self.engine.remote_call(&Method::DELETE, &path(id, "")) {
            return reply;
        }
        self.engine.check_open()?;
        delete(self.engine.store(), id)
    }

    /// The messages that a kept chat completion answers, in order by default.
    ///
    /// # Errors
    ///
    /// As [`retrieve`](Self::retrieve), and `InvalidRequest` for a page that there cannot be.
    pub fn messages(&self, id: &str, page: &PageParams) -> Result<ChatCompletionMessageList> {
        if let Some(reply) = self.engine.remote_call(&Method::GET, &path(id, &format!("/messages{}", page.query()))) {
            return reply;
        }
        self.engine.check_open()?;
        messages(self.engine.store(), id, page)
    }
}
