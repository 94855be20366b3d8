//! Reading forms.
//!
//! The body is in memory already, so that nothing is copied: parts are slices of it. What is not exactly
//! a form is refused; so are forms beyond the limits below, before anything is made of them.

use std::str;

use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, HeaderValue};
use memchr::memmem;

use crate::api::error::{Error, ErrorKind, Result};
use crate::api::parse::shorten;

/// Parts of a form. The API's largest have some twenty.
const MAX_PARTS: usize = 128;
/// Bytes of a part's header, in which its file's name is.
const MAX_HEADER: usize = 8 << 10;
/// Bytes of a part that is no file.
const MAX_TEXT: usize = 1 << 20;
/// As RFC 2046 has it.
const MAX_BOUNDARY: usize = 70;

/// The parts of a form that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Form<'a>(Vec<Part<'a>>);

/// A part of a form; one with the name of a file is a file.
#[derive(Debug, PartialEq)]
struct Part<'a> {
    name: String,
    filename: Option<String>,
    content: &'a [u8],
}

/// A file that a form has.
#[derive(Debug)]
pub(crate) struct File<'a> {
    /// What the client calls it: not empty, and otherwise any text.
    pub(crate) name: String,
    pub(crate) content: &'a [u8],
}

impl<'a> Form<'a> {
    /// Reads a request's body.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for a body that is no form, or one beyond the limits.
    pub(crate) fn read(headers: &HeaderMap, body: &'a [u8]) -> Result<Self> {
        let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let boundary = content_type.and_then(boundary).ok_or_else(|| {
            malformed("the content type has to be 'multipart/form-data' with a 'boundary' of 1 to 70 characters")
        })?;
        let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
        let finder = memmem::Finder::new(&delimiter);
        // The first stands at the beginning, without the line break that belongs to it elsewhere.
        let mut rest = body
            .strip_prefix(&delimiter[2..])
            .ok_or_else(|| malformed("it does not begin with the boundary that the content type names"))?;
        let mut parts: Vec<Part<'_>> = Vec::new();
        loop {
            if rest.starts_with(b"--") {
                return Ok(Form(parts));
            }
            rest = without_blanks(rest)
                .strip_prefix(b"\r\n")
                .ok_or_else(|| malformed("a boundary is followed by something else"))?;
            if parts.len() == MAX_PARTS {
                return Err(malformed(&format!("it has more than {MAX_PARTS} parts")));
            }
            let (header, content) = split_header(rest)?;
            let end = finder.find(content).ok_or_else(|| malformed("its last part does not end"))?;
            let (name, filename) = read_header(header)?;
            parts.push(Part { name, filename, content: &content[..end] });
            rest = &content[end + delimiter.len()..];
        }
    }

