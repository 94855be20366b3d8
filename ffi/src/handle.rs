//! Opaque C types: which Rust value stands behind each, and who owns it.

use std::sync::Arc;

/// An opaque C type.
///
/// Implementing it is the only way to hand a pointer out, and `Owner` decides how
/// it is taken back, so freeing an `Arc` as a `Box` does not compile.
pub(crate) trait Handle: sealed::Sealed + Sized {
    /// The Rust value that the pointer really points to.
    type Value: Send + Sync;
    /// `Box<Value>`: one owner. `Arc<Value>`: the handle is one owner of several.
    type Owner: Owner<Self::Value>;
}

/// A smart pointer whose ownership can pass through C.
pub(crate) trait Owner<T> {
    fn into_raw(self) -> *const T;

    /// # Safety
    ///
    /// `raw` comes from `into_raw` of the same type, and ownership is taken back
    /// once.
    unsafe fn from_raw(raw: *const T) -> Self;
}

impl<T> Owner<T> for Box<T> {
    fn into_raw(self) -> *const T {
        Box::into_raw(self)
    }

    unsafe fn from_raw(raw: *const T) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Box::from_raw(raw.cast_mut()) }
    }
}

impl<T> Owner<T> for Arc<T> {
    fn into_raw(self) -> *const T {
        Arc::into_raw(self)
    }

    unsafe fn from_raw(raw: *const T) -> Self {
        // SAFETY: the caller's promise.
        unsafe { Arc::from_raw(raw) }
    }
}

/// Hands ownership to the C caller.
pub(crate) fn give<H: Handle>(owner: H::Owner) -> *mut H {
    owner.into_raw().cast_mut().cast()
}

/// A pointer for the C callee of one call, who does not own it.
pub(crate) fn lend<H: Handle>(value: &H::Value) -> *mut H {
    std::ptr::from_ref(value).cast_mut().cast()
}

/// Takes ownership back; `None` for NULL.
///
/// # Safety
///
/// `handle` is NULL, or comes from [`give`] and is not used again.
pub(crate) unsafe fn take<H: Handle>(handle: *mut H) -> Option<H::Owner> {
    // SAFETY: the caller's promise; only `give` makes pointers to `H`, and it
    // makes them from an `H::Owner`.
    (!handle.is_null()).then(|| unsafe { H::Owner::from_raw(handle.cast_const().cast()) })
}

/// Borrows the value; `None` for NULL. Always shared: what changes behind a handle
/// is behind a lock, so that a cancelling thread cannot alias a `&mut`.
///
/// # Safety
///
/// `handle` is NULL, or comes from [`give`] and is not freed during `'a`.
pub(crate) unsafe fn borrow<'a, H: Handle>(handle: *const H) -> Option<&'a H::Value> {
    // SAFETY: the caller's promise; `give` made the pointer from one to `H::Value`.
    unsafe { handle.cast::<H::Value>().as_ref() }
}

/// One more owner of a shared value; `None` for NULL.
///
/// # Safety
///
/// As for [`borrow`], until this returns.
pub(crate) unsafe fn share<H: Handle<Owner = Arc<V>, Value = V>, V>(handle: *const H) -> Option<Arc<V>> {
    if handle.is_null() {
        return None;
    }
    let value = handle.cast::<V>();
    // SAFETY: the caller's promise; `H::Owner` is `Arc<V>`, so `give` made the
    // pointer with `Arc::into_raw`, and the count we add is the one we own.
    unsafe {
        Arc::increment_strong_count(value);
        Some(Arc::from_raw(value))
    }
}

mod sealed {
    pub(crate) trait Sealed {}

    impl Sealed for crate::cancel::zerohop_cancel_token {}
    impl Sealed for crate::device::zerohop_device_list {}
    impl Sealed for crate::engine::zerohop_engine {}
    impl Sealed for crate::error::zerohop_error {}
    impl Sealed for crate::media::zerohop_fetched {}
    impl Sealed for crate::response::zerohop_response {}
}

impl Handle for crate::cancel::zerohop_cancel_token {
    type Value = crate::cancel::CancelToken;
    type Owner = Arc<Self::Value>;
}

impl Handle for crate::device::zerohop_device_list {
    type Value = crate::device::DeviceList;
    type Owner = Box<Self::Value>;
}

impl Handle for crate::engine::zerohop_engine {
    type Value = crate::engine::EngineValue;
    type Owner = Box<Self::Value>;
}

impl Handle for crate::error::zerohop_error {
    type Value = crate::error::Failure;
    type Owner = Box<Self::Value>;
}

impl Handle for crate::media::zerohop_fetched {
    type Value = parking_lot::Mutex<crate::media::Fetched>;
    type Owner = Box<Self::Value>;
}

impl Handle for crate::response::zerohop_response {
    type Value = crate::response::Response;
    type Owner = Box<Self::Value>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cancel::{CancelToken, zerohop_cancel_token};

    #[test]
    fn a_shared_handle_counts_its_owners() {
        let token = Arc::new(CancelToken::default());
        let handle = give::<zerohop_cancel_token>(token.clone());
        // SAFETY: `handle` was just given out and is taken back once.
        let shared = unsafe { share(handle) }.unwrap();
        assert_eq!(Arc::strong_count(&token), 3);
        // SAFETY: as above.
        drop(unsafe { take(handle) });
        drop(shared);
        assert_eq!(Arc::strong_count(&token), 1);
    }

    #[test]
    fn null_is_none() {
        // SAFETY: NULL is allowed.
        unsafe {
            assert!(take::<zerohop_cancel_token>(std::ptr::null_mut()).is_none());
            assert!(borrow::<zerohop_cancel_token>(std::ptr::null()).is_none());
            assert!(share::<zerohop_cancel_token, _>(std::ptr::null()).is_none());
        }
    }
}
