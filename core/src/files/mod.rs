//! Files that clients give an engine: kept in memory, as long as the engine.

mod door;
mod growing;
mod store;

use std::sync::Arc;

use crate::api::error::Result;
use crate::api::files::{CreateFileRequest, FileDeleted, FileList, FileObject, ListFilesRequest};
use crate::engine::Engine;

pub(crate) use door::answer;
pub(crate) use growing::GrowingFile;
pub(crate) use store::FileStore;

/// The files of an [`Engine`].
///
/// They are in memory and go with the engine. One may have 512 MiB, all together 1 GiB, and there may be
/// 10000 of them.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    engine: &'a Engine,
}

impl<'a> Files<'a> {
    pub(crate) fn new(engine: &'a Engine) -> Self {
        Files { engine }
    }

    /// Keeps a file (BA1).
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a file without a name, an `expires_after` out of range, and with the code
    /// `storage_limit_exceeded` when there is no room: delete others first; `Closed`.
    ///
    /// ```no_run
    /// use zerohop::types::{CreateFileRequest, FilePurpose};
    ///
    /// # let engine = zerohop::Engine::builder().model("chat", "qwen.gguf").build()?;
    /// let file = engine.files().create(CreateFileRequest::new("a.txt", "text", FilePurpose::UserData))?;
    /// assert_eq!(engine.files().content(&file.id)?[..], *b"text");
    /// # Ok::<(), zerohop::Error>(())
    /// ```
    pub fn create(&self, request: CreateFileRequest) -> Result<FileObject> {
        request.validate()?;
        self.store()?.create(request)
    }

    /// A page of the files.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a `limit` out of range, or an unknown file in `after`; `Closed`.
    pub fn list(&self, request: &ListFilesRequest) -> Result<FileList> {
        self.store()?.list(request)
    }

    /// A file, without its content.
    ///
    /// # Errors
    ///
    /// `NotFound` for an unknown id, `Closed`.
    pub fn retrieve(&self, id: &str) -> Result<FileObject> {
        self.store()?.retrieve(id)
    }

    /// A file's bytes, shared with the engine.
    ///
    /// # Errors
    ///
    /// As [`retrieve`](Self::retrieve).
    pub fn content(&self, id: &str) -> Result<Arc<Vec<u8>>> {
        self.store()?.content(id)
    }

    /// Deletes a file.
    ///
    /// # Errors
    ///
    /// As [`retrieve`](Self::retrieve).
    pub fn delete(&self, id: &str) -> Result<FileDeleted> {
        self.store()?.delete(id)
    }

    fn store(self) -> Result<&'a FileStore> {
        self.engine.open_files()
    }
}
