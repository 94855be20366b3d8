//! Requests for edits and variations as multipart forms, which is how clients send them (IM5).

use http::HeaderMap;
use serde_json::{Map, Value};

use crate::api::error::{Error, ErrorKind, Result};
use crate::api::images::{
    CreateImageEditRequest, CreateImageRequest, CreateImageVariationRequest, ImageFile, ImageOptions,
};
use crate::api::parse::{parse_image_options, shorten};
use crate::multipart::{Form, FormWriter};

/// The longest body: some images and the form around them.
const MAX_BODY: usize = 256 << 20;

/// A request's form.
pub(crate) struct ImageForm<'a>(Form<'a>);

impl<'a> ImageForm<'a> {
    /// # Errors
    ///
    /// `InvalidRequest` for a body that is no form, or too long.
    pub(crate) fn read(headers: &HeaderMap, body: &'a [u8]) -> Result<Self> {
        if body.len() > MAX_BODY {
            let message = format!("The request body has {} bytes; at most {MAX_BODY} are read", body.len());
            return Err(Error::new(ErrorKind::InvalidRequest, message).with_code("request_too_large"));
        }
        Form::read(headers, body).map(ImageForm)
    }

    /// The request that a form for `/v1/images/edits` makes.
    pub(crate) fn edit(mut self) -> Result<CreateImageEditRequest> {
        let mut images = self.files("image")?;
        images.extend(self.files("image[]")?);
        let request = CreateImageEditRequest {
            images: if images.is_empty() { return Err(missing("image")) } else { images },
            mask: self.0.file("mask")?.map(|file| ImageFile::new(file.name, file.content)),
            model: self.text("model")?.ok_or_else(|| missing("model"))?,
            prompt: self.text("prompt")?.ok_or_else(|| missing("prompt"))?,
            options: self.options()?,
        };
        request.validate(request.options.stream == Some(true))?;
        Ok(request)
    }

    /// The request that a form for `/v1/images/variations` makes.
    pub(crate) fn variation(mut self) -> Result<CreateImageVariationRequest> {
        let image = self.0.file("image")?.ok_or_else(|| missing("image"))?;
        let image = ImageFile::new(image.name, image.content);
        let model = self.text("model")?.ok_or_else(|| missing("model"))?;
        let request = CreateImageVariationRequest { model, image, options: self.options()? };
        request.validate()?;
        Ok(request)
    }

    fn files(&mut self, name: &'static str) -> Result<Vec<ImageFile>> {
        let files = self.0.files(name)?;
        Ok(files.into_iter().map(|file| ImageFile::new(file.name, file.content)).collect())
    }

    /// An empty text is as good as none, as with null in JSON.
    fn text(&mut self, name: &'static str) -> Result<Option<String>> {
        Ok(self.0.text(name)?.filter(|text| !text.is_empty()).map(str::to_owned))
    }

    /// What is left of the form.
    fn options(mut self) -> Result<ImageOptions> {
        let mut fields = Map::new();
        for name in ImageOptions::FIELDS {
            let Some(text) = self.text(name)? else { continue };
            let value = match *name {
                "n" | "seed" | "steps" | "partial_images" | "output_compression" | "cfg_scale" | "strength" => {
                    number(name, &text)?
                }
                "stream" => match text.as_str() {
                    "true" | "True" | "1" => Value::Bool(true),
                    "false" | "False" | "0" => Value::Bool(false),
                    _ => return Err(wrong(name, "'true' or 'false'", &text)),
                },
                _ => Value::String(text),
            };
            fields.insert((*name).to_owned(), value);
        }
        self.0.finish()?;
        parse_image_options(fields)
    }
}

fn number(name: &'static str, text: &str) -> Result<Value> {
    serde_json::from_str(text.trim()).ok().filter(Value::is_number).ok_or_else(|| wrong(name, "a number", text))
}

fn wrong(name: &'static str, expected: &str, text: &str) -> Error {
    Error::invalid(name, format!("Invalid '{name}': expected {expected}, got '{}'", shorten(text)))
}

fn missing(name: &'static str) -> Error {
    Error::invalid(name, format!("Missing required parameter: '{name}'"))
}

fn add_options(form: &mut FormWriter, options: &ImageOptions, stream: bool) {
    let options = ImageOptions { stream: stream.then_some(true), ..options.clone() };
    let Ok(Value::Object(fields)) = serde_json::to_value(options) else { return };
    for (name, value) in &fields {
        match value {
            Value::String(text) => form.text(name, text),
            value => form.text(name, &value.to_string()),
        }
    }
}

