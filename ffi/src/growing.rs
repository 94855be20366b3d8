//! Structs that C callers fill, which grow from release to release: the size of what the caller knows is in front.

use std::mem::MaybeUninit;
use std::ptr;

use crate::error::Failure;

/// A struct of the caller's that may have been compiled against an older or a
/// newer header.
///
/// # Safety
///
/// `repr(C)`, the first field is `struct_size: usize`, and any bytes are a valid
/// value.
pub(crate) unsafe trait Growing: Copy {
    /// Every field at its default.
    const DEFAULT: Self;
    /// The size in the first release that had the struct. It stays as it is when
    /// fields are added.
    const FIRST_SIZE: usize;
}

/// No struct of ours will ever be so large; a greater `struct_size` was never set.
const MAX_STRUCT_SIZE: usize = 4096;

/// Writes the defaults, as many bytes as the caller has; zeroes for what a newer
/// caller has beyond.
///
/// # Safety
///
/// `place` is NULL or may be written for `size` bytes.
pub(crate) unsafe fn init<T: Growing>(place: *mut T, size: usize) {
    if place.is_null() || size < size_of::<usize>() {
        return;
    }
    // SAFETY: the caller's promise; at least the first field fits.
    unsafe { write_sized(place, size, &T::DEFAULT) };
}

/// Writes a struct for the caller, as many bytes as it has, with its size as the
/// first field; zeroes for what a newer caller has beyond.
///
/// # Safety
///
/// `place` is NULL or may be written for `size` bytes; `T` is `repr(C)` and begins
/// with `struct_size: usize`.
pub(crate) unsafe fn fill<T: Copy>(place: *mut T, size: usize, value: &T) -> Result<(), Failure> {
    if place.is_null() {
        return Err(Failure::argument("out", "must not be NULL"));
    }
    if !(size_of::<usize>()..=MAX_STRUCT_SIZE).contains(&size) {
        return Err(Failure::argument("struct_size", &format!("is {size}, not {}", size_of::<T>())));
    }
    // SAFETY: the caller's promise; at least the first field fits.
    unsafe { write_sized(place, size, value) };
    Ok(())
}

/// # Safety
///
/// As for [`fill`], with a place that is not NULL and room for the first field.
unsafe fn write_sized<T: Copy>(place: *mut T, size: usize, value: &T) {
    // SAFETY: the caller's promise.
    unsafe {
        place.cast::<u8>().write_bytes(0, size);
        ptr::from_ref(value).cast::<u8>().copy_to_nonoverlapping(place.cast(), size.min(size_of::<T>()));
        place.cast::<usize>().write_unaligned(size);
    }
}

/// Copies a struct of the caller's over the defaults, so that what an older caller
/// does not have keeps its default.
///
/// # Safety
///
/// `place` is NULL or points to a struct whose `struct_size` bytes are readable.
pub(crate) unsafe fn read<T: Growing>(place: *const T, name: &str) -> Result<T, Failure> {
    if place.is_null() {
        return Err(Failure::argument(name, "must not be NULL"));
    }
    let place = place.cast::<u8>();
    let known = size_of::<T>();
    // SAFETY: the caller's promise; the size is the first field.
    let size = unsafe { place.cast::<usize>().read_unaligned() };
    if !(T::FIRST_SIZE..=MAX_STRUCT_SIZE).contains(&size) {
        let problem = format!("its struct_size is {size}, not {known}; fill the struct with its _init function");
        return Err(Failure::argument(name, &problem));
    }
    // SAFETY: the caller's promise.
    if (known..size).any(|offset| unsafe { place.add(offset).read() } != 0) {
        let problem = format!("sets options of a newer version than {} of this library", env!("CARGO_PKG_VERSION"));
        return Err(Failure::argument(name, &problem));
    }
    let mut value = T::DEFAULT;
    // SAFETY: the caller's promise; no more is copied than either has, and any
    // bytes are a valid `T`.
    unsafe { place.copy_to_nonoverlapping((&raw mut value).cast(), size.min(known)) };
    Ok(value)
}

/// Copies an array of structs. The elements lie as far apart as the caller's
/// struct is large, which the first one says.
///
/// # Safety
///
/// `first` is NULL or points to `count` structs as for [`read`].
pub(crate) unsafe fn read_array<T: Growing>(first: *const T, count: usize, name: &str) -> Result<Vec<T>, Failure> {
    let mut values = Vec::new();
    let mut stride = 0;
    for index in 0..count {
        let name = format!("{name}[{index}]");
        let place = first.wrapping_byte_add(index * stride);
        // SAFETY: the caller's promise; `stride` is the size that the first
        // element has, and the others must have the same.
        let value = unsafe { read(place, &name) }?;
        // SAFETY: as above.
        let size = unsafe { place.cast::<usize>().read_unaligned() };
        if index > 0 && size != stride {
            return Err(Failure::argument(
                &name,
                &format!("its struct_size is {size}, unlike that of {stride} before it"),
            ));
        }
        stride = size;
        values.push(value);
    }
    Ok(values)
}

