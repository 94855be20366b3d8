//! The bytes that a content part names.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

use crate::api::content::MAX_MEDIA_FILE;
use crate::api::error::{Error, Result};
use crate::api::parse::shorten;

/// Some write base64 without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

type FetchError = Box<dyn std::error::Error + Send + Sync>;
type Fetch = dyn Fn(&str) -> Result<Vec<u8>, FetchError> + Send + Sync;

/// What fetches files from other machines, for an engine that opens no connections itself.
#[derive(Clone)]
pub(crate) struct Fetcher(Arc<Fetch>);

impl Fetcher {
    pub(crate) fn new(fetch: impl Fn(&str) -> Result<Vec<u8>, FetchError> + Send + Sync + 'static) -> Self {
        Fetcher(Arc::new(fetch))
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetcher")
    }
}

/// Where a model's images may come from, beside the request itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct MediaAccess {
    /// The folder whose files requests may name.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) fetcher: Option<Fetcher>,
}

impl MediaAccess {
    /// The bytes of an image.
    ///
    /// # Errors
    ///
    /// A 400 with `param` for a URL that is none, or that this model's options do not allow.
    pub(crate) fn image(&self, url: &str, param: &str) -> Result<Vec<u8>> {
        let refuse = |message: String| Error::invalid(param.to_owned(), message).with_code("invalid_image_url");
        let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).unwrap_or_default();
        let bytes = match scheme.as_str() {
            "data" => return data_uri(url, param),
            "file" => self.file(url).map_err(refuse)?,
            "http" | "https" => self.fetch(url).map_err(refuse)?,
            _ => {
                let message = format!("'{}' is no http(s), file or data URL", shorten(url));
                return Err(refuse(message));
            }
        };
        check_size(bytes.len(), param)?;
        Ok(bytes)
    }

    fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        let Some(Fetcher(fetch)) = &self.fetcher else {
            return Err("Images are fetched from other machines only if the program that runs the model gives it a \
                        fetcher (media_fetcher), which it did not: send the image as a data URL"
                .to_owned());
        };
        let fetched = catch_unwind(AssertUnwindSafe(|| fetch(url)));
        let fetched = fetched.unwrap_or_else(|_| Err("the fetcher panicked".into()));
        fetched.map_err(|error| format!("'{}' could not be fetched: {error}", shorten(url)))
    }

    /// A file of the folder. Of others, a request must not even learn whether they are there.
    fn file(&self, url: &str) -> Result<Vec<u8>, String> {
        let Some(folder) = &self.folder else {
            return Err("Files of this machine are read only if the program that runs the model names a folder \
                        (media_folder), which it did not: send the image as a data URL"
                .to_owned());
        };
        let missing = || format!("'{}' is no file of the folder that requests may read from", shorten(url));
        let path = file_path(url).ok_or_else(missing)?;
        let folder = folder.canonicalize().map_err(|_| missing())?;
        let path = Path::new(&path).canonicalize().map_err(|_| missing())?;
        // Nothing but a file of the folder is opened: opening a device or a pipe can do something, or wait.
        if !path.starts_with(&folder) || !path.is_file() {
            return Err(missing());
        }
        let file = File::open(&path).map_err(|_| missing())?;
        // What was opened, in case that the path has come to lead elsewhere meanwhile.
        let opened = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|_| missing())?;
        if !opened.starts_with(&folder) {
            return Err(missing());
        }
        let mut bytes = Vec::new();
        let read = file.take(MAX_MEDIA_FILE as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| format!("'{}' cannot be read: {error}", shorten(url)))?;
        Ok(bytes)
    }
}

/// The path of a `file:` URL of this machine.
fn file_path(url: &str) -> Option<String> {
    let rest = url.get("file:".len()..)?;
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(rest) => match rest.split_at_checked("localhost".len()) {
            Some((host, path)) if host.eq_ignore_ascii_case("localhost") => path,
            _ => rest,
        },
    };
    let path = percent_decode_str(path).decode_utf8().ok()?;
    // The system would follow `..` through whatever is there, and so tell what is.
    let goes_up = path.split('/').any(|part| part == "..");
    (path.starts_with('/') && !path.contains('\0') && !goes_up).then(|| path.into_owned())
}

