//! Files that the engine itself writes, piece by piece.

use std::io::{self, Write};
use std::sync::atomic::Ordering;

use super::store::{FileStore, MAX_FILE};
use crate::api::error::Result;
use crate::api::files::{FileObject, FilePurpose};
use crate::clock::now;

/// A file that is being written. Its bytes count for the store from the start, so that there is room
/// for it when it is finished; dropping it gives them back.
pub(crate) struct GrowingFile<'a> {
    store: &'a FileStore,
    content: Vec<u8>,
}

impl<'a> GrowingFile<'a> {
    pub(crate) fn new(store: &'a FileStore) -> Self {
        GrowingFile { store, content: Vec::new() }
    }

    /// Keeps the file in the store, unless it is empty.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` when the store has as many files as it may.
    pub(crate) fn finish(
        mut self,
        filename: String,
        purpose: FilePurpose,
        expires_after: Option<u64>,
    ) -> Result<Option<FileObject>> {
        let content = std::mem::take(&mut self.content);
        if content.is_empty() {
            return Ok(None);
        }
        let now = now();
        self.store.with(now, |files| {
            self.store.growing.fetch_sub(content.len(), Ordering::Relaxed);
            self.store.keep(files, now, filename, content, purpose, expires_after).map(Some)
        })
    }
}

impl Write for GrowingFile<'_> {
    /// Writes all or nothing.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.content.len() + bytes.len() > MAX_FILE {
            return Err(io::Error::other(format!("a file may have {MAX_FILE} bytes")));
        }
        let room = self.store.with(now(), |files| {
            self.store.check_room(files, bytes.len())?;
            self.store.growing.fetch_add(bytes.len(), Ordering::Relaxed);
            Ok(())
        });
        room.map_err(io::Error::other)?;
        self.content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for GrowingFile<'_> {
    fn drop(&mut self) {
        self.store.growing.fetch_sub(self.content.len(), Ordering::Relaxed);
    }
}
