//! Where the files are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use uuid::Uuid;

use crate::api::error::{Error, ErrorKind, Result};
use crate::api::files::{
    CreateFileRequest, FileDeleted, FileList, FileObject, FileObjectKind, FilePurpose, FileStatus, ListFilesRequest,
    SortOrder,
};
use crate::api::models::ListObject;
use crate::api::parse::shorten;
use crate::clock::now;

/// The most bytes of one file.
pub(super) const MAX_FILE: usize = 512 << 20;
/// The most bytes of all files.
const MAX_BYTES: usize = 1 << 30;
/// The most files.
const MAX_FILES: usize = 10_000;

/// Files in memory, within limits.
#[derive(Debug)]
pub(crate) struct FileStore {
    max_bytes: usize,
    max_files: usize,
    /// Bytes of files that are being written; changed only while `files` is locked, or to give some back.
    pub(super) growing: AtomicUsize,
    /// In the order in which they were made.
    files: Mutex<Vec<Stored>>,
}

#[derive(Debug)]
pub(super) struct Stored {
    object: FileObject,
    content: Arc<Vec<u8>>,
}

impl Default for FileStore {
    fn default() -> Self {
        FileStore { max_bytes: MAX_BYTES, max_files: MAX_FILES, growing: AtomicUsize::new(0), files: Mutex::default() }
    }
}

impl FileStore {
    pub(super) fn create(&self, request: CreateFileRequest) -> Result<FileObject> {
        let CreateFileRequest { filename, content, purpose, expires_after } = request;
        if content.len() > MAX_FILE {
            let message = format!("'file' has {} bytes; a file may have {MAX_FILE}", content.len());
            return Err(Error::invalid("file", message).with_code("request_too_large"));
        }
        let now = now();
        self.with(now, |files| self.keep(files, now, filename, content, purpose, expires_after))
    }

    /// Adds a file to the others.
    pub(super) fn keep(
        &self,
        files: &mut Vec<Stored>,
        now: u64,
        filename: String,
        content: Vec<u8>,
        purpose: FilePurpose,
        expires_after: Option<u64>,
    ) -> Result<FileObject> {
        if files.len() >= self.max_files {
            return Err(self.no_room(files, content.len()));
        }
        self.check_room(files, content.len())?;
        let object = FileObject {
            id: format!("file-{}", Uuid::new_v4().simple()),
            object: FileObjectKind::File,
            bytes: content.len() as u64,
            created_at: now,
            expires_at: expires_after.map(|seconds| now + seconds),
            filename,
            purpose,
            status: FileStatus::Processed,
        };
        files.push(Stored { object: object.clone(), content: Arc::new(content) });
        Ok(object)
    }

    /// Checks that so many bytes fit in.
    pub(super) fn check_room(&self, files: &[Stored], bytes: usize) -> Result<()> {
        if bytes > self.max_bytes - self.used(files) { Err(self.no_room(files, bytes)) } else { Ok(()) }
    }

    fn used(&self, files: &[Stored]) -> usize {
        files.iter().map(|file| file.content.len()).sum::<usize>() + self.growing.load(Ordering::Relaxed)
    }

    fn no_room(&self, files: &[Stored], bytes: usize) -> Error {
        let message = format!(
            "there is no room for {bytes} more bytes beside {} files of {} bytes; {} files of {} bytes may be kept: \
             delete some",
            files.len(),
            self.used(files),
            self.max_files,
            self.max_bytes
        );
        Error::invalid("file", message).with_code("storage_limit_exceeded")
    }

    pub(super) fn list(&self, request: &ListFilesRequest) -> Result<FileList> {
        let limit = request.page()?;
        self.with(now(), |files| {
            let start = match &request.after {
                None => None,
                Some(id) => {
                    Some(position(files, id).map_err(|error| Error::invalid("after", error.message().to_owned()))?)
                }
            };
            let behind: Box<dyn Iterator<Item = &Stored>> = match request.order {
                SortOrder::Asc => Box::new(files[start.map_or(0, |start| start + 1)..].iter()),
                SortOrder::Desc => Box::new(files[..start.unwrap_or(files.len())].iter().rev()),
            };
            let wanted = |file: &&Stored| request.purpose.is_none_or(|purpose| file.object.purpose == purpose);
            let mut data: Vec<FileObject> =
                behind.filter(wanted).take(limit + 1).map(|file| file.object.clone()).collect();
            let has_more = data.len() > limit;
            data.truncate(limit);
            let id = |file: Option<&FileObject>| file.map(|file| file.id.clone());
            Ok(FileList {
                object: ListObject::List,
                first_id: id(data.first()),
                last_id: id(data.last()),
                data,
                has_more,
            })
        })
    }

    pub(super) fn retrieve(&self, id: &str) -> Result<FileObject> {
        self.with(now(), |files| Ok(files[position(files, id)?].object.clone()))
    }

    pub(crate) fn content(&self, id: &str) -> Result<Arc<Vec<u8>>> {
        self.with(now(), |files| Ok(files[position(files, id)?].content.clone()))
    }

    pub(super) fn delete(&self, id: &str) -> Result<FileDeleted> {
        self.with(now(), |files| {
            let file = files.remove(position(files, id)?);
            Ok(FileDeleted { id: file.object.id, object: FileObjectKind::File, deleted: true })
        })
    }

    pub(crate) fn clear(&self) {
        self.files.lock().clear();
    }

    /// Does something with the files that have not expired.
    pub(super) fn with<T>(&self, now: u64, work: impl FnOnce(&mut Vec<Stored>) -> Result<T>) -> Result<T> {
        let mut files = self.files.lock();
        files.retain(|file| file.object.expires_at.is_none_or(|expires| expires > now));
        work(&mut files)
    }
}

fn position(files: &[Stored], id: &str) -> Result<usize> {
    files
        .iter()
        .position(|file| file.object.id == id)
        .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("No such file: '{}'", shorten(id))).with_param("id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(size: usize) -> CreateFileRequest {
        CreateFileRequest::new("f", vec![0; size], FilePurpose::Batch)
    }

    #[test]
    fn room_is_limited_by_bytes_and_by_number() {
        let store = FileStore { max_bytes: 10, max_files: 3, ..FileStore::default() };
        let first = store.create(file(6)).unwrap();
        let error = store.create(file(5)).unwrap_err();
        assert_eq!((error.param(), error.code()), (Some("file"), Some("storage_limit_exceeded")));
        store.create(file(4)).unwrap();
        store.create(file(0)).unwrap();
        assert_eq!(store.create(file(0)).unwrap_err().code(), Some("storage_limit_exceeded"));
        store.delete(&first.id).unwrap();
        store.create(file(6)).unwrap();
    }

    #[test]
    fn expired_files_are_gone() {
        let store = FileStore::default();
        let kept = store.create(file(1)).unwrap();
        let expiring = store.create(file(1).expires_after(3600)).unwrap();
        assert_eq!(expiring.expires_at, Some(expiring.created_at + 3600));
        let ids = |at| store.with(at, |files| Ok(files.iter().map(|file| file.object.id.clone()).collect::<Vec<_>>()));
        assert_eq!(ids(expiring.created_at + 3599).unwrap().len(), 2);
        assert_eq!(ids(expiring.created_at + 3600).unwrap(), [kept.id]);
        assert_eq!(store.content(&expiring.id).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