/// A truth value of the C caller's.
pub(crate) fn is_set(value: &MaybeUninit<bool>) -> bool {
    // SAFETY: the byte came from C memory or from the defaults, so it is initialised; as a
    // `u8` any value is valid.
    unsafe { value.as_ptr().cast::<u8>().read() != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct that has grown: its first release ended after `old`.
    #[repr(C)]
    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Grown {
        struct_size: usize,
        old: u64,
        new: u64,
    }

    const OLD_SIZE: usize = 16;

    // SAFETY: `repr(C)`, size first, integers only.
    unsafe impl Growing for Grown {
        const DEFAULT: Self = Grown { struct_size: size_of::<Self>(), old: 1, new: 2 };
        const FIRST_SIZE: usize = OLD_SIZE;
    }

    fn read_words(words: &[usize]) -> Result<Grown, Failure> {
        // SAFETY: the tests' sizes are those of their words, or refused unread.
        unsafe { read(words.as_ptr().cast::<Grown>(), "it") }
    }

    #[test]
    fn an_older_caller_gets_the_new_defaults() {
        let mut words = [7; 3];
        // SAFETY: the old struct has two of the three words.
        unsafe { init(words.as_mut_ptr().cast::<Grown>(), OLD_SIZE) };
        assert_eq!(words, [OLD_SIZE, 1, 7]);
        assert_eq!(read_words(&words).unwrap(), Grown { struct_size: OLD_SIZE, old: 1, new: 2 });
    }

    #[test]
    fn a_newer_caller_may_not_use_what_is_unknown() {
        let mut words = [7; 5];
        // SAFETY: the words are writable.
        unsafe { init(words.as_mut_ptr().cast::<Grown>(), size_of_val(&words)) };
        assert_eq!(words, [40, 1, 2, 0, 0]);
        assert!(read_words(&words).is_ok());
        words[4] = 1;
        assert!(read_words(&words).unwrap_err().message.to_str().unwrap().contains("newer version"));
    }

    #[test]
    fn what_is_filled_fits_the_caller() {
        let value = Grown { struct_size: size_of::<Grown>(), old: 3, new: 4 };
        let mut words = [7; 5];
        let place = words.as_mut_ptr().cast::<Grown>();
        // SAFETY: the words are writable, and NULL is allowed.
        unsafe {
            fill(place, OLD_SIZE, &value).unwrap();
            assert_eq!(words, [OLD_SIZE, 3, 7, 7, 7]);
            fill(words.as_mut_ptr().cast::<Grown>(), size_of_val(&words), &value).unwrap();
            assert_eq!(words, [40, 3, 4, 0, 0]);
            for size in [0, 7, MAX_STRUCT_SIZE + 1] {
                assert!(fill(words.as_mut_ptr().cast::<Grown>(), size, &value).is_err());
            }
            assert!(fill(ptr::null_mut(), OLD_SIZE, &value).is_err());
        }
    }

    #[test]
    fn a_size_that_nobody_set_is_refused() {
        for size in [0, 8, 15, MAX_STRUCT_SIZE + 1, usize::MAX] {
            let failure = read_words(&[size, 0, 0]).unwrap_err();
            assert_eq!(failure.param.as_deref(), Some(c"it"), "{size}");
        }
    }

    #[test]
    fn the_elements_of_an_array_are_as_large_as_the_caller_says() {
        let words = [OLD_SIZE, 5, OLD_SIZE, 6];
        // SAFETY: two structs of the old size.
        let values = unsafe { read_array(words.as_ptr().cast::<Grown>(), 2, "them") }.unwrap();
        assert_eq!(values.iter().map(|value| (value.old, value.new)).collect::<Vec<_>>(), [(5, 2), (6, 2)]);

        let words = [OLD_SIZE, 5, 24, 6, 0];
        // SAFETY: the sizes are those of the words.
        let failure = unsafe { read_array(words.as_ptr().cast::<Grown>(), 2, "them") }.unwrap_err();
        assert_eq!(failure.param.as_deref(), Some(c"them[1]"));
    }
}
