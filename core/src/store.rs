//! What is kept for later: responses, and chat completions with `store: true`.
//!
//! In memory, as JSON texts, so that its size is known. What was not used for the longest time goes
//! when there are too many objects or bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lru::LruCache;
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::error::{Error, Result};

/// Objects that are kept at most.
pub(crate) const MAX_OBJECTS: usize = 4096;
/// Bytes of JSON that are kept at most.
pub(crate) const MAX_BYTES: usize = 64 << 20;

/// Objects by their ids.
pub(crate) struct Store {
    /// From the last used to the one that was not used for longest.
    objects: Mutex<LruCache<String, Stored>>,
    /// How much all texts take, also those that a conversation holds whose object has gone.
    bytes: Arc<AtomicUsize>,
    max_objects: usize,
    max_bytes: usize,
    /// Numbers the objects in the order in which they came.
    next: AtomicUsize,
}

/// An object that is kept.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    Response(Arc<StoredResponse>),
    Completion(Arc<StoredCompletion>),
}

/// A response and the conversation that it ends.
#[derive(Debug)]
pub(crate) struct StoredResponse {
    /// The object.
    pub(crate) response: Text,
    pub(crate) turn: Arc<Turn>,
}

/// One response's part of a conversation. Later parts hold the earlier ones, whether or not their
/// responses are still kept.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) previous: Option<Arc<Turn>>,
    /// The items of the request, a JSON list.
    pub(crate) input: Text,
    /// The items of the answer, a JSON list.
    pub(crate) output: Text,
}

/// A chat completion and what it answers.
#[derive(Debug)]
pub(crate) struct StoredCompletion {
    pub(crate) id: String,
    /// Where it stands among all.
    pub(crate) number: usize,
    pub(crate) model: String,
    pub(crate) metadata: BTreeMap<String, String>,
    /// The object.
    pub(crate) completion: Text,
    /// The messages of the request, a JSON list.
    pub(crate) messages: Arc<Text>,
}

/// A text that counts for its store as long as it lives.
pub(crate) struct Text {
    text: Box<str>,
    bytes: Arc<AtomicUsize>,
}

/// What a text takes beside its bytes, about.
const OVERHEAD: usize = 128;

impl Text {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        self.bytes.fetch_sub(self.text.len() + OVERHEAD, Ordering::Relaxed);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.text.len())
    }
}

impl Drop for Turn {
    /// One by one: a conversation of many turns would else take as many calls within each other.
    fn drop(&mut self) {
        let mut previous = self.previous.take();
        while let Some(mut turn) = previous.and_then(Arc::into_inner) {
            previous = turn.previous.take();
        }
    }
}

impl Default for Store {
    fn default() -> Self {
        Store::new(MAX_OBJECTS, MAX_BYTES)
    }
}

impl Store {
    pub(crate) fn new(max_objects: usize, max_bytes: usize) -> Self {
        Store {
            objects: Mutex::new(LruCache::unbounded()),
            bytes: Arc::default(),
            max_objects,
            max_bytes,
            next: AtomicUsize::new(0),
        }
    }

    /// A text that counts for this store.
    pub(crate) fn text(&self, text: String) -> Text {
        self.bytes.fetch_add(text.len() + OVERHEAD, Ordering::Relaxed);
        Text { text: text.into(), bytes: self.bytes.clone() }
    }

