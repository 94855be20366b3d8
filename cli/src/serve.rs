//! A small server for programs that cannot link the library.
//!
//! HTTP is all it adds: every request goes to the engine's door, and the door's reply goes back.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use clap::Args;
use futures_core::Stream;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_http::cors::{AllowOrigin, CorsLayer};
use zerohop::{Engine, EventStream};

use crate::model::{LoadArguments, NamedModel, with_bar};

/// For programs in languages without a binding. Those in Rust, C, C++ and Python need no server: they
/// link the engine.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The models: GGUF files, each with the name that requests use for it if it is not the file's
    #[arg(value_name = "[NAME=]FILE", required = true)]
    models: Vec<NamedModel>,
    /// The address to listen at. Whoever can reach it can use the models: set keys before others can
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// The port to listen at; 0 for a free one, which is printed
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// A key that requests have to show, as `Authorization: Bearer KEY`; may be repeated [default: that of
    /// the variable ZEROHOP_API_KEY, or none]
    #[arg(long, value_name = "KEY")]
    api_key: Vec<String>,
    /// Requests in a minute for each key, or in all without keys [default: no limit]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    requests_per_minute: u32,
    /// Tokens in a minute, in the same way [default: no limit]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    tokens_per_minute: u32,
    /// Seconds that a request may take [default: no limit]
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
    timeout: u64,
    /// An origin whose web pages may send requests; may be repeated [default: none]
    #[arg(long, value_name = "ORIGIN")]
    cors: Vec<HeaderValue>,
    /// Bytes of a request's body at most
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    max_body: usize,
    /// Seconds that running requests may take after SIGTERM or Ctrl-C
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    drain: u64,
    /// Load each model when the first request for it comes
    #[arg(long)]
    lazy: bool,
    /// Bytes that all models together may take; lazy ones are unloaded to make room [default: no limit]
    #[arg(long, value_name = "BYTES", default_value_t = 0, hide_default_value = true)]
    memory_budget: u64,
    #[command(flatten)]
    load: LoadArguments,
}

#[derive(Clone)]
struct Server {
    engine: Engine,
    max_body: usize,
}

pub(crate) fn serve(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut builder = Engine::builder()
        .memory_budget(arguments.memory_budget)
        .requests_per_minute(arguments.requests_per_minute)
        .tokens_per_minute(arguments.tokens_per_minute)
        .timeout(Duration::from_secs(arguments.timeout));
    let of_environment = std::env::var("ZEROHOP_API_KEY").ok().filter(|_| arguments.api_key.is_empty());
    for key in arguments.api_key.iter().chain(&of_environment) {
        builder = builder.api_key(key);
    }
    let options = arguments.load.options_of(&arguments.models)?;
    for (model, options) in arguments.models.iter().zip(options) {
        builder = builder.model(&model.name, with_bar(options.lazy(arguments.lazy), &model.path));
    }
    let engine = builder.build()?;
    // The engine has threads of its own: one is enough for the sockets.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(listen(engine.clone(), arguments))?;
    engine.close();
    Ok(ExitCode::SUCCESS)
}

async fn listen(engine: Engine, arguments: Arguments) -> anyhow::Result<()> {
    let address = SocketAddr::new(arguments.host, arguments.port);
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))?;
    writeln!(io::stdout(), "http://{}/v1", listener.local_addr()?)?;
    let server = Server { engine: engine.clone(), max_body: arguments.max_body };
    let mut router = Router::new().fallback(answer).with_state(server);
    if !arguments.cors.is_empty() {
        router = router.layer(
            CorsLayer::new()
                .allow_origin(AllowOrigin::list(arguments.cors))
                .allow_methods([Method::GET, Method::POST, Method::DELETE])
                .allow_headers([AUTHORIZATION, CONTENT_TYPE]),
        );
    }
    let (drain, draining) = tokio::sync::oneshot::channel();
    let mut terminated = signal(SignalKind::terminate())?;
    let shutdown = async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        let _ = drain.send(());
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(shutdown);
    let limit = async move {
        if draining.await.is_err() {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_secs(arguments.drain)).await;
    };
    tokio::select! {
        result = serving => result?,
        () = limit => eprintln!("zerohop: requests still ran after {} seconds; they are ended", arguments.drain),
    }
    Ok(())
}

async fn answer(State(server): State<Server>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, server.max_body).await else {
        let message = format!("the body is longer than {} bytes", server.max_body);
        return error(StatusCode::PAYLOAD_TOO_LARGE, &message);
    };
    let pending = server.engine.submit_async(Request::from_parts(parts, body));
    let reply = match pending {
        Ok(pending) => pending.await,
        Err(error) => Err(error),
    };
    match reply {
        Ok(reply) => {
            let (parts, body) = reply.into_parts();
            let body = match body {
                zerohop::Body::Full(body) => Body::from(body),
                zerohop::Body::Events(events) => Body::from_stream(Events(events)),
            };
            Response::from_parts(parts, body)
        }
        // The engine is being closed.
        Err(failure) => error(StatusCode::SERVICE_UNAVAILABLE, failure.message()),
    }
}

/// An error of the server itself, in the API's shape.
fn error(status: StatusCode, message: &str) -> Response {
    let body = serde_json::json!({
        "error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}
    });
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// An event stream as the body of a response.
struct Events(EventStream);

impl Stream for Events {
    type Item = Result<Bytes, zerohop::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next(context).map(|event| event.map(|event| event.map(Bytes::from)))
    }
}
