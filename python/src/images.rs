//! Images of texts and of images.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping, PyTuple};

use crate::audio::{DEPTH, add_field};
use crate::caller::Caller;
use crate::handle::Handle;
use crate::method::{self, Method};
use crate::reply::Reading;
use crate::request::{self, Call};
use crate::types;

static GENERATE: Method = Method {
    name: "Images.generate",
    path: "/v1/images/generations",
    parameters: &[
        "prompt",
        "background",
        "complexity",
        "frame_count",
        "frame_duration_ms",
        "model",
        "moderation",
        "n",
        "output_compression",
        "output_format",
        "partial_images",
        "quality",
        "response_format",
        "safety_identifier",
        "size",
        "stream",
        "style",
        "svg",
        "user",
    ],
    required: &["prompt"],
    iterables: &[],
    reading: READING,
};

static EDIT: Upload = Upload {
    name: "Images.edit",
    path: "/v1/images/edits",
    parameters: &[
        "image",
        "prompt",
        "background",
        "complexity",
        "frame_count",
        "frame_duration_ms",
        "input_fidelity",
        "markup",
        "mask",
        "model",
        "n",
        "output_compression",
        "output_format",
        "partial_images",
        "quality",
        "response_format",
        "safety_identifier",
        "size",
        "stream",
        "svg",
        "user",
    ],
    required: &["image", "prompt"],
};

static VARY: Upload = Upload {
    name: "Images.create_variation",
    path: "/v1/images/variations",
    parameters: &["image", "model", "n", "response_format", "size", "user"],
    required: &["image"],
};

const READING: Reading = Reading::ObjectOrStream(&types::IMAGES_RESPONSE, types::IMAGE_STREAM_EVENT);

/// Parameters that are files.
const FILES: [&str; 2] = ["image", "mask"];

/// A method that posts its arguments as a form, with images.
struct Upload {
    /// What exceptions call it.
    name: &'static str,
    path: &'static str,
    parameters: &'static [&'static str],
    required: &'static [&'static str],
}

/// The images of an engine. Parameters that the engine does not serve are its own to refuse.
#[pyclass(frozen, module = "zerohop._native")]
pub(crate) struct Images(pub(crate) Caller);

#[pymethods]
impl Images {
    /// Makes images of a text.
    ///
    /// The parameters are the API's; `model` may be left out if the engine has one model. What the API does
    /// not have goes into `extra_body`: `seed`, `steps`, `cfg_scale`, `sampler`, `scheduler` and
    /// `negative_prompt`. Gives an `ImagesResponse`, whose `data` have the files in `b64_json`, or a `Stream`
    /// of events if `stream` is true. `timeout` is the number of seconds that the answer, or each event, may
    /// take; none by default.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, prompt, background=..., complexity=..., frame_count=..., frame_duration_ms=..., model=..., moderation=..., n=..., output_compression=..., output_format=..., partial_images=..., quality=..., response_format=..., safety_identifier=..., size=..., stream=..., style=..., svg=..., user=..., extra_headers=None, extra_query=None, extra_body=None, timeout=None)")]
    fn generate<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        GENERATE.send(py, &self.0, arguments)
    }

    /// Paints an image anew, in parts or as a whole.
    ///
    /// `image` and `mask` are what openai's SDK takes: bytes, an open file, a path, or a tuple of a name and one
    /// of these; `image` may be a list of them for models that take several. Only what is transparent in `mask`
    /// changes. `extra_body` may have `strength` too, from 0 to 1. The rest is as in `generate`.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, image, prompt, background=..., complexity=..., frame_count=..., frame_duration_ms=..., input_fidelity=..., markup=..., mask=..., model=..., n=..., output_compression=..., output_format=..., partial_images=..., quality=..., response_format=..., safety_identifier=..., size=..., stream=..., svg=..., user=..., extra_headers=None, extra_query=None, extra_body=None, timeout=None)")]
    fn edit<'py>(&self, py: Python<'py>, arguments: Option<&Bound<'py, PyDict>>) -> PyResult<Bound<'py, PyAny>> {
        EDIT.send(py, &self.0, arguments)
    }

    /// Makes images that are like another. The parameters are those of `edit`, as far as there are any.
    #[pyo3(signature = (**arguments), text_signature = "($self, *, image, model=..., n=..., response_format=..., size=..., user=..., extra_headers=None, extra_query=None, extra_body=None, timeout=None)")]
    fn create_variation<'py>(
        &self,
        py: Python<'py>,
        arguments: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        VARY.send(py, &self.0, arguments)
    }

    fn __repr__(&self) -> String {
        format!("<images of {}>", self.0)
    }
}

impl Upload {
    fn send<'py>(
        &self,
        py: Python<'py>,
        caller: &Caller,
        arguments: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        caller.send(py, self.call(py, &caller.handle, arguments)?, READING)
    }

    fn call(&self, py: Python<'_>, handle: &Handle, arguments: Option<&Bound<'_, PyDict>>) -> PyResult<Call> {
        let none = PyDict::new(py);
        let arguments = arguments.unwrap_or(&none);
        request::check_arguments(self.name, arguments, self.parameters, self.required)?;
        let mut fields = Vec::new();
        if !arguments.contains("model")? {
            fields.push(("model".to_owned(), method::only_model(self.name, handle, py)?));
        }
        let mut files = Vec::new();
        for &name in self.parameters {
            let Some(value) = arguments.get_item(name)?.filter(|value| !value.is_none()) else { continue };
            if !FILES.contains(&name) {
                add_field(&mut fields, name, &value, DEPTH)?;
            } else if is_list(&value)? {
                for file in value.try_iter()? {
                    files.push(("image[]", file?));
                }
            } else {
                files.push((name, value));
            }
        }
        if let Some(extra) = arguments.get_item("extra_body")?.filter(|extra| !extra.is_none()) {
            for item in extra.cast::<PyMapping>()?.items()?.iter() {
                let (name, value): (String, Bound<'_, PyAny>) = item.extract()?;
                // It goes before the method's own parameters.
                fields.retain(|(field, _)| *field != name);
                add_field(&mut fields, &name, &value, DEPTH)?;
            }
        }
        Call::post_files(py, self.path, &fields, &files)?.with_options_of(arguments)
    }
}

/// Whether it is several files: a list, or a tuple that is not a name and a content.
fn is_list(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if value.is_instance_of::<PyList>() {
        return Ok(true);
    }
    let Ok(tuple) = value.cast::<PyTuple>() else { return Ok(false) };
    Ok(tuple.len() != 2 || tuple.get_item(0)?.extract::<Option<String>>().is_err())
}
