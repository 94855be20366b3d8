//! Strings and output arguments.

use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::{slice, str};

use crate::error::Failure;
use crate::guard::guard_or;

/// A piece of text or bytes: a pointer and a length, without ownership.
///
/// Text is UTF-8. In structs that go in, it must stay valid for the call, and
/// `{NULL, 0}` means "not set". What the library hands out in this form belongs to
/// the object it came from, which says how long it stays; a NUL byte follows it,
/// not counted in `len`, so that text can be used as a C string.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct zerohop_str {
    /// The first byte.
    pub data: *const c_char,
    /// The number of bytes.
    pub len: usize,
}

/// Describes a NUL-terminated C string, without copying it; `{NULL, 0}` for NULL.
///
/// Any thread. The result is valid as long as `text` is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn zerohop_str_of(text: *const c_char) -> zerohop_str {
    if text.is_null() {
        return zerohop_str::NONE;
    }
    // SAFETY: the C caller passes a NUL-terminated string.
    let text = unsafe { CStr::from_ptr(text) };
    guard_or(zerohop_str::NONE, || zerohop_str { data: text.as_ptr(), len: text.count_bytes() })
}

impl zerohop_str {
    /// Nothing.
    pub(crate) const NONE: zerohop_str = zerohop_str { data: ptr::null(), len: 0 };

    /// Text that lives as long as the process.
    pub(crate) const fn literal(text: &'static str) -> Self {
        zerohop_str { data: text.as_ptr().cast(), len: text.len() }
    }

    /// Text of an object that the C caller holds; see [`Owned`] for the NUL.
    pub(crate) fn of(text: &Owned) -> Self {
        zerohop_str { data: text.0.as_ptr().cast(), len: text.0.len() - 1 }
    }

    /// The bytes; a NULL pointer is the empty string if its length is 0.
    ///
    /// # Safety
    ///
    /// `data` points to `len` bytes that stay as they are during `'a`, or is NULL.
    pub(crate) unsafe fn bytes<'a>(self, name: &str) -> Result<&'a [u8], Failure> {
        match (self.data.is_null(), self.len) {
            (_, 0) => Ok(&[]),
            (true, len) => Err(Failure::argument(name, &format!("the pointer is NULL and the length {len}"))),
            (false, len) if isize::try_from(len).is_err() => {
                Err(Failure::argument(name, &format!("the length is {len}, more than any memory holds")))
            }
            // SAFETY: the caller's promise; the length was checked.
            (false, len) => Ok(unsafe { slice::from_raw_parts(self.data.cast(), len) }),
        }
    }

    /// The text.
    ///
    /// # Safety
    ///
    /// As for [`bytes`](Self::bytes).
    pub(crate) unsafe fn text<'a>(self, name: &str) -> Result<&'a str, Failure> {
        // SAFETY: the caller's promise.
        let bytes = unsafe { self.bytes(name) }?;
        str::from_utf8(bytes).map_err(|error| {
            Failure::argument(name, &format!("the text is not UTF-8 from byte {} on", error.valid_up_to()))
        })
    }
}

/// Bytes to hand out with a NUL behind them.
#[derive(Debug)]
pub(crate) struct Owned(Vec<u8>);

impl Owned {
    pub(crate) fn new(mut bytes: Vec<u8>) -> Self {
        bytes.push(0);
        Owned(bytes)
    }

    pub(crate) fn text(text: &str) -> Self {
        Owned::new(text.as_bytes().to_vec())
    }

    /// Without the NUL.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0[..self.0.len() - 1]
    }
}

/// A C string. NULs inside, which would cut it short, become replacement
/// characters.
pub(crate) fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{FFFD}")).unwrap_or_default()
}

/// A place of the C caller's for one value, written on success only.
#[derive(Debug)]
pub(crate) struct Out<'a, T>(NonNull<T>, PhantomData<&'a mut T>);

