//! A wall clock that jumps: this program's own, in place of libc's. A file of its own, since it is the
//! whole process's.

mod common;

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use common::{ENDLESS, greedy, roomy};
use zerohop::{Engine, ErrorKind};

static CALLS: AtomicI64 = AtomicI64::new(0);

/// Years, before and after 1970.
const JUMPS: [i64; 5] = [0, -100, 500, -1, 60];

/// The wall clock shows another century at every look; the others are the system's.
///
/// # Safety
///
/// As of libc's function.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    // SAFETY: the caller's promise.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    if clock == libc::CLOCK_REALTIME && result == 0 {
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        let years = JUMPS[usize::try_from(call).unwrap_or(0) % JUMPS.len()];
        // SAFETY: as above, and the call has succeeded.
        unsafe { (*time).tv_sec = years * 365 * 24 * 3600 };
    }
    i32::try_from(result).unwrap_or(-1)
}

#[test]
fn the_wall_clock_does_not_matter() {
    assert!(SystemTime::now() != SystemTime::now(), "the clock jumps");
    let engine = |limit| Engine::builder().model("m", roomy()).timeout(limit).build().unwrap();
    let patient = engine(Duration::from_secs(3600));
    thread::scope(|scope| {
        for caller in 0..4 {
            let engine = &patient;
            scope.spawn(move || {
                for tokens in 1..20 {
                    let reply = engine.chat().create(&greedy("Hello", tokens + caller)).unwrap();
                    assert_eq!(reply.usage.completion_tokens, tokens + caller);
                }
            });
        }
    });
    // A second is still a second.
    let engine = engine(Duration::from_secs(2));
    let error = engine.chat().create(&greedy("Hello", ENDLESS)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(CALLS.load(Ordering::Relaxed) > 70, "the clock was looked at");
    // Counted when the scheduler has let go of it too.
    assert!(engine.drain(Duration::from_secs(60)));
    let longest = engine.metrics().request_duration.sum;
    assert!((2.0..400.0).contains(&longest), "{longest} s");
}
