//! wip
#![expect(clippy::print_stdout, reason = "reports")]
use zerohop::types::*;
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let n: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let topics = [
        "Python lists",
        "the moon",
        "TCP handshakes",
        "bread baking",
        "binary search",
        "Rust ownership",
        "photosynthesis",
        "chess openings",
        "SQL joins",
        "the French Revolution",
        "HTTP caching",
        "prime numbers",
        "jazz",
        "volcanoes",
        "garbage collection",
        "sailing",
    ];
    let engine = zerohop::Engine::builder().model("m", zerohop::ModelOptions::new(&path)).build().unwrap();
    let ask = |t: &str| {
        engine
            .chat()
            .create(
                &CreateChatCompletionRequest::new(
                    "m",
                    [ChatCompletionMessage::user(format!("Explain {t} in one paragraph."))],
                )
                .temperature(0.0)
                .max_completion_tokens(n as u32),
            )
            .unwrap()
            .text()
            .unwrap()
            .to_owned()
    };
    let alone: Vec<String> = topics.iter().map(|t| ask(t)).collect();
    let again: Vec<String> = topics.iter().map(|t| ask(t)).collect();
    println!("alone again same {}", alone.iter().zip(&again).filter(|(a, b)| a == b).count());
    for _ in 0..2 {
        let together: Vec<String> = std::thread::scope(|s| {
            let h: Vec<_> = topics.iter().map(|t| s.spawn(move || ask(t))).collect();
            h.into_iter().map(|h| h.join().unwrap()).collect()
        });
        println!("together same {}/16", alone.iter().zip(&together).filter(|(a, b)| a == b).count());
        for (a, b) in alone.iter().zip(&together) {
            if a != b {
                let at = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
                println!(
                    "  at {at}/{}: {:?} | {:?}",
                    a.len(),
                    a.get(at..).unwrap_or("").chars().take(30).collect::<String>(),
                    b.get(at..).unwrap_or("").chars().take(30).collect::<String>()
                );
            }
        }
    }
}
