//! The API's objects as Python sees them.
//!
//! [`BaseModel`] holds a shared JSON object and its [`Schema`]; each class of the API is a subclass
//! that only names its fields ([`classes`]). Children become objects when they are asked for, and
//! what no schema names survives everything: attribute access, dumping, pickling, sending it back.

mod base;
mod classes;
mod dump;
mod schema;
mod select;

pub(crate) use base::{BaseModel, object, reply};
pub(crate) use classes::{
    ASYNC_CURSOR_PAGE, ASYNC_PAGE, CHAT_COMPLETION, CHAT_COMPLETION_CHUNK, CREATE_EMBEDDING_RESPONSE, DEVICE,
    FILE_DELETED, FILE_OBJECT, MODEL, MODEL_INFO, SYNC_CURSOR_PAGE, SYNC_PAGE, add_classes,
};
pub(crate) use schema::Schema;
