//! The values of `format` that are enforced, as regular expressions (SO4).
//!
//! They are stricter than the standards where validators differ: no leap second,
//! no year 0, the 29th of February in leap years only, upper-case `T` and `Z`, at
//! least one dot in a mail address's domain, lengths within what DNS and mail
//! allow.

const OCTET: &str = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
const YEAR: &str = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])";
const LEAP_YEAR: &str = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)";
const CLOCK: &str =
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";

/// The expression for a format, without anchors; `None` for formats that are not
/// enforced.
pub(super) fn expression(name: &str) -> Option<String> {
    let expression = match name {
        "date" => date(),
        "time" => CLOCK.to_owned(),
        "date-time" => format!("(?:{})T{CLOCK}", date()),
        "duration" => duration(),
        "email" => email(),
        "hostname" => hostname(),
        "ipv4" => format!(r"(?:{OCTET}\.){{3}}{OCTET}"),
        "ipv6" => ipv6(),
        "uuid" => "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}".to_owned(),
        _ => return None,
    };
    Some(expression)
}

fn date() -> String {
    format!(
        "{YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)\
         |02-(?:0[1-9]|1[0-9]|2[0-8]))|{LEAP_YEAR}-02-29"
    )
}

/// Without weeks: `P1W` stands alone, and the other units come in order and
/// without gaps.
fn duration() -> String {
    let n = "[0-9]{1,9}";
    let time = format!("T(?:{n}H(?:{n}M(?:{n}S)?)?|{n}M(?:{n}S)?|{n}S)");
    let date = format!("(?:{n}Y(?:{n}M(?:{n}D)?)?|{n}M(?:{n}D)?|{n}D)");
    format!("P(?:{date}(?:{time})?|{time}|{n}W)")
}

fn email() -> String {
    let atom = "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]";
    let label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,46}[a-zA-Z0-9])?";
    format!(r"(?:{atom}{{1,63}}|(?:{atom}{{1,15}}\.){{1,3}}{atom}{{1,15}})@(?:{label}\.){{1,3}}[a-zA-Z]{{2,24}}")
}

/// Labels without two hyphens in a row, which stand for an encoded name.
fn hostname() -> String {
    let label = "[a-zA-Z0-9]{1,20}(?:-[a-zA-Z0-9]{1,13}){0,3}";
    format!(r"{label}(?:\.{label}){{0,3}}")
}

fn ipv6() -> String {
    let h = "[0-9a-fA-F]{1,4}";
    let mut forms = vec![format!("(?:{h}:){{7}}{h}"), format!("(?:{h}:){{1,7}}:")];
    for after in 1..=6 {
        forms.push(format!("(?:{h}:){{1,{}}}(?::{h}){{{after}}}", 7 - after));
    }
    forms.push(format!(":(?::{h}){{1,7}}"));
    forms.push("::".to_owned());
    forms.join("|")
}
