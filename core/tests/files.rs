//! Files, through the door and as typed calls.

mod common;

use common::mutate::Random;
use common::{count, engine, tiny};
use http::{Request, Response};
use serde_json::{Value, json};
use zerohop::types::{CreateFileRequest, FilePurpose, ListFilesRequest, SortOrder};
use zerohop::{Body, Engine, ErrorKind};

/// A name and a text.
type Field<'a> = (&'a str, &'a str);

/// A name, a file's name, and what is in it.
type Upload<'a> = (&'a str, &'a str, &'a [u8]);

const FORM: &str = "multipart/form-data; boundary=line";

/// A form of fields and files as clients write it.
fn form(fields: &[Field<'_>], files: &[Upload<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--line\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    for (name, filename, content) in files {
        let head = format!(
            "--line\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{filename}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--line--\r\n");
    body
}

fn send(engine: &Engine, method: &str, path: &str, content_type: &str, body: &[u8]) -> Response<Body> {
    let request = Request::builder().method(method).uri(path).header("content-type", content_type).body(body).unwrap();
    engine.request(&request).unwrap()
}

fn bytes(response: Response<Body>) -> Vec<u8> {
    match response.into_body() {
        Body::Full(body) => body,
        Body::Events(_) => panic!("this is a stream"),
    }
}

fn call(engine: &Engine, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
    let response = send(engine, method, path, FORM, body);
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&bytes(response)).unwrap())
}

