//! Many callers that ask, stream, give up, cancel and ask nonsense, while other models come and go.
//! `make soak` lets it run for half an hour.

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::{engine, greedy, one_of_a_mixture, resident_kib, tiny, use_one_arena};
use http::Request;
use zerohop::{Engine, ErrorKind};

const CALLERS: usize = 32;
/// What memory may grow by in the second half: what a leak of a KiB for every few requests exceeds.
const GROWTH_KIB: usize = 16 << 10;

fn length() -> Duration {
    let seconds = std::env::var("ZEROHOP_TEST_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(6))
}

/// A request that is refused, in one of several ways.
fn nonsense(engine: &Engine, round: usize) {
    let bodies: [&[u8]; 5] = [
        b"{",
        b"{\"model\": \"nobody\", \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}",
        b"{\"model\": \"m\", \"messages\": []}",
        b"{\"model\": \"m\", \"n\": 500, \"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}",
        b"{\"model\": \"m\", \"messages\": [{\"role\": \"user\", \"content\": \"\\ud800\"}]}",
    ];
    let request = Request::post("/v1/chat/completions").body(bodies[round % bodies.len()].to_vec()).unwrap();
    let status = engine.request(&request).unwrap().status().as_u16();
    assert!(status == 400 || status == 404, "{status}");
    let long = greedy(&"word ".repeat(5_000), 4);
    assert_eq!(engine.chat().create(&long).unwrap_err().kind(), ErrorKind::InvalidRequest);
}

#[test]
fn nothing_is_lost_or_leaked() {
    use_one_arena();
    let shared = engine(tiny().context_length(16_384).parallel(8).queue(64));
    let (over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let start = Instant::now();
    let sizes = thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (shared, over, done) = (&shared, &over, &done);
            scope.spawn(move || {
                for round in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    match round % 5 {
                        4 => nonsense(shared, caller + round),
                        _ => one_of_a_mixture(shared, caller, round),
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (over, done) = (&over, &done);
        scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let other = engine(tiny());
                let reply = other.chat().create(&greedy("Hello", 3)).unwrap();
                assert_eq!(reply.usage.completion_tokens, 3);
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut sizes = Vec::new();
        while start.elapsed() < length() {
            thread::sleep(length() / 24);
            sizes.push(resident_kib());
        }
        over.store(true, Ordering::Relaxed);
        sizes
    });
    // No place is left taken: as many as there are get in at once.
    let streams: Vec<_> = (0..72).map(|_| shared.chat().create_stream(&greedy("Hello", 2)).unwrap()).collect();
    for stream in streams {
        assert!(stream.map(Result::unwrap).count() > 0);
    }
    let (second_half, requests) = (&sizes[sizes.len() / 2..], done.into_inner());
    let average = |sizes: &[usize]| sizes.iter().sum::<usize>() / sizes.len();
    let (before, after) = second_half.split_at(second_half.len() / 2);
    let growth = average(after).saturating_sub(average(before));
    assert!(requests > CALLERS, "{requests} requests");
    assert!(growth < GROWTH_KIB, "after {requests} requests, in KiB: {sizes:?}");
    if std::env::var_os("ZEROHOP_TEST_SOAK_SECONDS").is_some() {
        use std::io::Write;
        writeln!(std::io::stdout(), "{requests} requests; resident memory in KiB: {sizes:?}").unwrap();
    }
}
