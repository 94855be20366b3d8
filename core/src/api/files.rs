//! The requests and replies of `/v1/files` (BA1).

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::models::ListObject;

/// Seconds that a file may be kept for: an hour to thirty days.
const EXPIRES_AFTER: std::ops::RangeInclusive<u64> = 3600..=2_592_000;

/// The most files of one page.
const MAX_PAGE: u32 = 10_000;

/// A file to keep.
///
/// ```
/// use zerohop::types::{CreateFileRequest, FilePurpose};
///
/// let request = CreateFileRequest::new("requests.jsonl", "{}\n", FilePurpose::Batch).expires_after(3600);
/// assert_eq!(request.content, b"{}\n");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct CreateFileRequest {
    /// The file's name.
    pub filename: String,
    /// The file's bytes.
    pub content: Vec<u8>,
    /// What it is for.
    pub purpose: FilePurpose,
    /// Seconds after which it is deleted, 3600 (an hour) to 2592000 (thirty days). Default: never.
    pub expires_after: Option<u64>,
}

impl CreateFileRequest {
    /// A request to keep a file.
    pub fn new(filename: impl Into<String>, content: impl Into<Vec<u8>>, purpose: FilePurpose) -> Self {
        CreateFileRequest { filename: filename.into(), content: content.into(), purpose, expires_after: None }
    }

    /// Sets [`expires_after`](Self::expires_after).
    pub fn expires_after(mut self, seconds: u64) -> Self {
        self.expires_after = Some(seconds);
        self
    }

    pub(crate) fn validate(&self) -> Result<()> {
        if self.filename.is_empty() {
            return Err(Error::invalid("file", "'file' has to have a name"));
        }
        match self.expires_after {
            Some(seconds) if !EXPIRES_AFTER.contains(&seconds) => {
                let (least, most) = EXPIRES_AFTER.into_inner();
                let message = format!("'expires_after.seconds' must be from {least} to {most}, but is {seconds}");
                Err(Error::invalid("expires_after.seconds", message))
            }
            _ => Ok(()),
        }
    }
}

/// What a file is for. It is kept with the file and decides nothing else here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FilePurpose {
    /// `assistants`
    Assistants,
    /// `batch`: requests, one a line.
    Batch,
    /// `fine-tune`
    #[serde(rename = "fine-tune")]
    FineTune,
    /// `vision`
    Vision,
    /// `user_data`: any.
    UserData,
    /// `evals`
    Evals,
}

impl FilePurpose {
    /// Reads the API's word for it.
    pub(crate) fn read(word: &str) -> Result<Self> {
        let value = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(word);
        FilePurpose::deserialize(value).map_err(|_| {
            let message = "'purpose' must be one of 'assistants', 'batch', 'fine-tune', 'vision', 'user_data', 'evals'";
            Error::invalid("purpose", message)
        })
    }
}

/// A file that the engine keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileObject {
    /// What requests call it.
    pub id: String,
    /// Always `file`.
    pub object: FileObjectKind,
    /// How many bytes it has.
    pub bytes: u64,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// When it will be deleted, if it will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// The name it was given.
    pub filename: String,
    /// What it is for.
    pub purpose: FilePurpose,
    /// Always `processed`: there is nothing to wait for.
    pub status: FileStatus,
}

/// The fixed `object` of a [`FileObject`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileObjectKind {
    /// `file`
    #[default]
    #[serde(rename = "file")]
    File,
}

/// The `status` of a [`FileObject`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileStatus {
    /// `processed`
    #[default]
    #[serde(rename = "processed")]
    Processed,
}

/// Which files to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a request does nothing until it is sent"]
#[non_exhaustive]
pub struct ListFilesRequest {
    /// Those behind the file of this id.
    pub after: Option<String>,
    /// So many at most, 1 to 10000. Default: 10000.
    pub limit: Option<u32>,
    /// Default: the newest first.
    pub order: SortOrder,
    /// Those for this alone.
    pub purpose: Option<FilePurpose>,
}

impl ListFilesRequest {
    /// A request for all files, the newest first.
    pub fn new() -> Self {
        ListFilesRequest::default()
    }

    /// Sets [`after`](Self::after).
    pub fn after(mut self, id: impl Into<String>) -> Self {
        self.after = Some(id.into());
        self
    }

    /// Sets [`limit`](Self::limit).
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets [`order`](Self::order).
    pub fn order(mut self, order: SortOrder) -> Self {
        self.order = order;
        self
    }

    /// Sets [`purpose`](Self::purpose).
    pub fn purpose(mut self, purpose: FilePurpose) -> Self {
        self.purpose = Some(purpose);
        self
    }

    /// Reads the query of a URL.
    pub(crate) fn read(query: &str) -> Result<Self> {
        let mut request = ListFilesRequest::new();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            request = match &*name {
                "after" => request.after(value),
                "limit" => request.limit(value.parse().unwrap_or(0)),
                "order" => request.order(SortOrder::read(&value)?),
                "purpose" => request.purpose(FilePurpose::read(&value)?),
                _ => {
                    let name = super::parse::shorten(&name).into_owned();
                    let message = format!("Unrecognized request argument: {name}");
                    return Err(Error::invalid(name, message));
                }
            };
        }
        Ok(request)
    }

    /// How many files a page has, once checked.
    pub(crate) fn page(&self) -> Result<usize> {
        match self.limit.unwrap_or(MAX_PAGE) {
            limit @ 1..=MAX_PAGE => Ok(limit as usize),
            _ => Err(Error::invalid("limit", format!("'limit' must be an integer from 1 to {MAX_PAGE}"))),
        }
    }
}

/// The order of a list, by the time at which its objects were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SortOrder {
    /// `asc`: the oldest first.
    Asc,
    /// `desc`: the newest first.
    #[default]
    Desc,
}

impl SortOrder {
    fn read(word: &str) -> Result<Self> {
        match word {
            "asc" => Ok(SortOrder::Asc),
            "desc" => Ok(SortOrder::Desc),
            _ => Err(Error::invalid("order", "'order' must be 'asc' or 'desc'")),
        }
    }
}

/// A page of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileList {
    /// Always `list`.
    pub object: ListObject,
    /// The files.
    pub data: Vec<FileObject>,
    /// The first one's id.
    pub first_id: Option<String>,
    /// The last one's id, for the next page's `after`.
    pub last_id: Option<String>,
    /// Whether there are more.
    pub has_more: bool,
}

/// That a file has been deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileDeleted {
    /// The id that it had.
    pub id: String,
    /// Always `file`.
    pub object: FileObjectKind,
    /// Always true.
    pub deleted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_the_apis_words() {
        for word in ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"] {
            assert_eq!(serde_json::to_value(FilePurpose::read(word).unwrap()).unwrap(), word);
        }
        assert_eq!(FilePurpose::read("Batch").unwrap_err().param(), Some("purpose"));
    }

    #[test]
    fn queries_are_read() {
        let request = ListFilesRequest::read("after=file%2D1&limit=3&order=asc&purpose=fine-tune").unwrap();
        let expected =
            ListFilesRequest::new().after("file-1").limit(3).order(SortOrder::Asc).purpose(FilePurpose::FineTune);
        assert_eq!(request, expected);
        for (query, param) in
            [("limit=0", "limit"), ("limit=10001", "limit"), ("limit=x", "limit"), ("order=up", "order")]
        {
            let error = ListFilesRequest::read(query).and_then(|request| request.page()).unwrap_err();
            assert_eq!(error.param(), Some(param), "{query}");
        }
        assert_eq!(ListFilesRequest::read("x=y").unwrap_err().param(), Some("x"));
    }
}