fn data_uri(url: &str, param: &str) -> Result<Vec<u8>> {
    let refuse = |message: &str| Err(Error::invalid(param.to_owned(), message).with_code("invalid_image_url"));
    let Some((head, data)) = url["data:".len()..].split_once(',') else {
        return refuse("The data URL has no comma before its data");
    };
    let mut words = head.split(';').map(str::trim);
    if !words.next().is_some_and(|kind| kind.to_ascii_lowercase().starts_with("image/")) {
        return refuse("The data URL is not of an image: it has to begin with data:image/");
    }
    if !words.any(|word| word.eq_ignore_ascii_case("base64")) {
        return refuse("Only data URLs in base64 are read: data:image/...;base64,...");
    }
    base64(data, param)
}

/// # Errors
///
/// A 400 with `param`.
pub(super) fn base64(data: &str, param: &str) -> Result<Vec<u8>> {
    check_size(data.len() / 4 * 3, param)?;
    BASE64.decode(data.trim_end()).map_err(|error| {
        Error::invalid(param.to_owned(), format!("The data is not base64: {error}")).with_code("invalid_base64")
    })
}

fn check_size(bytes: usize, param: &str) -> Result<()> {
    if bytes > MAX_MEDIA_FILE {
        let message = format!("The file is too large: at most {MAX_MEDIA_FILE} bytes are read");
        return Err(Error::invalid(param.to_owned(), message).with_code("file_too_large"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(access: &MediaAccess, url: &str) -> String {
        let error = access.image(url, "here").unwrap_err();
        assert_eq!((error.param(), error.status()), (Some("here"), Some(400)), "{error}");
        error.message().to_owned()
    }

    #[test]
    fn data_urls_are_read() {
        // CQ5
        let access = MediaAccess::default();
        for url in ["data:image/png;base64,aGk=", "DATA:image/png;charset=x;BASE64,aGk", "data:image/x;base64,aGk=\n"] {
            assert_eq!(access.image(url, "here").unwrap(), b"hi");
        }
        for url in ["data:image/png;base64", "data:image/png,hi", "data:text/plain;base64,aGk=", "data:,"] {
            assert!(refused(&access, url).contains("data URL"), "{url}");
        }
        assert!(refused(&access, "data:image/png;base64,a*k=").contains("not base64"));
        for url in ["", "cat.png", "/etc/passwd", "ftp://a/b.png", "javascript:1"] {
            assert!(refused(&access, url).contains("is no http(s)"), "{url}");
        }
    }

    #[test]
    fn files_need_a_folder_and_stay_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("in"), folder.path().join("out.png"));
        fs::create_dir(&inside).unwrap();
        fs::write(inside.join("a b.png"), "inside").unwrap();
        fs::write(&outside, "outside").unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("link.png")).unwrap();
        let url = |path: &str| format!("file://{}/{path}", inside.display());
        assert!(refused(&MediaAccess::default(), &url("a%20b.png")).contains("media_folder"));
        let access = MediaAccess { folder: Some(inside.clone()), fetcher: None };
        assert_eq!(access.image(&url("a%20b.png"), "here").unwrap(), b"inside");
        assert_eq!(access.image(&url("a b.png").replace("file://", "file:"), "here").unwrap(), b"inside");
        assert_eq!(access.image(&url("a b.png").replace("file://", "file://localhost"), "here").unwrap(), b"inside");
        assert_eq!(access.image(&url("a b.png").replace("file://", "file://LOCALHOST"), "here").unwrap(), b"inside");
        // A way through a folder outside would tell whether that is there.
        for path in ["../out.png", "link.png", "missing.png", "", "%00", "../in/a%20b.png", "%2e%2e/in/a b.png"] {
            assert!(refused(&access, &url(path)).contains("is no file of the folder"), "{path}");
        }
    }

    #[test]
    fn others_fetch() {
        assert!(refused(&MediaAccess::default(), "https://a/b.png").contains("media_fetcher"));
        let fetcher = Fetcher::new(|url| match url {
            "https://a/b.png" => Ok(b"fetched".to_vec()),
            "https://a/panic" => panic!("as asked"),
            _ => Err("no such host".into()),
        });
        let access = MediaAccess { folder: None, fetcher: Some(fetcher) };
        assert_eq!(access.image("https://a/b.png", "here").unwrap(), b"fetched");
        assert!(refused(&access, "http://b/").contains("no such host"));
        assert!(refused(&access, "https://a/panic").contains("panicked"));
    }
}