impl<T> Out<'_, T> {
    /// `None` for NULL.
    ///
    /// # Safety
    ///
    /// `place` is NULL or may be written during the call.
    pub(crate) unsafe fn new(place: *mut T) -> Option<Self> {
        NonNull::new(place).map(|place| Out(place, PhantomData))
    }

    pub(crate) fn write(self, value: T) {
        // SAFETY: `new`'s caller promised a writable place. What was there is
        // overwritten without being dropped: to us it is uninitialised.
        unsafe { self.0.write(value) }
    }
}

/// An array of the C caller's; a NULL pointer is the empty one if its count is 0.
///
/// # Safety
///
/// `first` points to `count` values that stay as they are during `'a`, or is NULL.
pub(crate) unsafe fn array<'a, T>(first: *const T, count: usize, name: &str) -> Result<&'a [T], Failure> {
    match check_array(first, count, name)? {
        // SAFETY: the caller's promise; pointer and count were checked.
        Some(first) => Ok(unsafe { slice::from_raw_parts(first.as_ptr(), count) }),
        None => Ok(&[]),
    }
}

/// Like [`array`], for values that are written.
///
/// # Safety
///
/// `first` points to `count` values that are nobody else's during `'a`, or is NULL. Whatever bytes are
/// there are values of `T`.
pub(crate) unsafe fn array_mut<'a, T>(first: *mut T, count: usize, name: &str) -> Result<&'a mut [T], Failure> {
    match check_array(first, count, name)? {
        // SAFETY: the caller's promise; pointer and count were checked.
        Some(first) => Ok(unsafe { slice::from_raw_parts_mut(first.as_ptr(), count) }),
        None => Ok(&mut []),
    }
}

/// `None` for an empty array.
fn check_array<T>(first: *const T, count: usize, name: &str) -> Result<Option<NonNull<T>>, Failure> {
    if count == 0 {
        return Ok(None);
    }
    if count > isize::MAX.unsigned_abs() / size_of::<T>() {
        return Err(Failure::argument(name, &format!("the count is {count}, more than any memory holds")));
    }
    let Some(first) = NonNull::new(first.cast_mut()) else {
        return Err(Failure::argument(name, &format!("the pointer is NULL and the count {count}")));
    };
    if !first.is_aligned() {
        return Err(Failure::argument(name, "the pointer is not aligned for what it points to"));
    }
    Ok(Some(first))
}

/// An argument that must not be NULL.
pub(crate) fn required<T>(argument: Option<T>, name: &str) -> Result<T, Failure> {
    argument.ok_or_else(|| Failure::argument(name, "must not be NULL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_empty_only_with_length_zero() {
        // SAFETY: NULL is allowed.
        unsafe {
            assert_eq!(zerohop_str::NONE.bytes("x").unwrap(), b"");
            assert!(zerohop_str { data: ptr::null(), len: 1 }.bytes("x").is_err());
            assert!(zerohop_str { data: c"a".as_ptr(), len: usize::MAX }.bytes("x").is_err());
        }
    }

    #[test]
    fn bad_utf8_names_its_place() {
        let text = zerohop_str { data: c"ab\xff".as_ptr(), len: 3 };
        // SAFETY: the literal has three bytes.
        let failure = unsafe { text.text("name") }.unwrap_err();
        assert!(failure.message.to_string_lossy().contains("byte 2"), "{failure:?}");
        assert_eq!(failure.param.unwrap().to_str(), Ok("name"));
    }

    #[test]
    fn handed_out_text_ends_in_nul() {
        let owned = Owned::new(b"ab".to_vec());
        let text = zerohop_str::of(&owned);
        assert_eq!((text.len, owned.bytes()), (2, b"ab".as_slice()));
        // SAFETY: `owned` lives, and ends in a NUL.
        assert_eq!(unsafe { CStr::from_ptr(text.data) }, c"ab");
    }
}
