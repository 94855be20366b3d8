//! The classes of lists that come in pages.
//!
//! As in openai's SDK there is a class for each kind of list, not of entry: what the entries are stands in
//! a page's own schema ([`Pages`]).

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use super::base::BaseModel;
use super::chat::{CHAT_COMPLETION, CHAT_COMPLETION_STORE_MESSAGE};
use super::classes::{Model, classes};
use super::files::{BATCH, FILE_OBJECT};
use super::models::MODEL;
use super::response_items::response_item;
use super::schema::{Field, OPTIONAL, REQUIRED, Schema};
use crate::json::Json;

/// The schemas of a list's pages.
pub(crate) struct Pages {
    pub(crate) sync: Schema,
    /// For event loops.
    pub(crate) asynchronous: Schema,
}

/// The pages of a list whose class names these fields, `data` in the form of its entries among them.
macro_rules! pages {
    ($sync:ident, $asynchronous:ident, $entry:literal, $($field:literal: $spec:expr),*) => {
        Pages {
            sync: Schema {
                name: concat!(stringify!($sync), "[", $entry, "]"),
                fields: &[$(Field { name: $field, spec: $spec }),*],
                class: |py| py.get_type::<$sync>(),
                instance: |py, model| Ok(Bound::new(py, $sync::of(model))?.into_any()),
            },
            asynchronous: Schema {
                name: concat!(stringify!($asynchronous), "[", $entry, "]"),
                fields: &[$(Field { name: $field, spec: $spec }),*],
                class: |py| py.get_type::<$asynchronous>(),
                instance: |py, model| Ok(Bound::new(py, $asynchronous::of(model))?.into_any()),
            },
        }
    };
}

/// The pages of a list that goes on behind the last entry.
macro_rules! cursor_pages {
    ($entry:literal, $data:expr) => {
        pages!(SyncCursorPage, AsyncCursorPage, $entry, "data": $data, "has_more": OPTIONAL)
    };
}

pub(crate) static MODEL_PAGES: Pages =
    pages!(SyncPage, AsyncPage, "Model", "data": REQUIRED.list(&MODEL), "object": REQUIRED);
pub(crate) static FILE_PAGES: Pages = cursor_pages!("FileObject", REQUIRED.list(&FILE_OBJECT));
pub(crate) static BATCH_PAGES: Pages = cursor_pages!("Batch", REQUIRED.list(&BATCH));
pub(crate) static CHAT_COMPLETION_PAGES: Pages = cursor_pages!("ChatCompletion", REQUIRED.list(&CHAT_COMPLETION));
pub(crate) static MESSAGE_PAGES: Pages =
    cursor_pages!("ChatCompletionStoreMessage", REQUIRED.list(&CHAT_COMPLETION_STORE_MESSAGE));
pub(crate) static RESPONSE_ITEM_PAGES: Pages = cursor_pages!("ResponseItem", REQUIRED.union(response_item));

/// The pages of every list.
pub(super) static ALL_PAGES: &[&Pages] =
    &[&MODEL_PAGES, &FILE_PAGES, &BATCH_PAGES, &CHAT_COMPLETION_PAGES, &MESSAGE_PAGES, &RESPONSE_ITEM_PAGES];

/// A page of a list, of whatever kind.
#[pyclass(frozen, extends = BaseModel, subclass, generic, module = "zerohop.pagination")]
pub(crate) struct BasePage;

impl Model for BasePage {
    fn of(model: BaseModel) -> PyClassInitializer<Self> {
        BaseModel::of(model).add_subclass(BasePage)
    }
}

#[pymethods]
impl BasePage {
    /// Whether there is a page behind this one.
    fn has_next_page(slf: &Bound<'_, Self>) -> bool {
        let model = slf.as_super().get();
        !matches!(model.json("has_more"), Some(Json::Bool(false))) && last_id(model).is_some()
    }