    /// Takes the text of this name out of the form.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for one that is given twice, or is a file, too long or no UTF-8.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<&'a str>> {
        self.take(name)?.map(|part| part.text(name)).transpose()
    }

    /// Takes the texts of this name out of the form: a list comes as one part for each item.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` as [`text`](Self::text).
    pub(crate) fn texts(&mut self, name: &'static str) -> Result<Vec<&'a str>> {
        self.0.extract_if(.., |part| part.name == name).map(|part| part.text(name)).collect()
    }

    /// Takes the file of this name out of the form.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for one that is given twice, or has no file name.
    pub(crate) fn file(&mut self, name: &'static str) -> Result<Option<File<'a>>> {
        self.take(name)?.map(|part| part.file(name)).transpose()
    }

    /// Takes the files of this name out of the form.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for one that has no file name.
    pub(crate) fn files(&mut self, name: &'static str) -> Result<Vec<File<'a>>> {
        self.0.extract_if(.., |part| part.name == name).map(|part| part.file(name)).collect()
    }

    fn take(&mut self, name: &'static str) -> Result<Option<Part<'a>>> {
        let Some(place) = self.0.iter().position(|part| part.name == name) else { return Ok(None) };
        let part = self.0.remove(place);
        if self.0.iter().any(|part| part.name == name) {
            return Err(Error::invalid(name, format!("'{name}' is given twice")));
        }
        Ok(Some(part))
    }

    /// # Errors
    ///
    /// `InvalidRequest` if a part has not been taken: nobody knows it.
    pub(crate) fn finish(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some(part) => {
                let name = shorten(&part.name).into_owned();
                let message = format!("Unrecognized request argument: {name}");
                Err(Error::invalid(name, message))
            }
        }
    }
}

impl<'a> Part<'a> {
    fn file(self, name: &'static str) -> Result<File<'a>> {
        match self.filename {
            Some(filename) if !filename.is_empty() => Ok(File { name: filename, content: self.content }),
            _ => Err(Error::invalid(name, format!("'{name}' has to be a file, with a name"))),
        }
    }

    fn text(&self, name: &'static str) -> Result<&'a str> {
        if self.filename.is_some() {
            return Err(Error::invalid(name, format!("'{name}' has to be a text, not a file")));
        }
        if self.content.len() > MAX_TEXT {
            let message = format!("'{name}' has {} bytes; at most {MAX_TEXT} are read", self.content.len());
            return Err(Error::invalid(name, message));
        }
        str::from_utf8(self.content).map_err(|_| Error::invalid(name, format!("'{name}' is no UTF-8 text")))
    }
}

fn malformed(reason: &str) -> Error {
    Error::new(ErrorKind::InvalidRequest, format!("The request body is no valid multipart form: {reason}"))
}

/// Without the blanks that transports may add behind a boundary.
fn without_blanks(line: &[u8]) -> &[u8] {
    let blanks = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &line[blanks..]
}

/// The boundary that a content type names.
fn boundary(content_type: &[u8]) -> Option<String> {
    let (kind, parameters) = parameters(str::from_utf8(content_type).ok()?)?;
    let boundary = find(parameters, "boundary")?;
    let fits =
        (1..=MAX_BOUNDARY).contains(&boundary.len()) && boundary.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    (kind.eq_ignore_ascii_case("multipart/form-data") && fits).then_some(boundary)
}

/// A part's header, and what comes behind it.
fn split_header(part: &[u8]) -> Result<(&str, &[u8])> {
    let window = &part[..part.len().min(MAX_HEADER)];
    let end = memmem::find(window, b"\r\n\r\n")
        .ok_or_else(|| malformed(&format!("a part's header does not end, or has more than {MAX_HEADER} bytes")))?;
    let header = str::from_utf8(&part[..end]).map_err(|_| malformed("a part's header is no UTF-8 text"))?;
    Ok((header, &part[end + 4..]))
}

/// The names that a part's header has for it and for its file.
fn read_header(header: &str) -> Result<(String, Option<String>)> {
    let mut disposition = None;
    for line in header.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("a line of a part's header has no colon"))?;
        let value = value.trim_matches([' ', '\t']);
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is(CONTENT_DISPOSITION.as_str()) {
            disposition = Some(value);
        } else if is("content-transfer-encoding")
            && !["7bit", "8bit", "binary"].iter().any(|known| value.eq_ignore_ascii_case(known))
        {
            return Err(malformed("a part is encoded, which forms are not"));
        }
    }
    let parameters = disposition.and_then(parameters).filter(|(kind, _)| kind.eq_ignore_ascii_case("form-data"));
    let (_, parameters) = parameters.ok_or_else(|| malformed("a part has no 'Content-Disposition: form-data'"))?;
    let filename = find(parameters.clone(), "filename");
    let name = find(parameters, "name").ok_or_else(|| malformed("a part has no name"))?;
    Ok((name, filename))
}

type Parameters = Vec<(String, String)>;

fn find(parameters: Parameters, name: &str) -> Option<String> {
    parameters.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A header's value and its parameters: `value; name=token; name="quoted"`. `None` if it is something
/// else.
fn parameters(header: &str) -> Option<(&str, Parameters)> {
    let (value, mut rest) = header.split_once(';').unwrap_or((header, ""));
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return Some((value.trim_ascii(), parameters));
        }
        let (name, behind) = rest.split_once('=')?;
        let (value, behind) = match behind.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => token(behind),
        };
        parameters.push((name.trim_ascii().to_owned(), value));
        rest = behind.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(';') {
            return None;
        }
    }
}

