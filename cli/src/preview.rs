//! Images in a terminal: two pixels a character, the upper half block in one color on the other.

use std::env;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use anyhow::Context;
use console::Term;
use image::Rgb;

/// Characters of a terminal that does not say how large it is.
const USUAL_SIZE: (u16, u16) = (24, 80);

/// Whether there is a terminal that can show one.
pub(crate) fn is_possible() -> bool {
    let says = |name: &str, words: &[&str]| {
        env::var(name).is_ok_and(|value| words.iter().any(|word| value.to_ascii_lowercase().contains(word)))
    };
    let has_true_color = says("COLORTERM", &["truecolor", "24bit"]) || says("TERM", &["direct", "kitty", "ghostty"]);
    has_true_color && env::var_os("NO_COLOR").is_none() && io::stdout().is_terminal()
}

/// Shows an image file, as large as the terminal has room for.
pub(crate) fn show(file: &[u8]) -> anyhow::Result<()> {
    let image = image::load_from_memory(file).context("the image cannot be decoded")?;
    let (rows, columns) = Term::stdout().size_checked().filter(|size| size.0 > 1 && size.1 > 0).unwrap_or(USUAL_SIZE);
    // One row is left for what is typed next.
    let image = image.thumbnail(columns.into(), 2 * u32::from(rows - 1)).to_rgb8();
    let mut text = String::new();
    for y in (0..image.height()).step_by(2) {
        for x in 0..image.width() {
            let Rgb([red, green, blue]) = image.get_pixel(x, y);
            write!(text, "\x1b[38;2;{red};{green};{blue}m")?;
            if let Some(Rgb([red, green, blue])) = image.get_pixel_checked(x, y + 1) {
                write!(text, "\x1b[48;2;{red};{green};{blue}m")?;
            }
            text.push('▀');
        }
        text.push_str("\x1b[0m\n");
    }
    io::stdout().write_all(text.as_bytes()).context("the preview")
}