#[test]
fn files_are_kept_and_come_back_byte_for_byte() {
    // BA1
    let engine = engine(tiny());
    let content: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let body = form(&[("purpose", "batch")], &[("file", "a b.jsonl", &content)]);
    let (status, file) = call(&engine, "POST", "/v1/files", &body);
    let id = file["id"].as_str().unwrap();
    assert_eq!(status, 200);
    assert!(id.starts_with("file-"), "{id}");
    let expected = json!({
        "id": id, "object": "file", "bytes": 3000, "created_at": file["created_at"], "filename": "a b.jsonl",
        "purpose": "batch", "status": "processed",
    });
    assert_eq!(file, expected);
    assert!(file["created_at"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(call(&engine, "GET", &format!("/v1/files/{id}"), b""), (200, file.clone()));
    let encoded = id.replace('-', "%2D");
    assert_eq!(call(&engine, "GET", &format!("/files/{encoded}"), b""), (200, file.clone()));

    let reply = send(&engine, "GET", &format!("/v1/files/{id}/content"), FORM, b"");
    assert_eq!(reply.headers()["content-type"], "application/octet-stream");
    assert!(reply.headers()["x-request-id"].to_str().unwrap().starts_with("req_"));
    assert_eq!(bytes(reply), content);

    let deleted = json!({"id": id, "object": "file", "deleted": true});
    assert_eq!(call(&engine, "DELETE", &format!("/v1/files/{id}"), b""), (200, deleted));
    for (method, path) in [("GET", ""), ("DELETE", ""), ("GET", "/content")] {
        let (status, reply) = call(&engine, method, &format!("/v1/files/{id}{path}"), b"");
        assert_eq!((status, &reply["error"]["param"]), (404, &json!("id")));
    }
}

#[test]
fn lists_have_pages() {
    let engine = engine(tiny());
    let files = engine.files();
    let kept: Vec<_> = (0..5)
        .map(|index| {
            let purpose = if index == 2 { FilePurpose::Vision } else { FilePurpose::Batch };
            files.create(CreateFileRequest::new(format!("{index}"), vec![0; index], purpose)).unwrap()
        })
        .collect();
    let names = |query: &str| -> (Vec<String>, bool) {
        let (status, list) = call(&engine, "GET", &format!("/v1/files?{query}"), b"");
        assert_eq!((status, &list["object"]), (200, &json!("list")));
        let data = list["data"].as_array().unwrap();
        assert_eq!(list["last_id"], data.last().map_or(Value::Null, |file| file["id"].clone()));
        let name = |file: &Value| file["filename"].as_str().unwrap().to_owned();
        (data.iter().map(name).collect(), list["has_more"].as_bool().unwrap())
    };
    let words = |text: &str| text.split_terminator(' ').map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(names(""), (words("4 3 2 1 0"), false));
    assert_eq!(names("order=asc&limit=2"), (words("0 1"), true));
    assert_eq!(names(&format!("order=asc&limit=2&after={}", kept[1].id)), (words("2 3"), true));
    assert_eq!(names(&format!("after={}&limit=3", kept[3].id)), (words("2 1 0"), false));
    assert_eq!(names("purpose=vision"), (words("2"), false));
    assert_eq!(names("purpose=evals"), (words(""), false));

    let typed = files.list(&ListFilesRequest::new().order(SortOrder::Asc).limit(1)).unwrap();
    assert_eq!((&typed.data[..], typed.has_more), (&kept[..1], true));
    for query in ["limit=0", "limit=99999", "order=x", "after=file-none", "purpose=x", "page=1"] {
        let (status, reply) = call(&engine, "GET", &format!("/v1/files?{query}"), b"");
        assert_eq!((status, &reply["error"]["param"]), (400, &json!(query.split_once('=').unwrap().0)));
    }
}

#[test]
fn bad_uploads_are_refused_with_the_parameter() {
    let engine = engine(tiny());
    let file: Upload<'_> = ("file", "a", b"x");
    let cases: &[(&[Field<'_>], &[Upload<'_>], &str)] = &[
        (&[], &[file], "purpose"),
        (&[("purpose", "batch")], &[], "file"),
        (&[("purpose", "lunch")], &[file], "purpose"),
        (&[("purpose", "batch"), ("purpose", "batch")], &[file], "purpose"),
        (&[("purpose", "batch"), ("file", "text")], &[], "file"),
        (&[("purpose", "batch")], &[("file", "", b"x")], "file"),
        (&[("purpose", "batch")], &[file, file], "file"),
        (&[("purpose", "batch"), ("model", "m")], &[file], "model"),
        (
            &[("purpose", "batch"), ("expires_after[anchor]", "now"), ("expires_after[seconds]", "4000")],
            &[file],
            "expires_after.anchor",
        ),
        (&[("purpose", "batch"), ("expires_after[seconds]", "4000")], &[file], "expires_after.anchor"),
        (&[("purpose", "batch"), ("expires_after[anchor]", "created_at")], &[file], "expires_after.seconds"),
        (
            &[("purpose", "batch"), ("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3599")],
            &[file],
            "expires_after.seconds",
        ),
    ];
    for (fields, files, param) in cases {
        let (status, reply) = call(&engine, "POST", "/v1/files", &form(fields, files));
        assert_eq!((status, &reply["error"]["param"]), (400, &json!(param)), "{reply}");
    }
    let reply = send(&engine, "POST", "/v1/files", "application/json", b"{}");
    assert_eq!(reply.status(), 400);
    let (status, _) = call(&engine, "PUT", "/v1/files", b"");
    assert_eq!(status, 404);
    let (status, _) = call(&engine, "GET", "/v1/files/a/b", b"");
    assert_eq!(status, 404);
    assert_eq!(call(&engine, "GET", "/v1/files", b"").1["data"], json!([]));
}

#[test]
fn files_go_with_the_engine() {
    let engine = engine(tiny());
    let request = CreateFileRequest::new("a", "text", FilePurpose::UserData).expires_after(7200);
    let file = engine.files().create(request.clone()).unwrap();
    assert_eq!(file.expires_at, Some(file.created_at + 7200));
    assert_eq!(engine.clone().files().content(&file.id).unwrap()[..], *b"text");
    let unnamed = CreateFileRequest::new("", "text", FilePurpose::UserData);
    assert_eq!(engine.files().create(unnamed).unwrap_err().param(), Some("file"));
    engine.close();
    assert_eq!(engine.files().content(&file.id).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(engine.files().create(request).unwrap_err().kind(), ErrorKind::Closed);
}

#[test]
fn damaged_forms_are_refused_or_kept() {
    let engine = engine(tiny());
    let good = form(
        &[("purpose", "batch"), ("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3600")],
        &[("file", "a\\\"b%22.txt", b"content\r\n--lin\r\n\r\n\0\xff")],
    );
    assert_eq!(call(&engine, "POST", "/v1/files", &good).0, 200);
    let (mut kept, mut refused) = (0, 0);
    for seed in 1..=count(3000, 200_000) as u64 {
        let mut random = Random::new(seed);
        let mut body = good.clone();
        for _ in 0..=random.below(4) {
            let at = random.below(body.len());
            let len = 1 + random.below(24.min(body.len() - at));
            let pieces: [&[u8]; 9] = [
                b"\r\n",
                b"--line",
                b"--",
                b"\"",
                b"\\",
                b";",
                b"=",
                b"\r\n\r\n",
                b"Content-Disposition: form-data; name=",
            ];
            match random.below(5) {
                0 => body[at] ^= 1 << random.below(8),
                1 => drop(body.drain(at..at + len)),
                2 => {
                    let part = body[at..at + len].repeat(1 + random.below(300));
                    body.splice(at..at, part);
                }
                3 => body.truncate(at.max(1)),
                _ => drop(body.splice(at..at, pieces[random.below(pieces.len())].iter().copied())),
            }
            if body.is_empty() {
                body.push(b'-');
            }
        }
        match call(&engine, "POST", "/v1/files", &body) {
            (200, file) => {
                kept += 1;
                let id = file["id"].as_str().unwrap();
                assert_eq!(engine.files().content(id).unwrap().len() as u64, file["bytes"].as_u64().unwrap());
                engine.files().delete(id).unwrap();
            }
            (400, reply) => {
                refused += 1;
                assert!(!reply["error"]["message"].as_str().unwrap().is_empty(), "seed {seed}");
            }
            (status, reply) => panic!("seed {seed}: {status} {reply}"),
        }
    }
    assert!(kept > 10 && refused > 100, "{kept} {refused}");
}