    /// What asks for the entries behind the last of this page, or None if it has none, or if the list comes
    /// as a whole.
    fn next_page_info<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(after) = last_id(slf.as_super().get()) else { return Ok(None) };
        slf.py().import("zerohop._pages")?.call_method1("after", (after,)).map(Some)
    }

    /// The page behind this one; for event loops, on its way.
    fn _next_page<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let model = slf.as_super().get();
        let after = last_id(model)
            .ok_or_else(|| PyRuntimeError::new_err("there is no page behind this one: ask `has_next_page()` first"))?;
        let list = model.list().ok_or_else(|| {
            PyRuntimeError::new_err("this page did not come from an engine, which could be asked for the next")
        })?;
        list.page_behind(slf.py(), after)
    }
}

/// The id of a page's last entry, if the list may go on behind it.
fn last_id(model: &BaseModel) -> Option<&str> {
    model.spec("has_more")?;
    let Some(Json::List(entries)) = model.json("data") else { return None };
    let Some(Json::Object(last)) = entries.last() else { return None };
    last.text("id")
}

/// A page of a list. Iterating over it gives its entries, and those of all pages behind it, which are
/// fetched meanwhile.
#[pyclass(frozen, extends = BasePage, subclass, module = "zerohop.pagination")]
pub(crate) struct BaseSyncPage;

impl Model for BaseSyncPage {
    fn of(model: BaseModel) -> PyClassInitializer<Self> {
        BasePage::of(model).add_subclass(BaseSyncPage)
    }
}

#[pymethods]
impl BaseSyncPage {
    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("zerohop._pages")?.call_method1("iter_entries", (slf,))
    }

    /// This page and all behind it, which are fetched meanwhile.
    fn iter_pages<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("zerohop._pages")?.call_method1("iter_pages", (slf,))
    }

    /// The page behind this one; behind the last it is empty. Raises `RuntimeError` where
    /// `next_page_info()` is None.
    fn get_next_page<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        BasePage::_next_page(slf.as_super())
    }
}

/// A page of a list, for event loops. Iterating over it with `async for` gives its entries, and those of
/// all pages behind it, which are fetched meanwhile.
#[pyclass(frozen, extends = BasePage, subclass, module = "zerohop.pagination")]
pub(crate) struct BaseAsyncPage;

impl Model for BaseAsyncPage {
    fn of(model: BaseModel) -> PyClassInitializer<Self> {
        BasePage::of(model).add_subclass(BaseAsyncPage)
    }
}

#[pymethods]
impl BaseAsyncPage {
    fn __aiter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("zerohop._async.pages")?.call_method1("iter_entries", (slf,))
    }

    /// This page and all behind it, which are fetched meanwhile: for `async for`.
    fn iter_pages<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("zerohop._async.pages")?.call_method1("iter_pages", (slf,))
    }

    /// The page behind this one: await it. Behind the last it is empty. Raises `RuntimeError` where
    /// `next_page_info()` is None.
    fn get_next_page<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("zerohop._async.pages")?.call_method1("get_next_page", (slf,))
    }
}

classes! {
    /// A list that comes as a whole: the only page.
    SyncPage(BaseSyncPage), SYNC_PAGE, "SyncPage", "zerohop.pagination" {
        data: REQUIRED,
        object: REQUIRED,
    }

    /// A list that comes as a whole, for event loops.
    AsyncPage(BaseAsyncPage), ASYNC_PAGE, "AsyncPage", "zerohop.pagination" {
        data: REQUIRED,
        object: REQUIRED,
    }

    /// A page of a list that goes on behind its last entry.
    SyncCursorPage(BaseSyncPage), SYNC_CURSOR_PAGE, "SyncCursorPage", "zerohop.pagination" {
        data: REQUIRED,
        has_more: OPTIONAL,
    }

    /// A page of a list that goes on behind its last entry, for event loops.
    AsyncCursorPage(BaseAsyncPage), ASYNC_CURSOR_PAGE, "AsyncCursorPage", "zerohop.pagination" {
        data: REQUIRED,
        has_more: OPTIONAL,
    }
}
