//! Exports the functions of `native/diffusion.h`: of what a shared library links, rustc exports only functions
//! that are written in Rust. Everything else in it is hidden, ggml's functions before all.

use std::ffi::{c_char, c_void};

/// A function of the interface, which passes on what it was given to the C++ function of its name with `_impl`.
macro_rules! exported {
    ($(fn $name:ident / $native:ident($($argument:ident: $of:ty),*) $(-> $result:ty)?;)*) => {
        unsafe extern "C" {
            $(fn $native($($argument: $of),*) $(-> $result)?;)*
        }
        $(
            #[doc = "See `native/diffusion.h`."]
            ///
            /// # Safety
            ///
            /// As the header says.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($argument: $of),*) $(-> $result)? {
                // SAFETY: the arguments are the caller's, unchanged.
                unsafe { $native($($argument),*) }
            }
        )*
    };
}

/// `ZEROHOP_DIFFUSION_ABI`.
#[unsafe(no_mangle)]
pub extern "C" fn zerohop_diffusion_abi() -> u32 {
    1
}

exported! {
    fn zerohop_diffusion_set_log / zerohop_diffusion_set_log_impl(log: *const c_void);
    fn zerohop_diffusion_set_processors / zerohop_diffusion_set_processors_impl(number: u32);
    fn zerohop_diffusion_string_free / zerohop_diffusion_string_free_impl(text: *mut c_char);
    fn zerohop_diffusion_load / zerohop_diffusion_load_impl(options: *const c_void, error: *mut *mut c_char)
        -> *mut c_void;
    fn zerohop_diffusion_free / zerohop_diffusion_free_impl(model: *mut c_void);
    fn zerohop_diffusion_count_tokens / zerohop_diffusion_count_tokens_impl(
        text: *const c_char, error: *mut *mut c_char) -> i64;
    fn zerohop_diffusion_knows_sampler / zerohop_diffusion_knows_sampler_impl(name: *const c_char) -> bool;
    fn zerohop_diffusion_knows_scheduler / zerohop_diffusion_knows_scheduler_impl(name: *const c_char) -> bool;
    fn zerohop_diffusion_generate / zerohop_diffusion_generate_impl(
        model: *mut c_void, request: *const c_void, image: *mut c_void, error: *mut *mut c_char) -> bool;
    fn zerohop_diffusion_image_free / zerohop_diffusion_image_free_impl(image: *mut c_void);
}