/// The text up to the next parameter, and what comes behind it.
fn token(text: &str) -> (String, &str) {
    let (token, behind) = text.split_at(text.find(';').unwrap_or(text.len()));
    (token.trim_ascii().to_owned(), behind)
}

/// The text up to a closing quote, and what comes behind that. Clients write what must not stand between
/// quotes in two ways: as `\"`, and as the URL standard's forms do, `%22`.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut rest = quoted;
    loop {
        let at = rest.find(['"', '\\', '%'])?;
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let escapes = [("\\\"", '"'), ("\\\\", '\\'), ("%22", '"'), ("%0D", '\r'), ("%0A", '\n')];
        if let Some((escape, meant)) = escapes.iter().find(|(escape, _)| rest.starts_with(escape)) {
            text.push(*meant);
            rest = &rest[escape.len()..];
        } else if let Some(behind) = rest.strip_prefix('"') {
            return Some((text, behind));
        } else {
            text.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(content_type: &str, body: &'a [u8]) -> Result<Form<'a>> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap())]);
        Form::read(&headers, body)
    }

    fn form(body: &str) -> Result<Form<'_>> {
        read("multipart/form-data; boundary=b", body.as_bytes())
    }

    fn with_header(header: &str) -> String {
        format!("--b\r\n{header}\r\n\r\nx\r\n--b--\r\n")
    }

    fn names(header: &str) -> (String, Option<String>) {
        let body = with_header(&format!("Content-Disposition: form-data; {header}"));
        let part = form(&body).unwrap().0.remove(0);
        (part.name, part.filename)
    }

    #[test]
    fn parts_are_slices_of_the_body() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
                    --b \t\r\ncontent-disposition: FORM-DATA; name=file; filename=\"a.txt\"\r\n\
                    Content-Type: text/plain\r\n\r\nline\r\n-b\r\n\r\n--b--\r\nepilogue";
        let mut form = form(body).unwrap();
        assert_eq!(form.text("none").unwrap(), None);
        assert_eq!(form.text("purpose").unwrap(), Some("batch"));
        let file = form.file("file").unwrap().unwrap();
        assert_eq!((&*file.name, file.content), ("a.txt", b"line\r\n-b\r\n".as_slice()));
        form.finish().unwrap();
    }

    #[test]
    fn a_line_that_begins_like_the_boundary_is_one() {
        // RFC 2046, 5.1.1: no part may have it. Clients choose long ones.
        assert!(form("--b\r\nContent-Disposition: form-data; name=t\r\n\r\nx\r\n--bless\r\n--b--").is_err());
    }

    #[test]
    fn contents_may_be_anything_else() {
        for content in ["", "\r\n", "--", "--c", "\r\n-", "\r\n--", "a--b", "\0\u{7f}ü", "\n--b\r\n"] {
            let body = format!("--b\r\nContent-Disposition: form-data; name=t\r\n\r\n{content}\r\n--b--");
            assert_eq!(form(&body).unwrap().text("t").unwrap(), Some(content));
        }
    }

    #[test]
    fn names_come_in_every_clients_spelling() {
        assert_eq!(names("name=a"), ("a".to_owned(), None));
        assert_eq!(names("filename=\"b; c=d\";name=\"a\""), ("a".to_owned(), Some("b; c=d".to_owned())));
        assert_eq!(names(r#"name="a"; filename="q\"u\\o%22t%0D%0Ae%20""#).1.unwrap(), "q\"u\\o\"t\r\ne%20");
        assert_eq!(names(r#"name="a"; filename="C:\x\y""#).1.unwrap(), r"C:\x\y");
        assert_eq!(names("NAME=\"a\" ; FileName=\"東京.txt\" ; x=y").1.unwrap(), "東京.txt");
    }

    #[test]
    fn boundaries_may_be_quoted() {
        let body = b"--a b:c\r\nContent-Disposition: form-data; name=t\r\n\r\nx\r\n--a b:c--";
        for content_type in
            ["multipart/form-data; boundary=\"a b:c\"", "Multipart/Form-Data;charset=x; Boundary=\"a b:c\""]
        {
            assert_eq!(read(content_type, body).unwrap().text("t").unwrap(), Some("x"));
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        let long_boundary = format!("multipart/form-data; boundary={}", "b".repeat(71));
        let types = [
            "application/json",
            "multipart/form-data",
            "multipart/mixed; boundary=b",
            "multipart/form-data; boundary=",
            "x",
            &long_boundary,
        ];
        for content_type in types {
            assert!(read(content_type, b"--b--").unwrap_err().message().contains("content type"), "{content_type}");
        }
        assert!(Form::read(&HeaderMap::new(), b"--b--").is_err());

        let good = with_header("Content-Disposition: form-data; name=t");
        assert!(form(&good).is_ok());
        for end in 0..good.len() - "--\r\n".len() {
            let error = form(&good[..end]).unwrap_err();
            assert_eq!((error.status(), error.param()), (Some(400), None), "{end}");
        }
        let bad = [
            "Content-Disposition: form-data",
            "Content-Disposition: attachment; name=t",
            "Content-Disposition: form-data; name",
            "Content-Disposition: form-data; name=\"t",
            "Content-Disposition: form-data; name=\"t\"x",
            "Content-Disposition form-data; name=t",
            "Content-Type: text/plain",
            "Content-Disposition: form-data; name=t\r\n folded: line\r\nnone",
            "Content-Disposition: form-data; name=t\r\nContent-Transfer-Encoding: base64",
        ];
        for header in bad {
            assert_eq!(form(&with_header(header)).unwrap_err().status(), Some(400), "{header}");
        }
        let latin =
            [b"--b\r\nContent-Disposition: form-data; name=\"".as_slice(), b"\xe9\"\r\n\r\nx\r\n--b--"].concat();
        assert!(read("multipart/form-data; boundary=b", &latin).is_err());
    }

    #[test]
    fn limits_hold() {
        let parts = |count: usize| "--b\r\nContent-Disposition: form-data; name=t\r\n\r\n\r\n".repeat(count) + "--b--";
        assert_eq!(form(&parts(MAX_PARTS)).unwrap().0.len(), MAX_PARTS);
        assert!(form(&parts(MAX_PARTS + 1)).unwrap_err().message().contains("more than 128 parts"));

        let named =
            |length: usize| with_header(&format!("Content-Disposition: form-data; name={}", "n".repeat(length)));
        assert!(form(&named(MAX_HEADER - 100)).is_ok());
        assert!(form(&named(MAX_HEADER)).unwrap_err().message().contains("header"));

        let long =
            format!("--b\r\nContent-Disposition: form-data; name=t\r\n\r\n{}\r\n--b--", "x".repeat(MAX_TEXT + 1));
        assert_eq!(form(&long).unwrap().text("t").unwrap_err().param(), Some("t"));
    }

    #[test]
    fn wrong_parts_are_named() {
        let refusal = |header: &str| {
            let body = with_header(&format!("Content-Disposition: form-data; {header}"));
            let mut form = form(&body).unwrap();
            let error = form.text("text").and_then(|_| form.file("file")).and_then(|_| form.finish()).unwrap_err();
            (error.param().unwrap().to_owned(), error.message().to_owned())
        };
        assert_eq!(refusal("name=text; filename=a").0, "text");
        assert_eq!(refusal("name=file").0, "file");
        assert_eq!(refusal("name=file; filename=\"\"").0, "file");
        assert_eq!(refusal("name=other").1, "Unrecognized request argument: other");
        let twice = "--b\r\nContent-Disposition: form-data; name=t\r\n\r\n\r\n".repeat(2) + "--b--";
        assert!(form(&twice).unwrap().text("t").unwrap_err().message().contains("twice"));
        let bytes = b"--b\r\nContent-Disposition: form-data; name=t\r\n\r\n\xff\r\n--b--";
        assert!(read("multipart/form-data; boundary=b", bytes).unwrap().text("t").is_err());
    }
}