    /// The number of the next object.
    pub(crate) fn number(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Keeps an object, in place of the one of the same id, and lets others go for it.
    pub(crate) fn put(&self, id: String, object: Stored) {
        self.put_into(&mut self.objects.lock(), id, object);
    }

    fn put_into(&self, objects: &mut LruCache<String, Stored>, id: String, object: Stored) {
        objects.put(id, object);
        while objects.len() > self.max_objects || self.bytes.load(Ordering::Relaxed) > self.max_bytes {
            if objects.pop_lru().is_none() {
                break;
            }
        }
    }

    /// Replaces an object that is still kept; returns whether it is.
    pub(crate) fn replace(&self, id: &str, object: Stored) -> bool {
        let mut objects = self.objects.lock();
        let is_kept = objects.contains(id);
        if is_kept {
            self.put_into(&mut objects, id.to_owned(), object);
        }
        is_kept
    }

    /// The object of this id, which is used by that.
    pub(crate) fn get(&self, id: &str) -> Option<Stored> {
        self.objects.lock().get(id).cloned()
    }

    /// Lets an object go.
    pub(crate) fn remove(&self, id: &str) -> Option<Stored> {
        self.objects.lock().pop(id)
    }

    /// Lets all go.
    pub(crate) fn clear(&self) {
        self.objects.lock().clear();
    }

    /// All chat completions, in no order.
    pub(crate) fn completions(&self) -> Vec<Arc<StoredCompletion>> {
        let completion = |object: &Stored| match object {
            Stored::Completion(completion) => Some(completion.clone()),
            Stored::Response(_) => None,
        };
        self.objects.lock().iter().filter_map(|(_, object)| completion(object)).collect()
    }

    /// All responses, the last used first.
    pub(crate) fn responses(&self) -> Vec<Arc<StoredResponse>> {
        let response = |object: &Stored| match object {
            Stored::Response(response) => Some(response.clone()),
            Stored::Completion(_) => None,
        };
        self.objects.lock().iter().filter_map(|(_, object)| response(object)).collect()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("objects", &self.objects.lock().len()).finish_non_exhaustive()
    }
}

/// What we wrote ourselves.
pub(crate) fn read<T: DeserializeOwned>(text: &Text) -> Result<T> {
    serde_json::from_str(text.as_str())
        .map_err(|error| Error::internal(format!("a stored object cannot be read: {error}")).with_source(error))
}

/// Our own types with string keys always serialise.
pub(crate) fn written(value: &impl Serialize) -> String {
    match serde_json::to_string(value) {
        Ok(text) => text,
        Err(error) => unreachable!("an object cannot be written as JSON: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(store: &Store, previous: Option<Arc<Turn>>, size: usize) -> Stored {
        let text = |size: usize| store.text("x".repeat(size));
        let turn = Arc::new(Turn { previous, input: text(size), output: text(0) });
        Stored::Response(Arc::new(StoredResponse { response: text(0), turn }))
    }

    fn turn(store: &Store, id: &str) -> Arc<Turn> {
        match store.get(id) {
            Some(Stored::Response(response)) => response.turn.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn bytes(store: &Store) -> usize {
        store.bytes.load(Ordering::Relaxed)
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        // RE11
        let store = Store::new(3, usize::MAX);
        for id in ["a", "b", "c"] {
            store.put(id.to_owned(), response(&store, None, 1));
        }
        assert!(store.get("a").is_some());
        store.put("d".to_owned(), response(&store, None, 1));
        let kept = ["a", "b", "c", "d"].map(|id| store.get(id).is_some());
        assert_eq!(kept, [true, false, true, true]);
    }

    #[test]
    fn bytes_are_bounded_too() {
        // RE11
        let store = Store::new(usize::MAX, 10_000);
        for index in 0..100 {
            store.put(index.to_string(), response(&store, None, 1000));
            assert!(bytes(&store) <= 10_000);
        }
        assert_eq!(store.responses().len(), 7);
        // What is too large by itself takes everything with it, and goes.
        store.put("large".to_owned(), response(&store, None, 10_001));
        assert_eq!((store.responses().len(), bytes(&store)), (0, 0));
    }

    #[test]
    fn a_conversation_outlives_its_responses_and_counts() {
        // RE11
        let store = Store::new(2, 5000);
        store.put("0".to_owned(), response(&store, None, 1000));
        for index in 1..4 {
            let previous = turn(&store, &(index - 1).to_string());
            store.put(index.to_string(), response(&store, Some(previous), 500));
        }
        assert!(store.get("0").is_none() && store.get("1").is_none());
        assert!(bytes(&store) > 2500);
        store.remove("2");
        store.remove("3");
        assert_eq!(bytes(&store), 0);
    }

    #[test]
    fn a_conversation_of_any_length_can_go() {
        // Dropped one within another, so many would overflow the stack.
        let store = Store::new(1, usize::MAX);
        store.put("a".to_owned(), response(&store, None, 1));
        for _ in 0..200_000 {
            let previous = turn(&store, "a");
            store.put("a".to_owned(), response(&store, Some(previous), 1));
        }
        store.clear();
        assert_eq!(bytes(&store), 0);
    }

    #[test]
    fn what_has_gone_is_not_brought_back() {
        // CQ17
        let store = Store::new(2, usize::MAX);
        assert!(!store.replace("a", response(&store, None, 1)));
        assert!(store.get("a").is_none());
        store.put("a".to_owned(), response(&store, None, 1));
        assert!(store.replace("a", response(&store, None, 2)));
    }
}