fn add_file(form: &mut FormWriter, field: &str, file: &ImageFile) {
    form.file(field, if file.name.is_empty() { field } else { &file.name }, &file.content);
}

impl CreateImageRequest {
    /// The request as HTTP has it.
    pub(crate) fn to_http(&self, stream: bool) -> Result<http::Request<Vec<u8>>> {
        let options = ImageOptions { stream: stream.then_some(true), ..self.options.clone() };
        let body = serde_json::to_vec(&CreateImageRequest { options, ..self.clone() });
        let body = body.map_err(|error| Error::internal("the request is no JSON").with_source(error))?;
        http::Request::post("/v1/images/generations")
            .body(body)
            .map_err(|error| Error::internal("the request is none").with_source(error))
    }
}

impl CreateImageEditRequest {
    /// The request as HTTP has it.
    pub(crate) fn to_http(&self, stream: bool) -> Result<http::Request<Vec<u8>>> {
        let mut form = FormWriter::new();
        form.text("model", &self.model);
        form.text("prompt", &self.prompt);
        for image in &self.images {
            add_file(&mut form, "image[]", image);
        }
        if let Some(mask) = &self.mask {
            add_file(&mut form, "mask", mask);
        }
        add_options(&mut form, &self.options, stream);
        form.into_request("/v1/images/edits")
    }
}

impl CreateImageVariationRequest {
    /// The request as HTTP has it.
    pub(crate) fn to_http(&self) -> Result<http::Request<Vec<u8>>> {
        let mut form = FormWriter::new();
        form.text("model", &self.model);
        add_file(&mut form, "image", &self.image);
        add_options(&mut form, &self.options, false);
        form.into_request("/v1/images/variations")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::images::{ImageFormat, ImageSize};

    #[test]
    fn forms_say_what_requests_do() {
        // IM5
        let image = ImageFile::new("a.png", [0_u8, 13, 10, 255].as_slice());
        let mut request = CreateImageEditRequest::new("m", "p\r\n--q", image.clone());
        request.mask = Some(ImageFile::new("m.png", *b"mask"));
        request.images.push(ImageFile::new("b.png", *b"b"));
        request.options = ImageOptions {
            n: Some(3),
            size: Some(ImageSize::Pixels(64, 128)),
            output_format: Some(ImageFormat::Jpeg),
            output_compression: Some(50),
            seed: Some(7),
            cfg_scale: Some(1.5),
            strength: Some(0.5),
            ..ImageOptions::default()
        };
        let form = request.to_http(false).unwrap();
        assert_eq!(ImageForm::read(form.headers(), form.body()).unwrap().edit().unwrap(), request);
        let mut variation = CreateImageVariationRequest::new("m", image);
        variation.options.steps = Some(2);
        let form = variation.to_http().unwrap();
        assert_eq!(ImageForm::read(form.headers(), form.body()).unwrap().variation().unwrap(), variation);
    }

    #[test]
    fn bad_forms_name_the_parameter() {
        // IM1, IM5, ER3
        for (name, text) in [
            ("n", "many"),
            ("n", "11"),
            ("size", "large"),
            ("stream", "yes"),
            ("output_format", "gif"),
            ("response_format", "url"),
            ("strength", "0"),
            ("input_fidelity", "high"),
        ] {
            let mut form = FormWriter::new();
            form.text("model", "m");
            form.text("prompt", "p");
            form.file("image", "a.png", b"a");
            form.text(name, text);
            let form = form.into_request("/").unwrap();
            let error = ImageForm::read(form.headers(), form.body()).unwrap().edit().expect_err(name);
            assert_eq!((error.status(), error.param()), (Some(400), Some(name)), "{error}");
        }
        for field in ["model", "prompt", "image"] {
            let mut form = FormWriter::new();
            for name in ["model", "prompt"].into_iter().filter(|name| *name != field) {
                form.text(name, "x");
            }
            if field != "image" {
                form.file("image", "a.png", b"a");
            }
            let form = form.into_request("/").unwrap();
            let error = ImageForm::read(form.headers(), form.body()).unwrap().edit().unwrap_err();
            assert_eq!(error.param(), Some(field));
        }
    }
}
