//! Images of other machines, which the host fetches.

use std::error::Error;
use std::ffi::c_void;

use parking_lot::Mutex;
use zerohop::types::MAX_MEDIA_FILE;

use crate::guard::guard_or;
use crate::handle;
use crate::text::zerohop_str;

/// What a `zerohop_fetch_callback` has fetched so far.
///
/// Any thread, and only during the call of the callback that it was given to.
#[derive(Debug)]
pub struct zerohop_fetched {
    _private: [u8; 0],
}

/// Fetches the file behind an http(s) URL that a request names as an image, since the
/// library opens no connections itself: gives its bytes with `zerohop_fetched_write` and
/// returns true. For false, the request gets a reply with status 400, whose message has what
/// `zerohop_fetched_fail` was given.
///
/// Which addresses may be reached is for the callee to see to: the URL is a request's.
///
/// `url` and `fetched` are valid during the call. Called on the threads that make requests
/// and on some of the engine's, several at the same time, until the engine is freed or the
/// model unloaded. May call the library, except to free the engine. Must not throw, `longjmp`
/// or end its thread.
pub type zerohop_fetch_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, url: zerohop_str, fetched: *const zerohop_fetched) -> bool>;

/// What stands behind a [`zerohop_fetched`].
#[derive(Debug, Default)]
pub(crate) struct Fetched {
    bytes: Vec<u8>,
    reason: Option<String>,
}

/// A callback of the C caller's.
pub(crate) struct Fetch {
    pub(crate) callback: unsafe extern "C" fn(*mut c_void, zerohop_str, *const zerohop_fetched) -> bool,
    pub(crate) user_data: *mut c_void,
}

// SAFETY: the header says that it is called on several threads; the C caller sees to it that its function and
// data can be used so.
unsafe impl Send for Fetch {}
// SAFETY: as above.
unsafe impl Sync for Fetch {}

impl Fetch {
    pub(crate) fn call(&self, url: &str) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
        let fetched = Mutex::new(Fetched::default());
        let url = zerohop_str { data: url.as_ptr().cast(), len: url.len() };
        // SAFETY: the C caller set a function of this type and the data it wants; what it is lent stays
        // during the call.
        let has_it = unsafe { (self.callback)(self.user_data, url, handle::lend::<zerohop_fetched>(&fetched)) };
        let Fetched { bytes, reason } = fetched.into_inner();
        if has_it { Ok(bytes) } else { Err(reason.unwrap_or_else(|| "the fetcher gave no reason".to_owned()).into()) }
    }
}

/// Adds bytes to those of the file that is being fetched; copies them. Does nothing for
/// NULL. More than 64 MiB are refused, which the request is told: then the rest need not be
/// fetched, and this gives false.
///
/// Any thread, during the call of the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_fetched_write(fetched: *const zerohop_fetched, bytes: zerohop_str) -> bool {
    guard_or(false, || {
        // SAFETY: the C caller passes NULL or what the callback was given, and bytes that stay during the call.
        let (fetched, bytes) = unsafe { (handle::borrow(fetched), bytes.bytes("bytes")) };
        let (Some(fetched), Ok(bytes)) = (fetched, bytes) else { return false };
        let mut fetched = fetched.lock();
        let room = MAX_MEDIA_FILE.saturating_add(1).saturating_sub(fetched.bytes.len());
        // One more than there may be, so that the engine refuses it.
        fetched.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        bytes.len() <= room
    })
}

/// Says why a file cannot be fetched. Does nothing for NULL, or a text that is not UTF-8.
///
/// Any thread, during the call of the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_fetched_fail(fetched: *const zerohop_fetched, reason: zerohop_str) {
    guard_or((), || {
        // SAFETY: as for `zerohop_fetched_write`.
        let (fetched, reason) = unsafe { (handle::borrow(fetched), reason.text("reason")) };
        if let (Some(fetched), Ok(reason)) = (fetched, reason) {
            fetched.lock().reason = Some(reason.to_owned());
        }
    });
}
